//! `upload` and `download`: the flags that they share, and the way from them to a finished transfer.

mod download;
pub(super) mod filter;
pub(super) mod progress;
mod report;
mod streams;
mod upload;

pub(crate) use self::{
    download::{DownloadArgs, run as download},
    upload::{UploadArgs, run as upload},
};

use self::{progress::Screen, report::Report};
use super::{
    args::Cli,
    cancel::{on_exit, signalled},
    failure::Failure,
};
use clap::{Args, ValueHint};
use remofile::client::{ClientError, FileClient, Replace, TransferItem, TransferOptions, TreeTransferred};
use std::{
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

/// How long a command that was told to stop waits until the server has let go of its session.
const BYE_WAIT: Duration = Duration::from_millis(300);

/// What is said where the last argument was not meant as the destination.
const LAST_IS_DESTINATION: &str = "the last argument is the destination";

#[derive(Debug, Args)]
pub(crate) struct TransferArgs {
    /// Directories with all they hold; links and special files are skipped
    #[arg(short, long)]
    recursive: bool,
    /// Replace existing files of other content
    #[arg(long, conflicts_with = "update")]
    overwrite: bool,
    /// Replace existing files of other content, but keep those that are newer than the source
    #[arg(short, long)]
    update: bool,
    /// Leave out what matches, as in a .gitignore file at the top of each source
    #[arg(long, value_name = "PATTERN")]
    exclude: Vec<String>,
    /// A file of such patterns, one a line
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    exclude_from: Vec<PathBuf>,
    /// Only print what would be done
    #[arg(short = 'n', long)]
    dry_run: bool,
    /// No more than so many bytes a second: 500K, 2M, 1.5G
    #[arg(long, value_name = "RATE", value_parser = rate)]
    bwlimit: Option<u64>,
}

impl TransferArgs {
    fn options(&self, counts_first: bool) -> Result<TransferOptions, Failure> {
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

    fn filter(&self) -> Result<filter::Filter, Failure> {
        filter::Filter::new(&self.exclude, &self.exclude_from)
    }
}

/// One transfer of a command: what is seen of it, and how it ends.
pub(super) struct Transfer {
    client: FileClient,
    screen: Arc<Mutex<Screen>>,
}

impl Transfer {
    /// What the client does is shown from here on.
    pub(super) fn watched(cli: &Cli, client: FileClient) -> Self {
        let screen = Arc::new(Mutex::new(Screen::new(cli)));
        let watcher = Arc::clone(&screen);
        client.watch(move |progress| lock(&watcher).on_progress(progress));
        let last = Arc::clone(&screen);
        on_exit(move || {
            // Whoever holds it may be what does not end.
            if let Ok(mut screen) = last.try_lock() {
                screen.clear();
                super::output::report(&screen.stopped());
            }
        });
        Self { client, screen }
    }

    pub(super) fn client(&mut self) -> &mut FileClient {
        &mut self.client
    }

    /// What is shown, for whoever shows more.
    pub(super) fn screen(&self) -> Arc<Mutex<Screen>> {
        Arc::clone(&self.screen)
    }

    /// Transfers, with each item told as it is done.
    fn items(
        &mut self,
        report: &mut Report,
        call: impl FnOnce(&mut FileClient, &mut dyn FnMut(&TransferItem<'_>)) -> Result<TreeTransferred, ClientError>,
    ) -> Result<TreeTransferred, Failure> {
        let screen = Arc::clone(&self.screen);
        let done = call(&mut self.client, &mut |item| report.on_item(item, &mut lock(&screen)));
        self.ended(done)
    }

    /// Nothing of the progress stays on the terminal; a transfer that was stopped says how it continues.
    pub(super) fn ended<T>(&mut self, done: Result<T, ClientError>) -> Result<T, Failure> {
        let mut screen = lock(&self.screen);
        screen.clear();
        screen.flush_lines()?;
        match done {
            Err(_) if signalled().is_some() => Err(screen.stopped()),
            Err(error) => Err(error.into()),
            Ok(done) => Ok(done),
        }
    }

    /// Lets go of the session, so that the same command need not wait for its lease.
    pub(super) fn finish<T>(self, result: Result<T, Failure>) -> Result<T, Failure> {
        match (&result, signalled()) {
            (Ok(_), None) => self.client.bye(),
            _ => self.client.bye_within(BYE_WAIT),
        }
        result
    }
}

/// A panic elsewhere is reported as such; what is shown is none of it.
pub(super) fn lock(screen: &Mutex<Screen>) -> std::sync::MutexGuard<'_, Screen> {
    screen.lock().unwrap_or_else(PoisonError::into_inner)
}

/// All but the last are sources; one alone is a source.
fn split<'a>(paths: &'a [String], default: &'a str) -> (&'a [String], &'a str) {
    match paths {
        [sources @ .., destination] if !sources.is_empty() => (sources, destination),
        sources => (sources, default),
    }
}

/// Bytes a second: a number with an optional unit of powers of 1,024.
pub(super) fn rate(text: &str) -> Result<u64, String> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let unit = unit.to_ascii_lowercase();
    let scale: f64 = match unit.trim_end_matches("b").trim_end_matches('i') {
        "" if unit.is_empty() || unit == "b" => 1.0,
        "k" => 1024.0,
        "m" => 1024.0 * 1024.0,
        "g" => 1024.0 * 1024.0 * 1024.0,
        _ => return Err("write a number with K, M or G behind it, such as 500K".to_owned()),
    };
    let bytes = number.parse::<f64>().map_err(|_| "write a number, such as 500K or 1.5M".to_owned())? * scale;
    if !(1.0..=1e15).contains(&bytes) {
        return Err("it must be 1 byte a second at least".to_owned());
    }
    // Checked above: neither negative nor too large.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    Ok(bytes as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_has_a_unit_of_powers_of_1024() {
        let rates = ["1", "500K", "2m", "1.5G", "64KiB", "7b", "3MB"].map(rate);
        let expected = [1, 512_000, 2 << 20, 3 << 29, 65_536, 7, 3 << 20].map(Ok);
        assert_eq!(rates, expected);
    }

    #[test]
    fn what_is_no_rate_is_refused() {
        for text in ["", "K", "0", "-1", "1T", "1e9", "1.2.3", "inf", "i", "0.0001", "99999999G"] {
            assert!(rate(text).is_err(), "{text}");
        }
    }
}
