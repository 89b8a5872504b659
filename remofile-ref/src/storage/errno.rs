//! The one map from what the system reports to what a reply says.

use remofile_proto::{Code, Refusal};
use rustix::io::Errno;

/// Turns an error of the system into a refusal; `doing` is said to people, never a path.
///
/// For use as `.map_err(failed("renaming"))`.
pub(super) fn failed(doing: &'static str) -> impl Fn(Errno) -> Refusal {
    move |errno| {
        let code = code(errno);
        if code == Code::Internal {
            tracing::error!(%errno, doing, "the file system failed");
        }
        Refusal::because(code, format!("{doing}: {}", reason(errno)))
    }
}

/// As [`failed`], for an error that the standard library reports.
pub(super) fn failed_io(doing: &'static str) -> impl Fn(std::io::Error) -> Refusal {
    move |error| failed(doing)(Errno::from_io_error(&error).unwrap_or(Errno::IO))
}

/// As [`failed`], where `EINVAL` means that the file system has no files of this size.
pub(super) fn failed_at_size(doing: &'static str) -> impl Fn(Errno) -> Refusal {
    move |errno| failed(doing)(if errno == Errno::INVAL { Errno::FBIG } else { errno })
}

/// A link in the middle of a path is reported by openat2 as `ELOOP`, and is no directory here.
fn code(errno: Errno) -> Code {
    match errno {
        Errno::NOENT => Code::NotFound,
        Errno::NOTDIR | Errno::LOOP => Code::NotDir,
        Errno::EXIST => Code::Exists,
        Errno::NOTEMPTY => Code::NotEmpty,
        Errno::ISDIR => Code::NotFile,
        Errno::ROFS | Errno::ACCESS | Errno::PERM | Errno::XDEV | Errno::BUSY | Errno::TXTBSY => Code::Denied,
        Errno::NOSPC | Errno::DQUOT => Code::NoSpace,
        Errno::FBIG => Code::TooLarge,
        Errno::NAMETOOLONG => Code::BadName,
        _ => Code::Internal,
    }
}

fn reason(errno: Errno) -> String {
    std::io::Error::from(errno).to_string()
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
            assert_eq!(failed("testing")(errno).code, expected, "{errno}");
        }
    }

    #[test]
    fn a_size_that_the_file_system_cannot_have_is_too_large() {
        assert_eq!(failed_at_size("truncating")(Errno::INVAL).code, Code::TooLarge);
    }
}
