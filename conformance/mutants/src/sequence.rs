//! Section 7: numbers, and the replies that are remembered for them.

mod mutated;

use crate::behaviour::Behaviour;
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

/// How a number stands to those of its session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SeqStatus {
    /// Answered, and the reply is remembered ([SEQ-3]).
    Remembered,
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

    pub(crate) fn status(&self, seq: u64, header: &[u8]) -> SeqStatus {
        let remembered = self.memory.iter().find(|remembered| remembered.seq == seq);
        let status = match remembered {
            Some(remembered) if self.is_same(&remembered.header, header) => SeqStatus::Remembered,
            Some(_) => SeqStatus::Reused,
            None if seq == self.next => SeqStatus::Next,
            None => SeqStatus::Other,
        };
        self.mutated_status(seq, remembered.is_some(), status)
    }

    /// Whether a request with a remembered number is the same one ([SEQ-3], [SEQ-4]).
    fn is_same(&self, remembered: &[u8], header: &[u8]) -> bool {
        remembered == header || self.mutated_sameness(remembered, header)
    }

    /// [SEQ-1], [SEQ-2], [SEQ-14]: the next number is consumed.
    pub(crate) fn consume(&mut self, seq: u64, header: Vec<u8>, frames: Vec<Vec<u8>>, code: Code) {
        if !self.mutated_consumption(code) {
            return;
        }
        self.memory.retain(|remembered| remembered.seq != seq);
        if self.mutated_memory(code) {
            self.memory.push_back(Remembered { seq, header, frames });
        }
        self.next = seq.saturating_add(1);
        if self.memory.len() > self.mutated_window(self.window) {
            self.memory.pop_front();
        }
    }

    /// The reply to a number, if it is remembered.
    pub(crate) fn remembered(&self, seq: u64) -> Option<&[Vec<u8>]> {
        self.memory.iter().find(|remembered| remembered.seq == seq).map(|remembered| &remembered.frames[..])
    }

    /// Forgets every reply.
    pub(crate) fn forget(&mut self) {
        self.memory.clear();
    }
}
