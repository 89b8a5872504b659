//! Times of files, in nanoseconds since 1970-01-01T00:00:00Z.

use rustix::fs::{Timespec, Timestamps, UTIME_NOW, UTIME_OMIT};
use std::time::{SystemTime, UNIX_EPOCH};

pub(crate) const NANOS: i64 = 1_000_000_000;

/// Timestamps that set the modification time alone; `mtime_ns` is negative before 1970.
pub(crate) fn modified_at(mtime_ns: i64) -> Timestamps {
    // The nanoseconds of a timestamp count upwards, before 1970 too.
    modified(Timespec { tv_sec: mtime_ns.div_euclid(NANOS), tv_nsec: mtime_ns.rem_euclid(NANOS) })
}

/// Timestamps that set the modification time to the present.
pub(crate) fn modified_now() -> Timestamps {
    modified(Timespec { tv_sec: 0, tv_nsec: UTIME_NOW })
}

fn modified(last_modification: Timespec) -> Timestamps {
    Timestamps { last_access: Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT }, last_modification }
}

/// The wall clock.
pub(crate) fn now_ns() -> i128 {
    match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(since) => since.as_nanos().cast_signed(),
        Err(before) => -before.duration().as_nanos().cast_signed(),
    }
}

/// Replaces a time outside the years 1677 to 2262 by the nearest one inside.
pub(crate) fn clamp(ns: i128) -> i64 {
    i64::try_from(ns).unwrap_or(if ns < 0 { i64::MIN } else { i64::MAX })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_before_1970_counts_its_nanoseconds_upwards() {
        let time = modified_at(-1).last_modification;
        assert_eq!((time.tv_sec, time.tv_nsec), (-1, 999_999_999));
    }
}
