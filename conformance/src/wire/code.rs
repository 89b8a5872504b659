//! The codes of spec section 14: written down again here, so that a wrong table elsewhere shows.

use std::fmt;

/// The number of a reply's outcome.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Code(pub(crate) u64);

macro_rules! codes {
    ($($name:ident = $number:literal, [$($key:literal),*];)*) => {
        $(#[allow(dead_code, reason = "the table is the specification's, whole")]
        pub(crate) const $name: Code = Code($number);)*

        impl Code {
            /// The name, for a code that version 1 has.
            pub(crate) fn name(self) -> Option<&'static str> {
                match self.0 { $($number => Some(stringify!($name)),)* _ => None }
            }

            /// The keys that the result must have; those of OK depend on the operation [CODE-1].
            pub(crate) fn keys(self) -> &'static [&'static str] {
                match self.0 { $($number => &[$($key),*],)* _ => &[] }
            }
        }
    };
}

codes! {
    OK = 0, [];
    PENDING = 1, [];
    BUSY = 10, ["client", "idle_ms", "session", "lease_ms"];
    NO_SESSION = 11, [];
    AUTH = 12, [];
    VERSION = 13, [];
    SEQ = 14, ["next"];
    SEQ_REUSED = 15, [];
    NOT_FOUND = 20, [];
    EXISTS = 21, [];
    NOT_FILE = 22, [];
    NOT_DIR = 23, [];
    NOT_EMPTY = 24, [];
    BAD_NAME = 25, [];
    NAME_CLASH = 26, [];
    CHANGED = 27, [];
    DENIED = 28, [];
    LOOP = 29, [];
    UNSUPPORTED_KIND = 30, [];
    NO_UPLOAD = 40, [];
    OFFSET = 41, ["off"];
    DIGEST = 42, [];
    TOO_LARGE = 50, [];
    NO_SPACE = 51, [];
    LIMIT = 52, [];
    BAD_MESSAGE = 60, [];
    BAD_OP = 61, [];
    BAD_ARGS = 62, [];
    INTERNAL = 70, [];
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "code {}", self.0),
        }
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
