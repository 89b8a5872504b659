//! Section 7: numbers, and the replies that are remembered for them.

use crate::{faults, switches::Switches};
use std::collections::VecDeque;

/// The numbers of one session.
pub(crate) struct Numbers {
    /// What is executed next, or is being executed.
    pub(crate) next: u64,
    memory: VecDeque<Remembered>,
    window: usize,
    switches: Switches,
}

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
    pub(crate) fn new(window: usize, switches: Switches) -> Self {
        Self { next: 1, memory: VecDeque::new(), window, switches }
    }

    pub(crate) fn place(&self, seq: u64, header: &[u8]) -> Place<'_> {
        match self.memory.iter().find(|remembered| remembered.seq == seq) {
            Some(remembered) if remembered.header == header => Place::Remembered(&remembered.frames),
            Some(_) => Place::Reused,
            None if seq == self.next => Place::Next,
            None => Place::Other,
        }
    }

    /// [SEQ-1], [SEQ-2], [SEQ-14]: the next number is consumed.
    pub(crate) fn consume(&mut self, header: Vec<u8>, frames: Vec<Vec<u8>>) {
        self.memory.push_back(Remembered { seq: self.next, header, frames });
        self.next += 1;
        let full = self.memory.len() == self.window;
        if self.memory.len() > self.window || (full && self.switches.has(&faults::sequence::MEMORY_ONE_SHORT)) {
            self.memory.pop_front();
        }
    }
}
