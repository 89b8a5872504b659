//! Request headers that break the rules of the encoding or the envelope.

use crate::wire::{
    cbor::{Value, encode, head},
    request::{MAGIC, Request},
};

/// The parts of a request header, each of which can be replaced by any bytes.
#[derive(Clone, Debug)]
pub(crate) struct HeaderParts {
    /// The head of the array.
    pub(crate) array: Vec<u8>,
    pub(crate) magic: Vec<u8>,
    pub(crate) session: Vec<u8>,
    pub(crate) seq: Vec<u8>,
    pub(crate) op: Vec<u8>,
    pub(crate) args: Vec<u8>,
    /// What follows the array.
    pub(crate) trailing: Vec<u8>,
}

/// A change of a header that breaks a rule.
pub(crate) type Corruption = fn(&mut HeaderParts);

impl HeaderParts {
    /// A correct header.
    pub(crate) fn of(request: &Request, session: [u8; 16], seq: u64) -> Self {
        Self {
            array: head(4, 5),
            magic: encode(&MAGIC.into()),
            session: encode(&session.into()),
            seq: encode(&seq.into()),
            op: encode(&request.op.as_str().into()),
            args: encode(&Value::Map(request.args.clone())),
            trailing: Vec::new(),
        }
    }

    /// The header's bytes.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        [&self.array, &self.magic, &self.session, &self.seq, &self.op, &self.args, &self.trailing]
            .into_iter()
            .flatten()
            .copied()
            .collect()
    }

    /// The frames after the delimiter.
    pub(crate) fn frames(&self) -> Vec<Vec<u8>> {
        vec![self.bytes()]
    }
}

/// The head of a major type whose argument takes `width` bytes (1, 2, 4 or 8), however small it is.
pub(crate) fn long_head(major: u8, argument: u64, width: usize) -> Vec<u8> {
    let info = match width {
        1 => 24,
        2 => 25,
        4 => 26,
        _ => 27,
    };
    [&[major << 5 | info][..], &argument.to_be_bytes()[8 - width..]].concat()
}

/// A text string from any bytes.
pub(crate) fn text(bytes: &[u8]) -> Vec<u8> {
    [&head(3, bytes.len() as u64), bytes].concat()
}

/// A map of encoded keys and values, in the order given.
pub(crate) fn map(pairs: &[(Vec<u8>, Vec<u8>)]) -> Vec<u8> {
    let mut bytes = head(5, pairs.len() as u64);
    for (key, value) in pairs {
        bytes.extend(key);
        bytes.extend(value);
    }
    bytes
}

/// Nested arrays of this depth, the innermost empty.
pub(crate) fn arrays(depth: usize) -> Vec<u8> {
    let mut bytes = vec![0x81; depth.saturating_sub(1)];
    bytes.push(0x80);
    bytes
}

/// Nested maps of this depth, the innermost empty.
pub(crate) fn maps(depth: usize) -> Vec<u8> {
    let mut bytes = b"\xa1\x61m".repeat(depth.saturating_sub(1));
    bytes.push(0xa0);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{cbor::read, request::stat};

    #[test]
    fn unchanged_parts_make_the_header() {
        let request = stat("/a");
        assert_eq!(HeaderParts::of(&request, [7; 16], 300).bytes(), encode(&request.header([7; 16], 300)));
    }

    #[test]
    fn a_long_head_says_the_same_in_more_bytes() {
        assert_eq!(long_head(0, 5, 1), [0x18, 5]);
        assert_eq!(long_head(3, 1, 8), [0x7b, 0, 0, 0, 0, 0, 0, 0, 1]);
    }

    #[test]
    fn seven_arrays_in_the_arguments_are_one_too_many() {
        let deep = |depth: usize| {
            let mut parts = HeaderParts::of(&stat("/"), [7; 16], 1);
            parts.args = map(&[(text(b"zz"), arrays(depth))]);
            read(&parts.bytes())
        };
        assert!(deep(6).is_ok());
        assert_eq!(deep(7).map_err(|broken| broken.requirement), Err("CBOR-8"));
    }

    #[test]
    fn nested_maps_are_counted_like_arrays() {
        assert!(read(&maps(8)).is_ok());
        assert_eq!(read(&maps(9)).map_err(|broken| broken.requirement), Err("CBOR-8"));
    }
}
