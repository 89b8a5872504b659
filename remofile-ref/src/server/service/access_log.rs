//! The access log, as `tracing` events: sessions opened and ended, operations done and refused.
//!
//! **Invariant**: a file takes a bounded number of lines at `INFO`, however many requests it takes, and refusals take a
//! bounded number of lines a second. No token and no content is logged; text from a peer is a field, which subscribers
//! escape.

mod coalesced;

use crate::{Outcome, protocol::server::session::OwnerInfo};
use coalesced::{CoalescedTransfer, CoalescedTransfers};
use remofile_proto::{
    Answer, Code, Detail, Operation, OperationKind, Refusal, RemotePath, SessionId, UploadId, envelope::Request,
};
use std::{collections::BTreeMap, time::Duration};

/// The target of every event of this file.
pub(super) const TARGET: &str = "remofile::access_log";

/// Refusals logged in one second; the others are counted.
const REFUSALS_PER_SECOND: u32 = 20;

/// Uploads whose path is remembered: as many as a server stages by default.
const UPLOADS: usize = 64;

/// The longest name of an unknown operation that is logged, in bytes.
const OP_MAX: usize = 32;

/// Writes the access log, one line for what belongs together.
#[derive(Default)]
pub(super) struct AccessLog {
    /// The address of the peer whose message is being handled, if known.
    pub(super) address: Option<String>,
    /// The operation just done, until its duration is known.
    done: Option<DoneOperation>,
    transfers: CoalescedTransfers,
    uploads: BTreeMap<UploadId, LoggedUpload>,
    refusals: LogLimiter,
    executed: u64,
    opened: Duration,
}

struct DoneOperation {
    session: SessionId,
    op: &'static str,
    path: RemotePath,
    to: Option<RemotePath>,
    bytes: u64,
    since: Duration,
}

struct LoggedUpload {
    path: RemotePath,
    since: Duration,
    resumed_at: u64,
    end: u64,
}

/// Limits the log lines about refusals in one second.
#[derive(Default)]
struct LogLimiter {
    second: u64,
    logged: u32,
    suppressed: u64,
}

impl AccessLog {
    /// Whether a subscriber takes these events.
    pub(super) fn is_enabled() -> bool {
        tracing::enabled!(target: TARGET, tracing::Level::INFO)
    }

    /// Logs an answered hello: `before` and `after` are the owners of the session.
    pub(super) fn hello(&mut self, now: Duration, before: Option<&OwnerInfo>, after: &OwnerInfo) {
        if before.is_some_and(|before| before.session == after.session) {
            return;
        }
        if let Some(before) = before.filter(|before| !before.closed) {
            let reason =
                if before.idle >= before.lease && !before.is_executing { "lease expired" } else { "taken over" };
            self.session_ended(now, before, reason);
        }
        (self.executed, self.opened) = (0, now);
        let address = self.address.as_deref();
        let lease_ms = milliseconds(after.lease);
        tracing::info!(target: TARGET, session = short(after.session), client = after.client, address, lease_ms, "session opened");
    }

    /// Logs a bye that was answered OK.
    pub(super) fn bye(&mut self, now: Duration, owner: &OwnerInfo) {
        if !owner.closed {
            self.session_ended(now, owner, "bye");
        }
    }

    /// Logs an operation that began at `since` and was executed, or refused by the store.
    pub(super) fn outcome(
        &mut self,
        now: Duration,
        since: Duration,
        session: SessionId,
        operation: &Operation,
        payload: usize,
        outcome: &Outcome,
    ) {
        self.log_done(now);
        match outcome {
            Ok(success) => {
                self.executed += 1;
                let payload = success.payload.as_ref().map_or(payload, Vec::len);
                self.executed(now, since, session, operation, payload as u64, &success.answer);
            }
            Err(refusal) => {
                let begun = operation.up().and_then(|up| self.uploads.get(&up));
                let path = operation.path().or(begun.map(|begun| &begun.path)).map(RemotePath::as_str);
                let op = operation.name();
                log_refusal(&mut self.refusals, now, &LoggedRefusal { session, op, path, address: None, refusal });
            }
        }
    }

    /// Logs a request that was answered without reaching the store, if the answer is a refusal.
    pub(super) fn unexecuted(&mut self, now: Duration, request: &Request<'_>, reply: &[u8]) {
        self.log_done(now);
        let frames = [reply];
        let Ok(reply) = remofile_proto::Reply::decode(&frames) else { return };
        let Err(remofile_proto::ReplyError::Refused(refusal)) = reply.into_answer(&Operation::Flush) else { return };
        let op = &request.header.op[..request.header.op.floor_char_boundary(OP_MAX)];
        let address = self.address.as_deref();
        let refused = LoggedRefusal { session: request.header.session, op, path: None, address, refusal: &refusal };
        match refusal.code {
            // Normal operation of the numbering, not a refusal.
            Code::Pending | Code::Seq | Code::SeqReused | Code::NoSession => {
                tracing::debug!(target: TARGET, session = short(refused.session), op, code = refusal.code.name(), "not executed");
            }
            _ => log_refusal(&mut self.refusals, now, &refused),
        }
    }

    /// Logs a message that is not a request and was answered.
    pub(super) fn malformed(&mut self, now: Duration, session: Option<SessionId>, refusal: &Refusal) {
        self.log_done(now);
        let session = session.unwrap_or(SessionId::new([0; SessionId::LEN]));
        let address = self.address.as_deref();
        log_refusal(&mut self.refusals, now, &LoggedRefusal { session, op: "", path: None, address, refusal });
    }

    /// Logs the operation just done, which lasted until `now`.
    pub(super) fn log_done(&mut self, now: Duration) {
        let Some(DoneOperation { session, op, path, to, bytes, since }) = self.done.take() else { return };
        let (session, to) = (short(session), to.as_ref().map(RemotePath::as_str));
        let took_us = microseconds(now.saturating_sub(since));
        tracing::info!(target: TARGET, session, op, path = path.as_str(), to, bytes, took_us, "done");
    }

    fn session_ended(&mut self, now: Duration, owner: &OwnerInfo, reason: &'static str) {
        self.log_done(now);
        self.transfers.log_all();
        for (_, LoggedUpload { path, end, .. }) in std::mem::take(&mut self.uploads) {
            tracing::info!(target: TARGET, session = short(owner.session), op = "append", path = path.as_str(), bytes = end,
                "left unfinished");
        }
        let lasted_ms = milliseconds(now.saturating_sub(self.opened));
        tracing::info!(target: TARGET, session = short(owner.session), client = owner.client, reason,
            requests = self.executed, lasted_ms, "session ended");
    }

    fn executed(
        &mut self,
        now: Duration,
        since: Duration,
        session: SessionId,
        operation: &Operation,
        payload: u64,
        answer: &Answer,
    ) {
        match (operation, answer) {
            (Operation::Read { path, off, .. }, Answer::Read(read)) => {
                let transfer = CoalescedTransfer { session, op: "read", path, bytes: payload, since, until: now };
                let is_last = payload > 0 && off.saturating_add(payload) >= read.size;
                self.transfers.add(&transfer, is_last);
            }
            (Operation::Write { path, .. }, _) => {
                let transfer = CoalescedTransfer { session, op: "write", path, bytes: payload, since, until: now };
                self.transfers.add(&transfer, false);
            }
            (Operation::Begin { up, path, .. }, Answer::Staged(staged)) => {
                if self.uploads.len() >= UPLOADS {
                    let oldest = self.uploads.iter().min_by_key(|(_, begun)| begun.since).map(|(up, _)| *up);
                    oldest.map(|up| self.uploads.remove(&up));
                }
                let begun = LoggedUpload { path: path.clone(), since, resumed_at: staged.off, end: staged.off };
                self.uploads.insert(*up, begun);
                debug(session, operation, payload);
            }
            (Operation::Append { up, .. }, Answer::Offset(end)) => {
                if let Some(begun) = self.uploads.get_mut(up) {
                    begun.end = *end;
                }
                debug(session, operation, payload);
            }
            (Operation::Commit { up, size, .. }, _) => {
                // Missing only where a server stages more uploads than are remembered here.
                let begun = self.uploads.remove(up);
                let path = begun.as_ref().map(|begun| begun.path.as_str());
                let resumed_at = begun.as_ref().map(|begun| begun.resumed_at).filter(|off| *off > 0);
                let took_us = microseconds(now.saturating_sub(begun.as_ref().map_or(since, |begun| begun.since)));
                tracing::info!(target: TARGET, session = short(session), op = "commit", path, bytes = size, resumed_at,
                    took_us, "done");
            }
            (Operation::Abort { up }, _) => {
                if let Some(LoggedUpload { path, end, .. }) = self.uploads.remove(up) {
                    tracing::info!(target: TARGET, session = short(session), op = "abort", path = path.as_str(), bytes = end, "done");
                }
            }
            (Operation::Flush, _) => {
                self.transfers.log_writes();
                debug(session, operation, payload);
            }
            (Operation::Stat { .. } | Operation::List { .. } | Operation::Uploads { .. }, _) => {
                debug(session, operation, payload);
            }
            (
                Operation::Hash { .. }
                | Operation::Mkdir { .. }
                | Operation::Put { .. }
                | Operation::Touch { .. }
                | Operation::Truncate { .. }
                | Operation::Remove { .. }
                | Operation::Move { .. }
                | Operation::Copy { .. },
                _,
            ) => {
                let Some(path) = operation.path().cloned() else { return };
                let to = operation.target().cloned();
                let has_size = [OperationKind::Copy, OperationKind::Truncate].contains(&operation.kind());
                let bytes = match answer {
                    Answer::Hash(hash) => hash.len,
                    Answer::Entry(entry) if has_size => entry.size.unwrap_or(0),
                    _ => payload,
                };
                self.done = Some(DoneOperation { session, op: operation.name(), path, to, bytes, since });
            }
            // No storage gives the answer of another operation, and a session executes no hello, ping or bye.
            (Operation::Read { .. } | Operation::Begin { .. } | Operation::Append { .. }, _)
            | (Operation::Hello(_) | Operation::Ping | Operation::Bye, _) => {}
        }
    }
}

struct LoggedRefusal<'a> {
    session: SessionId,
    op: &'a str,
    path: Option<&'a str>,
    address: Option<&'a str>,
    refusal: &'a Refusal,
}

fn log_refusal(limiter: &mut LogLimiter, now: Duration, refused: &LoggedRefusal<'_>) {
    if !limiter.has_room(now) {
        return;
    }
    let LoggedRefusal { session, op, path, address, refusal } = refused;
    let (session, code) = (short(*session), refusal.code.name());
    let why = refusal.msg.as_deref().unwrap_or_else(|| refusal.code.text());
    match refusal {
        Refusal { code: Code::Auth, .. } => {
            tracing::warn!(target: TARGET, session, op, address, code, why, "refused");
        }
        Refusal { detail: Detail::Busy(busy), .. } => {
            tracing::info!(target: TARGET, session, op, address, code, why, holder = busy.client, "refused");
        }
        _ => tracing::info!(target: TARGET, session, op, path, address, code, why, "refused"),
    }
}

impl LogLimiter {
    fn has_room(&mut self, now: Duration) -> bool {
        if now.as_secs() != self.second {
            let suppressed = std::mem::take(&mut self.suppressed);
            (self.second, self.logged) = (now.as_secs(), 0);
            if suppressed > 0 {
                tracing::info!(target: TARGET, count = suppressed, "more requests refused");
            }
        }
        let has_room = self.logged < REFUSALS_PER_SECOND;
        if has_room {
            self.logged += 1;
        } else {
            self.suppressed += 1;
        }
        has_room
    }
}

fn debug(session: SessionId, operation: &Operation, payload: u64) {
    if tracing::enabled!(target: TARGET, tracing::Level::DEBUG) {
        let path = operation.path().map(RemotePath::as_str);
        tracing::debug!(target: TARGET, session = short(session), op = operation.name(), path, bytes = payload, "done");
    }
}

/// The first eight digits of a session id: enough to tell sessions apart, too little to be one.
fn short(session: SessionId) -> String {
    let mut text = session.to_string();
    text.truncate(8);
    text
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn microseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
