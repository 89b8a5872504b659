//! Mutations of numbers and of the memory of replies.

use super::{Numbers, SeqStatus};
use crate::mutations::{sequence, session};
use remofile_proto::Code;

impl Numbers {
    /// The numbers of a session that replaces another: nothing stays by [SES-6].
    pub(crate) fn mutated_start(mut self, before: &Numbers) -> Self {
        if before.next > 1 && self.behaviour.has(&session::NUMBERS_GO_ON) {
            self.next = before.next;
        }
        if before.next > 1 && self.behaviour.has(&session::MEMORY_STAYS) {
            self.memory.clone_from(&before.memory);
            // A reply is found by its number and its request, whatever the session.
            self.memory.iter_mut().for_each(|remembered| drop(remembered.header.drain(7..23)));
        }
        self
    }

    pub(super) fn mutated_status(&self, seq: u64, is_answered: bool, status: SeqStatus) -> SeqStatus {
        let has = |mutation| self.behaviour.has(mutation);
        match status {
            _ if is_answered && seq + 1 == self.next && has(&sequence::EXECUTED_AGAIN) => SeqStatus::Next,
            SeqStatus::Reused if has(&sequence::REUSED_IS_SEQ) => SeqStatus::Other,
            SeqStatus::Other if seq > self.next && has(&sequence::GAPS_ARE_EXECUTED) => SeqStatus::Next,
            SeqStatus::Other if seq == self.next + 1 && has(&sequence::GAP_OF_ONE) => SeqStatus::Next,
            SeqStatus::Other if seq < self.next && has(&sequence::FORGOTTEN_ARE_EXECUTED) => SeqStatus::Next,
            status => status,
        }
    }

    /// Whether a request counts as the one that was answered, though it differs.
    pub(super) fn mutated_sameness(&self, remembered: &[u8], header: &[u8]) -> bool {
        let same_of_any_session = || remembered == [&header[..7], &header[23..]].concat();
        (same_of_any_session() && self.behaviour.has(&session::MEMORY_STAYS))
            || (remembered.len() == header.len() && self.behaviour.has(&sequence::SAME_LENGTH))
            || self.behaviour.has(&sequence::ANY_HEADER)
    }

    /// Whether a reply consumes its number.
    pub(super) fn mutated_consumption(&self, code: Code) -> bool {
        !self.behaviour.any(&[
            (code != Code::Ok, &sequence::REFUSED_KEEP),
            (code == Code::BadOp, &sequence::BAD_OP_KEEPS),
            (code == Code::BadArgs, &sequence::BAD_ARGS_KEEPS),
        ])
    }

    /// Whether a reply is remembered.
    pub(super) fn mutated_memory(&self, code: Code) -> bool {
        code == Code::Ok || !self.behaviour.has(&sequence::REFUSALS_FORGOTTEN)
    }

    /// How many replies are remembered.
    pub(super) fn mutated_window(&self, window: usize) -> usize {
        let len = self.memory.len();
        if (len == window && self.behaviour.has(&sequence::MEMORY_ONE_SHORT))
            || (len > 1 && self.behaviour.has(&sequence::ONE_REPLY))
        {
            return len - 1;
        }
        window
    }
}
