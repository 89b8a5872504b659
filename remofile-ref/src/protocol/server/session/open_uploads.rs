//! The uploads that were begun in this session: what `append` and `commit` may name [APPEND-2].

use remofile_proto::{Code, Operation, RemotePath, UploadEffect, UploadId};

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
        self.uploads.iter().any(|(open, _)| *open == up)
    }

    /// Notes what an executed operation did to an upload.
    pub(super) fn note(&mut self, change: UploadChange, outcome: &Outcome) {
        let UploadChange { effect, up, path } = change;
        let code = outcome.as_ref().map_or_else(|refusal| refusal.code, |_| Code::Ok);
        match effect {
            UploadEffect::None => {}
            UploadEffect::Begin if code == Code::Ok => {
                // [BEGIN-3] other uploads of that path are discarded, and an id has one path.
                self.uploads.retain(|(open, target)| *open != up && Some(target) != path.as_ref());
                if self.uploads.len() == self.limit {
                    self.uploads.remove(0);
                }
                self.uploads.extend(path.map(|path| (up, path)));
            }
            UploadEffect::Append if code == Code::Ok => self.touch(up),
            UploadEffect::Commit if matches!(code, Code::Ok | Code::Digest) => self.forget(up),
            UploadEffect::Abort if code == Code::Ok => self.forget(up),
            UploadEffect::Begin | UploadEffect::Append | UploadEffect::Commit | UploadEffect::Abort => {}
        }
    }

    fn forget(&mut self, up: UploadId) {
        self.uploads.retain(|(begun, _)| *begun != up);
    }

    fn touch(&mut self, up: UploadId) {
        if let Some(at) = self.uploads.iter().position(|(open, _)| *open == up) {
            self.uploads[at..].rotate_left(1);
        }
    }
}

/// What an operation does to an upload if it succeeds.
#[derive(Debug)]
pub(super) struct UploadChange {
    effect: UploadEffect,
    up: UploadId,
    path: Option<RemotePath>,
}

impl UploadChange {
    pub(super) fn of(operation: &Operation) -> Option<Self> {
        let up = operation.up()?;
        Some(Self { effect: operation.info().upload, up, path: operation.path().cloned() })
    }
}
