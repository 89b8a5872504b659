//! `sync`: two directories, one here and one on the server, kept alike; its flags and the commands below it.

mod conflicts;
mod ignored;
mod report;
mod run;
mod trash;
mod watch;

use self::{conflicts::ResolveArgs, trash::TrashArgs};
use super::{args::Cli, failure::Failure, remote::remote_path, transfer::rate};
use clap::{Args, Subcommand, ValueHint};
use remofile_proto::RemotePath;
use std::path::PathBuf;

#[derive(Debug, Args)]
#[command(
    subcommand_negates_reqs = true,
    after_help = "\
In both directions, by what has changed on each side since the last run; what is compared is content, never the clocks \
of two machines. Where both sides have changed a file, the server's version keeps the name, and the local one is put \
beside it on both sides as NAME.conflict-UTC-HOST.EXT; an edit beats a deletion. What is removed or replaced goes to \
.remofile-trash of the side that loses it, for 30 days. Patterns of --exclude and of files called .remofileignore mean \
what they do in a .gitignore. With -n the plan is printed, and nothing changed. A run that was broken off, however, is \
continued by the same command.

Exit code 25 means that a guard stopped it before anything was done: a side is gone, was emptied or is another \
directory, or more than half and more than ten of its files would go. 26: conflicts are left. 23: something could not \
be synchronised, and all else was.

Examples:
  remofile sync photos /photos                    in both directions
  remofile sync -n photos /photos                 the plan alone
  remofile sync --push --delete site /www         make /www what site is
  remofile sync --pull /srv/mirror /data          make /srv/mirror what /data is; removes nothing
  remofile sync --exclude '*.tmp' --watch docs /docs
  remofile sync status photos /photos
  remofile sync resolve --take newer photos /photos '*.jpg'
  remofile sync trash list photos /photos"
)]
pub(crate) struct SyncArgs {
    #[command(subcommand)]
    command: Option<SyncCommand>,
    /// The directory on this machine
    #[arg(required = true, value_name = "LOCAL", value_hint = ValueHint::DirPath)]
    local: Option<PathBuf>,
    /// The directory on the server
    #[arg(required = true, value_name = "REMOTE")]
    remote: Option<String>,
    /// One way: make REMOTE what LOCAL is
    #[arg(long, conflicts_with = "pull")]
    push: bool,
    /// One way: make LOCAL what REMOTE is
    #[arg(long)]
    pull: bool,
    #[command(flatten)]
    flags: Flags,
}

#[derive(Debug, Subcommand)]
enum SyncCommand {
    /// Make the remote directory what the local one is, as --push does
    #[command(after_help = "\
Examples:
  remofile sync local site /www
  remofile sync local --delete site /www")]
    Local(NamedArgs),
    /// Make the local directory what the remote one is, as --pull does
    #[command(after_help = "\
Examples:
  remofile sync remote mirror /data
  remofile sync remote --delete mirror /data")]
    Remote(NamedArgs),
    /// Tell what a run would do, in numbers, and which conflicts are left
    #[command(after_help = "\
Examples:
  remofile sync status photos /photos
  remofile sync status --json photos /photos")]
    Status(StatusArgs),
    /// Settle conflicts: decide which version of a file is to be the one
    Resolve(ResolveArgs),
    /// List, bring back or discard what runs have removed and replaced
    Trash(TrashArgs),
}

/// Two directories behind a word that can be the first of them itself.
#[derive(Debug, Args)]
struct NamedArgs {
    /// The directory on this machine
    #[arg(value_name = "LOCAL", value_hint = ValueHint::DirPath)]
    local: String,
    /// The directory on the server
    #[arg(value_name = "REMOTE")]
    remote: Option<String>,
    #[arg(long, conflicts_with = "pull", hide = true)]
    push: bool,
    #[arg(long, hide = true)]
    pull: bool,
    #[command(flatten)]
    flags: Flags,
}

#[derive(Debug, Args)]
struct StatusArgs {
    #[command(flatten)]
    pair: PairArgs,
    #[command(flatten)]
    filter: FilterArgs,
}

/// The two directories.
#[derive(Debug, Args)]
struct PairArgs {
    /// The directory on this machine
    #[arg(value_name = "LOCAL", value_hint = ValueHint::DirPath)]
    local: PathBuf,
    /// The directory on the server
    #[arg(value_name = "REMOTE")]
    remote: String,
}

/// What is left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Args)]
struct FilterArgs {
    /// Leave out what matches, as in a .gitignore file at the top; neither side of it is touched
    #[arg(long, value_name = "PATTERN")]
    exclude: Vec<String>,
    /// A file of such patterns, one a line
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    exclude_from: Vec<PathBuf>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Args)]
struct Flags {
    /// With --push or --pull: remove what the other side does not have
    #[arg(long)]
    delete: bool,
    /// Go on where a guard would stop the run
    #[arg(long)]
    allow_delete: bool,
    /// Only print what would be done
    #[arg(short = 'n', long)]
    dry_run: bool,
    #[command(flatten)]
    filter: FilterArgs,
    /// Go on until stopped: run again whenever something changes here; in between others can use the server
    #[arg(long, conflicts_with = "dry_run")]
    watch: bool,
    /// No more than so many bytes a second: 500K, 2M, 1.5G
    #[arg(long, value_name = "RATE", value_parser = rate)]
    bwlimit: Option<u64>,
}

/// Which way content goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Both,
    Push,
    Pull,
}

impl Mode {
    fn of(push: bool, pull: bool) -> Result<Self, Failure> {
        match (push, pull) {
            (true, true) => Err(Failure::usage("--push and --pull cannot be used with each other")),
            (true, false) => Ok(Mode::Push),
            (false, true) => Ok(Mode::Pull),
            (false, false) => Ok(Mode::Both),
        }
    }
}

impl NamedArgs {
    /// With two directories the word before them says which way; with one alone the word is the local directory.
    fn parts(&self, word: &str, mode: Mode, above: &SyncArgs) -> Result<(Pair, Mode, Flags), Failure> {
        let flags = above.flags.clone().and(&self.flags);
        let (push, pull) = (above.push || self.push, above.pull || self.pull);
        match &self.remote {
            None => Ok((Pair::new(word.as_ref(), &self.local)?, Mode::of(push, pull)?, flags)),
            Some(_) if push || pull => Err(Failure::usage_with(
                format!("`sync {word}` says already which way"),
                format!("a directory that is called {word} is ./{word}"),
            )),
            Some(remote) => Ok((Pair::new(self.local.as_ref(), remote)?, mode, flags)),
        }
    }
}

impl Flags {
    /// These, and others that stand elsewhere on the line.
    fn and(mut self, other: &Self) -> Self {
        self.delete |= other.delete;
        self.allow_delete |= other.allow_delete;
        self.dry_run |= other.dry_run;
        self.watch |= other.watch;
        self.filter.exclude.extend_from_slice(&other.filter.exclude);
        self.filter.exclude_from.extend_from_slice(&other.filter.exclude_from);
        self.bwlimit = other.bwlimit.or(self.bwlimit);
        self
    }
}

/// A local and a remote directory that belong together.
#[derive(Clone, Debug)]
struct Pair {
    local: PathBuf,
    remote: RemotePath,
}

impl Pair {
    fn of(args: &PairArgs) -> Result<Self, Failure> {
        Self::new(&args.local, &args.remote)
    }

    fn new(local: &std::path::Path, remote: &str) -> Result<Self, Failure> {
        Ok(Self { local: local.to_owned(), remote: remote_path(remote)? })
    }
}

pub(crate) fn run(cli: &Cli, args: &SyncArgs) -> Result<(), Failure> {
    let (pair, mode, flags) = match (&args.command, &args.local, &args.remote) {
        (None, Some(local), Some(remote)) => {
            (Pair::new(local, remote)?, Mode::of(args.push, args.pull)?, args.flags.clone())
        }
        (Some(command), None, None) => {
            let is_way = matches!(command, SyncCommand::Local(_) | SyncCommand::Remote(_));
            if !is_way && (args.push || args.pull || args.flags != Flags::default()) {
                return Err(Failure::usage("these flags belong behind the command below `sync`, if it has them"));
            }
            match command {
                SyncCommand::Local(named) => named.parts("local", Mode::Push, args)?,
                SyncCommand::Remote(named) => named.parts("remote", Mode::Pull, args)?,
                SyncCommand::Status(args) => return conflicts::status(cli, &Pair::of(&args.pair)?, &args.filter),
                SyncCommand::Resolve(args) => return conflicts::resolve(cli, args),
                SyncCommand::Trash(args) => return trash::run(cli, args),
            }
        }
        // A remote directory that is called like a command.
        _ => {
            return Err(Failure::usage_with(
                "LOCAL and REMOTE are needed, or a command",
                "a directory that is called like a command is ./NAME here and /NAME on the server",
            ));
        }
    };
    if flags.delete && mode == Mode::Both {
        return Err(Failure::usage_with(
            "--delete is for --push and --pull",
            "in both directions what was removed on one side is removed on the other anyway",
        ));
    }
    if flags.watch { watch::until_stopped(cli, &pair, mode, &flags) } else { run::once(cli, &pair, mode, &flags) }
}
