//! The served directory: what operations do to it.

mod durability;
mod entry;
mod listing;
mod moving;
mod mutated;
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
    reply::{Answer, Refusal},
    variants,
    worker::Task,
};
use mutated::History;
use remofile_proto::Code;
use staging::Staging;
use std::{cell::Cell, os::fd::OwnedFd, time::Duration};
use uploads::Uploads;

/// The served directory, in the hands of the one thread that executes.
pub(crate) struct Store {
    root: OwnedFd,
    /// Absent where nothing is ever changed.
    staging: Option<Staging>,
    uploads: Uploads,
    /// The system failed to write something, and may not say so again ([DUR-4]).
    failed_to_sync: Cell<bool>,
    /// How many pages were filled.
    pages: Cell<u64>,
    history: History,
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
            pages: Cell::new(0),
            history: History::default(),
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
        self.history.session.set(Some(task.session));
        let answer = self.perform(task);
        self.mutated_answer(task, answer)
    }

    fn perform(&mut self, task: &Task) -> Answer {
        let Task { arguments, payload, progress, .. } = task;
        match task.op.as_str() {
            "stat" => self.stat(arguments),
            "list" => self.list(arguments, progress),
            "read" => self.read(arguments),
            "hash" => self.hash(arguments, progress),
            "mkdir" => self.mkdir(arguments),
            "put" => self.put(arguments, payload).and_then(|reply| self.mutated_put(arguments).map(|()| reply)),
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
