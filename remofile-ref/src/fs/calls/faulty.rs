//! The same calls with failpoints: a test chooses which of them fail, with which error, once or from then on.

use rustix::buffer::Buffer;
use rustix::fd::{AsFd, OwnedFd, RawFd};
use rustix::fs::{
    AtFlags, FlockOperation, IFlags, Mode, OFlags, RenameFlags, ResolveFlags, Stat, StatVfs, Statx, StatxFlags,
    Timestamps,
};
use rustix::io::Errno;
use rustix::path::Arg;
use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};

/// Which calls fail.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fault {
    pub(crate) errno: Errno,
    /// The first call that fails, counted from 1.
    pub(crate) nth: u64,
    /// Whether all calls from that one on fail, and not that one alone.
    pub(crate) persists: bool,
    /// The calls that are counted; all where it is empty.
    pub(crate) only: &'static [&'static str],
}

impl Fault {
    /// Every call of these names fails.
    pub(crate) fn all_of(only: &'static [&'static str], errno: Errno) -> Self {
        Self { errno, nth: 1, persists: true, only }
    }
}

/// The calls that a thread made, itself and in the threads that it started for single calls.
#[derive(Debug, Default)]
struct CallLog {
    /// The faults, each with how many calls it has counted.
    faults: Vec<(Fault, u64)>,
    failed: Vec<&'static str>,
    /// Files whose sync failed: the system may say yes to the next one, and not mean it. They are kept open, so that
    /// no other file gets their numbers.
    unsynced: HashMap<(u64, u64), OwnedFd>,
    /// A sync of such a file was believed.
    believed: bool,
}

thread_local! {
    static CALL_LOG: RefCell<Option<Arc<Mutex<CallLog>>>> = const { RefCell::new(None) };
}

/// The calls of this thread fail by a [`Fault`] until this is dropped.
pub(crate) struct Failpoint(Arc<Mutex<CallLog>>);

impl Failpoint {
    pub(crate) fn new(fault: Fault) -> Self {
        Self::with_faults(&[fault])
    }

    pub(crate) fn with_faults(faults: &[Fault]) -> Self {
        let faults = faults.iter().map(|fault| (*fault, 0)).collect();
        let log = Arc::new(Mutex::new(CallLog { faults, ..CallLog::default() }));
        CALL_LOG.set(Some(Arc::clone(&log)));
        Self(log)
    }

    /// Lets every later call succeed.
    pub(crate) fn clear(&self) {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).faults.clear();
    }

    /// The names of the calls that failed.
    pub(crate) fn failed(&self) -> Vec<&'static str> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).failed.clone()
    }

    /// Whether a sync was made of a file of which an earlier one had failed, and the answer was yes.
    pub(crate) fn believed_a_second_sync(&self) -> bool {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).believed
    }
}

impl Drop for Failpoint {
    fn drop(&mut self) {
        CALL_LOG.set(None);
    }
}

fn with_log<T>(look: impl FnOnce(&mut CallLog) -> T) -> Option<T> {
    let log = CALL_LOG.with_borrow(Clone::clone)?;
    let mut log = log.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    Some(look(&mut log))
}

/// Counts a call, and says whether it fails.
fn count(name: &'static str) -> Result<(), Errno> {
    let failed = with_log(|log| {
        let mut failed = None;
        for (fault, made) in &mut log.faults {
            if !fault.only.is_empty() && !fault.only.contains(&name) {
                continue;
            }
            *made += 1;
            let is_due = if fault.persists { *made >= fault.nth } else { *made == fault.nth };
            if is_due && failed.is_none() {
                failed = Some(fault.errno);
                log.failed.push(name);
            }
        }
        failed
    });
    failed.flatten().map_or(Ok(()), Err)
}

macro_rules! calls {
    ($($module:ident::$name:ident[$($generic:ident: $bound:path),*]($($arg:ident: $type:ty),*) -> $result:ty;)*) => {$(
        pub(crate) fn $name<$($generic: $bound),*>($($arg: $type),*) -> Result<$result, Errno> {
            count(stringify!($name))?;
            rustix::$module::$name($($arg),*)
        }
    )*};
}

calls! {
    fs::openat[P: Arg, F: AsFd](at: F, path: P, flags: OFlags, mode: Mode) -> OwnedFd;
    fs::openat2[F: AsFd, P: Arg](at: F, path: P, flags: OFlags, mode: Mode, resolve: ResolveFlags) -> OwnedFd;
    fs::mkdirat[P: Arg, F: AsFd](at: F, path: P, mode: Mode) -> ();
    fs::unlinkat[P: Arg, F: AsFd](at: F, path: P, flags: AtFlags) -> ();
    fs::renameat[P: Arg, Q: Arg, F: AsFd, G: AsFd](at: F, from: P, to_at: G, to: Q) -> ();
    fs::renameat_with[P: Arg, Q: Arg, F: AsFd, G: AsFd](at: F, from: P, to_at: G, to: Q, flags: RenameFlags) -> ();
    fs::linkat[P: Arg, Q: Arg, F: AsFd, G: AsFd](at: F, from: P, to_at: G, to: Q, flags: AtFlags) -> ();
    fs::statat[P: Arg, F: AsFd](at: F, path: P, flags: AtFlags) -> Stat;
    fs::statx[P: Arg, F: AsFd](at: F, path: P, flags: AtFlags, mask: StatxFlags) -> Statx;
    fs::fstat[F: AsFd](file: F) -> Stat;
    fs::fstatvfs[F: AsFd](file: F) -> StatVfs;
    fs::chmodat[P: Arg, F: AsFd](at: F, path: P, mode: Mode, flags: AtFlags) -> ();
    fs::fchmod[F: AsFd](file: F, mode: Mode) -> ();
    fs::flock[F: AsFd](file: F, operation: FlockOperation) -> ();
    fs::ftruncate[F: AsFd](file: F, size: u64) -> ();
    fs::futimens[F: AsFd](file: F, times: &Timestamps) -> ();
    fs::utimensat[P: Arg, F: AsFd](at: F, path: P, times: &Timestamps, flags: AtFlags) -> ();
    fs::ioctl_ficlone[F: AsFd, G: AsFd](file: F, source: G) -> ();
    fs::ioctl_getflags[F: AsFd](file: F) -> IFlags;
    fs::copy_file_range[F: AsFd, G: AsFd](
        from: F, from_off: Option<&mut u64>, to: G, to_off: Option<&mut u64>, len: usize) -> usize;
    io::pread[F: AsFd, B: Buffer<u8>](file: F, buffer: B, offset: u64) -> B::Output;
    io::fcntl_dupfd_cloexec[F: AsFd](file: F, least: RawFd) -> OwnedFd;
}

/// A write that fails has written half.
pub(crate) fn pwrite(file: impl AsFd, bytes: &[u8], offset: u64) -> Result<usize, Errno> {
    let Err(errno) = count("pwrite") else { return rustix::io::pwrite(file, bytes, offset) };
    rustix::io::pwrite(file, &bytes[..bytes.len() / 2], offset)?;
    Err(errno)
}

macro_rules! syncs {
    ($($name:ident)*) => {$(
        pub(crate) fn $name(file: impl AsFd) -> Result<(), Errno> {
            let stat = rustix::fs::fstat(&file)?;
            let identity = (stat.st_dev, stat.st_ino);
            let is_directory = rustix::fs::FileType::from_raw_mode(stat.st_mode) == rustix::fs::FileType::Directory;
            let kept = rustix::io::fcntl_dupfd_cloexec(&file, 0)?;
            let synced = count(stringify!($name));
            with_log(|log| match synced {
                // A directory has no content to lose: a later sync covers the names that are made later.
                Err(_) if is_directory && stringify!($name) != "syncfs" => {}
                Err(_) => drop(log.unsynced.insert(identity, kept)),
                Ok(()) => log.believed |= log.unsynced.contains_key(&identity),
            });
            synced?;
            rustix::fs::$name(file)
        }
    )*};
}

syncs! { fsync fdatasync syncfs }

/// An entry that was read from a directory.
pub(crate) fn read_entry<T>(read: Result<T, Errno>) -> Result<T, Errno> {
    count("getdents").and(read)
}

/// A call that is made in another thread fails by the plan of this one.
pub(crate) fn in_other_thread(call: fn(OwnedFd) -> Result<(), Errno>) -> impl FnOnce(OwnedFd) -> Result<(), Errno> {
    let log = CALL_LOG.with_borrow(Clone::clone);
    move |file| {
        CALL_LOG.set(log);
        call(file)
    }
}
