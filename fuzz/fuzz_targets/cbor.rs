//! One value of the profile: accepted in its one encoding, and read by ciborium as the same value.
#![no_main]

use ciborium::value::Value as Theirs;
use libfuzzer_sys::fuzz_target;
use remofile_proto::cbor::{Item, Value, decode};

fuzz_target!(|bytes: &[u8]| {
    match decode(bytes) {
        Ok(value) => {
            assert_eq!(Item::from(value).encode().expect("what was read can be written"), bytes);
            assert!(!value.to_string().chars().any(char::is_control), "diagnostic notation has a control character");
            let theirs: Theirs = ciborium::from_reader(bytes).expect("the profile is a part of CBOR");
            assert_same(value, &theirs);
        }
        Err(error) => assert!(error.offset <= bytes.len(), "{error} is beyond {} bytes", bytes.len()),
    }
});

fn assert_same(ours: Value<'_>, theirs: &Theirs) {
    match (ours, theirs) {
        (Value::Int(a), Theirs::Integer(b)) => assert_eq!(i128::from(a), i128::from(*b)),
        (Value::Bytes(a), Theirs::Bytes(b)) => assert_eq!(a, b),
        (Value::Text(a), Theirs::Text(b)) => assert_eq!(a, b),
        (Value::Bool(a), Theirs::Bool(b)) => assert_eq!(a, *b),
        (Value::Array(a), Theirs::Array(b)) => {
            assert_eq!(a.len(), b.len());
            a.iter().zip(b).for_each(|(a, b)| assert_same(a, b));
        }
        (Value::Map(a), Theirs::Map(b)) => {
            assert_eq!(a.len(), b.len());
            for ((key, a), (their_key, b)) in a.iter().zip(b) {
                assert_eq!(their_key.as_text(), Some(key));
                assert_same(a, b);
            }
        }
        (ours, theirs) => panic!("{ours:?} is not {theirs:?}"),
    }
}
