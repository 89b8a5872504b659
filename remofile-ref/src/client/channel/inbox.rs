//! The replies of each caller of a session, until it takes them.

use super::Channel;
use crate::client::{ClientError, payload::Content};
use parking_lot::Condvar;
use remofile_proto::{Answer, Operation, Refusal, RemotePath};
use std::{
    collections::{HashSet, VecDeque},
    sync::Arc,
};

/// One caller: a call, or an open file or listing. Its requests are sent in the order in which it submits them.
pub(in crate::client) type CallerId = u64;

/// A request with its reply.
#[derive(Debug)]
pub(in crate::client) struct Completion {
    pub(in crate::client) seq: u64,
    /// How many bytes of payload the request had.
    pub(in crate::client) payload_len: usize,
    pub(in crate::client) result: Result<(Answer, Option<Content>), Refusal>,
}

/// What the server says about a request that it still executes (PENDING).
#[derive(Debug)]
pub(in crate::client) struct PendingNotice {
    pub(in crate::client) operation: &'static str,
    pub(in crate::client) path: Option<RemotePath>,
    pub(in crate::client) done: u64,
    pub(in crate::client) total: Option<u64>,
}

/// What a caller is given while it waits.
#[derive(Debug)]
pub(in crate::client) enum Delivery {
    Completion(Completion),
    Pending(PendingNotice),
}

/// Requests and replies of one caller.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    completions: VecDeque<Completion>,
    pending: Option<PendingNotice>,
    /// How many requests have no reply yet.
    outstanding: usize,
    /// The content of those, in bytes.
    bytes: u64,
    /// The session that they were sent in.
    generation: u64,
    /// Those of a lost session that may have been executed.
    uncertain: HashSet<u64>,
    /// A thread waits for a delivery or for room.
    is_waiting: bool,
    ready: Arc<Condvar>,
}

impl Channel {
    /// Takes what has been received for a caller; none while it has to be waited for.
    pub(in crate::client) fn take_delivery(&mut self, caller: CallerId) -> Result<Option<Delivery>, ClientError> {
        let (generation, is_over) = (self.generation, self.is_over);
        let Some(inbox) = self.inboxes.get_mut(&caller) else { return Err(lost("no request is unanswered")) };
        if let Some(pending) = inbox.pending.take() {
            return Ok(Some(Delivery::Pending(pending)));
        }
        if let Some(completion) = inbox.completions.pop_front() {
            return Ok(Some(Delivery::Completion(completion)));
        }
        if inbox.outstanding == 0 {
            return Err(lost("no request is unanswered"));
        }
        if is_over || inbox.generation != generation {
            return Err(lost(&self.loss));
        }
        Ok(None)
    }

    /// Whether a request may have been executed although no reply to it will come.
    pub(in crate::client) fn may_have_been_executed(&self, caller: CallerId, seq: u64) -> bool {
        self.inboxes.get(&caller).is_some_and(|inbox| {
            inbox.uncertain.contains(&seq)
                || (inbox.generation == self.generation && self.requests.may_have_been_executed(seq))
        })
    }

    /// Whether a caller may have another payload of a whole chunk under way. Replies that it has not taken yet come
    /// first: they hold memory. What may be in flight is shared equally by all callers that have requests in flight.
    pub(in crate::client) fn has_room(&self, caller: CallerId) -> bool {
        match self.inboxes.get(&caller) {
            None => true,
            Some(inbox) if !inbox.completions.is_empty() => false,
            Some(inbox) if inbox.outstanding == 0 => true,
            Some(inbox) => {
                let chunk = self.chunk() as u64;
                let others = self.active_callers() > 1;
                self.requests.can_submit()
                    && self.congestion.has_room(chunk)
                    && (!others || inbox.bytes.saturating_add(chunk) <= self.congestion.limit() / self.active_callers())
            }
        }
    }

    /// How many bytes of payload a caller may have in flight, either way.
    pub(in crate::client) fn in_flight_limit(&self, caller: CallerId) -> u64 {
        let is_active = self.inboxes.get(&caller).is_some_and(|inbox| inbox.outstanding > 0);
        self.congestion.limit() / (self.active_callers() + u64::from(!is_active)).max(1)
    }

    fn active_callers(&self) -> u64 {
        self.inboxes.values().filter(|inbox| inbox.outstanding > 0).count() as u64
    }

    /// Prepares a request of a caller; fails where earlier ones were lost with their session.
    pub(super) fn open_inbox(&mut self, caller: CallerId) -> Result<&mut Inbox, ClientError> {
        // A session that is lost takes no request, and never will.
        if self.is_over {
            return Err(lost(&self.loss));
        }
        let generation = self.generation;
        let inbox = self.inboxes.entry(caller).or_default();
        if inbox.generation != generation {
            if inbox.outstanding > 0 {
                return Err(lost(&self.loss));
            }
            inbox.generation = generation;
            inbox.uncertain.clear();
        }
        Ok(inbox)
    }

    pub(super) fn deliver(&mut self, caller: CallerId, bytes: u64, completion: Completion) {
        if let Some(inbox) = self.inboxes.get_mut(&caller).filter(|inbox| inbox.generation == self.generation) {
            inbox.outstanding -= 1;
            inbox.bytes = inbox.bytes.saturating_sub(bytes);
            inbox.completions.push_back(completion);
        }
        // The window has room for one more request as well.
        self.notify_waiting();
    }

    pub(super) fn deliver_pending(&mut self, caller: CallerId, operation: &Operation, done: u64, total: Option<u64>) {
        if let Some(inbox) = self.inboxes.get_mut(&caller) {
            let path = operation.path().cloned();
            inbox.pending = Some(PendingNotice { operation: operation.name(), path, done, total });
            inbox.ready.notify_all();
        }
    }

    /// Notes which unanswered requests of the lost session may have been executed, for the callers to resolve.
    pub(super) fn keep_uncertain(&mut self) {
        for (seq, request) in self.awaited.drain() {
            if let Some(inbox) = self.inboxes.get_mut(&request.caller)
                && self.requests.may_have_been_executed(seq)
            {
                inbox.uncertain.insert(seq);
            }
        }
    }

    /// Forgets a caller; replies to its requests are dropped when they come.
    pub(in crate::client) fn forget(&mut self, caller: CallerId) {
        self.inboxes.remove(&caller);
    }

    /// The signal that a caller waits for while another thread receives.
    pub(in crate::client) fn begin_waiting(&mut self, caller: CallerId) -> Arc<Condvar> {
        let inbox = self.inboxes.entry(caller).or_default();
        inbox.is_waiting = true;
        Arc::clone(&inbox.ready)
    }

    pub(in crate::client) fn end_waiting(&mut self, caller: CallerId) {
        if let Some(inbox) = self.inboxes.get_mut(&caller) {
            inbox.is_waiting = false;
        }
    }

    /// Wakes those that wait and have something to take, and one other for the room in the window.
    fn notify_waiting(&self) {
        let mut has_room = true;
        for inbox in self.inboxes.values().filter(|inbox| inbox.is_waiting) {
            if !inbox.completions.is_empty() || inbox.pending.is_some() || std::mem::take(&mut has_room) {
                inbox.ready.notify_all();
            }
        }
    }

    /// Where no thread receives: wakes one that does so from now on, or all where the session is lost.
    pub(in crate::client) fn pass_on_if_undriven(&self) {
        if self.is_driven {
            return;
        }
        for inbox in self.inboxes.values().filter(|inbox| inbox.is_waiting) {
            inbox.ready.notify_all();
            if !self.is_over {
                break;
            }
        }
    }
}

impl Inbox {
    pub(super) fn note_submitted(&mut self, bytes: u64) {
        self.outstanding += 1;
        self.bytes = self.bytes.saturating_add(bytes);
    }
}

fn lost(reason: &str) -> ClientError {
    ClientError::SessionLost { reason: reason.to_owned() }
}
