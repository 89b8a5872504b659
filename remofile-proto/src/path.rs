//! Paths: `/` or one or more `/name`, checked once and valid from then on.

use alloc::{borrow::ToOwned, string::String};

/// A path below the served directory, valid by construction (spec section "Paths and names").
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Path(String);

/// Why a text is not a path.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PathError {
    /// Longer than 4096 bytes.
    #[error("the path is {0} bytes long, more than 4096")]
    TooLong(usize),
    /// More than 128 names.
    #[error("the path has {0} names, more than 128")]
    TooDeep(usize),
}

impl Path {
    /// The served directory itself.
    #[must_use]
    pub fn root() -> Self {
        Self("/".to_owned())
    }

    /// Whether this is the served directory itself.
    #[must_use]
    pub fn is_root(&self) -> bool {
        self.0 == "/"
    }

    /// The text, beginning with `/`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The names from the top down; none for the root.
    pub fn names(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.0[1..].split('/').filter(|name| !name.is_empty())
    }

    /// The path of the directory that holds this, and the last name; none for the root.
    #[must_use]
    pub fn split_last(&self) -> Option<(&str, &str)> {
        if self.is_root() {
            return None;
        }
        let (parent, name) = self.0.rsplit_once('/')?;
        Some((if parent.is_empty() { "/" } else { parent }, name))
    }

    /// Whether `self` is `other` or lies below it.
    #[must_use]
    pub fn is_at_or_below(&self, other: &Path) -> bool {
        other.is_root()
            || self.0 == other.0
            || (self.0.starts_with(&other.0) && self.0.as_bytes().get(other.0.len()) == Some(&b'/'))
    }
}
