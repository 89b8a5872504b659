//! No more than so many bytes a second: when the next piece of content may go.

use super::{ClientError, FileClient};
use std::{
    num::NonZeroU64,
    time::{Duration, Instant},
};

/// What was not used is not saved up for longer than this.
const CREDIT: Duration = Duration::from_millis(200);

/// A piece takes no longer than this part of a second, so that the rate is even.
const PIECES_A_SECOND: u64 = 8;

/// A piece is no smaller than this, in bytes.
const PIECE_MIN: u64 = 4_096;

/// Keeps content to a rate.
#[derive(Debug)]
pub(super) struct RateLimiter {
    bytes_per_second: NonZeroU64,
    /// When what has gone so far is worth its time.
    free: Instant,
}

impl RateLimiter {
    pub(super) fn new(bytes_per_second: NonZeroU64, now: Instant) -> Self {
        Self { bytes_per_second, free: now }
    }

    /// When so many more bytes may go.
    fn reserve(&mut self, bytes: u64, now: Instant) -> Instant {
        let earliest = now.checked_sub(CREDIT).unwrap_or(now);
        let at = self.free.max(earliest);
        let nanoseconds = u128::from(bytes) * 1_000_000_000 / u128::from(self.bytes_per_second.get());
        let takes = Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX));
        // A time beyond what the clock can tell never comes, nor does a piece that takes so long.
        self.free = at.checked_add(takes).unwrap_or(at);
        at
    }

    fn piece(&self) -> u64 {
        (self.bytes_per_second.get() / PIECES_A_SECOND).max(PIECE_MIN)
    }
}

impl FileClient {
    /// Calls within `call` keep content to this rate.
    pub(crate) fn rate_limited<T, E>(
        &mut self,
        bytes_per_second: Option<NonZeroU64>,
        call: impl FnOnce(&mut Self) -> Result<T, E>,
    ) -> Result<T, E> {
        self.limiter = bytes_per_second.map(|rate| RateLimiter::new(rate, Instant::now()));
        let result = call(self);
        self.limiter = None;
        result
    }

    /// How much content goes in one request, in bytes.
    pub(super) fn piece(&self) -> usize {
        let chunk = self.chunk();
        self.limiter
            .as_ref()
            .map_or(chunk, |limiter| usize::try_from(limiter.piece()).map_or(chunk, |piece| piece.min(chunk)))
    }

    /// Waits until so much more content may go; answers are taken note of meanwhile.
    pub(super) fn await_rate(&mut self, bytes: u64) -> Result<(), ClientError> {
        match &mut self.limiter {
            Some(limiter) => {
                let at = limiter.reserve(bytes, Instant::now());
                self.sleep_until(at)
            }
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limiter(rate: u64, now: Instant) -> RateLimiter {
        RateLimiter::new(NonZeroU64::new(rate).unwrap(), now)
    }

    #[test]
    fn pieces_go_one_after_another_at_the_rate() {
        let now = Instant::now();
        let mut limiter = limiter(1_000, now);
        assert_eq!(limiter.reserve(500, now), now);
        assert_eq!(limiter.reserve(1_000, now), now + Duration::from_millis(500));
        assert_eq!(limiter.reserve(1, now), now + Duration::from_millis(1_500));
    }

    #[test]
    fn idle_time_is_not_saved_up() {
        let start = Instant::now();
        let mut limiter = limiter(1_000, start);
        let later = start + Duration::from_secs(3_600);
        limiter.reserve(1_000, later);
        assert_eq!(limiter.reserve(1, later), later - CREDIT + Duration::from_secs(1));
    }

    #[test]
    fn the_slowest_rate_and_the_largest_piece_do_not_overflow() {
        let now = Instant::now();
        let mut limiter = limiter(1, now);
        limiter.reserve(u64::MAX, now);
        assert!(limiter.reserve(1, now) >= now);
        assert_eq!(limiter.piece(), PIECE_MIN);
    }
}
