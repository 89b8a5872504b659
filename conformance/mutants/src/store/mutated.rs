//! Mutations of what all operations share.

use super::{
    Store,
    tree::{Place, kind},
};
use crate::{
    Mutation,
    arguments::{Arguments, Pre},
    mutations::{codes, entries, targets},
    paths::Path,
    reply::{Answer, Fields, Refusal},
    worker::Task,
};
use remofile_proto::{Code, SessionId, UploadId, cbor::Item};
use rustix::fs::FileType;
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
    /// What has to be at a target: anything, with a mutation that replaces files.
    pub(super) fn mutated_pre(&self, op: &str, args: &Arguments, target: &Place<'_>) -> Result<Pre, Refusal> {
        let replaces = match op {
            "put" => &targets::PUT_REPLACES,
            "move" => &targets::MOVE_REPLACES,
            _ => &targets::COPY_REPLACES,
        };
        self.pre(args, target, replaces)
    }

    pub(super) fn pre(
        &self,
        args: &Arguments,
        target: &Place<'_>,
        replaces: &'static Mutation,
    ) -> Result<Pre, Refusal> {
        let is_file = target.look()?.as_ref().map(kind) == Some(FileType::RegularFile);
        let unasked = args.pre == Pre::Absent && is_file && self.behaviour.has(replaces);
        Ok(if unasked { Pre::Any } else { args.pre.clone() })
    }

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
