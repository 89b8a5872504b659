//! `sync status` and `sync resolve`: what is open, and how it is settled.

use super::{
    FilterArgs, Flags, Mode, Pair, PairArgs,
    ignored::Selection,
    report::{Counts, Report, counted},
    run,
};
use crate::{
    args::{Cli, Take},
    connection::Target,
    failure::{Failure, exit},
    output::{escaped, stdout, tell, write_json},
    transfer::Transfer,
};
use clap::Args;
use remofile::sync::{Change, ConflictName, SyncReport, Timestamp, trash::LocalTrash};
use std::{collections::BTreeMap, fs, io, io::Write as _, time::SystemTime};

#[derive(Debug, Args)]
#[command(after_help = "\
The local version is the one in NAME.conflict-UTC-HOST.EXT, the remote one has kept the name; newer goes by the \
modification times of the two, whichever clocks these are of. What is not taken goes to the trash. With both, the copy \
becomes a file of its own, NAME.UTC-HOST.EXT. The two directories are synchronised before and after.

Examples:
  remofile sync resolve --take local photos /photos cat.jpg
  remofile sync resolve --take newer photos /photos '*.jpg' '/2026/**'
  remofile sync resolve -n --take remote photos /photos '**'")]
pub(super) struct ResolveArgs {
    /// Which version is to be the one
    #[arg(long, value_enum, value_name = "WHICH")]
    take: Take,
    #[command(flatten)]
    pair: PairArgs,
    /// Whose conflicts: patterns of names at any depth, or of paths; ** is all of them
    #[arg(required = true, value_name = "GLOB")]
    globs: Vec<String>,
    /// Only print what would be done
    #[arg(short = 'n', long)]
    dry_run: bool,
    #[command(flatten)]
    filter: FilterArgs,
}

/// A file, and the conflict copies of it, the oldest first.
struct Conflict {
    original: String,
    copies: Vec<String>,
}

/// What is done with the files of a conflict.
#[derive(Debug, PartialEq, Eq)]
enum Step {
    /// Into the trash.
    Discard(String),
    /// A new name.
    Rename(String, String),
}

pub(super) fn status(cli: &Cli, pair: &Pair, filter: &FilterArgs) -> Result<(), Failure> {
    let flags = Flags { dry_run: true, filter: filter.clone(), ..Flags::default() };
    let mut report = Report::of_what_is_left(cli, pair);
    let done = run::with(cli, &Target::find(cli)?, pair, Mode::Both, &flags, &mut report)?;
    let counts = Counts::of(&done.plan);
    let mut out = stdout();
    if cli.output.json {
        report.sum_up(&done)?;
    } else {
        let (local, remote) = (escaped(&pair.local.display().to_string()), escaped(pair.remote.as_str()));
        writeln!(out, "{local} <-> {remote} ({})", counts.text(done.unchanged, 0, true))?;
    }
    drop(out);
    report.verdict(&done)
}

pub(super) fn resolve(cli: &Cli, args: &ResolveArgs) -> Result<(), Failure> {
    if args.take == Take::Session {
        return Err(Failure::usage_with("'session' is no version", "--take local, remote, newer or both"));
    }
    let (pair, selection) = (Pair::of(&args.pair)?, Selection::new(&args.globs)?);
    let flags = Flags { dry_run: args.dry_run, filter: args.filter.clone(), ..Flags::default() };
    let mut transfer = Transfer::watched(cli, Target::find(cli)?.connect()?);
    let result = settle(cli, args, &pair, &selection, &mut transfer, &flags);
    transfer.finish(result)
}

fn settle(
    cli: &Cli,
    args: &ResolveArgs,
    pair: &Pair,
    selection: &Selection,
    transfer: &mut Transfer,
    flags: &Flags,
) -> Result<(), Failure> {
    let mut report = Report::of_failures(cli, pair);
    // What another machine has left in conflict is to be here too.
    let before = run::in_session(transfer, pair, Mode::Both, flags, &mut report)?;
    let conflicts = selected(&before, selection);
    if conflicts.is_empty() {
        return Err(Failure::Said {
            what: format!("no conflict matches '{}'", args.globs.join(" ")),
            hint: Some("`remofile sync status LOCAL REMOTE` lists them".to_owned()),
            exit: exit::NOT_FOUND,
        });
    }
    let mut trash = LocalTrash::open(&pair.local, Timestamp::now())?;
    for conflict in &conflicts {
        for step in conflict.steps(pair, args.take)? {
            if !args.dry_run {
                step.execute(&mut trash)?;
            }
            step.tell(cli, args.dry_run)?;
        }
    }
    if args.dry_run {
        return Ok(());
    }
    trash.sync()?;
    let after = run::in_session(transfer, pair, Mode::Both, flags, &mut report)?;
    if after.failed > 0 || !selected(&after, selection).is_empty() {
        return report.verdict(&after);
    }
    if !cli.output.json && !cli.output.quiet {
        tell(format_args!("{} settled", counted(conflicts.len() as u64, "conflict", "conflicts")));
    }
    Ok(())
}

/// The conflicts that a run has found or made, as far as they are selected.
fn selected(done: &SyncReport, selection: &Selection) -> Vec<Conflict> {
    let made = done.plan.changes().filter_map(|action| match &action.change {
        Change::KeepBoth { copy } => Some(copy),
        _ => None,
    });
    let mut copies: BTreeMap<String, BTreeMap<(Timestamp, u32, &str), String>> = BTreeMap::new();
    for copy in made.chain(&done.plan.conflict_copies) {
        let Some(name) = ConflictName::parse(copy) else { continue };
        if selection.selects(&name.original) || selection.selects(copy) {
            copies.entry(name.original).or_default().insert((name.stamp, name.number, copy), copy.clone());
        }
    }
    copies.into_iter().map(|(original, copies)| Conflict { original, copies: copies.into_values().collect() }).collect()
}

impl Conflict {
    /// What is to be done here; the server gets it by the next run.
    fn steps(&self, pair: &Pair, take: Take) -> Result<Vec<Step>, Failure> {
        let original = look(pair, &self.original)?;
        let newest = self.copies.last();
        let winner = match take {
            Take::Both => {
                let rename = |copy: &String| Step::Rename(copy.clone(), own_name(copy));
                return Ok(self.copies.iter().map(rename).collect());
            }
            Take::Remote | Take::Session => None,
            Take::Local => newest,
            Take::Newer => {
                let mut winner = (original, None);
                for copy in &self.copies {
                    let time = look(pair, copy)?;
                    if time > winner.0 {
                        winner = (time, Some(copy));
                    }
                }
                winner.1
            }
        };
        let mut steps: Vec<_> =
            self.copies.iter().filter(|copy| Some(*copy) != winner).cloned().map(Step::Discard).collect();
        if let Some(winner) = winner {
            if original.is_some() {
                steps.push(Step::Discard(self.original.clone()));
            }
            steps.push(Step::Rename(winner.clone(), self.original.clone()));
        }
        Ok(steps)
    }
}

impl Step {
    fn execute(&self, trash: &mut LocalTrash) -> Result<(), Failure> {
        match self {
            Step::Discard(path) => trash.put(path, path).map(drop)?,
            Step::Rename(from, to) => trash.rename(from, to)?,
        }
        Ok(())
    }

    fn tell(&self, cli: &Cli, is_planned: bool) -> Result<(), Failure> {
        let (action, path, from) = match self {
            Step::Discard(path) => ("discard", path, None),
            Step::Rename(from, to) => ("take", to, Some(from)),
        };
        if cli.output.json {
            let status = if is_planned { "planned" } else { "done" };
            let mut object = serde_json::json!({ "op": "resolve", "action": action, "path": path, "status": status });
            if let Some(from) = from {
                object["from"] = from.as_str().into();
            }
            return Ok(write_json(&mut stdout(), object)?);
        }
        let line = match from {
            Some(from) => format!("{action:8} {} <- {}", escaped(path), escaped(from)),
            None => format!("{action:8} {}", escaped(path)),
        };
        if is_planned {
            writeln!(stdout(), "{line}")?;
        } else if !cli.output.quiet {
            tell(line);
        }
        Ok(())
    }
}

/// When a local file was modified; nothing where there is none.
fn look(pair: &Pair, path: &str) -> Result<Option<SystemTime>, Failure> {
    let failed = |source| Failure::Local { what: "look at", object: path.to_owned(), source };
    match fs::symlink_metadata(pair.local.join(path)) {
        Ok(found) if found.is_file() => found.modified().map(Some).map_err(failed),
        Ok(_) => Err(failed(io::Error::new(io::ErrorKind::AlreadyExists, "it is no regular file"))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(failed(source)),
    }
}

/// The name of a conflict copy that is to be a file like others: `NAME.UTC-HOST.EXT`.
fn own_name(copy: &str) -> String {
    const MARK: &str = ".conflict-";
    match copy.rfind(MARK) {
        Some(at) => format!("{}.{}", &copy[..at], &copy[at + MARK.len()..]),
        None => copy.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::time::Duration;

    const EARLY: &str = "a.conflict-20251123T013422Z-laptop.txt";
    const LATE: &str = "a.conflict-20251124T013422Z-desk.txt";

    /// The steps for a file and two conflict copies that were modified so many seconds after 1970.
    fn steps(take: Take, original: Option<u64>, early: u64, late: u64) -> Vec<Step> {
        let root = tempfile::tempdir().unwrap();
        for (name, seconds) in [("a.txt", original), (EARLY, Some(early)), (LATE, Some(late))] {
            if let Some(seconds) = seconds {
                let file = fs::File::create(root.path().join(name)).unwrap();
                file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)).unwrap();
            }
        }
        let pair = Pair::new(root.path(), "/").unwrap();
        let conflict = Conflict { original: "a.txt".into(), copies: vec![EARLY.into(), LATE.into()] };
        conflict.steps(&pair, take).unwrap()
    }

    fn discard(path: &str) -> Step {
        Step::Discard(path.into())
    }

    fn rename(from: &str, to: &str) -> Step {
        Step::Rename(from.into(), to.into())
    }

    #[test]
    fn the_remote_version_is_taken_by_discarding_the_copies() {
        assert_eq!(steps(Take::Remote, Some(1), 2, 3), [discard(EARLY), discard(LATE)]);
    }

    #[test]
    fn the_local_version_is_that_of_the_last_copy() {
        assert_eq!(steps(Take::Local, Some(9), 8, 1), [discard(EARLY), discard("a.txt"), rename(LATE, "a.txt")]);
    }

    #[test]
    fn the_newer_version_is_that_of_the_latest_time() {
        assert_eq!(steps(Take::Newer, Some(1), 8, 2), [discard(LATE), discard("a.txt"), rename(EARLY, "a.txt")]);
        assert_eq!(steps(Take::Newer, Some(8), 8, 2), [discard(EARLY), discard(LATE)]);
    }

    #[test]
    fn what_is_gone_is_not_discarded() {
        assert_eq!(steps(Take::Newer, None, 1, 2), [discard(EARLY), rename(LATE, "a.txt")]);
    }

    #[test]
    fn both_are_kept_under_names_that_are_none_of_conflicts() {
        let kept = steps(Take::Both, Some(1), 2, 3);
        assert_eq!(kept[1], rename(LATE, "a.20251124T013422Z-desk.txt"));
        assert_eq!(ConflictName::parse("a.20251124T013422Z-desk.txt"), None);
    }
}
