//! Downloads: reads kept in flight, all of one version of the file, visible only when whole.

use super::{ClientError, FileClient, TransferStatus, Transferred, payload::Payload, source};
use remofile_proto::{Answer, Code, Entry, Etag, Kind, Operation, Path};
use std::{
    collections::HashMap,
    fs::{self, File},
    io,
    os::unix::fs::PermissionsExt as _,
    path::Path as LocalPath,
    time::{Duration, SystemTime},
};

/// How often a download begins again because the file changed on the server.
const ATTEMPTS: u32 = 3;

impl FileClient {
    /// Downloads a file under exactly the local name `local`, which shows the old file or the whole new one at every
    /// moment.
    ///
    /// A local file of the same content is [`TransferStatus::Unchanged`].
    ///
    /// # Errors
    /// [`ClientError::Local`] of kind `AlreadyExists` where something else is there and `overwrite` is false;
    /// [`ClientError::SourceChanged`] where the file kept changing on the server.
    pub fn download_file(
        &mut self,
        remote: &Path,
        local: &LocalPath,
        overwrite: bool,
    ) -> Result<Transferred, ClientError> {
        let entry = self.stat(remote)?;
        match entry.kind {
            Kind::File => {}
            Kind::Dir => return Err(super::refused("download", remote, Code::NotFile)),
            Kind::Link | Kind::Other => return Err(super::refused("download", remote, Code::UnsupportedKind)),
        }
        if let Some(unchanged) = self.compare_with_local(remote, &entry, local, overwrite)? {
            return Ok(unchanged);
        }
        let mut entry = entry;
        for _ in 0..ATTEMPTS {
            match self.download_version(remote, &entry, local, overwrite) {
                Err(error) if error.code() == Some(Code::Changed) => entry = self.stat(remote)?,
                Err(ClientError::SessionLost { .. }) => self.reopen()?,
                result => return result,
            }
        }
        Err(ClientError::SourceChanged { path: remote.to_string() })
    }

    fn compare_with_local(
        &mut self,
        remote: &Path,
        entry: &Entry,
        local: &LocalPath,
        overwrite: bool,
    ) -> Result<Option<Transferred>, ClientError> {
        let metadata = match fs::symlink_metadata(local) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(ClientError::local(local, error)),
        };
        if metadata.is_file() && entry.size == Some(metadata.len()) {
            let ours = source::Source::open(local)?.hash(|| self.keep_session())?;
            if self.hash(remote)?.hash == ours {
                return Ok(Some(Transferred {
                    status: TransferStatus::Unchanged,
                    bytes: metadata.len(),
                    transferred: 0,
                }));
            }
        }
        if metadata.is_dir() {
            return Err(ClientError::local(local, io::Error::new(io::ErrorKind::IsADirectory, "is a directory")));
        }
        if !overwrite {
            let error = io::Error::new(io::ErrorKind::AlreadyExists, "already exists, with other content");
            return Err(ClientError::local(local, error));
        }
        Ok(None)
    }

    fn download_version(
        &mut self,
        remote: &Path,
        entry: &Entry,
        local: &LocalPath,
        overwrite: bool,
    ) -> Result<Transferred, ClientError> {
        let failed = |error: io::Error| ClientError::local(local, error);
        let (Some(etag), Some(size)) = (entry.etag.clone(), entry.size) else {
            return Err(ClientError::Protocol { reason: "a file without etag or size".to_owned() });
        };
        let directory = match local.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => LocalPath::new("."),
        };
        let part = tempfile::Builder::new()
            .prefix(".remofile-")
            .suffix(".part")
            .permissions(fs::Permissions::from_mode(0o666))
            .tempfile_in(directory)
            .map_err(failed)?;
        let bytes = self.read_all(remote, &etag, size, part.as_file()).map_err(|error| match error {
            ClientError::Local { source, .. } => failed(source),
            other => other,
        })?;
        if let Some(mtime_ns) = entry.mtime_ns {
            part.as_file().set_modified(system_time(mtime_ns)).map_err(failed)?;
        }
        part.as_file().sync_all().map_err(failed)?;
        if overwrite {
            part.persist(local).map_err(|error| failed(error.error))?;
        } else {
            part.persist_noclobber(local).map_err(|error| failed(error.error))?;
        }
        File::open(directory).and_then(|directory| directory.sync_all()).map_err(failed)?;
        Ok(Transferred { status: TransferStatus::New, bytes, transferred: bytes })
    }

    /// Reads `size` bytes of one version into `file`.
    fn read_all(&mut self, remote: &Path, etag: &Etag, size: u64, file: &File) -> Result<u64, ClientError> {
        let chunk = self.chunk();
        let mut off = 0;
        let mut expected: HashMap<u64, (u64, usize)> = HashMap::new();
        while off < size || !expected.is_empty() {
            if off < size && self.has_room() {
                let len = usize::try_from(size - off).map_or(chunk, |rest| rest.min(chunk));
                let read = Operation::Read { path: remote.clone(), off, len: len as u64, etag: Some(etag.clone()) };
                let seq = self.submit(read, Payload::None)?;
                expected.insert(seq, (off, len));
                off += len as u64;
                continue;
            }
            let completion = self.next_completion()?;
            let Some((at, len)) = expected.remove(&completion.seq) else { continue };
            match completion.result {
                Ok((Answer::Read(_), Some(bytes))) if bytes.len() == len => {
                    source::write_at(file, &bytes, at).map_err(|error| ClientError::local("", error))?;
                }
                Ok((Answer::Read(_), _)) => {
                    return Err(ClientError::Protocol { reason: "a read of one version came back short".to_owned() });
                }
                Ok((other, _)) => return Err(super::unexpected("read", &other)),
                Err(refusal) => {
                    let unanswered = expected.len();
                    self.discard_completions(unanswered)?;
                    return Err(ClientError::Refused { operation: "download", path: remote.to_string(), refusal });
                }
            }
        }
        Ok(size)
    }
}

fn system_time(nanoseconds: i64) -> SystemTime {
    let distance = Duration::from_nanos(nanoseconds.unsigned_abs());
    if nanoseconds >= 0 { SystemTime::UNIX_EPOCH + distance } else { SystemTime::UNIX_EPOCH - distance }
}
