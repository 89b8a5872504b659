//! The replies to the last numbers, so that a resend gets the same reply.

use super::Fingerprint;
use std::collections::VecDeque;

/// What is remembered of one consumed number.
#[derive(Debug)]
pub(super) enum CachedReply {
    /// The encoded header of the reply.
    Reply(Box<[u8]>),
    /// `read`, `list` or `uploads`: executed again instead [SEQ-8], so that no payload is kept.
    Recompute,
}

/// The replies of the last `window` numbers.
///
/// Bounded: at most `window` entries, each of 32 bytes and a reply header without payload. What is remembered
/// whole carries at most one entry or one refusal, and [`super::MAX_MESSAGE`] bounds the sentence of a refusal,
/// so that a reply header stays below 600 bytes.
#[derive(Debug)]
pub(super) struct ReplyCache {
    window: usize,
    next: u64,
    last: VecDeque<(Fingerprint, CachedReply)>,
}

impl ReplyCache {
    pub(super) fn new(window: usize) -> Self {
        Self { window: window.max(1), next: 1, last: VecDeque::new() }
    }

    /// The number that is executed next.
    pub(super) fn next(&self) -> u64 {
        self.next
    }

    /// What is remembered of a number, if it is one of the last `window` [SEQ-2].
    pub(super) fn find(&self, seq: u64) -> Option<&(Fingerprint, CachedReply)> {
        let back = usize::try_from(self.next.checked_sub(seq)?).ok()?;
        self.last.get(self.last.len().checked_sub(back)?)
    }

    /// The bytes of what is remembered.
    pub(super) fn bytes(&self) -> usize {
        let bytes = |(_, remembered): &(Fingerprint, CachedReply)| match remembered {
            CachedReply::Reply(header) => header.len(),
            CachedReply::Recompute => 0,
        };
        self.last.iter().map(bytes).sum()
    }

    /// Consumes the next number.
    pub(super) fn remember(&mut self, fingerprint: Fingerprint, reply: CachedReply) {
        if self.last.len() == self.window {
            self.last.pop_front();
        }
        self.last.push_back((fingerprint, reply));
        self.next += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(window: usize, count: u8) -> ReplyCache {
        let mut reply_cache = ReplyCache::new(window);
        for number in 1..=count {
            reply_cache.remember([number; 32], CachedReply::Recompute);
        }
        reply_cache
    }

    #[test]
    fn the_last_window_numbers_are_found() {
        let reply_cache = filled(3, 5);
        assert_eq!([3, 4, 5].map(|seq| reply_cache.find(seq).map(|(print, _)| print[0])), [Some(3), Some(4), Some(5)]);
    }

    #[test]
    fn older_and_later_numbers_are_not_found() {
        let reply_cache = filled(3, 5);
        assert!([0, 1, 2, 6, 7, u64::MAX].iter().all(|seq| reply_cache.find(*seq).is_none()));
    }

    #[test]
    fn memory_stays_at_the_window() {
        assert_eq!(filled(3, 200).last.len(), 3);
    }
}
