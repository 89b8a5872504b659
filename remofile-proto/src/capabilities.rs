//! Capabilities: the extensions that a server announces in the reply to hello (spec section 17).

use crate::cbor::{Array, Value};
use crate::fields::FieldError;
use crate::limits;
use alloc::{borrow::ToOwned, string::String, vec::Vec};

/// A capability that this crate implements. Version 1 defines none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Capability {}

impl Capability {
    /// Every capability that this crate implements.
    pub const ALL: &'static [Self] = &[];

    /// The name in `caps`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {}
    }

    /// The capability with this name, if this crate implements it.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|capability| capability.name() == name)
    }
}

/// The capabilities that a server announces, in its order; at most 256 of them are kept.
///
/// A client accepts any order and any name [HELLO-7]: unknown names are kept to be shown, and enable nothing.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Capabilities(Vec<String>);

impl Capabilities {
    /// Whether the server announces this capability: a client uses nothing of one that it does not [EXT-1].
    #[must_use]
    pub fn has(&self, capability: Capability) -> bool {
        self.0.iter().any(|name| name == capability.name())
    }

    /// The names, known and unknown.
    pub fn names(&self) -> impl ExactSizeIterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// Reads `caps`. An empty name is one byte here and 24 in memory, so only so many members are kept.
    pub(crate) fn read(array: Array<'_>) -> Result<Self, FieldError> {
        let mut kept = Vec::with_capacity(array.len().min(limits::CAPS));
        for member in array {
            let Value::Text(name) = member else {
                return Err(FieldError::Unfit { key: "caps", expected: "an array of text" });
            };
            if kept.len() < limits::CAPS {
                kept.push(name.to_owned());
            }
        }
        Ok(Self(kept))
    }
}

/// Collects names in their order; those after the 256th are left out.
impl<S: Into<String>> FromIterator<S> for Capabilities {
    fn from_iter<I: IntoIterator<Item = S>>(names: I) -> Self {
        Self(names.into_iter().take(limits::CAPS).map(Into::into).collect())
    }
}
