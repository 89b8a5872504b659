//! The uploads that were begun in this session: what `append` and `commit` may name [APPEND-2].

use remofile_proto::{Code, Operation, RemotePath, UploadId};

use crate::Outcome;

/// Uploads begun in one session, least recently used first.
///
/// Bounded by the number of uploads that the server stages: the store has discarded less recently used ones too
/// [BEGIN-6].
#[derive(Debug)]
pub(super) struct OpenUploads {
    limit: usize,
    uploads: Vec<(UploadId, RemotePath)>,
}

impl OpenUploads {
    pub(super) fn new(limit: usize) -> Self {
        Self { limit: limit.max(1), uploads: Vec::new() }
    }

    pub(super) fn contains(&self, up: UploadId) -> bool {
        self.uploads.iter().any(|(open_uploads, _)| *open_uploads == up)
    }

    /// Notes what an executed operation did to uploads.
    pub(super) fn note(&mut self, effect: UploadEffect, outcome: &Outcome) {
        let code = outcome.as_ref().map_or_else(|refusal| refusal.code, |_| Code::Ok);
        match (effect, code) {
            (UploadEffect::Begin(up, path), Code::Ok) => {
                // [BEGIN-3] other uploads of that path are discarded, and an id has one path.
                self.uploads.retain(|(open_uploads, target)| *open_uploads != up && *target != path);
                if self.uploads.len() == self.limit {
                    self.uploads.remove(0);
                }
                self.uploads.push((up, path));
            }
            (UploadEffect::Append(up), Code::Ok) => self.touch(up),
            (UploadEffect::Commit(up), Code::Ok | Code::Digest) | (UploadEffect::Abort(up), Code::Ok) => {
                self.uploads.retain(|(open_uploads, _)| *open_uploads != up);
            }
            _ => {}
        }
    }

    fn touch(&mut self, up: UploadId) {
        if let Some(at) = self.uploads.iter().position(|(open_uploads, _)| *open_uploads == up) {
            self.uploads[at..].rotate_left(1);
        }
    }
}

/// What an operation does to uploads if it succeeds.
#[derive(Debug)]
pub(super) enum UploadEffect {
    None,
    Begin(UploadId, RemotePath),
    Append(UploadId),
    Commit(UploadId),
    Abort(UploadId),
}

impl UploadEffect {
    pub(super) fn of(operation: &Operation) -> Self {
        match operation {
            Operation::Begin { up, path, .. } => Self::Begin(*up, path.clone()),
            Operation::Append { up, .. } => Self::Append(*up),
            Operation::Commit { up, .. } => Self::Commit(*up),
            Operation::Abort { up } => Self::Abort(*up),
            _ => Self::None,
        }
    }
}
