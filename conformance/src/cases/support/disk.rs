//! The served directory, changed by another process of the server's machine: links, special files, invalid names.

use crate::engine::{
    context::CaseContext,
    environment::random_id,
    error::{CaseError, CaseResult, not_applicable},
};
use rustix::{
    fs::{CWD, FileType, Mode, RenameFlags, mknodat, renameat_with},
    io::Errno,
};
use std::{
    ffi::OsStr,
    fs, io,
    os::unix::{ffi::OsStrExt, fs::symlink, net::UnixListener},
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

/// The content of files outside the served directory, which no reply may contain.
pub(crate) const SECRET: &[u8] = b"outside: a secret that no client may see";

/// The case's directory on this machine and a directory outside the served one. Both are emptied at the end, because
/// invalid names cannot be removed through the protocol.
pub(crate) struct Disk {
    inside: PathBuf,
    outside: PathBuf,
}

impl Disk {
    /// Creates the outside directory with the file `secret` and the directory `d`, which has `secret` and `outside`.
    pub(crate) fn new(t: &CaseContext) -> CaseResult<Self> {
        let inside = t.on_disk("")?;
        let outside = std::env::temp_dir().join(format!("conformance-{}", crate::wire::cbor::hex(&random_id())));
        fs::create_dir_all(outside.join("d")).map_err(harness)?;
        let disk = Self { inside, outside };
        for name in ["secret", "d/outside", "d/secret"] {
            fs::write(disk.outside(name), SECRET).map_err(harness)?;
        }
        Ok(disk)
    }

    /// A path in the case's directory.
    pub(crate) fn inside(&self, name: &str) -> PathBuf {
        self.inside.join(name)
    }

    /// A path outside the served directory.
    pub(crate) fn outside(&self, name: &str) -> PathBuf {
        self.outside.join(name)
    }

    pub(crate) fn connection(&self, to: impl AsRef<Path>, name: &str) -> CaseResult {
        symlink(to, self.inside(name)).map_err(harness)
    }

    pub(crate) fn hard_link(&self, from: &Path, name: &str) -> CaseResult {
        match fs::hard_link(from, self.inside(name)) {
            Err(error) if error.kind() == io::ErrorKind::CrossesDevices => {
                not_applicable("the served directory is on another file system than the temporary directory")
            }
            result => result.map_err(harness),
        }
    }

    pub(crate) fn fifo(&self, name: &str) -> CaseResult {
        mknodat(CWD, self.inside(name), FileType::Fifo, Mode::RUSR | Mode::WUSR, 0)
            .map_err(|errno| harness(errno.into()))
    }

    pub(crate) fn socket(&self, name: &str) -> CaseResult<UnixListener> {
        // Paths of sockets are limited: it is created outside with a short name and moved.
        let listener = UnixListener::bind(self.outside("s")).map_err(harness)?;
        listener.set_nonblocking(true).map_err(harness)?;
        match fs::rename(self.outside("s"), self.inside(name)) {
            Err(error) if error.kind() == io::ErrorKind::CrossesDevices => {
                not_applicable("the served directory is on another file system than the temporary directory")
            }
            result => result.map(|()| listener).map_err(harness),
        }
    }

    /// A device like `/dev/zero`, if this user may create it.
    pub(crate) fn device(&self, name: &str) -> CaseResult {
        let made = mknodat(
            CWD,
            self.inside(name),
            FileType::CharacterDevice,
            Mode::RUSR | Mode::WUSR,
            rustix::fs::makedev(1, 5),
        );
        match made {
            Err(Errno::PERM | Errno::ACCESS) => not_applicable("this user may not make devices"),
            result => result.map_err(|errno| harness(errno.into())),
        }
    }

    /// A file whose name is any bytes.
    pub(crate) fn invalid_file(&self, directory: &str, name: &[u8]) -> CaseResult {
        match fs::write(self.inside(directory).join(OsStr::from_bytes(name)), "odd") {
            Err(error) if matches!(error.raw_os_error(), Some(code) if code == Errno::ILSEQ.raw_os_error()) => {
                not_applicable("the file system takes no such names")
            }
            result => result.map_err(harness),
        }
    }

    /// Checks that everything outside is unchanged made: the names, and what the files have.
    pub(crate) fn expect_outside_untouched(&self) -> CaseResult {
        let mut found = Vec::new();
        for directory in ["", "d"] {
            for entry in fs::read_dir(self.outside(directory)).map_err(harness)? {
                let path = entry.map_err(harness)?.path();
                let name = path.strip_prefix(&self.outside).unwrap_or(&path).display().to_string();
                if path.is_file() && fs::read(&path).map_err(harness)? != SECRET {
                    return Err(CaseError::Failed(format!("{name}, outside the served directory, was changed")));
                }
                found.push(name);
            }
        }
        found.sort();
        if found == ["d", "d/outside", "d/secret", "secret"] {
            return Ok(());
        }
        Err(CaseError::Failed(format!(
            "d, d/outside, d/secret and secret were made outside the served directory; now there are {found:?}"
        )))
    }

    /// Runs a closure while two names are exchanged repeatedly; both are at their places in the end.
    pub(crate) fn while_exchanging(&self, one: &str, other: &str, work: impl FnOnce() -> CaseResult) -> CaseResult {
        let (one, other) = (self.inside(one), self.inside(other));
        let exchange = || renameat_with(CWD, &one, CWD, &other, RenameFlags::EXCHANGE);
        for _ in 0..2 {
            if exchange().is_err() {
                return not_applicable("the file system under the served directory cannot exchange two names");
            }
        }
        let done = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    // Names that the server removed or moved cannot be exchanged; other code checks that.
                    if exchange().is_ok() {
                        let _back = exchange();
                    }
                }
            });
            let result = work();
            done.store(true, Ordering::Relaxed);
            result
        })
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // The runner reports names that cannot be removed.
        let _outside = fs::remove_dir_all(&self.outside);
        for entry in fs::read_dir(&self.inside).into_iter().flatten().flatten() {
            let path = entry.path();
            let _inside = if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                fs::remove_dir_all(&path)
            } else {
                fs::remove_file(&path)
            };
        }
    }
}

/// The suite failed on this machine's disk.
pub(crate) fn harness(error: io::Error) -> CaseError {
    CaseError::Harness(format!("the served directory on this machine: {error}"))
}
