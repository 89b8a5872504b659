//! Values as text: names that cannot harm a terminal, sizes, durations, times, counts.

use jiff::{Timestamp, tz::TimeZone};
use std::time::Duration;

/// A name with everything escaped that would move the cursor, change its direction or be invisible.
pub(crate) fn escaped(name: &str) -> String {
    let mut text = String::with_capacity(name.len());
    for character in name.chars() {
        let harmful = character.is_control()
            || matches!(character, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}')
            || matches!(character, '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}');
        if harmful {
            text.extend(character.escape_unicode());
        } else {
            text.push(character);
        }
    }
    text
}

/// A rounded size in powers of 1,024: `17 B`, `4.2 MiB`.
pub(crate) fn human_size(bytes: u64) -> String {
    const UNITS: [&str; 7] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    let mut unit = 0;
    let mut shrunk = bytes;
    while shrunk >= 1024 && unit + 1 < UNITS.len() {
        shrunk /= 1024;
        unit += 1;
    }
    if unit == 0 {
        return format!("{bytes} B");
    }
    let scale = 1u64 << (10 * unit);
    let tenths = u128::from(bytes) * 10 / u128::from(scale);
    format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[unit])
}

/// A rounded duration: `350 ms`, `4.2 s`, `3 min 20 s`, `2 h 5 min`.
pub(crate) fn human_duration(duration: Duration) -> String {
    human_milliseconds(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
}

/// The same for a number of milliseconds.
pub(crate) fn human_milliseconds(milliseconds: u64) -> String {
    let seconds = milliseconds / 1000;
    match seconds {
        0 => format!("{milliseconds} ms"),
        1..10 if milliseconds % 1000 >= 100 => format!("{seconds}.{} s", milliseconds % 1000 / 100),
        1..120 => format!("{seconds} s"),
        120..7200 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3600, seconds / 60 % 60),
    }
}

/// A time as ISO 8601 in UTC with seconds, `2025-10-09T08:53:20Z`; its nanoseconds where it is out of range.
pub(crate) fn iso_time(nanoseconds: i64) -> String {
    Timestamp::from_nanosecond(i128::from(nanoseconds))
        .map_or_else(|_| nanoseconds.to_string(), |time| time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string())
}

/// A time in UTC to the nanosecond; the number of nanoseconds where it is out of range.
pub(crate) fn exact_time(nanoseconds: i64) -> String {
    Timestamp::from_nanosecond(i128::from(nanoseconds))
        .map_or_else(|_| nanoseconds.to_string(), |time| time.strftime("%Y-%m-%dT%H:%M:%S.%9fZ").to_string())
}

/// A time to the minute in the local time zone: `2025-10-09 10:53`.
pub(crate) fn local_time(nanoseconds: i64) -> String {
    Timestamp::from_nanosecond(i128::from(nanoseconds)).map_or_else(
        |_| iso_time(nanoseconds),
        |time| time.to_zoned(TimeZone::system()).strftime("%Y-%m-%d %H:%M").to_string(),
    )
}

/// A number and its noun: `1 file`, `2 files`.
pub(crate) fn counted(count: u64, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_rounded() {
        let texts: Vec<_> = [0, 350, 1_000, 4_200, 59_900, 200_000, 7_500_000].map(human_milliseconds).into();
        assert_eq!(texts, ["0 ms", "350 ms", "1 s", "4.2 s", "59 s", "3 min 20 s", "2 h 5 min"]);
    }

    #[test]
    fn sizes_are_rounded_down() {
        let texts: Vec<_> = [17, 1_023, 1_024, 4_404_019, u64::MAX].map(human_size).into();
        assert_eq!(texts, ["17 B", "1023 B", "1.0 KiB", "4.1 MiB", "15.9 EiB"]);
    }

    #[test]
    fn invisible_characters_are_escaped_and_letters_are_not() {
        assert_eq!(escaped("Müller 字 \u{1f600}"), "Müller 字 \u{1f600}");
        assert_eq!(escaped("a\u{1b}[2J\u{202e}\u{ad}"), "a\\u{1b}[2J\\u{202e}\\u{ad}");
    }
}
