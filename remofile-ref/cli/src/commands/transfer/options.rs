//! The options that `upload` and `download` share.

use super::filter::PathFilter;
use crate::{failure::Failure, options::ExcludeOptions, units::parse_rate};
use clap::Args;
use remofile::client::{Replace, TransferOptions};

/// The hint if the last argument was not meant as the destination.
pub(super) const LAST_IS_DESTINATION: &str = "the last argument is the destination";

#[derive(Debug, Args)]
pub(crate) struct TransferFlags {
    /// Transfer directories recursively; symbolic links and special files are skipped
    #[arg(short, long)]
    pub(super) recursive: bool,
    /// Replace existing files if their content differs
    #[arg(long, conflicts_with = "update")]
    pub(super) overwrite: bool,
    /// Replace existing files if their content differs, except those newer than the source
    #[arg(short, long)]
    pub(super) update: bool,
    #[command(flatten)]
    pub(super) exclude: ExcludeOptions,
    /// Only print what would be transferred
    #[arg(short = 'n', long)]
    pub(super) dry_run: bool,
    /// Limit the bandwidth to RATE bytes per second: 500K, 2M (powers of 1024), 2MB (powers of 1000)
    #[arg(long, value_name = "RATE", value_parser = parse_rate)]
    pub(super) bwlimit: Option<u64>,
}

impl TransferFlags {
    pub(super) fn options(&self, counts_first: bool) -> Result<TransferOptions, Failure> {
        let replace = match (self.overwrite, self.update) {
            (true, _) => Replace::Always,
            (_, true) => Replace::Older,
            _ => Replace::Never,
        };
        let options = TransferOptions::new()
            .recursive(self.recursive)
            .replace(replace)
            .dry_run(self.dry_run)
            .count_first(counts_first)
            .bytes_per_second(self.bwlimit.unwrap_or(0));
        let filter = self.filter()?;
        Ok(options.exclude(move |path, is_directory| filter.excludes(path, is_directory)))
    }

    pub(super) fn filter(&self) -> Result<PathFilter, Failure> {
        PathFilter::new(&self.exclude)
    }
}

/// Splits arguments into sources and the destination; a single one is a source.
pub(super) fn split<'a>(paths: &'a [String], default: &'a str) -> (&'a [String], &'a str) {
    match paths {
        [sources @ .., destination] if !sources.is_empty() => (sources, destination),
        sources => (sources, default),
    }
}
