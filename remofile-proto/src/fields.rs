//! Typed access to the fields of `args` and results, for requests and replies alike.

use crate::cbor::{Array, Map, Value};
use crate::{BootId, Code, Digest, Etag, Precondition, Refusal, RootId, SessionId, UploadId};
use alloc::{borrow::ToOwned, string::String, string::ToString};

/// A map does not have the fields that it should.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FieldError {
    /// A field is not there.
    #[error("{key} is missing")]
    Missing {
        /// The field's key.
        key: &'static str,
    },
    /// A field has a value of another type, length or range.
    #[error("{key} is not {expected}")]
    Unfit {
        /// The field's key.
        key: &'static str,
        /// What it should be.
        expected: &'static str,
    },
    /// A field that the operation does not have.
    #[error("{key:?} is not an argument of this operation")]
    Unknown {
        /// The field's key.
        key: String,
    },
}

impl From<FieldError> for Refusal {
    fn from(error: FieldError) -> Self {
        Refusal::because(Code::BadArgs, error.to_string())
    }
}

/// A type that a field can have.
pub(crate) trait Field<'a>: Sized {
    /// Completes the sentence "off is not …".
    const EXPECTED: &'static str;
    /// The value, if it has this type.
    fn read(value: Value<'a>) -> Option<Self>;
}

/// The fields of a map.
#[derive(Clone, Copy)]
pub(crate) struct Fields<'a>(pub(crate) Map<'a>);

impl<'a> Fields<'a> {
    /// Refuses every key that is not in `known`.
    pub(crate) fn only(&self, known: &[&str]) -> Result<(), FieldError> {
        match self.0.iter().find(|(key, _)| !known.contains(key)) {
            Some((key, _)) => Err(FieldError::Unknown { key: key.to_owned() }),
            None => Ok(()),
        }
    }

    pub(crate) fn required<T: Field<'a>>(&self, key: &'static str) -> Result<T, FieldError> {
        self.optional(key)?.ok_or(FieldError::Missing { key })
    }

    pub(crate) fn optional<T: Field<'a>>(&self, key: &'static str) -> Result<Option<T>, FieldError> {
        let read = |value| T::read(value).ok_or(FieldError::Unfit { key, expected: T::EXPECTED });
        self.0.get(key).map(read).transpose()
    }

    /// A flag that is false where it is left out.
    pub(crate) fn flag(&self, key: &'static str) -> Result<bool, FieldError> {
        Ok(self.optional(key)?.unwrap_or(false))
    }
}

macro_rules! fields {
    ($($type:ty, $expected:literal, $pattern:pat => $read:expr;)*) => {$(
        impl<'a> Field<'a> for $type {
            const EXPECTED: &'static str = $expected;
            fn read(value: Value<'a>) -> Option<Self> {
                match value { $pattern => $read, _ => None }
            }
        }
    )*};
}

fields! {
    u64, "an unsigned integer", Value::Int(number) => u64::try_from(number).ok();
    i64, "an integer", Value::Int(number) => Some(number);
    bool, "a boolean", Value::Bool(value) => Some(value);
    &'a str, "text", Value::Text(text) => Some(text);
    Array<'a>, "an array", Value::Array(array) => Some(array);
    Map<'a>, "a map", Value::Map(map) => Some(map);
    [u8; 32], "a byte string of 32 bytes", Value::Bytes(bytes) => bytes.try_into().ok();
    SessionId, "a byte string of 16 bytes", Value::Bytes(bytes) => bytes.try_into().ok();
    UploadId, "a byte string of 16 bytes", Value::Bytes(bytes) => bytes.try_into().ok();
    BootId, "a byte string of 16 bytes", Value::Bytes(bytes) => bytes.try_into().ok();
    RootId, "a byte string of 16 bytes", Value::Bytes(bytes) => bytes.try_into().ok();
    Digest, "a byte string of 32 bytes", Value::Bytes(bytes) => bytes.try_into().ok();
    Etag, "a byte string of 1 to 64 bytes", Value::Bytes(bytes) => bytes.try_into().ok();
}

impl<'a> Field<'a> for Precondition {
    const EXPECTED: &'static str = "\"absent\", \"any\" or a byte string of 1 to 64 bytes";
    fn read(value: Value<'a>) -> Option<Self> {
        match value {
            Value::Text("absent") => Some(Precondition::Absent),
            Value::Text("any") => Some(Precondition::Any),
            Value::Bytes(_) => Etag::read(value).map(Precondition::Etag),
            _ => None,
        }
    }
}
