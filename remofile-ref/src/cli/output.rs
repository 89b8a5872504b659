//! What a user sees: names that cannot harm a terminal, sizes, times, JSON.

use std::io::{self, IsTerminal as _};

/// The schema number of `--json` lines.
pub(crate) const JSON_SCHEMA: u32 = 1;

/// A name for a terminal: control characters and other invisible ones are escaped. Where standard output is not
/// a terminal, names are printed as they are, so that a script gets the exact bytes.
pub(crate) fn shown(name: &str) -> String {
    if io::stdout().is_terminal() { escaped(name) } else { name.to_owned() }
}

/// A name with everything escaped that would move the cursor, change its direction or be invisible.
pub(crate) fn escaped(name: &str) -> String {
    let mut text = String::with_capacity(name.len());
    for character in name.chars() {
        let harmful = character.is_control()
            || matches!(character, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}');
        if harmful {
            text.extend(character.escape_unicode());
        } else {
            text.push(character);
        }
    }
    text
}

/// A size for people, in powers of 1,024: `17 B`, `4.2 MiB`.
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

/// A time as ISO 8601 in UTC with seconds, `2025-10-09T08:53:20Z`; its nanoseconds where it is out of range.
pub(crate) fn iso_time(nanoseconds: i64) -> String {
    jiff::Timestamp::from_nanosecond(i128::from(nanoseconds))
        .map_or_else(|_| nanoseconds.to_string(), |time| time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string())
}
