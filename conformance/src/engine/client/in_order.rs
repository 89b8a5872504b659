//! The replies to pipelined requests.

use super::{Client, ExpectedCodes, POLL_AFTER};
use crate::{
    engine::error::CaseResult,
    wire::{
        code::{PENDING, SEQ},
        reply::Reply,
    },
};
use std::time::Instant;

impl Client {
    /// The final replies to pipelined requests, in order. After a PENDING a server may answer SEQ
    /// to requests that it did not keep; they are sent again in their turn [SEQ-26] [SEQ-22]. So it is after a cut, where
    /// it is uncertain what was lost. A request to which no reply is expected any more is sent again, too.
    pub(crate) fn final_replies(&mut self, seqs: &[u64]) -> CaseResult<Vec<Reply>> {
        seqs.iter().map(|seq| self.final_in_turn(*seq)).collect()
    }

    /// Like [`Client::final_replies`], and checks that each has one of the codes.
    pub(crate) fn expect_replies(&mut self, seqs: &[u64], codes: impl ExpectedCodes) -> CaseResult<Vec<Reply>> {
        let replies = self.final_replies(seqs)?;
        replies.iter().try_for_each(|reply| self.expect_code(reply, codes.codes()))?;
        Ok(replies)
    }

    /// The final reply to one request, after those to all earlier ones.
    fn final_in_turn(&mut self, seq: u64) -> CaseResult<Reply> {
        let mut early = self.outstanding(seq);
        if early == 0 {
            self.resend(seq)?;
        }
        loop {
            let reply = self.first_reply(seq)?;
            // Whether this answers a request that was sent before its turn.
            let was_early = early > 0;
            early = early.saturating_sub(1);
            match reply.code {
                PENDING if early == 0 => {
                    self.receive_until(Instant::now() + POLL_AFTER)?;
                    self.resend(seq)?;
                }
                SEQ if was_early && self.may_be_refused() && early == 0 => self.resend(seq)?,
                SEQ if was_early && self.may_be_refused() => {}
                PENDING => {}
                _ => return Ok(reply),
            }
        }
    }

    /// How many replies to a number of this session are expected, or have arrived and were not taken.
    fn outstanding(&self, seq: u64) -> usize {
        let awaited = self.awaited.iter().filter(|sent| sent.session == self.session && sent.seq == seq);
        let awaited: usize = awaited.map(|sent| sent.replies as usize).sum();
        awaited + self.inbox.iter().filter(|reply| reply.session == self.session && reply.seq == seq).count()
    }

    /// Whether a request that arrived before its turn may have been refused.
    fn may_be_refused(&self) -> bool {
        self.was_pending || self.was_cut
    }
}
