//! Writes the deterministic encoding, and single heads for malformed headers.

use super::Value;

/// The deterministic encoding: shortest heads, keys sorted by their encodings.
pub(crate) fn encode(value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    write(value, &mut out);
    out
}

/// The shortest head of a major type (0 to 7) with its argument.
pub(crate) fn head(major: u8, argument: u64) -> Vec<u8> {
    let major = major << 5;
    let bytes = argument.to_be_bytes();
    match argument {
        0..=23 => vec![major | bytes[7]],
        24..=0xff => vec![major | 24, bytes[7]],
        0x100..=0xffff => [&[major | 25], &bytes[6..]].concat(),
        0x1_0000..=0xffff_ffff => [&[major | 26], &bytes[4..]].concat(),
        _ => [&[major | 27], &bytes[..]].concat(),
    }
}

fn write(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Int(number) if *number < 0 => out.extend(head(1, !number.cast_unsigned())),
        Value::Int(number) => out.extend(head(0, number.cast_unsigned())),
        Value::Bytes(bytes) => {
            out.extend(head(2, bytes.len() as u64));
            out.extend(bytes);
        }
        Value::Text(text) => {
            out.extend(head(3, text.len() as u64));
            out.extend(text.as_bytes());
        }
        Value::Array(items) => {
            out.extend(head(4, items.len() as u64));
            items.iter().for_each(|item| write(item, out));
        }
        Value::Map(members) => {
            let mut sorted: Vec<_> =
                members.iter().map(|(key, value)| (encode(&Value::Text(key.clone())), value)).collect();
            sorted.sort_by(|one, other| one.0.cmp(&other.0));
            out.extend(head(5, sorted.len() as u64));
            for (key, value) in sorted {
                out.extend(key);
                write(value, out);
            }
        }
        Value::Bool(value) => out.push(if *value { 0xf5 } else { 0xf4 }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_take_their_shortest_form() {
        let cases: [(i64, &[u8]); 8] = [
            (0, &[0x00]),
            (23, &[0x17]),
            (24, &[0x18, 24]),
            (256, &[0x19, 1, 0]),
            (65_536, &[0x1a, 0, 1, 0, 0]),
            (4_294_967_296, &[0x1b, 0, 0, 0, 1, 0, 0, 0, 0]),
            (-1, &[0x20]),
            (i64::MIN, &[0x3b, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
        ];
        for (number, bytes) in cases {
            assert_eq!(encode(&Value::Int(number)), bytes, "{number}");
        }
    }

    #[test]
    fn keys_are_sorted_by_length_and_then_by_bytes() {
        let map = Value::Map(vec![("bb".into(), true.into()), ("c".into(), true.into()), ("ba".into(), false.into())]);
        assert_eq!(encode(&map), b"\xa3\x61c\xf5\x62ba\xf4\x62bb\xf5");
    }
}
