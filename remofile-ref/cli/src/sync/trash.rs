//! `sync trash`: what runs have removed and replaced, on either side.

use super::{Pair, ignored::Selection};
use crate::{
    args::Cli,
    connection::connect,
    failure::{Failure, exit},
    output::{escaped, human_duration, human_size, is_terminal, note, stdout, tell, write_json},
    partials::parse_age,
    tally::Tally,
};
use clap::{Args, Subcommand, ValueEnum, ValueHint};
use remofile::{
    client::{ClientError, FileClient},
    sync::{
        Side, Stamp,
        trash::{KEPT_FOR, LocalTrash, RemoteTrash, Trashed},
    },
};
use std::{collections::BTreeMap, io::Write as _, path::PathBuf, time::Duration, time::SystemTime};

use super::report::counted;

#[derive(Debug, Args)]
#[command(after_help = "\
Each side has a trash of its own, .remofile-trash at the top of the local directory and of what the server serves. \
It keeps the paths, in a directory for the second of each run, for 30 days; runs clean it.

Examples:
  remofile sync trash list photos /photos
  remofile sync trash restore photos /photos cat.jpg
  remofile sync trash clean --older-than 7d photos /photos")]
pub(super) struct TrashArgs {
    #[command(subcommand)]
    command: TrashCommand,
}

#[derive(Debug, Subcommand)]
enum TrashCommand {
    /// List what is there: which side has it, since when, bytes, path
    #[command(
        visible_alias = "ls",
        after_help = "\
Without REMOTE the local side alone, and without both all that the server has. In a pipe the columns are separated by \
tabs.

Examples:
  remofile sync trash list photos /photos
  remofile sync trash list --on remote photos /photos
  remofile sync trash list"
    )]
    List {
        #[command(flatten)]
        sides: SidesArgs,
        /// On one side alone
        #[arg(long, value_enum, value_name = "SIDE")]
        on: Option<OnSide>,
    },
    /// Bring files back to where they were, on the side that lost them; the next run brings them to the other
    #[command(after_help = "\
Of several versions of a file the last one; nothing that is there is replaced.

Examples:
  remofile sync trash restore photos /photos 2026/dog.jpg
  remofile sync trash restore --of 20261123T013422Z photos /photos '**'")]
    Restore {
        #[command(flatten)]
        pair: super::PairArgs,
        /// Which files: patterns of names at any depth, or of paths; ** is all of them
        #[arg(required = true, value_name = "GLOB")]
        globs: Vec<String>,
        /// Only what was lost in this second, as `list` shows it
        #[arg(long, value_name = "UTC", value_parser = parse_stamp)]
        of: Option<Stamp>,
        /// On one side alone
        #[arg(long, value_enum, value_name = "SIDE")]
        on: Option<OnSide>,
        /// Only print what would be done
        #[arg(short = 'n', long)]
        dry_run: bool,
    },
    /// Discard for good what is older than 30 days; on the server, of all that it serves
    #[command(after_help = "\
Examples:
  remofile sync trash clean photos /photos
  remofile sync trash clean --older-than 7d photos /photos
  remofile sync trash clean -n --all photos /photos")]
    Clean {
        #[command(flatten)]
        sides: SidesArgs,
        /// What is older than this: 90s, 30m, 12h, 7d
        #[arg(long, value_name = "AGE", value_parser = parse_age, default_value = "30d", hide_default_value = true)]
        older_than: Duration,
        /// All of it
        #[arg(long, conflicts_with = "older_than")]
        all: bool,
        /// On one side alone
        #[arg(long, value_enum, value_name = "SIDE")]
        on: Option<OnSide>,
        /// Only print what would go
        #[arg(short = 'n', long)]
        dry_run: bool,
    },
}

#[derive(Debug, Args)]
struct SidesArgs {
    /// The directory on this machine
    #[arg(value_name = "LOCAL", value_hint = ValueHint::DirPath)]
    local: Option<PathBuf>,
    /// The directory on the server
    #[arg(value_name = "REMOTE")]
    remote: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum OnSide {
    /// This machine
    Local,
    /// The server
    Remote,
}

/// The trashes that a command is about.
struct Trashes {
    local: Option<LocalTrash>,
    remote: Option<(FileClient, RemoteTrash)>,
    /// In front of the paths of the server that are meant, from its top: empty, or with a slash at its end.
    below: String,
}

/// Something in one of them.
struct Found {
    side: Side,
    /// Below the directory that is synchronised.
    path: String,
    trashed: Trashed,
}

pub(super) fn run(cli: &Cli, args: &TrashArgs) -> Result<(), Failure> {
    match &args.command {
        TrashCommand::List { sides, on } => {
            let mut trashes = Trashes::open(cli, sides.local.as_ref(), sides.remote.as_deref(), *on)?;
            let found = trashes.list()?;
            trashes.close(false)?;
            found.iter().try_for_each(|found| found.write(cli))
        }
        TrashCommand::Restore { pair, globs, of, on, dry_run } => {
            let selection = Selection::new(globs)?;
            let mut trashes = Trashes::open(cli, Some(&pair.local), Some(&pair.remote), *on)?;
            let result = trashes.restore(cli, &selection, *of, *dry_run, &globs.join(" "));
            trashes.close(!dry_run)?;
            result
        }
        TrashCommand::Clean { sides, older_than, all, on, dry_run } => {
            let age = if *all { Duration::ZERO } else { *older_than };
            let mut trashes = Trashes::open(cli, sides.local.as_ref(), sides.remote.as_deref(), *on)?;
            let now = SystemTime::now();
            if *dry_run {
                let mut found = trashes.list()?;
                found.retain(|found| found.trashed.age(now) >= age);
                trashes.close(false)?;
                return found.iter().try_for_each(|found| found.write(cli));
            }
            let cleaned = trashes.clean(age, now)?;
            trashes.close(true)?;
            if cli.output.json {
                return Ok(write_json(&mut stdout(), serde_json::json!({ "op": "clean", "files": cleaned }))?);
            }
            note(format_args!("{} discarded", counted(cleaned, "file", "files")));
            Ok(())
        }
    }
}

impl Trashes {
    fn open(cli: &Cli, local: Option<&PathBuf>, remote: Option<&str>, on: Option<OnSide>) -> Result<Self, Failure> {
        let wants_remote = remote.is_some() || local.is_none();
        let below = match remote.map(|remote| Pair::new("".as_ref(), remote)).transpose()? {
            Some(pair) if !pair.remote.is_root() => format!("{}/", &pair.remote.as_str()[1..]),
            _ => String::new(),
        };
        let stamp = Stamp::now();
        let local = local.filter(|_| on != Some(OnSide::Remote));
        let local = local.map(|local| LocalTrash::open(local, stamp)).transpose()?;
        let remote = if wants_remote && on != Some(OnSide::Local) {
            Some((connect(cli)?, RemoteTrash::new(stamp)))
        } else {
            None
        };
        Ok(Self { local, remote, below })
    }

    /// The oldest first.
    fn list(&mut self) -> Result<Vec<Found>, Failure> {
        let mut found = Vec::new();
        if let Some(trash) = &self.local {
            let local = trash.list()?.into_iter();
            found.extend(local.map(|trashed| Found { side: Side::Local, path: trashed.path.clone(), trashed }));
        }
        if let Some((client, trash)) = &mut self.remote {
            for trashed in trash.list(client)? {
                if let Some(path) = trashed.path.strip_prefix(&self.below) {
                    found.push(Found { side: Side::Remote, path: path.to_owned(), trashed });
                }
            }
        }
        found.sort_by(|one, other| {
            (one.trashed.stamp, &one.path, one.side, &one.trashed.place).cmp(&(
                other.trashed.stamp,
                &other.path,
                other.side,
                &other.trashed.place,
            ))
        });
        Ok(found)
    }

    fn restore(
        &mut self,
        cli: &Cli,
        selection: &Selection,
        of: Option<Stamp>,
        dry_run: bool,
        pattern: &str,
    ) -> Result<(), Failure> {
        let mut last = BTreeMap::new();
        for found in self.list()? {
            if selection.selects(&found.path) && of.is_none_or(|stamp| found.trashed.stamp == stamp) {
                last.insert(found.path.clone(), found);
            }
        }
        if last.is_empty() {
            return Err(Failure::Said {
                what: format!("nothing in the trash matches '{pattern}'"),
                hint: Some("`remofile sync trash list LOCAL REMOTE` shows what is there".to_owned()),
                exit: exit::NOT_FOUND,
            });
        }
        let mut tally = Tally::of(last.len());
        for found in last.values() {
            let restored = if dry_run { Ok(()) } else { self.bring_back(found) };
            if tally.note(restored)?.is_some() {
                found.tell_restored(cli, dry_run)?;
            }
        }
        tally.finish()
    }

    fn bring_back(&mut self, found: &Found) -> Result<(), Failure> {
        let result = match (found.side, &mut self.local, &mut self.remote) {
            (Side::Local, Some(trash), _) => trash.restore(&found.trashed),
            (Side::Remote, _, Some((client, trash))) => trash.restore(client, &found.trashed),
            _ => Ok(()),
        };
        result.map_err(|error| match error {
            error if error.is_exists() => Failure::Said {
                what: format!("cannot restore '{}': something is there on the {} side", found.path, found.side),
                hint: Some("nothing is replaced by what comes back: give what is there another name first".to_owned()),
                exit: exit::EXISTS,
            },
            error => error.into(),
        })
    }

    fn clean(&mut self, age: Duration, now: SystemTime) -> Result<u64, ClientError> {
        let mut files = 0;
        if let Some(trash) = &mut self.local {
            files += trash.clean(age, now)?.files;
        }
        if let Some((client, trash)) = &mut self.remote {
            files += trash.clean(client, age, now)?.files;
        }
        Ok(files)
    }

    fn close(self, has_changed: bool) -> Result<(), Failure> {
        if let Some((client, _)) = self.remote {
            if has_changed {
                client.flush()?;
            }
            client.bye();
        }
        Ok(())
    }
}

impl Found {
    fn write(&self, cli: &Cli) -> Result<(), Failure> {
        let Trashed { stamp, bytes, .. } = &self.trashed;
        let mut out = stdout();
        if cli.output.json {
            return Ok(write_json(&mut out, self.json("list"))?);
        }
        let (side, path) = (self.side, &self.path);
        if is_terminal() {
            let age = self.trashed.age(SystemTime::now());
            let age = human_duration(u64::try_from(age.as_millis()).unwrap_or(u64::MAX));
            writeln!(out, "{side:6} {stamp} {age:>12} ago {:>10}  {}", human_size(*bytes), escaped(path))?;
        } else {
            writeln!(out, "{side}\t{stamp}\t{bytes}\t{path}")?;
        }
        Ok(())
    }

    fn tell_restored(&self, cli: &Cli, is_planned: bool) -> Result<(), Failure> {
        if cli.output.json {
            let mut object = self.json("restore");
            object["status"] = if is_planned { "planned" } else { "done" }.into();
            return Ok(write_json(&mut stdout(), object)?);
        }
        let (side, path) = (self.side, escaped(&self.path));
        if is_planned {
            writeln!(stdout(), "restore {side:6} {path}")?;
        } else if !cli.output.quiet {
            tell(format_args!("{path}: back on the {side} side"));
        }
        Ok(())
    }

    fn json(&self, operation: &str) -> serde_json::Value {
        let Trashed { stamp, place, bytes, mtime_ns, .. } = &self.trashed;
        let age_ms = u64::try_from(self.trashed.age(SystemTime::now()).as_millis()).unwrap_or(u64::MAX);
        let mut object = serde_json::json!({
            "op": operation, "side": self.side.to_string(), "path": self.path, "place": place,
            "since": stamp.to_string(), "age_ms": age_ms, "bytes": bytes,
        });
        if let Some(mtime_ns) = mtime_ns {
            object["mtime_ns"] = (*mtime_ns).into();
        }
        object
    }
}

fn parse_stamp(text: &str) -> Result<Stamp, String> {
    Stamp::parse(text).ok_or_else(|| "write it as `list` shows it: 20261123T013422Z".to_owned())
}

const _: () = assert!(KEPT_FOR.as_secs() == 30 * 86_400, "as the help says");
