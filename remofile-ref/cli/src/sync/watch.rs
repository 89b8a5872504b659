//! `sync --watch`: a run whenever something has changed here, and in between no session.

use super::{Flags, Mode, Pair, ignored::IGNORE_FILE, ignored::Ignored, report::Report, run};
use crate::{
    args::Cli,
    cancel::signalled,
    connection::Target,
    failure::{Failure, exit},
    output::{human_duration, note, report as tell_failure, warn},
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

/// A run begins when nothing has changed for so long …
const QUIET: Duration = Duration::from_millis(300);

/// … or when changes have gone on for so long.
const IMPATIENCE: Duration = Duration::from_secs(5);

/// After a failure that may pass, the next attempt comes after so long, then after twice that, and so on …
const FIRST_PAUSE: Duration = Duration::from_secs(2);

/// … up to this.
const LONGEST_PAUSE: Duration = Duration::from_secs(300);

pub(super) fn until_stopped(cli: &Cli, pair: &Pair, mode: Mode, flags: &Flags) -> Result<(), Failure> {
    let target = Target::find(cli)?;
    // In this order: what changes during the first run is seen.
    let mut watch = Watch::new(&pair.local, Ignored::new(&pair.local, &flags.filter, None)?)?;
    let mut pause = FIRST_PAUSE;
    let mut was_told = false;
    loop {
        let mut report = Report::new(cli, pair, mode, false);
        let done = run::with(cli, &target, pair, mode, flags, &mut report);
        stop_if_signalled()?;
        let retry = match done {
            Ok(done) => {
                report.sum_up(&done)?;
                match report.verdict(&done) {
                    Err(failure @ Failure::Output(_)) => return Err(failure),
                    Err(failure) => tell_failure(&failure),
                    Ok(()) => {}
                }
                pause = FIRST_PAUSE;
                None
            }
            Err(failure) if may_pass(&failure) => {
                tell_failure(&failure);
                let again = pause;
                pause = (pause * 2).min(LONGEST_PAUSE);
                note(format_args!(
                    "trying again in {}",
                    human_duration(u64::try_from(again.as_millis()).unwrap_or(u64::MAX))
                ));
                Some(again)
            }
            Err(failure) => return Err(failure),
        };
        if watch.is_stale() {
            watch.ignored = Ignored::new(&pair.local, &flags.filter, None)?;
            watch.add(Path::new(""))?;
            watch.patterns_changed = false;
        }
        if retry.is_none() && !was_told {
            was_told = true;
            note(format_args!("watching '{}' until stopped", pair.local.display()));
        }
        watch.wait(retry)?;
    }
}

/// Whether the same run may succeed later.
fn may_pass(failure: &Failure) -> bool {
    match failure {
        Failure::Client(ClientError::Cancelled) => false,
        failure => matches!(failure.exit_code(), exit::NETWORK | exit::BUSY),
    }
}

fn stop_if_signalled() -> Result<(), Failure> {
    match signalled() {
        Some(_) => Err(ClientError::Cancelled.into()),
        None => Ok(()),
    }
}

/// What tells of changes below a local directory.
struct Watch {
    root: PathBuf,
    ignored: Ignored,
    inotify: OwnedFd,
    /// The directories that are watched, by number, with their paths below the root.
    directories: HashMap<i32, PathBuf>,
    patterns_changed: bool,
    /// Becomes readable by a signal.
    signal: UnixStream,
}

impl Watch {
    fn new(root: &Path, ignored: Ignored) -> Result<Self, Failure> {
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
            ignored,
            inotify,
            directories: HashMap::new(),
            patterns_changed: false,
            signal,
        };
        match watch.add(Path::new("")) {
            // The first run may make it.
            Err(Failure::Local { source, .. }) if source.kind() == io::ErrorKind::NotFound => {}
            result => result?,
        }
        Ok(watch)
    }

    /// Whether what has to be watched is another than what is.
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
                // It went while it was looked at, or is nobody's to read; a run tells of that.
                Err(error) if below.as_os_str() != "" && error.kind() != io::ErrorKind::StorageFull => continue,
                Err(error) => return Err(failed(&directory, error)),
            };
            for entry in entries.flatten() {
                let path = below.join(entry.file_name());
                let is_directory = entry.file_type().is_ok_and(|kind| kind.is_dir());
                if is_directory && entry.file_name() != TRASH && !self.ignored.excludes(&path, true) {
                    open.push(path);
                }
            }
        }
        Ok(())
    }

    /// Waits until something has changed and is quiet again, or for `at_most`.
    fn wait(&mut self, at_most: Option<Duration>) -> Result<(), Failure> {
        let deadline = at_most.map(|limit| Instant::now() + limit);
        loop {
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            self.poll(left)?;
            let is_over = left.is_some_and(|left| left.is_zero());
            // While nobody answers, changes are no reason to hurry.
            if is_over || (self.read()? && at_most.is_none()) {
                break;
            }
        }
        let began = Instant::now();
        while self.poll(Some(QUIET))? && began.elapsed() < IMPATIENCE {
            self.read()?;
        }
        Ok(())
    }

    /// Whether something is to be read within this time; fails where a signal came.
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

    /// Takes what has happened; whether any of it is to be synchronised.
    fn read(&mut self) -> Result<bool, Failure> {
        let mut happened = Vec::new();
        let mut buffer = [MaybeUninit::uninit(); 16 << 10];
        let mut reader = Reader::new(&self.inotify, &mut buffer);
        loop {
            match reader.next() {
                Ok(event) => {
                    let name = event.file_name().map(|name| OsStr::from_bytes(name.to_bytes()).to_owned());
                    happened.push((event.wd(), event.events(), name));
                }
                Err(Errno::WOULDBLOCK) => break,
                Err(Errno::INTR) => {}
                Err(errno) => return Err(failed(&self.root, errno.into())),
            }
        }
        let mut is_news = false;
        for (number, events, name) in happened {
            if events.contains(ReadFlags::QUEUE_OVERFLOW) {
                // Some of it is not known: all is looked at again.
                self.directories.clear();
                self.add(Path::new(""))?;
                is_news = true;
                continue;
            }
            if events.contains(ReadFlags::IGNORED) {
                self.directories.remove(&number);
                continue;
            }
            let Some(directory) = self.directories.get(&number) else { continue };
            let Some(name) = name else {
                is_news |= directory.as_os_str() == "";
                continue;
            };
            let (path, is_directory) = (directory.join(&name), events.contains(ReadFlags::ISDIR));
            if name == TRASH || is_part(&name) || self.ignored.excludes(&path, is_directory) {
                continue;
            }
            is_news = true;
            self.patterns_changed |= name == IGNORE_FILE;
            if is_directory && events.intersects(ReadFlags::CREATE | ReadFlags::MOVED_TO) {
                self.add(&path)?;
            }
        }
        Ok(is_news)
    }
}

/// What a download writes before it has its name.
fn is_part(name: &OsStr) -> bool {
    name.as_bytes().starts_with(b".remofile-")
}

fn failed(directory: &Path, source: io::Error) -> Failure {
    if source.kind() == io::ErrorKind::StorageFull || source.raw_os_error() == Some(Errno::MFILE.raw_os_error()) {
        warn("the system's limit of watched directories is reached: see /proc/sys/fs/inotify");
    }
    Failure::Local { what: "watch", object: directory.display().to_string(), source }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::sync::FilterArgs;

    /// Whether what `change` does to a directory is news.
    fn is_news(change: impl Fn(&Path)) -> bool {
        let root = tempfile::tempdir().unwrap();
        for directory in ["d/e", "out", TRASH] {
            fs::create_dir_all(root.path().join(directory)).unwrap();
        }
        let filter = FilterArgs { exclude: vec!["out".into(), "*.tmp".into()], ..FilterArgs::default() };
        let mut watch = Watch::new(root.path(), Ignored::new(root.path(), &filter, None).unwrap()).unwrap();
        change(root.path());
        watch.read().unwrap()
    }

    #[test]
    fn changes_at_every_depth_are_news() {
        assert!(is_news(|root| fs::write(root.join("a"), "a").unwrap()));
        assert!(is_news(|root| fs::write(root.join("d/e/a"), "a").unwrap()));
        assert!(is_news(|root| fs::remove_dir(root.join("d/e")).unwrap()));
        assert!(!is_news(|_| ()));
    }

    #[test]
    fn what_is_not_synchronised_is_no_news() {
        for path in ["a.tmp", "d/a.tmp", "out/a", ".remofile-trash/a", ".remofile-0123.part"] {
            assert!(!is_news(|root| fs::write(root.join(path), "a").unwrap()), "{path}");
        }
    }

    #[test]
    fn a_new_directory_is_watched_too() {
        let root = tempfile::tempdir().unwrap();
        let ignored = Ignored::new(root.path(), &FilterArgs::default(), None).unwrap();
        let mut watch = Watch::new(root.path(), ignored).unwrap();
        fs::create_dir(root.path().join("new")).unwrap();
        assert!(watch.read().unwrap());
        fs::write(root.path().join("new/a"), "a").unwrap();
        assert!(watch.read().unwrap());
        assert!(!watch.read().unwrap());
    }
}
