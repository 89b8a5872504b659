//! Maps errors of the file system to refusals.

use remofile_proto::{Code, Refusal};
use rustix::io::Errno;
use std::{error, fmt, io};

/// Turns an error into a refusal; `doing` is for people, and is never a path.
///
/// For use as `.map_err(failed("renaming"))`.
pub(super) fn failed(doing: &'static str) -> impl Fn(io::Error) -> Refusal {
    move |error| {
        let code = code(&error);
        if is_reserved(&error) {
            return Refusal::because(code, error.to_string());
        }
        if code == Code::Internal {
            tracing::error!(%error, doing, "the file system failed");
        }
        Refusal::because(code, format!("{doing}: {error}"))
    }
}

/// As [`failed`], where `EINVAL` means that the file system has no files of this size.
pub(super) fn failed_at_size(doing: &'static str) -> impl Fn(io::Error) -> Refusal {
    move |error| {
        let is_invalid = error.kind() == io::ErrorKind::InvalidInput;
        failed(doing)(if is_invalid { Errno::FBIG.into() } else { error })
    }
}

/// The error of every name that leads to the staging directory.
pub(super) fn reserved() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidFilename, Reserved)
}

pub(super) fn is_reserved(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|inner| inner.is::<Reserved>())
}

/// Whether an error says that an entry, or a directory above it, no longer exists.
pub(super) fn is_gone(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) || is_link(error)
}

/// Whether a symbolic link is where something else was expected.
pub(super) fn is_link(error: &io::Error) -> bool {
    Errno::from_io_error(error) == Some(Errno::LOOP)
}

#[derive(Debug)]
struct Reserved;

impl fmt::Display for Reserved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("this name is reserved")
    }
}

impl error::Error for Reserved {}

/// A link in the middle of a path is reported by openat2 as `ELOOP`, and is not a directory.
fn code(error: &io::Error) -> Code {
    use io::ErrorKind as Kind;
    match error.kind() {
        Kind::NotFound => Code::NotFound,
        Kind::NotADirectory => Code::NotDir,
        Kind::AlreadyExists => Code::Exists,
        Kind::DirectoryNotEmpty => Code::NotEmpty,
        Kind::IsADirectory => Code::NotFile,
        Kind::ReadOnlyFilesystem
        | Kind::PermissionDenied
        | Kind::CrossesDevices
        | Kind::ResourceBusy
        | Kind::ExecutableFileBusy => Code::Denied,
        Kind::StorageFull | Kind::QuotaExceeded => Code::NoSpace,
        Kind::FileTooLarge => Code::TooLarge,
        Kind::InvalidFilename => Code::BadName,
        _ if is_link(error) => Code::NotDir,
        _ => Code::Internal,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_errno_of_the_specification_has_its_code() {
        for (errno, expected) in [
            (Errno::ROFS, Code::Denied),
            (Errno::ACCESS, Code::Denied),
            (Errno::PERM, Code::Denied),
            (Errno::XDEV, Code::Denied),
            (Errno::BUSY, Code::Denied),
            (Errno::TXTBSY, Code::Denied),
            (Errno::NOSPC, Code::NoSpace),
            (Errno::DQUOT, Code::NoSpace),
            (Errno::FBIG, Code::TooLarge),
            (Errno::NAMETOOLONG, Code::BadName),
            (Errno::IO, Code::Internal),
            (Errno::MFILE, Code::Internal),
            (Errno::NFILE, Code::Internal),
            (Errno::NOMEM, Code::Internal),
            (Errno::LOOP, Code::NotDir),
            (Errno::NOTDIR, Code::NotDir),
            (Errno::NOENT, Code::NotFound),
        ] {
            assert_eq!(failed("testing")(errno.into()).code, expected, "{errno}");
        }
    }

    #[test]
    fn a_size_that_the_file_system_cannot_have_is_too_large() {
        assert_eq!(failed_at_size("truncating")(Errno::INVAL.into()).code, Code::TooLarge);
    }

    #[test]
    fn a_reserved_name_is_a_bad_name() {
        assert_eq!(failed("testing")(reserved()).code, Code::BadName);
    }
}
