//! Numbers on a command line: sizes, rates, ages, seconds, counts.

use std::{fmt::Display, ops::RangeInclusive, str::FromStr, time::Duration};

/// The largest size of a file.
const SIZE_MAX: u64 = i64::MAX.cast_unsigned();

/// A number of bytes: `1500`, `500K`, `1.5G`. K, KiB, M, MiB, … are powers of 1,024, and KB, MB, … powers of 1,000.
pub(crate) fn parse_size(text: &str) -> Result<u64, String> {
    const INVALID: &str = "not a size; use a number of bytes, or one with K, M, G or T (powers of 1024) or KB, MB, GB \
        or TB (powers of 1000)";
    let at = text.find(|character: char| character.is_ascii_alphabetic()).unwrap_or(text.len());
    let (number, unit) = text.split_at(at);
    let scale = scale(unit).ok_or(INVALID)?;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let is_number =
        |digits: &str| !digits.is_empty() && digits.len() <= 19 && digits.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number(whole) || !is_number(fraction) || fraction.len() > 9 || (scale == 1 && number.contains('.')) {
        return Err(INVALID.to_owned());
    }
    let digits = |digits: &str| digits.parse::<u128>().map_err(|_| INVALID);
    let decimals = fraction.bytes().fold(1, |decimals, _| decimals * 10);
    let bytes = digits(whole)? * scale + digits(fraction)? * scale / decimals;
    u64::try_from(bytes).ok().filter(|bytes| *bytes <= SIZE_MAX).ok_or_else(|| "size too large".to_owned())
}

/// A number of bytes per second, as [`parse_size`] reads it and at least 1.
pub(crate) fn parse_rate(text: &str) -> Result<u64, String> {
    match parse_size(text)? {
        0 => Err("the rate must be at least 1 byte per second".to_owned()),
        rate => Ok(rate),
    }
}

/// An age with its unit: seconds, minutes, hours or days, `90s`, `30m`, `12h`, `7d`.
pub(crate) fn parse_age(text: &str) -> Result<Duration, String> {
    const INVALID: &str = "not an age; use a number with s, m, h or d, such as 90s, 30m, 12h or 7d";
    let (number, seconds) = [("s", 1), ("m", 60), ("h", 3_600), ("d", 86_400)]
        .iter()
        .find_map(|(unit, seconds)| Some((text.strip_suffix(unit)?, *seconds)))
        .ok_or(INVALID)?;
    if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(INVALID.to_owned());
    }
    let number = number.parse::<u64>().ok().and_then(|number| number.checked_mul(seconds));
    number.map(Duration::from_secs).ok_or_else(|| "age too large".to_owned())
}

/// A number of seconds, which may have a fraction.
pub(crate) fn parse_seconds(text: &str) -> Result<Duration, String> {
    let number = text.parse::<f64>().ok().and_then(|number| Duration::try_from_secs_f64(number).ok());
    number.ok_or_else(|| "not a number of seconds".to_owned())
}

/// The same, and not 0.
pub(crate) fn parse_timeout(text: &str) -> Result<Duration, String> {
    match parse_seconds(text)? {
        Duration::ZERO => Err("the timeout must be greater than 0".to_owned()),
        timeout => Ok(timeout),
    }
}

/// A port number.
pub(crate) fn parse_port(text: &str) -> Result<u16, String> {
    text.parse().map_err(|_| "not a port number from 0 to 65535".to_owned())
}

/// Reads a whole number in a range.
pub(crate) fn number_in<T>(range: RangeInclusive<T>) -> impl Fn(&str) -> Result<T, String> + Clone
where
    T: FromStr + PartialOrd + Display + Clone,
{
    move |text| {
        let number = text.parse().map_err(|_| "not a number".to_owned());
        number.and_then(|number| {
            if range.contains(&number) {
                Ok(number)
            } else {
                Err(format!("not a number from {} to {}", range.start(), range.end()))
            }
        })
    }
}

fn scale(unit: &str) -> Option<u128> {
    let unit = unit.to_ascii_uppercase();
    let (letter, base): (&str, u128) = match unit.strip_suffix("IB").or_else(|| unit.strip_suffix('I')) {
        Some(letter) if !letter.is_empty() => (letter, 1_024),
        Some(_) => return None,
        None => match unit.strip_suffix('B') {
            Some(letter) => (letter, 1_000),
            None => (unit.as_str(), 1_024),
        },
    };
    let power = ["", "K", "M", "G", "T"].iter().position(|known| *known == letter)?;
    Some(base.pow(u32::try_from(power).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_has_units_of_1024_or_1000() {
        for (text, bytes) in [
            ("0", 0),
            ("1500", 1500),
            ("7b", 7),
            ("2k", 2048),
            ("1.5M", 1_572_864),
            ("20G", 20 << 30),
            ("1TiB", 1 << 40),
            ("64Ki", 65_536),
            ("3MB", 3_000_000),
            ("1.5kB", 1_500),
        ] {
            assert_eq!(parse_size(text), Ok(bytes), "{text}");
        }
    }

    #[test]
    fn an_invalid_size_is_an_error() {
        for text in [
            "",
            "M",
            "-1",
            "1.5",
            "1e9",
            "1.M",
            ".5M",
            "5X",
            "1 G",
            "0x10",
            "99999999T",
            "99999999999999999999",
            "1.2.3",
            "inf",
            "1i",
            "1iB",
            "1BB",
            "1KiBB",
        ] {
            assert!(parse_size(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_rate_is_a_size_of_at_least_one_byte() {
        assert_eq!(["1", "500K", "3MB"].map(parse_rate), [1, 512_000, 3_000_000].map(Ok));
        for text in ["", "K", "0", "-1", "0.0001K", "i"] {
            assert!(parse_rate(text).is_err(), "{text}");
        }
    }

    #[test]
    fn an_age_has_a_unit() {
        assert_eq!(parse_age("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(parse_age("7d"), Ok(Duration::from_secs(604_800)));
        for text in ["", "7", "d", "7w", "-1d", "+1d", "1.5h", "99999999999999999999d", "9999999999999999d", "7é"] {
            assert!(parse_age(text).is_err(), "{text}");
        }
    }

    #[test]
    fn seconds_may_have_a_fraction_and_are_not_negative() {
        assert_eq!(parse_seconds("0.5"), Ok(Duration::from_millis(500)));
        for text in ["", "-1", "x", "nan", "inf", "1e300"] {
            assert_eq!(parse_seconds(text), Err("not a number of seconds".to_owned()), "{text}");
        }
        assert!(parse_timeout("0").is_err());
    }

    #[test]
    fn a_number_out_of_range_names_the_range() {
        let parse = number_in(1_u64..=86_400);
        assert_eq!(parse("30"), Ok(30));
        assert_eq!(parse("x"), Err("not a number".to_owned()));
        assert_eq!(parse("0"), Err("not a number from 1 to 86400".to_owned()));
        assert_eq!(parse_port("65536"), Err("not a port number from 0 to 65535".to_owned()));
    }
}
