//! Requests the hashes that the plan needs where time stamps and etags do not suffice.

use super::{
    LocalVersion, ProblemReason, Side, SyncError,
    input::{Node, PathState, SyncInput},
    local_root::LocalRoot,
    local_scan::is_recently_modified,
    remote_scan::says_changed,
};
use crate::client::{
    ClientError, FileClient,
    local_file::LocalFile,
    payload::Payload,
    pipeline::{Pipeline, PipelineDriver, ReplyResult, Request},
};
use remofile_proto::{Answer, Digest, Etag, Operation, Refusal, RemotePath};
use std::{collections::HashSet, time::SystemTime};

/// The files whose hashes are needed, by path.
#[derive(Debug, Default, PartialEq)]
pub(super) struct HashRequests {
    pub(super) local: Vec<String>,
    pub(super) remote: Vec<String>,
}

/// The hashes that are needed: files of different sizes have different contents, all others are compared by hash.
pub(super) fn hash_requests(input: &SyncInput) -> HashRequests {
    let (removed_locally, removed_remotely) = removed_sizes(input);
    let mut hash_requests = HashRequests::default();
    for state in input.path_states().filter(|state| state.blocked().is_none()) {
        let (local, remote) =
            (state.local_file().map(|file| file.version.size), state.remote_file().map(|file| file.size));
        let saved = state.saved_file().map(|file| file.version.size);
        let is_alone = state.local.is_none() != state.remote.is_none() && state.saved.is_none();
        if let Some(size) = local
            && state.local_hash().is_none()
            && (saved == Some(size) || remote == Some(size) || (is_alone && removed_locally.contains(&size)))
        {
            hash_requests.local.push(state.path.to_owned());
        }
        if let Some(size) = remote
            && state.remote_hash().is_none()
            && (saved == Some(size) || local == Some(size) || (is_alone && removed_remotely.contains(&size)))
        {
            hash_requests.remote.push(state.path.to_owned());
        }
    }
    hash_requests
}

/// The sizes of files that one side has removed: a new file of such a size may be one of them, renamed.
fn removed_sizes(input: &SyncInput) -> (HashSet<u64>, HashSet<u64>) {
    let (mut locally, mut remotely) = (HashSet::new(), HashSet::new());
    let is_empty = |size: &u64| *size == 0;
    for state in input.path_states() {
        let Some(size) = state.saved_file().map(|file| file.version.size).filter(|size| !is_empty(size)) else {
            continue;
        };
        match (state.local, state.remote) {
            (None, Some(_)) => locally.insert(size),
            (Some(_), None) => remotely.insert(size),
            _ => false,
        };
    }
    (locally, remotely)
}

/// Computes the requested hashes on both sides. Files that change meanwhile or cannot be read are blocked.
pub(super) fn answer(
    client: &mut FileClient,
    local: Option<&LocalRoot>,
    remote: &RemotePath,
    input: &mut SyncInput,
    hash_requests: &HashRequests,
) -> Result<(), SyncError> {
    for path in &hash_requests.local {
        let (Some(local), Some(Node::File(file))) = (local, input.local_mut(path)) else { continue };
        let expected = file.version;
        let read_at = SystemTime::now();
        let read = read_local(client, local, remote, path, &expected);
        let node = match read {
            Ok(hash) => {
                (file.hash, file.is_recently_modified) = (Some(hash), is_recently_modified(&expected, read_at));
                continue;
            }
            Err(ClientError::SourceChanged { .. }) => Node::Blocked(ProblemReason::Changing(Side::Local)),
            Err(ClientError::Local { source, .. }) => {
                Node::Blocked(ProblemReason::Unreadable { on: Side::Local, reason: source.to_string() })
            }
            Err(error) => return Err(error.into()),
        };
        if let Some(place) = input.local_mut(path) {
            *place = node;
        }
    }
    let mut requester = HashRequester { client, remote, input, pipeline: Pipeline::new() };
    for path in &hash_requests.remote {
        requester.submit(path.clone())?;
    }
    Ok(requester.drain()?)
}

fn read_local(
    client: &mut FileClient,
    local: &LocalRoot,
    remote: &RemotePath,
    path: &str,
    expected: &LocalVersion,
) -> Result<Digest, ClientError> {
    let source = local.source(path)?;
    check(&source, expected)?;
    let hash = client.hash_whole(&source, &remote.join(path)?)?;
    source.check_unchanged()?;
    Ok(hash)
}

/// Fails unless the file is of the expected version.
pub(super) fn check(source: &LocalFile, expected: &LocalVersion) -> Result<(), ClientError> {
    if LocalVersion::of(source) == *expected { Ok(()) } else { Err(source.changed()) }
}

/// Requests hashes from the server, many at a time.
struct HashRequester<'a> {
    client: &'a mut FileClient,
    remote: &'a RemotePath,
    input: &'a mut SyncInput,
    pipeline: Pipeline<String>,
}

impl HashRequester<'_> {
    fn settled(&mut self, path: &str, answer: Result<(Digest, Etag), Refusal>) {
        let Some(node) = self.input.remote_mut(path) else { return };
        match (answer, &mut *node) {
            (Ok((hash, etag)), Node::File(file)) if file.etag == etag => file.hash = Some(hash),
            (Ok(_), _) => *node = Node::Blocked(ProblemReason::Changing(Side::Remote)),
            (Err(refusal), _) if says_changed(refusal.code) => {
                *node = Node::Blocked(ProblemReason::Changing(Side::Remote))
            }
            (Err(refusal), _) => {
                *node = Node::Blocked(ProblemReason::Unreadable {
                    on: Side::Remote,
                    reason: refusal.code.text().to_owned(),
                });
            }
        }
    }
}

impl PipelineDriver for HashRequester<'_> {
    type Item = String;

    fn parts(&mut self) -> (&mut FileClient, &mut Pipeline<String>) {
        (self.client, &mut self.pipeline)
    }

    fn weight(&self, _job: &String) -> u64 {
        0
    }

    fn request(&mut self, job: &String) -> Result<Option<Request>, ClientError> {
        let operation = Operation::Hash { path: self.remote.join(job)?, off: 0, len: None };
        Ok(Some(Request { operation, payload: Payload::None, content: 0 }))
    }

    fn on_reply(&mut self, job: String, answer: ReplyResult) -> Result<(), ClientError> {
        match answer {
            Ok((Answer::Hash(hash), _)) => self.settled(&job, Ok((hash.hash, hash.etag))),
            Ok((other, _)) => return Err(crate::client::unexpected("hash", &other)),
            Err(refusal) => self.settled(&job, Err(refusal)),
        }
        Ok(())
    }

    /// Reading changes nothing.
    fn recover(job: String) -> String {
        job
    }
}

/// How a file of one side has changed since the saved state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FileChange {
    /// It has the content of the saved state.
    Same,
    /// It has another content, or is new.
    Changed,
    /// It was removed, or never existed.
    Gone,
}

impl PathState<'_> {
    /// What became of the local file, once the questions are answered.
    pub(super) fn local_change(&self) -> FileChange {
        let hash = self.local_file().map(|_| self.local_hash());
        change_of(hash, self.saved_file().map(|saved| saved.hash))
    }

    /// The same of the server's.
    pub(super) fn remote_change(&self) -> FileChange {
        let hash = self.remote_file().map(|_| self.remote_hash());
        change_of(hash, self.saved_file().map(|saved| saved.hash))
    }

    /// Whether both sides have the same content.
    pub(super) fn has_equal_contents(&self) -> bool {
        self.local_hash().is_some_and(|hash| self.remote_hash() == Some(hash))
    }
}

/// A content whose hash was not requested differs in size from that in the saved state.
fn change_of(hash: Option<Option<Digest>>, saved: Option<Digest>) -> FileChange {
    match hash {
        None => FileChange::Gone,
        Some(hash) if hash.is_some() && hash == saved => FileChange::Same,
        Some(_) => FileChange::Changed,
    }
}
