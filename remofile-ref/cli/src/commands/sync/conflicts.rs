//! `sync status` and `sync resolve`: lists and resolves conflicts.

use super::{
    exclusions::GlobSelection,
    options::{Pair, PairArgs, SyncFlags, SyncMode},
    report::{Counts, SyncReporter},
    session::{self, find_server, open_transfer},
};
use crate::commands::transfer::Transfer;
use crate::{
    exit_code,
    failure::Failure,
    options::{
        AllOptions, ConnectionOptions, ExcludeOptions, ObeyedOptions, OutputOptions, ProgressOptions, RemoteOptions,
        TakeOptions, WaitOptions,
    },
    render::{counted, escaped, print_message, stdout, write_json},
};
use clap::{Args, ValueEnum};
use remofile::sync::{Change, ConflictName, SyncReport, Timestamp, trash::LocalTrash};
use std::{collections::BTreeMap, fs, io, io::Write as _, time::SystemTime};

#[derive(Debug, Args)]
#[command(after_help = "\
The local version is NAME.conflict-UTC-HOST.EXT; the remote version has the original name. `newer` compares the \
modification times, even if they are of different clocks. The other version is moved to the trash. With `both`, the \
conflict copy is renamed to NAME.UTC-HOST.EXT. The directories are synchronized before and after.

Examples:
  remofile sync resolve --take local photos /photos cat.jpg
  remofile sync resolve --take newer photos /photos '*.jpg' '/2026/**'
  remofile sync resolve -n --take remote photos /photos '**'")]
pub(super) struct ResolveArgs {
    /// Version to keep
    #[arg(long, value_enum, value_name = "WHICH")]
    take: VersionChoice,
    #[command(flatten)]
    pair: PairArgs,
    /// Files with conflicts: patterns of names at any depth, or of paths; ** matches all
    #[arg(required = true, value_name = "GLOB")]
    globs: Vec<String>,
    /// Only print what would be done
    #[arg(short = 'n', long)]
    dry_run: bool,
    #[command(flatten)]
    filter: ExcludeOptions,
    #[command(flatten)]
    connection: ConnectionOptions,
    #[command(flatten)]
    wait: WaitOptions,
    /// Set only before the subcommand, where `--take` has no other meaning.
    #[arg(skip)]
    take_session: TakeOptions,
    #[command(flatten)]
    output: OutputOptions,
    #[command(flatten)]
    progress: ProgressOptions,
}

/// A version of a file in conflict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum VersionChoice {
    /// The version in the conflict copy
    Local,
    /// The version with the original name
    Remote,
    /// The version that was modified last
    Newer,
    /// Both versions, as separate files
    Both,
}

impl ResolveArgs {
    pub(super) fn obeyed(&mut self) -> ObeyedOptions<'_> {
        self.output
            .obeyed()
            .with_connection(&mut self.connection)
            .with_wait(&mut self.wait, &mut self.take_session)
            .with_progress(&mut self.progress)
    }

    fn options(&self) -> AllOptions {
        AllOptions {
            remote: RemoteOptions {
                connection: self.connection.clone(),
                wait: self.wait.clone(),
                take: self.take_session.clone(),
                output: self.output.clone(),
            },
            progress: self.progress.clone(),
        }
    }
}

/// A file and its conflict copies, the oldest first.
struct Conflict {
    original: String,
    copies: Vec<String>,
}

/// A change that resolves a conflict.
#[derive(Debug, PartialEq, Eq)]
enum Resolution {
    /// Moves a file to the trash.
    Discard(String),
    /// Renames a file.
    Rename(String, String),
}

pub(super) fn status(options: &AllOptions, pair: &Pair, filter: &ExcludeOptions) -> Result<(), Failure> {
    let flags = SyncFlags { dry_run: true, filter: filter.clone(), ..SyncFlags::default() };
    let output = &options.remote.output;
    let mut reporter = SyncReporter::for_conflicts(output, pair);
    let done = session::with(options, &find_server(options)?, pair, SyncMode::Both, &flags, &mut reporter)?;
    let counts = Counts::of(&done.plan);
    let mut out = stdout();
    if output.is_json() {
        reporter.print_summary(&done)?;
    } else {
        let (local, remote) = (escaped(&pair.local.display().to_string()), escaped(pair.remote.as_str()));
        writeln!(out, "{local} <-> {remote} ({})", counts.text(done.unchanged, 0, true))?;
    }
    drop(out);
    reporter.result(&done)
}

pub(super) fn resolve(args: &ResolveArgs) -> Result<(), Failure> {
    let (pair, selection) = (Pair::of(&args.pair)?, GlobSelection::new(&args.globs)?);
    let flags = SyncFlags { dry_run: args.dry_run, filter: args.filter.clone(), ..SyncFlags::default() };
    let options = args.options();
    let mut transfer = open_transfer(&options, &find_server(&options)?)?;
    let result = resolve_selected(args, &pair, &selection, &mut transfer, &flags);
    transfer.finish(result)
}

fn resolve_selected(
    args: &ResolveArgs,
    pair: &Pair,
    selection: &GlobSelection,
    transfer: &mut Transfer,
    flags: &SyncFlags,
) -> Result<(), Failure> {
    let mut reporter = SyncReporter::for_failures(&args.output, pair);
    // Conflicts of other machines are downloaded first.
    let before = session::in_session(transfer, pair, SyncMode::Both, flags, &mut reporter)?;
    let conflicts = selected(&before, selection);
    if conflicts.is_empty() {
        return Err(Failure::Other {
            what: format!("no conflict matches '{}'", args.globs.join(" ")),
            hint: Some("`remofile sync status LOCAL REMOTE` lists conflicts".to_owned()),
            exit_code: exit_code::NOT_FOUND,
        });
    }
    let mut trash = LocalTrash::open(&pair.local, Timestamp::now())?;
    for conflict in &conflicts {
        for step in conflict.steps(pair, args.take)? {
            if !args.dry_run {
                step.execute(&mut trash)?;
            }
            step.print(&args.output, args.dry_run)?;
        }
    }
    if args.dry_run {
        return Ok(());
    }
    trash.sync()?;
    let after = session::in_session(transfer, pair, SyncMode::Both, flags, &mut reporter)?;
    if after.failed > 0 || !selected(&after, selection).is_empty() {
        return reporter.result(&after);
    }
    if !args.output.is_json() && !args.output.is_quiet() {
        print_message(format_args!("{} resolved", counted(conflicts.len() as u64, "conflict", "conflicts")));
    }
    Ok(())
}

/// The selected conflicts of a run.
fn selected(done: &SyncReport, selection: &GlobSelection) -> Vec<Conflict> {
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
    /// The local changes, which the next run uploads.
    fn steps(&self, pair: &Pair, take: VersionChoice) -> Result<Vec<Resolution>, Failure> {
        let original = modified(pair, &self.original)?;
        let newest = self.copies.last();
        let winner = match take {
            VersionChoice::Both => {
                let rename = |copy: &String| Resolution::Rename(copy.clone(), resolved_name(copy));
                return Ok(self.copies.iter().map(rename).collect());
            }
            VersionChoice::Remote => None,
            VersionChoice::Local => newest,
            VersionChoice::Newer => {
                let mut winner = (original, None);
                for copy in &self.copies {
                    let time = modified(pair, copy)?;
                    if time > winner.0 {
                        winner = (time, Some(copy));
                    }
                }
                winner.1
            }
        };
        let mut steps: Vec<_> =
            self.copies.iter().filter(|copy| Some(*copy) != winner).cloned().map(Resolution::Discard).collect();
        if let Some(winner) = winner {
            if original.is_some() {
                steps.push(Resolution::Discard(self.original.clone()));
            }
            steps.push(Resolution::Rename(winner.clone(), self.original.clone()));
        }
        Ok(steps)
    }
}

impl Resolution {
    fn execute(&self, trash: &mut LocalTrash) -> Result<(), Failure> {
        match self {
            Resolution::Discard(path) => trash.put(path, path).map(drop)?,
            Resolution::Rename(from, to) => trash.rename(from, to)?,
        }
        Ok(())
    }

    fn print(&self, output: &OutputOptions, is_planned: bool) -> Result<(), Failure> {
        let (action, path, from) = match self {
            Resolution::Discard(path) => ("discard", path, None),
            Resolution::Rename(from, to) => ("take", to, Some(from)),
        };
        if output.is_json() {
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
        } else if !output.is_quiet() {
            print_message(line);
        }
        Ok(())
    }
}

/// The modification time of a local file; none if it does not exist.
fn modified(pair: &Pair, path: &str) -> Result<Option<SystemTime>, Failure> {
    let failed = |source| Failure::local("access", path.to_owned(), source);
    match fs::symlink_metadata(pair.local.join(path)) {
        Ok(found) if found.is_file() => found.modified().map(Some).map_err(failed),
        Ok(_) => Err(failed(io::Error::new(io::ErrorKind::AlreadyExists, "not a regular file"))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(failed(source)),
    }
}

/// The name of a conflict copy that becomes a separate file: `NAME.UTC-HOST.EXT`.
fn resolved_name(copy: &str) -> String {
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

    /// The changes for a file and two conflict copies with these modification times.
    fn steps(take: VersionChoice, original: Option<u64>, early: u64, late: u64) -> Vec<Resolution> {
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

    fn discard(path: &str) -> Resolution {
        Resolution::Discard(path.into())
    }

    fn rename(from: &str, to: &str) -> Resolution {
        Resolution::Rename(from.into(), to.into())
    }

    #[test]
    fn the_remote_version_discards_the_copies() {
        assert_eq!(steps(VersionChoice::Remote, Some(1), 2, 3), [discard(EARLY), discard(LATE)]);
    }

    #[test]
    fn the_local_version_is_the_last_copy() {
        assert_eq!(
            steps(VersionChoice::Local, Some(9), 8, 1),
            [discard(EARLY), discard("a.txt"), rename(LATE, "a.txt")]
        );
    }

    #[test]
    fn the_newer_version_has_the_latest_time() {
        assert_eq!(
            steps(VersionChoice::Newer, Some(1), 8, 2),
            [discard(LATE), discard("a.txt"), rename(EARLY, "a.txt")]
        );
        assert_eq!(steps(VersionChoice::Newer, Some(8), 8, 2), [discard(EARLY), discard(LATE)]);
    }

    #[test]
    fn a_missing_file_is_not_discarded() {
        assert_eq!(steps(VersionChoice::Newer, None, 1, 2), [discard(EARLY), rename(LATE, "a.txt")]);
    }

    #[test]
    fn both_versions_get_ordinary_names() {
        let kept = steps(VersionChoice::Both, Some(1), 2, 3);
        assert_eq!(kept[1], rename(LATE, "a.20251124T013422Z-desk.txt"));
        assert_eq!(ConflictName::parse("a.20251124T013422Z-desk.txt"), None);
    }
}
