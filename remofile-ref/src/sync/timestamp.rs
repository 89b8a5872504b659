//! A second in UTC as part of a name: what a trash keeps things under, and what conflict copies carry.

use std::{
    fmt,
    time::{Duration, SystemTime},
};

const DAY: i64 = 86_400;

/// 9999-12-31T23:59:59Z: later times do not fit the digits.
const LAST: i64 = 253_402_300_799;

/// A second in UTC, written as `20261123T013422Z`: ISO 8601 without the colons, which some file systems do not allow in
/// names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp {
    /// Since 1970-01-01T00:00:00Z, up to [`LAST`].
    seconds: i64,
}

impl Timestamp {
    /// How many bytes it is long.
    pub const LEN: usize = 16;

    /// The second that this machine's clock shows.
    #[must_use]
    pub fn now() -> Self {
        Self::at(SystemTime::now())
    }

    /// The second of a time; those before 1970 and after 9999 are clipped.
    #[must_use]
    pub fn at(time: SystemTime) -> Self {
        let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Self { seconds: i64::try_from(since.as_secs()).unwrap_or(LAST).min(LAST) }
    }

    /// Reads what [`Timestamp`] writes, and nothing else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        if bytes.len() != Self::LEN || bytes[8] != b'T' || bytes[15] != b'Z' {
            return None;
        }
        let number = |from: usize, to: usize| {
            bytes[from..to]
                .iter()
                .try_fold(0, |number: i64, byte| byte.is_ascii_digit().then(|| number * 10 + i64::from(byte - b'0')))
        };
        let (year, month, day) = (number(0, 4)?, number(4, 6)?, number(6, 8)?);
        let (hour, minute, second) = (number(9, 11)?, number(11, 13)?, number(13, 15)?);
        let stamp = Self { seconds: days_of(year, month, day) * DAY + hour * 3_600 + minute * 60 + second };
        // The 31st of February is written differently.
        (stamp.seconds >= 0 && stamp.to_string() == text).then_some(stamp)
    }

    /// When that is.
    #[must_use]
    pub fn time(self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(self.seconds.unsigned_abs())
    }

    /// The time from then until `now`; zero if it is in the future.
    #[must_use]
    pub fn age(self, now: SystemTime) -> Duration {
        now.duration_since(self.time()).unwrap_or_default()
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (days, second) = (self.seconds.div_euclid(DAY), self.seconds.rem_euclid(DAY));
        let (year, month, day) = date_of(days);
        let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
        write!(f, "{year:04}{month:02}{day:02}T{hour:02}{minute:02}{second:02}Z")
    }
}

/// The days from 1970-01-01 to a date of the Gregorian calendar, by years that begin in March.
fn days_of(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// The inverse: year, month and day.
fn date_of(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let from_march = (5 * of_year + 2) / 153;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    let year = year + era * 400 + i64::from(month <= 2);
    (year, month, of_year - (153 * from_march + 2) / 5 + 1)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn written(seconds: u64) -> String {
        Timestamp::at(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)).to_string()
    }

    #[test]
    fn a_second_is_written_as_a_date_in_utc() {
        assert_eq!(written(0), "19700101T000000Z");
        assert_eq!(written(951_827_696), "20000229T123456Z");
        assert_eq!(written(1_763_861_662), "20251123T013422Z");
        assert_eq!(written(4_107_542_399), "21000228T235959Z");
        assert_eq!(written(4_107_542_400), "21000301T000000Z");
        assert_eq!(written(u64::MAX >> 2), "99991231T235959Z");
    }

    #[test]
    fn what_is_written_is_read() {
        for seconds in (0..LAST.unsigned_abs()).step_by(86_399 * 37) {
            let stamp = Timestamp::at(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds));
            assert_eq!(Timestamp::parse(&stamp.to_string()), Some(stamp));
        }
    }

    #[test]
    fn what_is_no_second_is_not_read() {
        for text in [
            "",
            "20251123T013422",
            "20251323T013422Z",
            "20250231T013422Z",
            "20251123T243422Z",
            "20251123T016022Z",
            "+0251123T013422Z",
            "20251123t013422Z",
            "19691231T235959Z",
            "20251123T013422Zé",
            "00000000T000000Z",
        ] {
            assert_eq!(Timestamp::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_time_in_the_future_has_no_age() {
        let stamp = Timestamp::parse("20251123T013422Z").unwrap();
        assert_eq!(stamp.age(stamp.time() + Duration::from_secs(90)), Duration::from_secs(90));
        assert_eq!(stamp.age(SystemTime::UNIX_EPOCH), Duration::ZERO);
    }
}
