//! `sync --watch`: runs after each local change, without a session in between.

use super::{
    exclusions::{Exclusions, IGNORE_FILE},
    options::{Pair, SyncFlags, SyncMode},
    report::SyncReporter,
    session::{self, find_server},
};
use crate::{
    cancel::signalled,
    exit_code,
    failure::Failure,
    options::AllOptions,
    render::{human_duration, note, warn},
};
use remofile::{client::ClientError, sync::trash::TRASH};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fs::inotify::{self, CreateFlags, ReadFlags, Reader, WatchFlags},
    io::Errno,
};
use signal_hook::{
    consts::{SIGINT, SIGTERM},
    low_level,
};
use std::{
    collections::HashMap,
    ffi::OsStr,
    fs, io,
    mem::MaybeUninit,
    os::{
        fd::{AsFd as _, OwnedFd},
        unix::{ffi::OsStrExt as _, net::UnixStream},
    },
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

/// A run starts after this time without a change …
const QUIET: Duration = Duration::from_millis(300);

/// … or after this time of continuous changes.
const LONGEST_DELAY: Duration = Duration::from_secs(5);

/// The delay before the first retry after a temporary failure; it doubles with each retry …
const FIRST_PAUSE: Duration = Duration::from_secs(2);

/// … up to this delay.
const LONGEST_PAUSE: Duration = Duration::from_secs(300);

pub(super) fn until_stopped(
    options: &AllOptions,
    pair: &Pair,
    mode: SyncMode,
    flags: &SyncFlags,
) -> Result<(), Failure> {
    let target = find_server(options)?;
    // Before the first run, so that changes during it are seen.
    let mut watch = DirectoryWatch::new(&pair.local, Exclusions::new(&pair.local, &flags.filter, None)?)?;
    let mut pause = FIRST_PAUSE;
    let mut is_reported = false;
    loop {
        let mut reporter = SyncReporter::new(&options.remote.output, pair, mode, false);
        let done = session::with(options, &target, pair, mode, flags, &mut reporter);
        stop_if_signalled()?;
        let retry = match done {
            Ok(done) => {
                reporter.print_summary(&done)?;
                match reporter.result(&done) {
                    Err(failure @ Failure::Output(_)) => return Err(failure),
                    Err(failure) => failure.print(),
                    Ok(()) => {}
                }
                pause = FIRST_PAUSE;
                None
            }
            Err(failure) if is_temporary(&failure) => {
                failure.print();
                let again = pause;
                pause = (pause * 2).min(LONGEST_PAUSE);
                note(format_args!("retrying in {}", human_duration(again)));
                Some(again)
            }
            Err(failure) => return Err(failure),
        };
        if watch.is_stale() {
            watch.exclusions = Exclusions::new(&pair.local, &flags.filter, None)?;
            watch.add(Path::new(""))?;
            watch.patterns_changed = false;
        }
        if retry.is_none() && !is_reported {
            is_reported = true;
            note(format_args!("watching '{}' for changes", pair.local.display()));
        }
        watch.wait(retry)?;
    }
}

/// Whether the same run may succeed later.
fn is_temporary(failure: &Failure) -> bool {
    match failure {
        Failure::Client(ClientError::Cancelled) => false,
        failure => matches!(failure.exit_code(), exit_code::NETWORK | exit_code::BUSY),
    }
}

fn stop_if_signalled() -> Result<(), Failure> {
    match signalled() {
        Some(_) => Err(ClientError::Cancelled.into()),
        None => Ok(()),
    }
}

/// Watches a local directory for changes.
struct DirectoryWatch {
    root: PathBuf,
    exclusions: Exclusions,
    inotify: OwnedFd,
    /// The watched directories by watch descriptor, relative to the root.
    directories: HashMap<i32, PathBuf>,
    patterns_changed: bool,
    /// Readable after a signal.
    signal: UnixStream,
}

impl DirectoryWatch {
    fn new(root: &Path, exclusions: Exclusions) -> Result<Self, Failure> {
        let open = || -> io::Result<_> {
            let inotify = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?;
            let (wake, signal) = UnixStream::pair()?;
            wake.set_nonblocking(true)?;
            for number in [SIGINT, SIGTERM] {
                low_level::pipe::register(number, wake.try_clone()?)?;
            }
            Ok((inotify, signal))
        };
        let (inotify, signal) = open().map_err(|source| failed(root, source))?;
        let mut watch = Self {
            root: root.to_owned(),
            exclusions,
            inotify,
            directories: HashMap::new(),
            patterns_changed: false,
            signal,
        };
        match watch.add(Path::new("")) {
            // The first run may create it.
            Err(Failure::Local { source, .. }) if source.kind() == io::ErrorKind::NotFound => {}
            result => result?,
        }
        Ok(watch)
    }

    /// Whether other directories have to be watched.
    fn is_stale(&self) -> bool {
        self.patterns_changed || self.directories.is_empty()
    }

    /// Watches a directory and all below it.
    fn add(&mut self, top: &Path) -> Result<(), Failure> {
        let mut open = vec![top.to_owned()];
        while let Some(below) = open.pop() {
            let directory = self.root.join(&below);
            let flags = WatchFlags::CREATE
                | WatchFlags::MODIFY
                | WatchFlags::CLOSE_WRITE
                | WatchFlags::DELETE
                | WatchFlags::MOVED_FROM
                | WatchFlags::MOVED_TO
                | WatchFlags::ATTRIB
                | WatchFlags::DELETE_SELF
                | WatchFlags::MOVE_SELF
                | WatchFlags::ONLYDIR;
            let result = inotify::add_watch(&self.inotify, &directory, flags).map_err(io::Error::from);
            let entries = match result.and_then(|number| {
                self.directories.insert(number, below.clone());
                fs::read_dir(&directory)
            }) {
                Ok(entries) => entries,
                // It was removed meanwhile, or is not readable; a run reports that.
                Err(error) if below.as_os_str() != "" && error.kind() != io::ErrorKind::StorageFull => continue,
                Err(error) => return Err(failed(&directory, error)),
            };
            for entry in entries.flatten() {
                let path = below.join(entry.file_name());
                let is_directory = entry.file_type().is_ok_and(|kind| kind.is_dir());
                if is_directory && entry.file_name() != TRASH && !self.exclusions.excludes(&path, true) {
                    open.push(path);
                }
            }
        }
        Ok(())
    }

    /// Waits until changes have happened and ended, or for `at_most`.
    fn wait(&mut self, at_most: Option<Duration>) -> Result<(), Failure> {
        let deadline = at_most.map(|limit| Instant::now() + limit);
        loop {
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            self.poll(left)?;
            let is_over = left.is_some_and(|left| left.is_zero());
            // A change does not shorten the delay of a retry.
            if is_over || (self.read()? && at_most.is_none()) {
                break;
            }
        }
        let began = Instant::now();
        while self.poll(Some(QUIET))? && began.elapsed() < LONGEST_DELAY {
            self.read()?;
        }
        Ok(())
    }

    /// Whether events arrive within this time; fails after a signal.
    fn poll(&self, limit: Option<Duration>) -> Result<bool, Failure> {
        let limit = limit.and_then(|limit| Timespec::try_from(limit).ok());
        let mut descriptors =
            [PollFd::new(&self.inotify, PollFlags::IN), PollFd::from_borrowed_fd(self.signal.as_fd(), PollFlags::IN)];
        let polled = match poll(&mut descriptors, limit.as_ref()) {
            Ok(ready) => ready > 0,
            Err(Errno::INTR) => false,
            Err(errno) => return Err(failed(&self.root, errno.into())),
        };
        stop_if_signalled()?;
        Ok(polled)
    }

    /// Reads the events; returns whether any concerns a path that is synchronized.
    fn read(&mut self) -> Result<bool, Failure> {
        let mut events_read = Vec::new();
        let mut buffer = [MaybeUninit::uninit(); 16 << 10];
        let mut reader = Reader::new(&self.inotify, &mut buffer);
        loop {
            match reader.next() {
                Ok(event) => {
                    let name = event.file_name().map(|name| OsStr::from_bytes(name.to_bytes()).to_owned());
                    events_read.push((event.wd(), event.events(), name));
                }
                Err(Errno::WOULDBLOCK) => break,
                Err(Errno::INTR) => {}
                Err(errno) => return Err(failed(&self.root, errno.into())),
            }
        }
        let mut is_relevant = false;
        for (number, events, name) in events_read {
            if events.contains(ReadFlags::QUEUE_OVERFLOW) {
                // Some events are lost: everything is scanned again.
                self.directories.clear();
                self.add(Path::new(""))?;
                is_relevant = true;
                continue;
            }
            if events.contains(ReadFlags::IGNORED) {
                self.directories.remove(&number);
                continue;
            }
            let Some(directory) = self.directories.get(&number) else { continue };
            let Some(name) = name else {
                is_relevant |= directory.as_os_str() == "";
                continue;
            };
            let (path, is_directory) = (directory.join(&name), events.contains(ReadFlags::ISDIR));
            if name == TRASH || is_part(&name) || self.exclusions.excludes(&path, is_directory) {
                continue;
            }
            is_relevant = true;
            self.patterns_changed |= name == IGNORE_FILE;
            if is_directory && events.intersects(ReadFlags::CREATE | ReadFlags::MOVED_TO) {
                self.add(&path)?;
            }
        }
        Ok(is_relevant)
    }
}

/// Whether it is the partial file of a download.
fn is_part(name: &OsStr) -> bool {
    name.as_bytes().starts_with(b".remofile-")
}

fn failed(directory: &Path, source: io::Error) -> Failure {
    if source.kind() == io::ErrorKind::StorageFull || source.raw_os_error() == Some(Errno::MFILE.raw_os_error()) {
        warn("the limit of inotify watches is reached; see /proc/sys/fs/inotify");
    }
    Failure::local("watch", directory.display().to_string(), source)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::options::ExcludeOptions;

    /// Whether `change` concerns a path that is synchronized.
    fn is_relevant(change: impl Fn(&Path)) -> bool {
        let root = tempfile::tempdir().unwrap();
        for directory in ["d/e", "out", TRASH] {
            fs::create_dir_all(root.path().join(directory)).unwrap();
        }
        let filter = ExcludeOptions { exclude: vec!["out".into(), "*.tmp".into()], ..ExcludeOptions::default() };
        let mut watch = DirectoryWatch::new(root.path(), Exclusions::new(root.path(), &filter, None).unwrap()).unwrap();
        change(root.path());
        watch.read().unwrap()
    }

    #[test]
    fn changes_at_every_depth_are_relevant() {
        assert!(is_relevant(|root| fs::write(root.join("a"), "a").unwrap()));
        assert!(is_relevant(|root| fs::write(root.join("d/e/a"), "a").unwrap()));
        assert!(is_relevant(|root| fs::remove_dir(root.join("d/e")).unwrap()));
        assert!(!is_relevant(|_| ()));
    }

    #[test]
    fn excluded_changes_are_not_relevant() {
        for path in ["a.tmp", "d/a.tmp", "out/a", ".remofile-trash/a", ".remofile-0123.part"] {
            assert!(!is_relevant(|root| fs::write(root.join(path), "a").unwrap()), "{path}");
        }
    }

    #[test]
    fn a_new_directory_is_watched_too() {
        let root = tempfile::tempdir().unwrap();
        let exclusions = Exclusions::new(root.path(), &ExcludeOptions::default(), None).unwrap();
        let mut watch = DirectoryWatch::new(root.path(), exclusions).unwrap();
        fs::create_dir(root.path().join("new")).unwrap();
        assert!(watch.read().unwrap());
        fs::write(root.path().join("new/a"), "a").unwrap();
        assert!(watch.read().unwrap());
        assert!(!watch.read().unwrap());
    }
}
