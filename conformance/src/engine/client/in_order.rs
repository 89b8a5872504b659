//! The replies to several requests that were sent in one go.

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
    /// The final replies to requests that were sent in one go, in their order. Behind a PENDING a server may answer SEQ
    /// to what it did not keep, which is sent again when its turn comes [SEQ-26] [SEQ-22]; likewise behind a cut, where
    /// nobody knows what was lost. One to which no reply is on the way any more is sent again, too.
    pub(crate) fn final_replies(&mut self, seqs: &[u64]) -> CaseResult<Vec<Reply>> {
        seqs.iter().map(|seq| self.final_in_turn(*seq)).collect()
    }

    /// As [`Client::final_replies`], and each has to be one of these.
    pub(crate) fn expect_replies(&mut self, seqs: &[u64], codes: impl ExpectedCodes) -> CaseResult<Vec<Reply>> {
        let replies = self.final_replies(seqs)?;
        replies.iter().try_for_each(|reply| self.expect_code(reply, codes.codes()))?;
        Ok(replies)
    }

    /// The final reply to one request, when all before it have theirs.
    fn final_in_turn(&mut self, seq: u64) -> CaseResult<Reply> {
        let mut early = self.outstanding(seq);
        if early == 0 {
            self.resend(seq)?;
        }
        loop {
            let reply = self.first_reply(seq)?;
            // Whether what this answers was sent before its turn had come.
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

    /// How many replies to a number of this session are on the way, or have come and nobody has asked for them.
    fn outstanding(&self, seq: u64) -> usize {
        let awaited = self.awaited.iter().filter(|sent| sent.session == self.session && sent.seq == seq);
        let awaited: usize = awaited.map(|sent| sent.replies as usize).sum();
        awaited + self.inbox.iter().filter(|reply| reply.session == self.session && reply.seq == seq).count()
    }

    /// Whether a request that came before its turn may have been refused.
    fn may_be_refused(&self) -> bool {
        self.was_pending || self.was_cut
    }
}
