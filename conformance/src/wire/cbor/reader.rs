//! Reads the profile of spec section 4 and names the rule that bytes break.

use super::Value;
use std::fmt;

/// The deepest nesting [CBOR-8].
const DEPTH: usize = 8;
/// The longest map key in bytes [CBOR-6].
const KEY: usize = 23;

/// The first violation of the profile in an encoding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CborViolation {
    /// The requirement that is broken.
    pub(crate) requirement: &'static str,
    /// The offset in bytes.
    pub(crate) offset: usize,
    /// What was found there.
    pub(crate) what: String,
}

impl fmt::Display for CborViolation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}] at byte {}: {}", self.requirement, self.offset, self.what)
    }
}

/// Reads one item that is all of `bytes`.
pub(crate) fn read(bytes: &[u8]) -> Result<Value, CborViolation> {
    let mut reader = Reader { bytes, at: 0 };
    let value = reader.item(0)?;
    match bytes.len() - reader.at {
        0 => Ok(value),
        left => Err(reader.broken("CBOR-9", format!("{left} bytes past the end of the header"))),
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn item(&mut self, depth: usize) -> Result<Value, CborViolation> {
        let start = self.at;
        let first = self.byte()?;
        let (major, info) = (first >> 5, first & 31);
        if major == 7 {
            return match first {
                0xf4 => Ok(Value::Bool(false)),
                0xf5 => Ok(Value::Bool(true)),
                _ => Err(self.at_offset(start, "CBOR-1", format!("{first:#04x}: neither false nor true"))),
            };
        }
        if major == 6 {
            return Err(self.at_offset(start, "CBOR-1", "a tag".into()));
        }
        let argument = self.argument(start, info)?;
        match major {
            0 => i64::try_from(argument)
                .map(Value::Int)
                .map_err(|_| self.at_offset(start, "CBOR-2", format!("the integer {argument} exceeds 2^63-1"))),
            1 => i64::try_from(argument)
                .map(|number| Value::Int(!number))
                .map_err(|_| self.at_offset(start, "CBOR-2", "a negative integer below -2^63".into())),
            2 => Ok(Value::Bytes(self.take(start, argument)?.to_vec())),
            3 => self.text(start, argument).map(Value::Text),
            _ if depth == DEPTH => Err(self.at_offset(start, "CBOR-8", format!("nested deeper than {DEPTH}"))),
            4 => (0..argument).map(|_| self.item(depth + 1)).collect::<Result<_, _>>().map(Value::Array),
            _ => self.map(argument, depth + 1).map(Value::Map),
        }
    }

    fn map(&mut self, members: u64, depth: usize) -> Result<Vec<(String, Value)>, CborViolation> {
        let mut map: Vec<(String, Value)> = Vec::new();
        let mut before: &[u8] = &[];
        for _ in 0..members {
            let start = self.at;
            let first = self.byte()?;
            if first >> 5 != 3 {
                return Err(self.at_offset(start, "CBOR-6", "a map key that is not a text string".into()));
            }
            let length = self.argument(start, first & 31)?;
            let key = self.text(start, length)?;
            if key.len() > KEY {
                return Err(self.at_offset(start, "CBOR-6", format!("a map key of {} bytes", key.len())));
            }
            let bytes = self.bytes;
            let encoded = &bytes[start..self.at];
            if !map.is_empty() && encoded <= before {
                let what = if encoded == before { "twice" } else { "out of order" };
                return Err(self.at_offset(start, "CBOR-7", format!("the map key {key:?} {what}")));
            }
            before = encoded;
            let value = self.item(depth)?;
            map.push((key, value));
        }
        Ok(map)
    }

    fn text(&mut self, start: usize, length: u64) -> Result<String, CborViolation> {
        let bytes = self.take(start, length)?.to_vec();
        String::from_utf8(bytes).map_err(|error| self.at_offset(start, "CBOR-5", error.utf8_error().to_string()))
    }

    fn argument(&mut self, start: usize, info: u8) -> Result<u64, CborViolation> {
        let (argument, least) = match info {
            0..=23 => return Ok(u64::from(info)),
            24 => (self.number(1)?, 24),
            25 => (self.number(2)?, 0x100),
            26 => (self.number(4)?, 0x1_0000),
            27 => (self.number(8)?, 0x1_0000_0000),
            31 => return Err(self.at_offset(start, "CBOR-4", "an item of indefinite length".into())),
            _ => return Err(self.at_offset(start, "CBOR-1", format!("the reserved additional information {info}"))),
        };
        if argument < least {
            return Err(self.at_offset(start, "CBOR-3", format!("{argument} is not in its shortest form")));
        }
        Ok(argument)
    }

    fn number(&mut self, bytes: usize) -> Result<u64, CborViolation> {
        (0..bytes).try_fold(0, |number, _| Ok(number << 8 | u64::from(self.byte()?)))
    }

    fn byte(&mut self) -> Result<u8, CborViolation> {
        let byte = self.bytes.get(self.at).copied();
        let byte = byte.ok_or_else(|| self.broken("CBOR-9", "the header ends within an item".into()))?;
        self.at += 1;
        Ok(byte)
    }

    fn take(&mut self, start: usize, length: u64) -> Result<&'a [u8], CborViolation> {
        let left = self.bytes.len() - self.at;
        match usize::try_from(length) {
            Ok(length) if length <= left => {
                let bytes = self.bytes;
                self.at += length;
                Ok(&bytes[self.at - length..self.at])
            }
            _ => Err(self.at_offset(start, "CBOR-9", format!("a string of {length} bytes, of which {left} are there"))),
        }
    }

    fn broken(&self, requirement: &'static str, what: String) -> CborViolation {
        self.at_offset(self.at, requirement, what)
    }

    fn at_offset(&self, offset: usize, requirement: &'static str, what: String) -> CborViolation {
        CborViolation { requirement, offset, what }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::encode;
    use super::*;

    #[test]
    fn what_was_written_is_read_back() {
        let value = Value::Array(vec![
            Value::Map(vec![("a".into(), Value::Int(i64::MIN)), ("bc".into(), Value::Int(i64::MAX))]),
            "ä".into(),
            vec![0_u8; 300].into(),
            true.into(),
        ]);
        assert_eq!(read(&encode(&value)), Ok(value));
    }

    #[test]
    fn each_rule_is_named_when_it_is_broken() {
        let cases: [(&str, &[u8]); 14] = [
            ("CBOR-1", &[0xf6]),
            ("CBOR-1", &[0xc0, 0x00]),
            ("CBOR-1", &[0xfb, 0, 0, 0, 0, 0, 0, 0, 0]),
            ("CBOR-2", &[0x1b, 0x80, 0, 0, 0, 0, 0, 0, 0]),
            ("CBOR-3", &[0x18, 23]),
            ("CBOR-3", &[0x59, 0, 1, 0]),
            ("CBOR-4", &[0x9f, 0xff]),
            ("CBOR-5", &[0x62, 0xc3, 0x28]),
            ("CBOR-6", &[0xa1, 0x01, 0x00]),
            ("CBOR-7", &[0xa2, 0x61, b'b', 0, 0x61, b'a', 0]),
            ("CBOR-7", &[0xa2, 0x61, b'a', 0, 0x61, b'a', 0]),
            ("CBOR-8", &[0x81, 0x81, 0x81, 0x81, 0x81, 0x81, 0x81, 0x81, 0x80]),
            ("CBOR-9", &[0x00, 0x00]),
            ("CBOR-9", &[0x5b, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
        ];
        for (requirement, bytes) in cases {
            assert_eq!(read(bytes).unwrap_err().requirement, requirement, "{bytes:02x?}");
        }
    }

    #[test]
    fn eight_levels_are_read() {
        assert!(read(&[0x81, 0x81, 0x81, 0x81, 0x81, 0x81, 0x81, 0x80]).is_ok());
    }
}
