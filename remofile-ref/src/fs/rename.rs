//! Renames that replace nothing, and exchanges, on file systems that have no call for it as well.

use super::calls::{fstat, linkat, mkdirat, openat, renameat, renameat_with, statat, unlinkat};
use rustix::fd::AsFd;
use rustix::fs::{AtFlags, FileType, Mode, OFlags, RenameFlags, Stat};
use rustix::io::Errno;
use rustix::path::Arg;

/// Renames an entry. Fails with `EEXIST` where the new name exists.
///
/// Uses `RENAME_NOREPLACE`; without it a hard link; without hard links a placeholder that the rename replaces: an empty
/// file, or an empty directory for a directory. Only the placeholder can be left where the process is killed.
pub(crate) fn rename_no_replace<P: Arg + Copy, Q: Arg + Copy>(
    from: impl AsFd,
    name: P,
    to: impl AsFd,
    new_name: Q,
) -> Result<(), Errno> {
    match renameat_with(&from, name, &to, new_name, RenameFlags::NOREPLACE) {
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP | Errno::PERM) => {}
        result => return result,
    }
    match link(&from, name, &to, new_name)? {
        Linked::Unsupported => rename_over_placeholder(from, name, to, new_name),
        Linked::Yes => unlinkat(&from, name, AtFlags::empty()).inspect_err(|_| {
            // The entry keeps the name it had: the error of the unlink is the one to report.
            let _ = unlinkat(&to, new_name, AtFlags::empty());
        }),
    }
}

/// Exchanges two names of one directory; false where the file system cannot.
#[cfg(feature = "transport")]
pub(crate) fn exchange(directory: impl AsFd, one: &str, other: &str) -> Result<bool, Errno> {
    match renameat_with(&directory, one, &directory, other, RenameFlags::EXCHANGE) {
        Ok(()) => Ok(true),
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => Ok(false),
        Err(errno) => Err(errno),
    }
}

/// Whether an entry got a second name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Linked {
    Yes,
    /// The entry is a directory, or the file system or the permissions allow no hard link to it.
    Unsupported,
}

/// Makes a hard link; a symbolic link is not followed.
pub(crate) fn link<P: Arg, Q: Arg>(from: impl AsFd, name: P, to: impl AsFd, new_name: Q) -> Result<Linked, Errno> {
    match linkat(from, name, to, new_name, AtFlags::empty()) {
        Ok(()) => Ok(Linked::Yes),
        Err(Errno::PERM | Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL | Errno::MLINK) => Ok(Linked::Unsupported),
        Err(errno) => Err(errno),
    }
}

fn rename_over_placeholder<P: Arg + Copy, Q: Arg + Copy>(
    from: impl AsFd,
    name: P,
    to: impl AsFd,
    new_name: Q,
) -> Result<(), Errno> {
    let source = statat(&from, name, AtFlags::SYMLINK_NOFOLLOW)?;
    let is_directory = FileType::from_raw_mode(source.st_mode) == FileType::Directory;
    let placeholder = if is_directory {
        mkdirat(&to, new_name, Mode::RWXU)?;
        None
    } else {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = openat(&to, new_name, flags, Mode::RUSR | Mode::WUSR)?;
        Some(fstat(&file)?)
    };
    match renameat(&from, name, &to, new_name) {
        Ok(()) => Ok(()),
        Err(errno) => {
            remove_placeholder(to, new_name, placeholder.as_ref());
            // Another process has put an entry into the directory, or replaced the placeholder by another kind.
            let exists = matches!(errno, Errno::NOTEMPTY | Errno::ISDIR | Errno::NOTDIR);
            Err(if exists { Errno::EXIST } else { errno })
        }
    }
}

/// Removes a placeholder that another process has not replaced. The error that led here is the one to report.
fn remove_placeholder<Q: Arg + Copy>(to: impl AsFd, name: Q, file: Option<&Stat>) {
    let Some(file) = file else {
        let _ = unlinkat(to, name, AtFlags::REMOVEDIR);
        return;
    };
    let is_ours = |found: Stat| found.st_ino == file.st_ino && found.st_dev == file.st_dev && found.st_size == 0;
    if statat(&to, name, AtFlags::SYMLINK_NOFOLLOW).is_ok_and(is_ours) {
        let _ = unlinkat(to, name, AtFlags::empty());
    }
}
