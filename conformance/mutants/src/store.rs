//! The served directory: what operations do to it.

mod durability;
mod entry;
mod listing;
mod moving;
mod reading;
mod staged;
mod staging;
mod target;
mod tree;
mod uploads;
mod writing;

use crate::{
    behaviour::Behaviour,
    limits::Limits,
    mutations,
    paths::Path,
    reply::{Answer, Fields, Refusal},
    variants,
    worker::Task,
};
use remofile_proto::{Code, SessionId, UploadId, cbor::Item};
use staging::Staging;
use std::{cell::Cell, collections::BTreeMap, os::fd::OwnedFd, time::Duration};
use uploads::Uploads;

/// The served directory, in the hands of the one thread that executes.
pub(crate) struct Store {
    root: OwnedFd,
    /// Absent where nothing is ever changed.
    staging: Option<Staging>,
    uploads: Uploads,
    /// The system failed to write something, and may not say so again ([DUR-4]).
    failed_to_sync: Cell<bool>,
    /// What a mutation believes to be in each directory, by device and inode.
    kept_listings: BTreeMap<(u64, u64), Vec<Vec<u8>>>,
    /// How many pages were filled.
    pages: Cell<u64>,
    /// Whose request is executed, and how many files were hashed, which are nothing to an etag.
    session: Cell<Option<SessionId>>,
    hashes: Cell<u64>,
    /// What was begun last, and what was committed last and where: mutations go by that.
    begun: Option<UploadId>,
    committed: Option<(Path, Vec<u8>)>,
    limits: Limits,
    behaviour: Behaviour,
}

impl Store {
    /// Opens a directory; for writing it is one server's alone ([UP-9]).
    pub(crate) fn open(
        directory: &std::path::Path,
        read_only: bool,
        limits: Limits,
        behaviour: Behaviour,
    ) -> Result<Self, String> {
        let failed = |errno: rustix::io::Errno| format!("cannot serve {}: {errno}", directory.display());
        let root = tree::open_root(directory).map_err(failed)?;
        let staging = match read_only {
            true => None,
            false => Some(Staging::open(&root, directory, &behaviour).map_err(failed)?),
        };
        let uploads = match &staging {
            Some(staging) => Uploads::found(staging, &behaviour).map_err(failed)?,
            None => Uploads::default(),
        };
        Ok(Self {
            root,
            staging,
            uploads,
            failed_to_sync: Cell::new(false),
            kept_listings: BTreeMap::new(),
            pages: Cell::new(0),
            session: Cell::new(None),
            hashes: Cell::new(0),
            begun: None,
            committed: None,
            limits,
            behaviour,
        })
    }

    /// How long the disk takes before it does anything.
    pub(crate) fn slowness(&self) -> Duration {
        if self.behaviour.is_variant(&variants::SLOW_DISK) { Duration::from_millis(30) } else { Duration::ZERO }
    }

    /// [HELLO-4]
    pub(crate) fn root_id(&self) -> Option<[u8; 16]> {
        self.staging.as_ref().and_then(|staging| staging.root_id)
    }

    /// Executes an operation whose arguments were checked.
    pub(crate) fn execute(&mut self, task: &Task) -> Answer {
        self.session.set(Some(task.session));
        let answer = self.perform(task);
        self.told_otherwise(task, answer)
    }

    /// Mutations: what they make of an answer.
    fn told_otherwise(&self, task: &Task, answer: Answer) -> Answer {
        let Task { arguments, op, .. } = task;
        let is_moved = matches!(op.as_str(), "move" | "copy");
        let path = if is_moved { &arguments.from } else { &arguments.path };
        match answer {
            // Where the served directory itself is looked into, nothing could be made to be tried any more.
            Err(refusal)
                if refusal.code == Code::NotFound
                    && (!path.split().0.is_empty() || self.staging.is_none())
                    && self.behaviour.has(&mutations::codes::MISSING_IS_INTERNAL) =>
            {
                Err(Code::Internal.into())
            }
            Ok(mut reply) => {
                let to = if is_moved { &arguments.to } else { path };
                for (key, value) in &mut reply.result {
                    if let (true, Item::Map(entry)) = (key == "entry", value) {
                        self.tell_entry_otherwise(op, to.as_str(), entry);
                    }
                }
                Ok(reply)
            }
            refused => refused,
        }
    }

    fn tell_entry_otherwise(&self, op: &str, path: &str, entry: &mut Fields) {
        for (key, value) in entry {
            match (key.as_str(), value) {
                ("mtime_ns", Item::Int(time))
                    if op != "stat" && *time % 1_000 != 0 && self.behaviour.has(&mutations::entries::MICROSECONDS) =>
                {
                    *time -= time.rem_euclid(1_000);
                }
                ("etag", Item::Bytes(etag)) if self.behaviour.has(&mutations::entries::ETAG_OF_THE_PATH) => {
                    *etag = blake3::hash(path.as_bytes()).as_bytes()[..16].to_vec();
                }
                _ => {}
            }
        }
    }

    fn perform(&mut self, task: &Task) -> Answer {
        let Task { arguments, payload, progress, .. } = task;
        match task.op.as_str() {
            "stat" => self.stat(arguments),
            "list" => self.list(arguments, progress),
            "read" => self.read(arguments),
            "hash" => self.hash(arguments, progress),
            "mkdir" => self.mkdir(arguments),
            "put" => self.put(arguments, payload).and_then(|reply| self.committed_again(arguments).map(|()| reply)),
            "write" => self.write(arguments, payload),
            "truncate" => self.truncate(arguments),
            "touch" => self.touch(arguments),
            "remove" => self.remove(arguments),
            "move" => self.rename(arguments),
            "copy" => self.copy(arguments, progress),
            "begin" => self.begin(arguments, task.session, progress),
            "append" => self.append(arguments, task.session, payload),
            "commit" => self.commit(arguments, task.session),
            "abort" => self.abort(arguments, task.session),
            "uploads" => self.uploads(arguments, task.session),
            "flush" => self.flush(),
            _ => Err(Code::BadOp.into()),
        }
    }

    /// Where files are made before they are seen; a server that changes nothing has none.
    fn staging(&self) -> Result<&Staging, Refusal> {
        self.staging.as_ref().ok_or(Code::Denied.into())
    }
}
