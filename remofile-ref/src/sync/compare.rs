//! Which contents have to be read before a plan can be made, and reading them: where stamps and etags do not tell.

use super::{
    LocalVersion, Side, SyncError, Why,
    local::LocalRoot,
    scan::is_fresh,
    sides::{Node, Row, Sides},
    survey::says_changed,
};
use crate::client::{
    ClientError, FileClient,
    local_file::LocalFile,
    payload::Payload,
    pipeline::{Pipeline, PipelineDriver, ReplyResult, Request},
};
use remofile_proto::{Answer, Digest, Etag, Operation, Refusal, RemotePath};
use std::{collections::HashSet, time::SystemTime};

/// What has to be read, by path.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Questions {
    pub(super) local: Vec<String>,
    pub(super) remote: Vec<String>,
}

/// Which files have to be read. Files of different sizes have different contents; all else is known or asked.
pub(super) fn questions(sides: &Sides) -> Questions {
    let (removed_locally, removed_remotely) = removed_sizes(sides);
    let mut questions = Questions::default();
    for row in sides.rows().filter(|row| row.blocked().is_none()) {
        let (local, remote) = (row.local_file().map(|file| file.version.size), row.remote_file().map(|file| file.size));
        let archived = row.archived_file().map(|file| file.version.size);
        let is_alone = row.local.is_none() != row.remote.is_none() && row.archived.is_none();
        if let Some(size) = local
            && row.local_hash().is_none()
            && (archived == Some(size) || remote == Some(size) || (is_alone && removed_locally.contains(&size)))
        {
            questions.local.push(row.path.to_owned());
        }
        if let Some(size) = remote
            && row.remote_hash().is_none()
            && (archived == Some(size) || local == Some(size) || (is_alone && removed_remotely.contains(&size)))
        {
            questions.remote.push(row.path.to_owned());
        }
    }
    questions
}

/// The sizes of files that one side has no more: what is new there in such a size may be one of them, renamed.
fn removed_sizes(sides: &Sides) -> (HashSet<u64>, HashSet<u64>) {
    let (mut locally, mut remotely) = (HashSet::new(), HashSet::new());
    let is_empty = |size: &u64| *size == 0;
    for row in sides.rows() {
        let Some(size) = row.archived_file().map(|file| file.version.size).filter(|size| !is_empty(size)) else {
            continue;
        };
        match (row.local, row.remote) {
            (None, Some(_)) => locally.insert(size),
            (Some(_), None) => remotely.insert(size),
            _ => false,
        };
    }
    (locally, remotely)
}

/// Reads what is asked for on both sides. What changes meanwhile, or cannot be read, is blocked.
pub(super) fn answer(
    client: &mut FileClient,
    local: Option<&LocalRoot>,
    remote: &RemotePath,
    sides: &mut Sides,
    questions: &Questions,
) -> Result<(), SyncError> {
    for path in &questions.local {
        let (Some(local), Some(Node::File(file))) = (local, sides.local_mut(path)) else { continue };
        let expected = file.version;
        let read_at = SystemTime::now();
        let read = read_local(client, local, remote, path, &expected);
        let node = match read {
            Ok(hash) => {
                (file.hash, file.is_fresh) = (Some(hash), is_fresh(&expected, read_at));
                continue;
            }
            Err(ClientError::SourceChanged { .. }) => Node::Blocked(Why::Changing(Side::Local)),
            Err(ClientError::Local { source, .. }) => {
                Node::Blocked(Why::Unreadable { on: Side::Local, reason: source.to_string() })
            }
            Err(error) => return Err(error.into()),
        };
        if let Some(place) = sides.local_mut(path) {
            *place = node;
        }
    }
    let mut asking = Asking { client, remote, sides, pipeline: Pipeline::new() };
    for path in &questions.remote {
        asking.submit(path.clone())?;
    }
    Ok(asking.drain()?)
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

/// Refuses what is not the version that was looked at.
pub(super) fn check(source: &LocalFile, expected: &LocalVersion) -> Result<(), ClientError> {
    if LocalVersion::of(source) == *expected { Ok(()) } else { Err(source.changed()) }
}

/// Hashes that the server is asked for, many at a time.
struct Asking<'a> {
    client: &'a mut FileClient,
    remote: &'a RemotePath,
    sides: &'a mut Sides,
    pipeline: Pipeline<String>,
}

impl Asking<'_> {
    fn settled(&mut self, path: &str, answer: Result<(Digest, Etag), Refusal>) {
        let Some(node) = self.sides.remote_mut(path) else { return };
        match (answer, &mut *node) {
            (Ok((hash, etag)), Node::File(file)) if file.etag == etag => file.hash = Some(hash),
            (Ok(_), _) => *node = Node::Blocked(Why::Changing(Side::Remote)),
            (Err(refusal), _) if says_changed(refusal.code) => *node = Node::Blocked(Why::Changing(Side::Remote)),
            (Err(refusal), _) => {
                *node = Node::Blocked(Why::Unreadable { on: Side::Remote, reason: refusal.code.text().to_owned() });
            }
        }
    }
}

impl PipelineDriver for Asking<'_> {
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

    /// Looking changes nothing.
    fn recover(job: String) -> String {
        job
    }
}

/// What became of one side of a file since it was archived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Since {
    /// The content that was archived.
    Same,
    /// Another content, or a file where none was archived.
    Changed,
    /// It is gone, or never was there.
    Gone,
}

impl Row<'_> {
    /// What became of the local file, once the questions are answered.
    pub(super) fn local_since(&self) -> Since {
        let hash = self.local_file().map(|_| self.local_hash());
        since(hash, self.archived_file().map(|archived| archived.hash))
    }

    /// The same of the server's.
    pub(super) fn remote_since(&self) -> Since {
        let hash = self.remote_file().map(|_| self.remote_hash());
        since(hash, self.archived_file().map(|archived| archived.hash))
    }

    /// Whether both sides have the same content.
    pub(super) fn has_equal_contents(&self) -> bool {
        self.local_hash().is_some_and(|hash| self.remote_hash() == Some(hash))
    }
}

/// A content that nobody had to read differs in size from the one that was archived.
fn since(hash: Option<Option<Digest>>, archived: Option<Digest>) -> Since {
    match hash {
        None => Since::Gone,
        Some(hash) if hash.is_some() && hash == archived => Since::Same,
        Some(_) => Since::Changed,
    }
}
