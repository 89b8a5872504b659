//! Owned values of any shape, for tests and for peers that say what no operation says.

use super::Writer;
use super::reader::key_order;
use super::value::Value;
use crate::limits;
use alloc::{borrow::ToOwned, string::String, vec::Vec};

/// An owned value; [`Item::encode`] brings its maps into order.
///
/// Decoding does not make these: a [`Value`] borrows, and copying one costs many times its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// An integer.
    Int(i64),
    /// A byte string.
    Bytes(Vec<u8>),
    /// Text.
    Text(String),
    /// A boolean.
    Bool(bool),
    /// An array.
    Array(Vec<Item>),
    /// A map, in any order.
    Map(Vec<(String, Item)>),
}

/// An [`Item`] has no encoding in the profile.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ItemError {
    /// A key of 24 bytes or more.
    #[error("the key {0:?} is longer than 23 bytes")]
    KeyLength(String),
    /// A key that is there twice.
    #[error("the key {0:?} is there twice")]
    KeyTwice(String),
    /// More than eight arrays and maps inside each other.
    #[error("an array or map is nested deeper than 8")]
    Depth,
}

impl Item {
    /// The one encoding of this value.
    ///
    /// # Errors
    /// A key is too long or there twice, or the value is nested too deep.
    pub fn encode(&self) -> Result<Vec<u8>, ItemError> {
        let mut writer = Writer(Vec::new());
        self.write(&mut writer, limits::NESTING)?;
        Ok(writer.0)
    }

    fn write(&self, writer: &mut Writer<Vec<u8>>, depth: usize) -> Result<(), ItemError> {
        match self {
            Item::Int(number) => writer.int(*number),
            Item::Bytes(bytes) => writer.bytes(bytes),
            Item::Text(text) => writer.text(text),
            Item::Bool(value) => writer.bool(*value),
            Item::Array(elements) => {
                let depth = depth.checked_sub(1).ok_or(ItemError::Depth)?;
                writer.array(elements.len());
                elements.iter().try_for_each(|element| element.write(writer, depth))?;
            }
            Item::Map(entries) => {
                let depth = depth.checked_sub(1).ok_or(ItemError::Depth)?;
                writer.map_head(entries.len());
                for (key, value) in sorted(entries)? {
                    writer.text(key);
                    value.write(writer, depth)?;
                }
            }
        }
        Ok(())
    }
}

impl From<Value<'_>> for Item {
    fn from(value: Value<'_>) -> Self {
        match value {
            Value::Int(number) => Item::Int(number),
            Value::Bytes(bytes) => Item::Bytes(bytes.to_owned()),
            Value::Text(text) => Item::Text(text.to_owned()),
            Value::Bool(value) => Item::Bool(value),
            Value::Array(elements) => Item::Array(elements.iter().map(Item::from).collect()),
            Value::Map(entries) => {
                Item::Map(entries.iter().map(|(key, value)| (key.to_owned(), value.into())).collect())
            }
        }
    }
}

fn sorted(entries: &[(String, Item)]) -> Result<Vec<&(String, Item)>, ItemError> {
    let mut entries: Vec<_> = entries.iter().collect();
    entries.sort_by(|(a, _), (b, _)| key_order(a, b));
    if let Some((key, _)) = entries.iter().find(|(key, _)| key.len() > limits::KEY) {
        return Err(ItemError::KeyLength(key.clone()));
    }
    if let Some(twice) = entries.windows(2).find(|pair| pair[0].0 == pair[1].0) {
        return Err(ItemError::KeyTwice(twice[0].0.clone()));
    }
    Ok(entries)
}
