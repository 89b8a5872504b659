//! The CBOR profile of the protocol: a strict reader that borrows, a writer, diagnostic notation.
//!
//! Integers of 64 bits with sign, byte strings, text, arrays, maps with short text keys, booleans;
//! nested at most [`limits::NESTING`](crate::limits::NESTING) deep, in the deterministic encoding of
//! RFC 8949 §4.2.1. **Each value has one encoding, and the reader refuses every other**, so bytes
//! that were accepted re-encode to themselves.

mod diagnostic;
mod item;
mod reader;
mod value;
mod writer;

pub use item::{Item, ItemError};
pub(crate) use reader::Reader;
pub use reader::{Error, ErrorKind, decode};
pub use value::{Array, Elements, Entries, Map, Value};
pub(crate) use writer::{Counter, MapWriter, Sink, Writer};

const MAJOR_UNSIGNED: u8 = 0;
const MAJOR_NEGATIVE: u8 = 1;
const MAJOR_BYTES: u8 = 2;
const MAJOR_TEXT: u8 = 3;
const MAJOR_ARRAY: u8 = 4;
const MAJOR_MAP: u8 = 5;
const MAJOR_TAG: u8 = 6;

const FALSE: u8 = 0xf4;
const TRUE: u8 = 0xf5;
