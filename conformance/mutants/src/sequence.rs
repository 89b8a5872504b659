//! Section 7: numbers, and the replies that are remembered for them.

use crate::{behaviour::Behaviour, mutations};
use remofile_proto::Code;
use std::collections::VecDeque;

/// The numbers of one session.
pub(crate) struct Numbers {
    /// What is executed next, or is being executed.
    pub(crate) next: u64,
    memory: VecDeque<Remembered>,
    window: usize,
    behaviour: Behaviour,
}

#[derive(Clone)]
struct Remembered {
    seq: u64,
    header: Vec<u8>,
    frames: Vec<Vec<u8>>,
}

/// What a number is.
pub(crate) enum Place<'a> {
    /// Answered: with these frames ([SEQ-3]).
    Remembered(&'a [Vec<u8>]),
    /// Answered, but to another request ([SEQ-4]).
    Reused,
    Next,
    /// Forgotten, or not yet due ([SEQ-5]).
    Other,
}

impl Numbers {
    pub(crate) fn new(window: usize, behaviour: Behaviour) -> Self {
        Self { next: 1, memory: VecDeque::new(), window, behaviour }
    }

    /// Nothing of the session before stays ([SES-6]).
    pub(crate) fn continued_from(mut self, before: &Numbers) -> Self {
        if before.next > 1 && self.behaviour.has(&mutations::session::NUMBERS_GO_ON) {
            self.next = before.next;
        }
        if before.next > 1 && self.behaviour.has(&mutations::session::MEMORY_STAYS) {
            self.memory.clone_from(&before.memory);
            // A reply is found by its number and its request, whatever the session.
            self.memory.iter_mut().for_each(|remembered| drop(remembered.header.drain(7..23)));
        }
        self
    }

    pub(crate) fn place(&self, seq: u64, header: &[u8]) -> Place<'_> {
        match self.memory.iter().find(|remembered| remembered.seq == seq) {
            Some(_) if seq + 1 == self.next && self.behaviour.has(&mutations::sequence::EXECUTED_AGAIN) => Place::Next,
            Some(remembered) if self.same(&remembered.header, header) => Place::Remembered(&remembered.frames),
            Some(_) if self.behaviour.has(&mutations::sequence::REUSED_IS_SEQ) => Place::Other,
            Some(_) => Place::Reused,
            None if seq == self.next => Place::Next,
            None if seq > self.next && self.behaviour.has(&mutations::sequence::GAPS_ARE_EXECUTED) => Place::Next,
            None if seq == self.next + 1 && self.behaviour.has(&mutations::sequence::GAP_OF_ONE) => Place::Next,
            None if seq < self.next && self.behaviour.has(&mutations::sequence::FORGOTTEN_ARE_EXECUTED) => Place::Next,
            None => Place::Other,
        }
    }

    /// Whether a request with a remembered number is the same one ([SEQ-3], [SEQ-4]).
    fn same(&self, remembered: &[u8], header: &[u8]) -> bool {
        let same_of_any_session = || remembered == [&header[..7], &header[23..]].concat();
        remembered == header
            || (same_of_any_session() && self.behaviour.has(&mutations::session::MEMORY_STAYS))
            || (remembered.len() == header.len() && self.behaviour.has(&mutations::sequence::SAME_LENGTH))
            || self.behaviour.has(&mutations::sequence::ANY_HEADER)
    }

    /// [SEQ-1], [SEQ-2], [SEQ-14]: the next number is consumed.
    pub(crate) fn consume(&mut self, seq: u64, header: Vec<u8>, frames: Vec<Vec<u8>>, code: Code) {
        let refused = code != Code::Ok;
        if (refused && self.behaviour.has(&mutations::sequence::REFUSED_KEEP))
            || (code == Code::BadOp && self.behaviour.has(&mutations::sequence::BAD_OP_KEEPS))
            || (code == Code::BadArgs && self.behaviour.has(&mutations::sequence::BAD_ARGS_KEEPS))
        {
            return;
        }
        self.memory.retain(|remembered| remembered.seq != seq);
        if !(refused && self.behaviour.has(&mutations::sequence::REFUSALS_FORGOTTEN)) {
            self.memory.push_back(Remembered { seq, header, frames });
        }
        self.next = seq.saturating_add(1);
        let full = self.memory.len() == self.window;
        if self.memory.len() > self.window
            || (full && self.behaviour.has(&mutations::sequence::MEMORY_ONE_SHORT))
            || (self.memory.len() > 1 && self.behaviour.has(&mutations::sequence::ONE_REPLY))
        {
            self.memory.pop_front();
        }
    }

    /// A mutation finds by its number alone what was answered.
    pub(crate) fn remembered(&self, seq: u64) -> Option<&[Vec<u8>]> {
        self.memory.iter().find(|remembered| remembered.seq == seq).map(|remembered| &remembered.frames[..])
    }

    /// Forgets every reply.
    pub(crate) fn forget(&mut self) {
        self.memory.clear();
    }
}
