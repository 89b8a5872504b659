//! The same calls, of which a test lets some fail: with any error, once or from then on, before or after their effect.

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
pub(in crate::storage) struct Fault {
    pub(in crate::storage) errno: Errno,
    /// The first call that fails, counted from 1.
    pub(in crate::storage) nth: u64,
    /// Whether all calls from that one on fail, and not that one alone.
    pub(in crate::storage) persists: bool,
}

/// What became of the calls of a thread, and of those that it lets other threads make.
#[derive(Debug, Default)]
pub(in crate::storage) struct Plan {
    fault: Option<Fault>,
    made: u64,
    failed: Vec<&'static str>,
    /// Files whose sync failed: the system may say yes to the next one, and not mean it. They are kept open, so that
    /// no other file gets their numbers.
    unsynced: HashMap<(u64, u64), OwnedFd>,
    /// A sync of such a file was believed.
    believed: bool,
}

thread_local! {
    static PLAN: RefCell<Option<Arc<Mutex<Plan>>>> = const { RefCell::new(None) };
}

/// The calls of this thread fail like this until the guard goes.
pub(in crate::storage) struct Planned(Arc<Mutex<Plan>>);

impl Planned {
    pub(in crate::storage) fn new(fault: Fault) -> Self {
        let plan = Arc::new(Mutex::new(Plan { fault: Some(fault), ..Plan::default() }));
        PLAN.set(Some(Arc::clone(&plan)));
        Self(plan)
    }

    /// From here on nothing fails.
    pub(in crate::storage) fn heal(&self) {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).fault = None;
    }

    /// The names of the calls that failed.
    pub(in crate::storage) fn failed(&self) -> Vec<&'static str> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).failed.clone()
    }

    /// Whether a sync was made of a file of which an earlier one had failed, and the answer was yes.
    pub(in crate::storage) fn believed_a_second_sync(&self) -> bool {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).believed
    }
}

impl Drop for Planned {
    fn drop(&mut self) {
        PLAN.set(None);
    }
}

fn with_plan<T>(look: impl FnOnce(&mut Plan) -> T) -> Option<T> {
    let plan = PLAN.with_borrow(Clone::clone)?;
    let mut plan = plan.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    Some(look(&mut plan))
}

/// Counts a call, and says whether it fails.
fn count(name: &'static str) -> Result<(), Errno> {
    let fails = with_plan(|plan| {
        plan.made += 1;
        let fault = plan.fault?;
        let is_due = if fault.persists { plan.made >= fault.nth } else { plan.made == fault.nth };
        is_due.then(|| plan.failed.push(name)).map(|()| fault.errno)
    });
    fails.flatten().map_or(Ok(()), Err)
}

macro_rules! calls {
    ($($module:ident::$name:ident[$($generic:ident: $bound:path),*]($($arg:ident: $type:ty),*) -> $result:ty;)*) => {$(
        pub(in crate::storage) fn $name<$($generic: $bound),*>($($arg: $type),*) -> Result<$result, Errno> {
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
pub(in crate::storage) fn pwrite(file: impl AsFd, bytes: &[u8], offset: u64) -> Result<usize, Errno> {
    let Err(errno) = count("pwrite") else { return rustix::io::pwrite(file, bytes, offset) };
    rustix::io::pwrite(file, &bytes[..bytes.len() / 2], offset)?;
    Err(errno)
}

macro_rules! syncs {
    ($($name:ident)*) => {$(
        pub(in crate::storage) fn $name(file: impl AsFd) -> Result<(), Errno> {
            let stat = rustix::fs::fstat(&file)?;
            let identity = (stat.st_dev, stat.st_ino);
            let kept = rustix::io::fcntl_dupfd_cloexec(&file, 0)?;
            let synced = count(stringify!($name));
            with_plan(|plan| match synced {
                Err(_) => drop(plan.unsynced.insert(identity, kept)),
                Ok(()) => plan.believed |= plan.unsynced.contains_key(&identity),
            });
            synced?;
            rustix::fs::$name(file)
        }
    )*};
}

syncs! { fsync fdatasync syncfs }

/// An entry that was read from a directory.
pub(in crate::storage) fn read_entry<T>(read: Result<T, Errno>) -> Result<T, Errno> {
    count("getdents").and(read)
}

/// A call that is made in another thread fails by the plan of this one.
pub(in crate::storage) fn elsewhere(
    call: fn(OwnedFd) -> Result<(), Errno>,
) -> impl FnOnce(OwnedFd) -> Result<(), Errno> {
    let plan = PLAN.with_borrow(Clone::clone);
    move |file| {
        PLAN.set(plan);
        call(file)
    }
}
