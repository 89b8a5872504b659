//! The codes that a case accepts.

use crate::wire::code::Code;

/// One code or several.
pub(crate) trait ExpectedCodes {
    /// The accepted codes.
    fn codes(&self) -> &[Code];
}

impl ExpectedCodes for Code {
    fn codes(&self) -> &[Code] {
        std::slice::from_ref(self)
    }
}

impl<const N: usize> ExpectedCodes for [Code; N] {
    fn codes(&self) -> &[Code] {
        self
    }
}

impl ExpectedCodes for &[Code] {
    fn codes(&self) -> &[Code] {
        self
    }
}
