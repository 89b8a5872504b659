//! Client errors as those of `std::io`.

use super::ClientError;
use remofile_proto::Code;
use std::io::{Error, ErrorKind};

/// The kind is the nearest that there is; the [`ClientError`] is the source of the error.
///
/// CHANGED, a source that changed, and bytes that did not verify are [`ErrorKind::InvalidData`].
impl From<ClientError> for Error {
    fn from(error: ClientError) -> Self {
        Error::new(kind(&error), error)
    }
}

fn kind(error: &ClientError) -> ErrorKind {
    match error {
        ClientError::Refused { refusal, .. } => kind_of_code(refusal.code),
        ClientError::Busy(_) => ErrorKind::ResourceBusy,
        ClientError::TimedOut { .. } => ErrorKind::TimedOut,
        ClientError::TokenRefused { .. } => ErrorKind::PermissionDenied,
        ClientError::Unreachable { .. } => ErrorKind::HostUnreachable,
        ClientError::SessionLost { .. } => ErrorKind::ConnectionAborted,
        ClientError::Protocol { .. } | ClientError::SourceChanged { .. } | ClientError::NotVerified { .. } => {
            ErrorKind::InvalidData
        }
        ClientError::Local { source, .. } => source.kind(),
        ClientError::BadEndpoint(_) | ClientError::BadToken(_) => ErrorKind::InvalidInput,
        ClientError::BadPath(_) => ErrorKind::InvalidFilename,
        _ => ErrorKind::Other,
    }
}

fn kind_of_code(code: Code) -> ErrorKind {
    match code {
        Code::NotFound => ErrorKind::NotFound,
        Code::Exists | Code::NameClash => ErrorKind::AlreadyExists,
        Code::NotFile => ErrorKind::IsADirectory,
        Code::NotDir => ErrorKind::NotADirectory,
        Code::NotEmpty => ErrorKind::DirectoryNotEmpty,
        Code::BadName => ErrorKind::InvalidFilename,
        Code::Changed | Code::Digest => ErrorKind::InvalidData,
        Code::Denied | Code::Auth => ErrorKind::PermissionDenied,
        Code::UnsupportedKind => ErrorKind::Unsupported,
        Code::TooLarge => ErrorKind::FileTooLarge,
        Code::NoSpace => ErrorKind::StorageFull,
        Code::Limit => ErrorKind::QuotaExceeded,
        Code::Busy => ErrorKind::ResourceBusy,
        Code::Loop | Code::BadArgs => ErrorKind::InvalidInput,
        _ => ErrorKind::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use remofile_proto::Refusal;

    #[test]
    fn a_code_becomes_its_kind_and_stays_readable() {
        for (code, kind) in [
            (Code::NotFound, ErrorKind::NotFound),
            (Code::Exists, ErrorKind::AlreadyExists),
            (Code::Denied, ErrorKind::PermissionDenied),
            (Code::NoSpace, ErrorKind::StorageFull),
            (Code::Busy, ErrorKind::ResourceBusy),
            (Code::Changed, ErrorKind::InvalidData),
        ] {
            let refused = ClientError::Refused { operation: "read", path: "/a".into(), refusal: Refusal::new(code) };
            let error = Error::from(refused);
            assert_eq!(error.kind(), kind);
            let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<ClientError>());
            assert_eq!(inner.and_then(ClientError::code), Some(code));
        }
    }
}
