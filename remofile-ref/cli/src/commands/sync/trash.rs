//! `sync trash`: lists, restores and discards removed and replaced files.

use super::{
    exclusions::GlobSelection,
    options::{Pair, PairArgs},
};
use crate::{
    connection::connect,
    exit_code,
    failure::Failure,
    item_counter::ItemCounter,
    options::{AllOptions, ObeyedOptions, OutputOptions, RemoteOptions},
    render::{counted, escaped, human_duration, human_size, is_terminal, note, print_message, stdout, write_json},
    units::parse_age,
};
use clap::{Args, Subcommand, ValueEnum, ValueHint};
use remofile::{
    client::{ClientError, FileClient},
    sync::{
        Side, Timestamp,
        trash::{KEPT_FOR, LocalTrash, RemoteTrash, Trashed},
    },
};
use std::{collections::BTreeMap, io::Write as _, path::PathBuf, time::Duration, time::SystemTime};

#[derive(Debug, Args)]
#[command(after_help = "\
Each side has its own trash: .remofile-trash at the top of the local directory, and at the top of the served directory. \
It contains a directory per run, with the original paths. Runs discard files after 30 days.

Examples:
  remofile sync trash list photos /photos
  remofile sync trash restore photos /photos cat.jpg
  remofile sync trash clean --older-than 7d photos /photos")]
pub(super) struct TrashArgs {
    #[command(subcommand)]
    command: TrashCommand,
    #[command(flatten)]
    options: RemoteOptions,
}

#[derive(Debug, Subcommand)]
enum TrashCommand {
    /// List files: side, time, size, path
    #[command(
        visible_alias = "ls",
        after_help = "\
Without REMOTE, lists the local side; without LOCAL and REMOTE, the whole trash of the server. In a pipe, columns are \
separated by tabs.

Examples:
  remofile sync trash list photos /photos
  remofile sync trash list --on remote photos /photos
  remofile sync trash list"
    )]
    List {
        #[command(flatten)]
        sides: SidesArgs,
        /// Only on this side
        #[arg(long, value_enum, value_name = "SIDE")]
        on: Option<OnSide>,
        #[command(flatten)]
        options: RemoteOptions,
    },
    /// Restore files on the side that removed them; the next run copies them to the other side
    #[command(after_help = "\
Restores the last version of each file. Existing files are not replaced.

Examples:
  remofile sync trash restore photos /photos 2026/dog.jpg
  remofile sync trash restore --of 20261123T013422Z photos /photos '**'")]
    Restore {
        #[command(flatten)]
        pair: PairArgs,
        /// Files: patterns of names at any depth, or of paths; ** matches all
        #[arg(required = true, value_name = "GLOB")]
        globs: Vec<String>,
        /// Only files that were removed at this time, as `list` prints it
        #[arg(long, value_name = "UTC", value_parser = parse_stamp)]
        of: Option<Timestamp>,
        /// Only on this side
        #[arg(long, value_enum, value_name = "SIDE")]
        on: Option<OnSide>,
        /// Only print what would be restored
        #[arg(short = 'n', long)]
        dry_run: bool,
        #[command(flatten)]
        options: RemoteOptions,
    },
    /// Discard files older than 30 days; on the server, in the whole trash
    #[command(after_help = "\
Examples:
  remofile sync trash clean photos /photos
  remofile sync trash clean --older-than 7d photos /photos
  remofile sync trash clean -n --all photos /photos")]
    Clean {
        #[command(flatten)]
        sides: SidesArgs,
        /// Only files older than AGE: 90s, 30m, 12h, 7d [default: 30d]
        #[arg(long, value_name = "AGE", value_parser = parse_age, default_value = "30d", hide_default_value = true)]
        older_than: Duration,
        /// All files
        #[arg(long, conflicts_with = "older_than")]
        all: bool,
        /// Only on this side
        #[arg(long, value_enum, value_name = "SIDE")]
        on: Option<OnSide>,
        /// Only print what would be discarded
        #[arg(short = 'n', long)]
        dry_run: bool,
        #[command(flatten)]
        options: RemoteOptions,
    },
}

#[derive(Debug, Args)]
struct SidesArgs {
    /// Local directory
    #[arg(value_name = "LOCAL", value_hint = ValueHint::DirPath)]
    local: Option<PathBuf>,
    /// Directory on the server
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

/// The trashes of a command.
struct Trashes {
    local: Option<LocalTrash>,
    remote: Option<(FileClient, RemoteTrash)>,
    /// The prefix of paths on the server: empty, or with a trailing slash.
    below: String,
}

/// A file in a trash.
struct TrashedFile {
    side: Side,
    /// Relative to the synchronized directory.
    path: String,
    trashed: Trashed,
}

impl TrashArgs {
    /// Hands the options before the subcommand to it.
    pub(super) fn hand_down(&mut self, before: &AllOptions) -> Result<(), Failure> {
        self.options.obeyed().inherit(before, "sync trash")?;
        let before = AllOptions::from(&self.options);
        self.obeyed().inherit(&before, "sync trash")
    }

    /// The options of the subcommand.
    pub(super) fn obeyed(&mut self) -> ObeyedOptions<'_> {
        match &mut self.command {
            TrashCommand::List { options, .. }
            | TrashCommand::Restore { options, .. }
            | TrashCommand::Clean { options, .. } => options.obeyed(),
        }
    }
}

/// Runs a `sync trash` command.
pub(super) fn run(args: &TrashArgs) -> Result<(), Failure> {
    match &args.command {
        TrashCommand::List { sides, on, options } => {
            let mut trashes = Trashes::open(options, sides.local.as_ref(), sides.remote.as_deref(), *on)?;
            let found = trashes.list()?;
            trashes.close(false)?;
            found.iter().try_for_each(|found| found.write(&options.output))
        }
        TrashCommand::Restore { pair, globs, of, on, dry_run, options } => {
            let selection = GlobSelection::new(globs)?;
            let mut trashes = Trashes::open(options, Some(&pair.local), Some(&pair.remote), *on)?;
            let result = trashes.restore(&options.output, &selection, *of, *dry_run, &globs.join(" "));
            trashes.close(!dry_run)?;
            result
        }
        TrashCommand::Clean { sides, older_than, all, on, dry_run, options } => {
            let age = if *all { Duration::ZERO } else { *older_than };
            let mut trashes = Trashes::open(options, sides.local.as_ref(), sides.remote.as_deref(), *on)?;
            let now = SystemTime::now();
            if *dry_run {
                let mut found = trashes.list()?;
                found.retain(|found| found.trashed.age(now) >= age);
                trashes.close(false)?;
                return found.iter().try_for_each(|found| found.write(&options.output));
            }
            let cleaned = trashes.clean(age, now)?;
            trashes.close(true)?;
            if options.output.is_json() {
                return Ok(write_json(&mut stdout(), serde_json::json!({ "op": "clean", "files": cleaned }))?);
            }
            note(format_args!("{} discarded", counted(cleaned, "file", "files")));
            Ok(())
        }
    }
}

impl Trashes {
    fn open(
        options: &RemoteOptions,
        local: Option<&PathBuf>,
        remote: Option<&str>,
        on: Option<OnSide>,
    ) -> Result<Self, Failure> {
        let wants_remote = remote.is_some() || local.is_none();
        let below = match remote.map(|remote| Pair::new("".as_ref(), remote)).transpose()? {
            Some(pair) if !pair.remote.is_root() => format!("{}/", &pair.remote.as_str()[1..]),
            _ => String::new(),
        };
        let stamp = Timestamp::now();
        let local = local.filter(|_| on != Some(OnSide::Remote));
        let local = local.map(|local| LocalTrash::open(local, stamp)).transpose()?;
        let remote = if wants_remote && on != Some(OnSide::Local) {
            Some((connect(options)?, RemoteTrash::new(stamp)))
        } else {
            None
        };
        Ok(Self { local, remote, below })
    }

    /// All files, the oldest first.
    fn list(&mut self) -> Result<Vec<TrashedFile>, Failure> {
        let mut found = Vec::new();
        if let Some(trash) = &self.local {
            let local = trash.list()?.into_iter();
            found.extend(local.map(|trashed| TrashedFile { side: Side::Local, path: trashed.path.clone(), trashed }));
        }
        if let Some((client, trash)) = &mut self.remote {
            for trashed in trash.list(client)? {
                if let Some(path) = trashed.path.strip_prefix(&self.below) {
                    found.push(TrashedFile { side: Side::Remote, path: path.to_owned(), trashed });
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
        output: &OutputOptions,
        selection: &GlobSelection,
        of: Option<Timestamp>,
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
            return Err(Failure::Other {
                what: format!("no file in the trash matches '{pattern}'"),
                hint: Some("`remofile sync trash list LOCAL REMOTE` lists the files".to_owned()),
                exit_code: exit_code::NOT_FOUND,
            });
        }
        let mut counter = ItemCounter::new(last.len());
        for found in last.values() {
            let restored = if dry_run { Ok(()) } else { self.restore_file(found) };
            if counter.count(restored)?.is_some() {
                found.print_restored(output, dry_run)?;
            }
        }
        counter.finish()
    }

    fn restore_file(&mut self, found: &TrashedFile) -> Result<(), Failure> {
        let result = match (found.side, &mut self.local, &mut self.remote) {
            (Side::Local, Some(trash), _) => trash.restore(&found.trashed),
            (Side::Remote, _, Some((client, trash))) => trash.restore(client, &found.trashed),
            _ => Ok(()),
        };
        result.map_err(|error| match error {
            error if error.is_exists() => Failure::Other {
                what: format!("cannot restore '{}': file exists on the {} side", found.path, found.side),
                hint: Some("rename the existing file first".to_owned()),
                exit_code: exit_code::EXISTS,
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

impl TrashedFile {
    fn write(&self, output: &OutputOptions) -> Result<(), Failure> {
        let Trashed { stamp, bytes, .. } = &self.trashed;
        let mut out = stdout();
        if output.is_json() {
            return Ok(write_json(&mut out, self.json("list"))?);
        }
        let (side, path) = (self.side, &self.path);
        if is_terminal() {
            let age = self.trashed.age(SystemTime::now());
            let age = human_duration(age);
            writeln!(out, "{side:6} {stamp} {age:>12} ago {:>10}  {}", human_size(*bytes), escaped(path))?;
        } else {
            writeln!(out, "{side}\t{stamp}\t{bytes}\t{path}")?;
        }
        Ok(())
    }

    fn print_restored(&self, output: &OutputOptions, is_planned: bool) -> Result<(), Failure> {
        if output.is_json() {
            let mut object = self.json("restore");
            object["status"] = if is_planned { "planned" } else { "done" }.into();
            return Ok(write_json(&mut stdout(), object)?);
        }
        let (side, path) = (self.side, escaped(&self.path));
        if is_planned {
            writeln!(stdout(), "restore {side:6} {path}")?;
        } else if !output.is_quiet() {
            print_message(format_args!("{path}: restored on the {side} side"));
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

fn parse_stamp(text: &str) -> Result<Timestamp, String> {
    Timestamp::parse(text).ok_or_else(|| "not a time as `list` prints it, such as 20261123T013422Z".to_owned())
}

const _: () = assert!(KEPT_FOR.as_secs() == 30 * 86_400, "the help text states 30 days");
