//! Ways to be unlike other servers while keeping every rule: a suite that fails one of them is wrong.

/// A server that is conformant, and odd.
#[derive(Debug)]
pub struct Oddity {
    /// Its name on the command line, in words joined by hyphens.
    pub name: &'static str,
    /// What is odd about it, in a sentence.
    pub story: &'static str,
}

/// Declares oddities: `WINDOW_ONE = "window-one", "It takes one request at a time.";`
macro_rules! oddities {
    ($($constant:ident = $name:literal, $story:literal;)*) => {
        $(#[doc = $story] pub(crate) const $constant: Oddity = Oddity { name: $name, story: $story };)*
        const ALL: &[&Oddity] = &[$(&$constant),*];
    };
}

oddities! {}

/// Every oddity.
pub fn oddities() -> impl Iterator<Item = &'static Oddity> {
    ALL.iter().copied()
}
