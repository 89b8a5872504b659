//! What an answer may be.

use crate::wire::code::Code;

/// One code or several.
pub(crate) trait Codes {
    /// The codes that are allowed.
    fn codes(&self) -> &[Code];
}

impl Codes for Code {
    fn codes(&self) -> &[Code] {
        std::slice::from_ref(self)
    }
}

impl<const N: usize> Codes for [Code; N] {
    fn codes(&self) -> &[Code] {
        self
    }
}

impl Codes for &[Code] {
    fn codes(&self) -> &[Code] {
        self
    }
}
