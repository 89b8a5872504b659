//! `sync` and its subcommands.

use super::{
    conflicts::{self, ResolveArgs},
    options::{Pair, PairArgs, SyncFlags, SyncMode},
    session,
    trash::{self, TrashArgs},
    watch,
};
use crate::{
    failure::Failure,
    options::{AllOptions, ExcludeOptions, ObeyedOptions},
};
use clap::{Args, Subcommand, ValueHint};
use std::path::PathBuf;

#[derive(Debug, Args)]
#[command(
    subcommand_negates_reqs = true,
    after_help = "\
Without --push or --pull, sync works in both directions: it copies what changed on each side since the last run. It \
compares contents, not the clocks of the two machines. If both sides changed a file, the version on the server keeps the \
name, and the local version is stored on both sides as NAME.conflict-UTC-HOST.EXT. An edit takes precedence over a \
removal. Removed and replaced files are kept in .remofile-trash on their side for 30 days. Patterns of --exclude and of \
.remofileignore files have the syntax of .gitignore. Run the same command again to resume an interrupted run.

Exit code 25: a safety check stopped sync before it changed anything, because a side is missing, empty or another \
directory, or because more than half and more than ten of its files would be removed. 26: conflicts remain. 23: some \
files could not be synchronized.

Examples:
  remofile sync photos /photos                    both directions
  remofile sync -n photos /photos                 dry run
  remofile sync --push --delete site /www         make /www identical to site
  remofile sync --pull /srv/mirror /data          update /srv/mirror from /data
  remofile sync --exclude '*.tmp' --watch docs /docs
  remofile sync status photos /photos
  remofile sync resolve --take newer photos /photos '*.jpg'
  remofile sync trash list photos /photos"
)]
pub(crate) struct SyncArgs {
    #[command(subcommand)]
    command: Option<SyncCommand>,
    /// Local directory
    #[arg(required = true, value_name = "LOCAL", value_hint = ValueHint::DirPath)]
    local: Option<PathBuf>,
    /// Directory on the server
    #[arg(required = true, value_name = "REMOTE")]
    remote: Option<String>,
    /// One way: update REMOTE from LOCAL
    #[arg(long, conflicts_with = "pull")]
    push: bool,
    /// One way: update LOCAL from REMOTE
    #[arg(long)]
    pull: bool,
    #[command(flatten)]
    flags: SyncFlags,
    #[command(flatten)]
    pub(crate) options: AllOptions,
}

#[derive(Debug, Subcommand)]
enum SyncCommand {
    /// Update the remote directory from the local one, as --push does
    #[command(after_help = "\
Examples:
  remofile sync local site /www
  remofile sync local --delete site /www")]
    Local(NamedArgs),
    /// Update the local directory from the remote one, as --pull does
    #[command(after_help = "\
Examples:
  remofile sync remote mirror /data
  remofile sync remote --delete mirror /data")]
    Remote(NamedArgs),
    /// Print the number of pending changes, and the conflicts
    #[command(after_help = "\
Examples:
  remofile sync status photos /photos
  remofile sync status --json photos /photos")]
    Status(StatusArgs),
    /// Resolve conflicts: select a version of each file
    Resolve(ResolveArgs),
    /// List, restore or discard removed and replaced files
    Trash(Box<TrashArgs>),
}

/// The directories after `local` or `remote`; that word may itself be the local directory.
#[derive(Debug, Args)]
struct NamedArgs {
    /// Local directory
    #[arg(value_name = "LOCAL", value_hint = ValueHint::DirPath)]
    local: String,
    /// Directory on the server
    #[arg(value_name = "REMOTE")]
    remote: Option<String>,
    #[arg(long, conflicts_with = "pull", hide = true)]
    push: bool,
    #[arg(long, hide = true)]
    pull: bool,
    #[command(flatten)]
    flags: SyncFlags,
    #[command(flatten)]
    options: AllOptions,
}

#[derive(Debug, Args)]
struct StatusArgs {
    #[command(flatten)]
    pair: PairArgs,
    #[command(flatten)]
    filter: ExcludeOptions,
    #[command(flatten)]
    options: AllOptions,
}

impl NamedArgs {
    /// With two directories, the word before them is the direction; with one, it is the local directory.
    fn parts(&self, word: &str, mode: SyncMode, above: &SyncArgs) -> Result<(Pair, SyncMode, SyncFlags), Failure> {
        let flags = above.flags.clone().and(&self.flags);
        let (push, pull) = (above.push || self.push, above.pull || self.pull);
        match &self.remote {
            None => Ok((Pair::new(word.as_ref(), &self.local)?, SyncMode::of(push, pull)?, flags)),
            Some(_) if push || pull => Err(Failure::usage_with(
                format!("`sync {word}` cannot be used with --push or --pull"),
                format!("use ./{word} for a directory of that name"),
            )),
            Some(remote) => Ok((Pair::new(self.local.as_ref(), remote)?, mode, flags)),
        }
    }
}

impl SyncArgs {
    /// Hands the options before the subcommand to it.
    pub(crate) fn hand_down(&mut self) -> Result<(), Failure> {
        let before = self.options.clone();
        match &mut self.command {
            Some(command) => command.hand_down(&before),
            None => Ok(()),
        }
    }

    /// The options of the subcommand, or without one those of `sync`.
    pub(crate) fn effective_options(&mut self) -> ObeyedOptions<'_> {
        match &mut self.command {
            Some(command) => command.obeyed(),
            None => self.options.obeyed(),
        }
    }

    fn options_of_run(&self) -> &AllOptions {
        match &self.command {
            Some(SyncCommand::Local(named) | SyncCommand::Remote(named)) => &named.options,
            _ => &self.options,
        }
    }
}

impl SyncCommand {
    fn hand_down(&mut self, before: &AllOptions) -> Result<(), Failure> {
        match self {
            SyncCommand::Trash(args) => args.hand_down(before),
            command => command.obeyed().inherit(before, "sync"),
        }
    }

    fn obeyed(&mut self) -> ObeyedOptions<'_> {
        match self {
            SyncCommand::Local(args) | SyncCommand::Remote(args) => args.options.obeyed(),
            SyncCommand::Status(args) => args.options.obeyed(),
            SyncCommand::Resolve(args) => args.obeyed(),
            SyncCommand::Trash(args) => args.obeyed(),
        }
    }
}

/// Runs `sync` or one of its subcommands.
pub(crate) fn run(args: &SyncArgs) -> Result<(), Failure> {
    let (pair, mode, flags) = match (&args.command, &args.local, &args.remote) {
        (None, Some(local), Some(remote)) => {
            (Pair::new(local, remote)?, SyncMode::of(args.push, args.pull)?, args.flags.clone())
        }
        (Some(command), None, None) => {
            let is_way = matches!(command, SyncCommand::Local(_) | SyncCommand::Remote(_));
            if !is_way && (args.push || args.pull || args.flags != SyncFlags::default()) {
                return Err(Failure::usage(
                    "--push, --pull and other options of `sync` must follow the subcommand, if it has them",
                ));
            }
            match command {
                SyncCommand::Local(named) => named.parts("local", SyncMode::Push, args)?,
                SyncCommand::Remote(named) => named.parts("remote", SyncMode::Pull, args)?,
                SyncCommand::Status(args) => {
                    return conflicts::status(&args.options, &Pair::of(&args.pair)?, &args.filter);
                }
                SyncCommand::Resolve(args) => return conflicts::resolve(args),
                SyncCommand::Trash(args) => return trash::run(args),
            }
        }
        // A remote directory with the name of a subcommand.
        _ => {
            return Err(Failure::usage_with(
                "LOCAL and REMOTE, or a subcommand, are required",
                "for a directory with the name of a subcommand, use ./NAME or /NAME",
            ));
        }
    };
    if flags.delete && mode == SyncMode::Both {
        return Err(Failure::usage_with(
            "--delete requires --push or --pull",
            "without them, a file that one side removed is removed on the other side too",
        ));
    }
    let options = args.options_of_run();
    if flags.watch {
        watch::until_stopped(options, &pair, mode, &flags)
    } else {
        session::once(options, &pair, mode, &flags)
    }
}
