//! Reply codes: one table makes their numbers, names and texts.

macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident = $number:literal, $name:literal, $text:literal;)*) => {
        /// A reply code of version 1 (spec section "Codes").
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        #[repr(u8)]
        pub enum Code { $($(#[$doc])* #[doc = $text] $variant = $number,)* }

        impl Code {
            /// Every code, in the order of their numbers.
            pub const ALL: &'static [Code] = &[$(Code::$variant,)*];

            /// The code with this number, if version 1 defines one.
            #[must_use]
            pub fn from_number(number: u64) -> Option<Code> {
                match number { $($number => Some(Code::$variant),)* _ => None }
            }

            /// The name as the specification writes it, for example `NOT_FOUND`.
            #[must_use]
            pub fn name(self) -> &'static str { match self { $(Code::$variant => $name,)* } }

            /// The message for the user.
            #[must_use]
            pub fn text(self) -> &'static str { match self { $(Code::$variant => $text,)* } }
        }
    };
}

codes! {
    Ok = 0, "OK", "the request was executed";
    Pending = 1, "PENDING", "the request is still being executed";
    Busy = 10, "BUSY", "another client holds the session";
    NoSession = 11, "NO_SESSION", "this session is not open";
    Auth = 12, "AUTH", "the token was refused";
    Version = 13, "VERSION", "this protocol version is not supported";
    Seq = 14, "SEQ", "the sequence number is not the next one";
    SeqReused = 15, "SEQ_REUSED", "the sequence number was used for another request";
    NotFound = 20, "NOT_FOUND", "there is no such file or directory";
    Exists = 21, "EXISTS", "something is already there";
    NotFile = 22, "NOT_FILE", "a directory stands where a file is needed";
    NotDir = 23, "NOT_DIR", "something else stands where a directory is needed";
    NotEmpty = 24, "NOT_EMPTY", "the directory is not empty";
    BadName = 25, "BAD_NAME", "the path has a name that is not allowed";
    NameClash = 26, "NAME_CLASH", "the name is taken under another spelling";
    Changed = 27, "CHANGED", "the file is not the one that was named";
    Denied = 28, "DENIED", "the server does not allow this";
    Loop = 29, "LOOP", "the target lies at or below the source";
    UnsupportedKind = 30, "UNSUPPORTED_KIND", "a link or special file is not followed or opened";
    NoUpload = 40, "NO_UPLOAD", "this upload was not begun in this session";
    Offset = 41, "OFFSET", "the upload continues at another offset";
    Digest = 42, "DIGEST", "the uploaded bytes have another hash";
    TooLarge = 50, "TOO_LARGE", "the size is above the limit";
    NoSpace = 51, "NO_SPACE", "there is no space left";
    Limit = 52, "LIMIT", "a limit of the server is reached";
    BadMessage = 60, "BAD_MESSAGE", "the message breaks the envelope or the CBOR profile";
    BadOp = 61, "BAD_OP", "this operation is not known here";
    BadArgs = 62, "BAD_ARGS", "the arguments do not fit the operation";
    Internal = 70, "INTERNAL", "the server failed";
}

impl Code {
    /// The number on the wire, 0 to 255.
    #[must_use]
    pub fn number(self) -> u8 {
        self as u8
    }
}

/// What the range of a code means, for codes that a later version adds [CODE-4].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Class {
    /// 0 and 1: executed, or being executed.
    Progress,
    /// 10 to 19: about the session; an unknown code means that it is lost.
    Session,
    /// 2 to 9 and 20 to 39: the request was refused and has changed nothing.
    Refused,
    /// 40 to 49: about an upload.
    Upload,
    /// 50 to 59: a limit of the server.
    Limits,
    /// 60 to 69: the client broke the protocol.
    Protocol,
    /// 70 and above: the server failed.
    Internal,
}

impl Class {
    /// The class of a code, known or not.
    #[must_use]
    pub fn of(number: u64) -> Self {
        match number {
            0 | 1 => Self::Progress,
            10..=19 => Self::Session,
            2..=9 | 20..=39 => Self::Refused,
            40..=49 => Self::Upload,
            50..=59 => Self::Limits,
            60..=69 => Self::Protocol,
            _ => Self::Internal,
        }
    }
}

impl Code {
    /// What the range of the code means.
    #[must_use]
    pub fn class(self) -> Class {
        Class::of(self.number().into())
    }
}

impl core::fmt::Display for Code {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.name())
    }
}
