//! Consecutive reads or writes of one file, logged as one line.

use super::{TARGET, microseconds, short};
use remofile_proto::{RemotePath, SessionId};
use std::{collections::VecDeque, time::Duration};

/// How many files may be read and written alternately without a line for each change of file.
const FILES: usize = 16;

/// One request, or several of the same kind on the same file.
pub(super) struct CoalescedTransfer<P> {
    pub(super) session: SessionId,
    /// `read` or `write`.
    pub(super) op: &'static str,
    pub(super) path: P,
    pub(super) bytes: u64,
    pub(super) since: Duration,
    pub(super) until: Duration,
}

/// The files that are being read or written, oldest first.
#[derive(Default)]
pub(super) struct CoalescedTransfers(VecDeque<CoalescedTransfer<RemotePath>>);

impl CoalescedTransfers {
    /// Adds a request; logs the file when `is_last`.
    pub(super) fn add(&mut self, request: &CoalescedTransfer<&RemotePath>, is_last: bool) {
        // Most often the same file as the last time.
        let known = self.0.iter().rposition(|known| known.op == request.op && known.path == *request.path);
        let at = known.unwrap_or_else(|| {
            if self.0.len() >= FILES {
                self.0.pop_front().iter().for_each(CoalescedTransfer::log);
            }
            let CoalescedTransfer { session, op, path, since, until, .. } = *request;
            self.0.push_back(CoalescedTransfer { session, op, path: path.clone(), bytes: 0, since, until });
            self.0.len() - 1
        });
        let transfer = &mut self.0[at];
        transfer.bytes = transfer.bytes.saturating_add(request.bytes);
        transfer.until = request.until;
        if is_last {
            self.0.remove(at).iter().for_each(CoalescedTransfer::log);
        }
    }

    pub(super) fn log_all(&mut self) {
        self.0.drain(..).for_each(|transfer| transfer.log());
    }

    /// Logs the writes so far, which a flush has made durable.
    pub(super) fn log_writes(&mut self) {
        self.0.iter().filter(|transfer| transfer.op == "write").for_each(CoalescedTransfer::log);
        self.0.retain(|transfer| transfer.op != "write");
    }
}

impl CoalescedTransfer<RemotePath> {
    fn log(&self) {
        let took_us = microseconds(self.until.saturating_sub(self.since));
        tracing::info!(target: TARGET, session = short(self.session), op = self.op, path = self.path.as_str(),
            bytes = self.bytes, took_us, "done");
    }
}
