//! Mutations of what all operations share.

use super::Store;
use crate::{
    mutations::{codes, entries},
    paths::Path,
    reply::{Answer, Fields},
    worker::Task,
};
use remofile_proto::{Code, SessionId, UploadId, cbor::Item};
use std::{cell::Cell, collections::BTreeMap};

/// What only mutations know of earlier operations.
#[derive(Default)]
pub(super) struct History {
    /// The names in each directory, by device and inode.
    pub(super) listings: BTreeMap<(u64, u64), Vec<Vec<u8>>>,
    /// The session whose request is executed.
    pub(super) session: Cell<Option<SessionId>>,
    /// How many files were hashed.
    pub(super) hashes: Cell<u64>,
    /// The upload that was begun last.
    pub(super) begun: Option<UploadId>,
    /// The path and the content of the last commit.
    pub(super) committed: Option<(Path, Vec<u8>)>,
}

impl Store {
    pub(super) fn mutated_answer(&self, task: &Task, answer: Answer) -> Answer {
        let Task { arguments, op, .. } = task;
        let has_target = matches!(op.as_str(), "move" | "copy");
        let path = if has_target { &arguments.from } else { &arguments.path };
        match answer {
            // Where the path is in the served directory itself, no case could make anything any more.
            Err(refusal)
                if refusal.code == Code::NotFound
                    && (!path.split().0.is_empty() || self.staging.is_none())
                    && self.behaviour.has(&codes::MISSING_IS_INTERNAL) =>
            {
                Err(Code::Internal.into())
            }
            Ok(mut reply) => {
                let path = if has_target { &arguments.to } else { path };
                for (key, value) in &mut reply.result {
                    if let (true, Item::Map(entry)) = (key == "entry", value) {
                        self.mutated_entry(op, path.as_str(), entry);
                    }
                }
                Ok(reply)
            }
            refused => refused,
        }
    }

    fn mutated_entry(&self, op: &str, path: &str, entry: &mut Fields) {
        for (key, value) in entry {
            match (key.as_str(), value) {
                ("mtime_ns", Item::Int(time))
                    if op != "stat" && *time % 1_000 != 0 && self.behaviour.has(&entries::MICROSECONDS) =>
                {
                    *time -= time.rem_euclid(1_000);
                }
                ("etag", Item::Bytes(etag)) if self.behaviour.has(&entries::ETAG_OF_THE_PATH) => {
                    *etag = blake3::hash(path.as_bytes()).as_bytes()[..16].to_vec();
                }
                _ => {}
            }
        }
    }
}
