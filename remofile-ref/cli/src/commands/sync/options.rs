//! The options and directories that the `sync` commands share.

use crate::{failure::Failure, options::ExcludeOptions, remote_path::remote_path, units::parse_rate};
use clap::{Args, ValueHint};
use remofile_proto::RemotePath;
use std::path::{Path, PathBuf};

/// The two directories.
#[derive(Debug, Args)]
pub(super) struct PairArgs {
    /// Local directory
    #[arg(value_name = "LOCAL", value_hint = ValueHint::DirPath)]
    pub(super) local: PathBuf,
    /// Directory on the server
    #[arg(value_name = "REMOTE")]
    pub(super) remote: String,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Args)]
pub(super) struct SyncFlags {
    /// With --push or --pull: remove files that the source does not have
    #[arg(long)]
    pub(super) delete: bool,
    /// Disable the safety checks
    #[arg(long)]
    pub(super) allow_delete: bool,
    /// Only print what would be done
    #[arg(short = 'n', long)]
    pub(super) dry_run: bool,
    #[command(flatten)]
    pub(super) filter: ExcludeOptions,
    /// Run again after each local change, until stopped; other clients can use the server between runs
    #[arg(long, conflicts_with = "dry_run")]
    pub(super) watch: bool,
    /// Limit the bandwidth to RATE bytes per second: 500K, 2M (powers of 1024), 2MB (powers of 1000)
    #[arg(long, value_name = "RATE", value_parser = parse_rate)]
    pub(super) bwlimit: Option<u64>,
}

/// The direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SyncMode {
    Both,
    Push,
    Pull,
}

impl SyncMode {
    pub(super) fn of(push: bool, pull: bool) -> Result<Self, Failure> {
        match (push, pull) {
            (true, true) => Err(Failure::usage("--push cannot be used with --pull")),
            (true, false) => Ok(SyncMode::Push),
            (false, true) => Ok(SyncMode::Pull),
            (false, false) => Ok(SyncMode::Both),
        }
    }
}

impl SyncFlags {
    /// Combines the options before and after the word.
    pub(super) fn and(mut self, other: &Self) -> Self {
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

/// A local and a remote directory.
#[derive(Clone, Debug)]
pub(super) struct Pair {
    pub(super) local: PathBuf,
    pub(super) remote: RemotePath,
}

impl Pair {
    pub(super) fn of(args: &PairArgs) -> Result<Self, Failure> {
        Self::new(&args.local, &args.remote)
    }

    pub(super) fn new(local: &Path, remote: &str) -> Result<Self, Failure> {
        Ok(Self { local: local.to_owned(), remote: remote_path(remote)? })
    }
}
