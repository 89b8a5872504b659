//! The profile: one encoding a value, and nothing else is read.

use crate::strategies::item;
use ciborium::value::Value as Ciborium;
use proptest::prelude::*;
use remofile_proto::cbor::{Error, ErrorKind, Item, ItemError, Value, decode};

proptest! {
    #[test]
    fn every_value_round_trips(item in item()) {
        let bytes = item.encode().unwrap();
        prop_assert_eq!(Item::from(decode(&bytes).unwrap()), item);
    }

    #[test]
    fn what_is_accepted_encodes_to_itself(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
        if let Ok(value) = decode(&bytes) {
            prop_assert_eq!(Item::from(value).encode().unwrap(), bytes);
        }
    }

    #[test]
    fn a_changed_byte_is_refused_or_another_value(item in item(), at: prop::sample::Index, with: u8) {
        let mut bytes = item.encode().unwrap();
        let at = at.index(bytes.len());
        prop_assume!(bytes[at] != with);
        bytes[at] = with;
        if let Ok(value) = decode(&bytes) {
            let other = Item::from(value);
            prop_assert_ne!(&other, &item);
            prop_assert_eq!(other.encode().unwrap(), bytes);
        }
    }

    #[test]
    fn every_prefix_is_truncated(item in item(), len: prop::sample::Index) {
        let bytes = item.encode().unwrap();
        let len = len.index(bytes.len());
        prop_assert_eq!(decode(&bytes[..len]).unwrap_err().kind, ErrorKind::Truncated);
    }

    #[test]
    fn the_writer_writes_what_ciborium_writes(item in item()) {
        let mut theirs = Vec::new();
        ciborium::into_writer(&to_ciborium(&item), &mut theirs).unwrap();
        prop_assert_eq!(item.encode().unwrap(), theirs);
    }

    #[test]
    fn ciborium_reads_what_the_writer_writes(item in item()) {
        let theirs: Ciborium = ciborium::from_reader(&item.encode().unwrap()[..]).unwrap();
        prop_assert_eq!(theirs, to_ciborium(&item));
    }

    #[test]
    fn a_map_finds_each_of_its_keys(item in item(), absent in "[a-z]{1,9}") {
        let bytes = item.encode().unwrap();
        let (Value::Map(map), Item::Map(entries)) = (decode(&bytes).unwrap(), &item) else { return Ok(()) };
        for (key, value) in entries {
            prop_assert_eq!(&Item::from(map.get(key).unwrap()), value);
        }
        prop_assert_eq!(map.get(&absent).is_some(), entries.iter().any(|(key, _)| *key == absent));
    }
}

fn to_ciborium(item: &Item) -> Ciborium {
    match item {
        Item::Int(number) => Ciborium::Integer((*number).into()),
        Item::Bytes(bytes) => Ciborium::Bytes(bytes.clone()),
        Item::Text(text) => Ciborium::Text(text.clone()),
        Item::Bool(value) => Ciborium::Bool(*value),
        Item::Array(elements) => Ciborium::Array(elements.iter().map(to_ciborium).collect()),
        Item::Map(entries) => Ciborium::Map(
            entries.iter().map(|(key, value)| (Ciborium::Text(key.clone()), to_ciborium(value))).collect(),
        ),
    }
}

/// Asserts that hexadecimal input is refused for this reason at this offset.
macro_rules! refused {
    ($($name:ident: $hex:literal, $kind:ident at $offset:literal;)*) => {$(
        #[test]
        fn $name() {
            assert_eq!(decode(&unhex($hex)), Err(Error { kind: ErrorKind::$kind, offset: $offset }));
        }
    )*};
}

refused! {
    nothing_is_no_value: "", Truncated at 0;
    trailing_byte_is_refused: "0000", Trailing at 1;
    small_number_in_two_bytes_is_refused: "811817", LongNumber at 1;
    byte_in_three_bytes_is_refused: "1900ff", LongNumber at 0;
    sixteen_bits_in_five_bytes_are_refused: "1a0000ffff", LongNumber at 0;
    thirty_two_bits_in_nine_bytes_are_refused: "1b00000000ffffffff", LongNumber at 0;
    long_length_of_text_is_refused: "780161", LongNumber at 0;
    long_count_of_an_array_is_refused: "980100", LongNumber at 0;
    two_to_the_63_is_refused: "1b8000000000000000", IntegerRange at 0;
    below_minus_two_to_the_63_is_refused: "3b8000000000000000", IntegerRange at 0;
    indefinite_text_is_refused: "7f6161ff", Indefinite at 0;
    indefinite_array_is_refused: "829fff", Indefinite at 1;
    indefinite_map_is_refused: "bfff", Indefinite at 0;
    break_is_refused: "81ff", Indefinite at 1;
    reserved_length_is_refused: "1c", Reserved at 0;
    reserved_simple_value_is_refused: "fc", Reserved at 0;
    tag_is_refused: "c000", Tag at 0;
    bignum_is_refused: "c249010000000000000000", Tag at 0;
    half_float_is_refused: "f90000", Float at 0;
    single_float_is_refused: "fa00000000", Float at 0;
    double_float_is_refused: "82fb000000000000000000", Float at 1;
    null_is_refused: "f6", Simple at 0;
    undefined_is_refused: "f7", Simple at 0;
    small_simple_value_is_refused: "e0", Simple at 0;
    long_simple_value_is_refused: "f8ff", Simple at 0;
    text_that_is_not_utf8_is_refused: "61ff", Utf8 at 0;
    surrogate_in_text_is_refused: "63eda080", Utf8 at 0;
    overlong_nul_in_text_is_refused: "62c080", Utf8 at 0;
    integer_as_key_is_refused: "a10000", KeyType at 1;
    byte_string_as_key_is_refused: "a1416100", KeyType at 1;
    key_of_24_bytes_is_refused: "a17818616161616161616161616161616161616161616161616161616100", KeyLength at 1;
    longer_key_before_a_shorter_is_refused: "a2626161006162 00", KeyOrder at 5;
    keys_out_of_order_are_refused: "a2616200616100", KeyOrder at 4;
    key_that_is_there_twice_is_refused: "a2616100616100", KeyTwice at 4;
    array_without_its_elements_is_refused: "8200", Truncated at 0;
    map_without_its_value_is_refused: "a16161", Truncated at 3;
    text_beyond_the_end_is_refused: "816261", Truncated at 1;
    announced_gigabytes_are_refused: "5b7fffffffffffffff", Truncated at 0;
    announced_billions_of_elements_are_refused: "9bffffffffffffffff00", Truncated at 0;
    announced_billions_of_entries_are_refused: "bbffffffffffffffff00", Truncated at 0;
    ninth_array_is_refused: "818181818181818180", Depth at 8;
    ninth_map_is_refused: "a160a160a160a160a160a160a160a160a0", Depth at 16;
}

#[test]
fn eight_arrays_inside_each_other_are_read() {
    assert!(decode(&unhex("8181818181818180")).is_ok());
}

#[test]
fn a_key_of_23_bytes_is_read() {
    assert!(decode(&unhex("a177616161616161616161616161616161616161616161616100")).is_ok());
}

#[test]
fn the_least_and_the_greatest_integer_are_read() {
    assert_eq!(decode(&unhex("3b7fffffffffffffff")), Ok(Value::Int(i64::MIN)));
    assert_eq!(decode(&unhex("1b7fffffffffffffff")), Ok(Value::Int(i64::MAX)));
}

#[test]
fn a_key_of_24_bytes_has_no_encoding() {
    let item = Item::Map(vec![("a".repeat(24), Item::Bool(true))]);
    assert_eq!(item.encode(), Err(ItemError::KeyLength("a".repeat(24))));
}

#[test]
fn a_key_that_is_there_twice_has_no_encoding() {
    let item = Item::Map(vec![("a".into(), Item::Int(1)), ("a".into(), Item::Int(2))]);
    assert_eq!(item.encode(), Err(ItemError::KeyTwice("a".into())));
}

#[test]
fn nine_arrays_inside_each_other_have_no_encoding() {
    let item = (0..9).fold(Item::Int(0), |inside, _| Item::Array(vec![inside]));
    assert_eq!(item.encode(), Err(ItemError::Depth));
}

#[test]
fn entries_of_a_map_are_brought_into_order() {
    let item = Item::Map(vec![("bb".into(), Item::Int(1)), ("c".into(), Item::Int(2)), ("a".into(), Item::Int(3))]);
    assert_eq!(item.encode().unwrap(), unhex("a3616103616302626262 01"));
}

fn unhex(hex: &str) -> Vec<u8> {
    let hex = hex.replace(' ', "");
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}
