//! Section 13: what is on stable storage.

use super::Store;
use crate::{
    mutations,
    reply::{Answer, Refusal, Reply, field, integer},
};
use remofile_proto::Code;
use rustix::{
    fs::{fsync, syncfs},
    io::Errno,
};
use std::fs::File;

impl Store {
    /// [DUR-2], [DUR-3]: the whole file system.
    pub(super) fn flush(&mut self) -> Answer {
        self.told(syncfs(&self.root))?;
        Ok(Reply::ok(match self.behaviour.has(&mutations::codes::FLUSH_RETURNS_LEN) {
            true => vec![field("len", integer(0))],
            false => Vec::new(),
        }))
    }

    /// Brings a file to stable storage.
    pub(super) fn sync(&self, file: &File) -> Result<(), Refusal> {
        self.told(fsync(file))
    }

    /// [DUR-4] After one failure the system may say that all is well, and it is not.
    fn told(&self, result: Result<(), Errno>) -> Result<(), Refusal> {
        if result.is_err() {
            self.failed_to_sync.set(true);
        }
        if self.failed_to_sync.get() { Err(Code::Internal.into()) } else { Ok(()) }
    }
}
