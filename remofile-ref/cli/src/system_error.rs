//! The text of an error of the system.

use std::io::{self, ErrorKind};

/// What the system reports, as `strerror` has it and in lower case: `no such file or directory`.
pub(crate) fn system_text(error: &io::Error) -> String {
    let text = match (error.raw_os_error(), error.get_ref()) {
        (None, None) => match kind_text(error.kind()) {
            Some(text) => return text.to_owned(),
            None => error.to_string(),
        },
        (None, Some(source)) => match source.downcast_ref::<io::Error>() {
            Some(source) => return system_text(source),
            None => source.to_string(),
        },
        (Some(_), _) => error.to_string(),
    };
    in_lower_case(text.split_once(" (os error ").map_or(text.as_str(), |(text, _)| text))
}

/// The text with a lower-case letter at its start, unless it starts with an acronym.
pub(crate) fn in_lower_case(text: &str) -> String {
    let mut characters = text.chars();
    match characters.next().filter(char::is_ascii_uppercase) {
        // `No such file`, but not `ENOSPC`.
        Some(first) if !characters.as_str().starts_with(|second: char| second.is_ascii_uppercase()) => {
            format!("{}{}", first.to_ascii_lowercase(), characters.as_str())
        }
        _ => text.to_owned(),
    }
}

/// What the system would report for an error that was made without one.
fn kind_text(kind: ErrorKind) -> Option<&'static str> {
    Some(match kind {
        ErrorKind::NotFound => "no such file or directory",
        ErrorKind::PermissionDenied => "permission denied",
        ErrorKind::AlreadyExists => "file exists",
        ErrorKind::NotADirectory => "not a directory",
        ErrorKind::IsADirectory => "is a directory",
        ErrorKind::DirectoryNotEmpty => "directory not empty",
        ErrorKind::ReadOnlyFilesystem => "read-only file system",
        ErrorKind::StorageFull => "no space left on device",
        ErrorKind::QuotaExceeded => "disk quota exceeded",
        ErrorKind::FileTooLarge => "file too large",
        ErrorKind::InvalidFilename => "file name too long",
        ErrorKind::InvalidInput => "invalid argument",
        ErrorKind::InvalidData => "invalid data",
        ErrorKind::TimedOut => "connection timed out",
        ErrorKind::WouldBlock => "resource temporarily unavailable",
        ErrorKind::Interrupted => "interrupted system call",
        ErrorKind::BrokenPipe => "broken pipe",
        ErrorKind::ConnectionRefused => "connection refused",
        ErrorKind::ConnectionReset => "connection reset by peer",
        ErrorKind::AddrInUse => "address already in use",
        ErrorKind::AddrNotAvailable => "cannot assign requested address",
        ErrorKind::CrossesDevices => "invalid cross-device link",
        ErrorKind::TooManyLinks => "too many links",
        ErrorKind::Unsupported => "operation not supported",
        ErrorKind::UnexpectedEof => "unexpected end of file",
        ErrorKind::WriteZero => "no bytes could be written",
        ErrorKind::OutOfMemory => "cannot allocate memory",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::io::Errno;

    #[test]
    fn an_error_of_the_system_has_its_text_without_the_number() {
        assert_eq!(system_text(&Errno::NOENT.into()), "no such file or directory");
        assert_eq!(system_text(&Errno::NOSPC.into()), "no space left on device");
    }

    #[test]
    fn an_error_without_a_number_has_the_same_text() {
        for (errno, kind) in [
            (Errno::NOENT, ErrorKind::NotFound),
            (Errno::ACCESS, ErrorKind::PermissionDenied),
            (Errno::EXIST, ErrorKind::AlreadyExists),
            (Errno::NOTDIR, ErrorKind::NotADirectory),
            (Errno::ISDIR, ErrorKind::IsADirectory),
            (Errno::NOTEMPTY, ErrorKind::DirectoryNotEmpty),
            (Errno::ROFS, ErrorKind::ReadOnlyFilesystem),
            (Errno::NOSPC, ErrorKind::StorageFull),
            (Errno::FBIG, ErrorKind::FileTooLarge),
            (Errno::CONNREFUSED, ErrorKind::ConnectionRefused),
            (Errno::ADDRINUSE, ErrorKind::AddrInUse),
            (Errno::ADDRNOTAVAIL, ErrorKind::AddrNotAvailable),
        ] {
            assert_eq!(system_text(&kind.into()), system_text(&errno.into()), "{kind:?}");
        }
    }

    #[test]
    fn the_text_of_an_inner_error_is_kept() {
        assert_eq!(system_text(&io::Error::other("Not a regular file")), "not a regular file");
        assert_eq!(system_text(&io::Error::other(io::Error::from(Errno::PERM))), "operation not permitted");
        assert_eq!(in_lower_case("ENOSPC"), "ENOSPC");
    }
}
