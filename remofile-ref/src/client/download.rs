//! Downloads: reads kept in flight, all of one version of the file, visible only when whole, resumed after an interruption.

use super::{
    ClientError, FileClient, Phase, Replace, TransferStatus, Transferred,
    partial_file::{DownloadTarget, PartialFile, Version},
    payload::{Content, Payload},
    retry::Retry,
};
use remofile_proto::{Answer, Code, Entry, Kind, Operation, RemotePath};
use rustix::fs::FileType;
use std::{
    collections::{BTreeMap, HashMap},
    io,
    path::Path as LocalPath,
};

/// How often a download begins again because the file changed on the server.
const VERSIONS: u32 = 3;

impl FileClient {
    /// Downloads a file under exactly the local name `local`, which shows the old file or the whole new one at every
    /// moment.
    ///
    /// A local file of the same content is [`TransferStatus::Unchanged`]. A download that broke off, by the death of
    /// either side, left a hidden file `.remofile-….part` beside the target, and is continued by the same call if
    /// what is there is the beginning of the present file on the server; else it starts over.
    ///
    /// # Errors
    /// [`ClientError::Local`] of kind `AlreadyExists` where something else is there and `overwrite` is false, and of
    /// kind `WouldBlock` where another process downloads the same; [`ClientError::SourceChanged`] where the file kept
    /// changing on the server.
    pub fn download_file(
        &self,
        remote: &RemotePath,
        local: &LocalPath,
        overwrite: bool,
    ) -> Result<Transferred, ClientError> {
        self.observed(|client| {
            let entry = client.stat(remote)?;
            match entry.kind {
                Kind::File => {}
                Kind::Dir => return Err(super::refused("download", remote, Code::NotFile)),
                Kind::Link | Kind::Other => return Err(super::refused("download", remote, Code::UnsupportedKind)),
            }
            client.download_into(remote, entry, &DownloadTarget::of(local)?, overwrite.into())
        })
    }

    /// Downloads the file that `entry` describes.
    pub(super) fn download_into(
        &mut self,
        remote: &RemotePath,
        mut entry: Entry,
        target: &DownloadTarget,
        replace: Replace,
    ) -> Result<Transferred, ClientError> {
        if let Some(unchanged) = self.compare_with_local(remote, &entry, target, replace)? {
            return Ok(unchanged);
        }
        let mut received = DownloadState::default();
        let mut retry = Retry::default();
        let mut versions = 1;
        loop {
            match self.download_version(remote, &entry, target, replace, &mut received) {
                Err(error) if error.code() == Some(Code::Changed) => {
                    if versions == VERSIONS {
                        return Err(ClientError::SourceChanged { path: remote.to_string() });
                    }
                    versions += 1;
                    entry = self.stat(remote)?;
                    if entry.kind != Kind::File {
                        return Err(ClientError::SourceChanged { path: remote.to_string() });
                    }
                }
                Err(error) => retry.after(self, error, received.transferred)?,
                done => return done,
            }
        }
    }

    /// Downloads the version that `entry` names and no other, into a file that it replaces.
    ///
    /// # Errors
    /// [`ClientError::SourceChanged`] where there is another version now.
    pub(crate) fn download_one_version(
        &mut self,
        remote: &RemotePath,
        entry: &Entry,
        target: &DownloadTarget,
    ) -> Result<Transferred, ClientError> {
        let (mut received, mut retry) = (DownloadState::default(), Retry::default());
        loop {
            match self.download_version(remote, entry, target, Replace::Always, &mut received) {
                Err(error) if error.code() == Some(Code::Changed) => {
                    return Err(ClientError::SourceChanged { path: remote.to_string() });
                }
                Err(error) => retry.after(self, error, received.transferred)?,
                done => return done,
            }
        }
    }

    fn compare_with_local(
        &mut self,
        remote: &RemotePath,
        entry: &Entry,
        target: &DownloadTarget,
        replace: Replace,
    ) -> Result<Option<Transferred>, ClientError> {
        let Some((kind, size)) = target.look()? else { return Ok(None) };
        if kind == FileType::RegularFile && entry.size == Some(size) {
            let ours = self.hash_local(&target.source()?, remote)?;
            if self.hash(remote)?.hash == ours {
                target.discard_metadata(&version_of(self, remote, entry)?)?;
                return Ok(Some(Transferred { status: TransferStatus::Unchanged, bytes: size, transferred: 0 }));
            }
        }
        let bytes = entry.size.unwrap_or(0);
        Ok(stays(target, kind, entry, replace)?.then_some(Transferred {
            status: TransferStatus::Newer,
            bytes,
            transferred: 0,
        }))
    }

    fn download_version(
        &mut self,
        remote: &RemotePath,
        entry: &Entry,
        target: &DownloadTarget,
        replace: Replace,
        received: &mut DownloadState,
    ) -> Result<Transferred, ClientError> {
        let version = version_of(self, remote, entry)?;
        let mut part = PartialFile::open(target, &version)?;
        if part.len() > 0 {
            if self.is_beginning(&part, &version)? {
                received.is_resumed |= received.transferred == 0;
            } else {
                part.restart()?;
                received.is_resumed = false;
            }
        } else {
            received.is_resumed = false;
        }
        let from = part.len();
        self.read_rest(&version, from, received, &mut |bytes| part.append(bytes))?;
        self.observer().enter(Phase::Committing, Some(remote), Some(version.size));
        part.finish(entry.mtime_ns, replace != Replace::Never)?;
        let status = if received.is_resumed { TransferStatus::Resumed } else { TransferStatus::New };
        Ok(Transferred { status, bytes: version.size, transferred: received.transferred })
    }

    /// Whether the server has the same bytes in front, in this very version.
    fn is_beginning(&mut self, part: &PartialFile, version: &Version) -> Result<bool, ClientError> {
        let ours = self.hash_local(&part.source()?, &version.path)?;
        let hash = Operation::Hash { path: version.path.clone(), off: 0, len: Some(part.len()) };
        match self.call_resolved(hash, Payload::None)? {
            Answer::Hash(theirs) if theirs.etag == version.etag => Ok(theirs.hash == ours && theirs.len == part.len()),
            Answer::Hash(_) => Err(super::refused("download", &version.path, Code::Changed)),
            other => Err(super::unexpected("hash", &other)),
        }
    }

    /// Reads all from `from` on, and gives it to `append` in order.
    pub(super) fn read_rest(
        &mut self,
        version: &Version,
        from: u64,
        received: &mut DownloadState,
        append: &mut dyn FnMut(&[u8]) -> Result<(), ClientError>,
    ) -> Result<(), ClientError> {
        let piece = self.piece();
        let (mut off, mut appended) = (from, from);
        self.observer().resume(Phase::Transferring, Some(&version.path), Some(version.size), off);
        let mut expected: HashMap<u64, (u64, usize)> = HashMap::new();
        // No more than what is in flight can be early.
        let mut early: BTreeMap<u64, Content> = BTreeMap::new();
        while off < version.size || !expected.is_empty() {
            if off < version.size && self.has_room() {
                let len = usize::try_from(version.size - off).map_or(piece, |rest| rest.min(piece));
                self.await_rate(len as u64)?;
                let etag = Some(version.etag.clone());
                let read = Operation::Read { path: version.path.clone(), off, len: len as u64, etag };
                let seq = self.submit(read, Payload::None)?;
                expected.insert(seq, (off, len));
                off += len as u64;
                continue;
            }
            let completion = self.next_completion()?;
            let Some((at, len)) = expected.remove(&completion.seq) else { continue };
            let error = match completion.result {
                Ok((Answer::Read(_), Some(bytes))) if bytes.len() == len => {
                    received.transferred += bytes.len() as u64;
                    self.observer().advance(bytes.len() as u64);
                    early.insert(at, bytes);
                    match append_in_order(&mut appended, &mut early, append) {
                        Ok(()) => continue,
                        Err(error) => error,
                    }
                }
                Ok((Answer::Read(_), _)) => {
                    ClientError::Protocol { reason: "a read of one version came back short".to_owned() }
                }
                Ok((other, _)) => super::unexpected("read", &other),
                Err(refusal) => ClientError::Refused { operation: "download", path: version.path.to_string(), refusal },
            };
            // The replies to later requests are not needed.
            self.discard_outstanding()?;
            return Err(error);
        }
        Ok(())
    }
}

/// What became of a download over all its attempts.
#[derive(Debug, Default)]
pub(super) struct DownloadState {
    is_resumed: bool,
    pub(super) transferred: u64,
}

/// The version that an entry names.
pub(super) fn version_of(client: &FileClient, remote: &RemotePath, entry: &Entry) -> Result<Version, ClientError> {
    let (Some(etag), Some(size)) = (entry.etag.clone(), entry.size) else {
        return Err(ClientError::Protocol { reason: "a file without etag or size".to_owned() });
    };
    Ok(Version { root: client.welcome().root, path: remote.clone(), etag, size })
}

/// Whether what stands under the local name stays, being newer; refuses where it is not to be replaced.
pub(super) fn stays(
    target: &DownloadTarget,
    kind: FileType,
    entry: &Entry,
    replace: Replace,
) -> Result<bool, ClientError> {
    if kind == FileType::Directory {
        return Err(target.failed(io::Error::new(io::ErrorKind::IsADirectory, "is a directory")));
    }
    if kind == FileType::RegularFile && replace.keeps(target.mtime_ns()?, entry.mtime_ns) {
        return Ok(true);
    }
    if replace == Replace::Never {
        return Err(target.failed(io::Error::new(io::ErrorKind::AlreadyExists, "already exists, with other content")));
    }
    Ok(false)
}

fn append_in_order(
    appended: &mut u64,
    early: &mut BTreeMap<u64, Content>,
    append: &mut dyn FnMut(&[u8]) -> Result<(), ClientError>,
) -> Result<(), ClientError> {
    while let Some(bytes) = early.remove(appended) {
        append(&bytes)?;
        *appended += bytes.len() as u64;
    }
    Ok(())
}
