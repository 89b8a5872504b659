//! Reads and writes of a file, told as one.

use super::{JOURNAL, microseconds, short};
use remofile_proto::{RemotePath, SessionId};
use std::{collections::VecDeque, time::Duration};

/// Files that may be read and written by turns without a line for each turn.
const FILES: usize = 16;

/// One request, or several of the same kind on the same file.
pub(super) struct Stretch<P> {
    pub(super) session: SessionId,
    /// `read` or `write`.
    pub(super) op: &'static str,
    pub(super) path: P,
    pub(super) bytes: u64,
    pub(super) since: Duration,
    pub(super) until: Duration,
}

/// What is read and written at present, the earliest first.
#[derive(Default)]
pub(super) struct Stretches(VecDeque<Stretch<RemotePath>>);

impl Stretches {
    /// Adds a request; the last one of a file is told with what came before it.
    pub(super) fn add(&mut self, request: &Stretch<&RemotePath>, is_last: bool) {
        // Most often the same file as the last time.
        let known = self.0.iter().rposition(|known| known.op == request.op && known.path == *request.path);
        let at = known.unwrap_or_else(|| {
            if self.0.len() >= FILES {
                self.0.pop_front().iter().for_each(Stretch::tell);
            }
            let Stretch { session, op, path, since, until, .. } = *request;
            self.0.push_back(Stretch { session, op, path: path.clone(), bytes: 0, since, until });
            self.0.len() - 1
        });
        let stretch = &mut self.0[at];
        stretch.bytes = stretch.bytes.saturating_add(request.bytes);
        stretch.until = request.until;
        if is_last {
            self.0.remove(at).iter().for_each(Stretch::tell);
        }
    }

    pub(super) fn tell_all(&mut self) {
        self.0.drain(..).for_each(|stretch| stretch.tell());
    }

    /// Tells what was written: somebody relies on it now.
    pub(super) fn tell_writes(&mut self) {
        self.0.iter().filter(|stretch| stretch.op == "write").for_each(Stretch::tell);
        self.0.retain(|stretch| stretch.op != "write");
    }
}

impl Stretch<RemotePath> {
    fn tell(&self) {
        let took_us = microseconds(self.until.saturating_sub(self.since));
        tracing::info!(target: JOURNAL, session = short(self.session), op = self.op, path = self.path.as_str(),
            bytes = self.bytes, took_us, "done");
    }
}
