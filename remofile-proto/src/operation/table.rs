//! The table of operations: what a server and a client have to know about each, in one row.
//!
//! A row that lacks a column does not compile, and neither does an [`Operation`](super::Operation) that lacks a row.

/// How requests of an operation are numbered, and what sending one again may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OperationClass {
    /// Carries seq 0, outside the numbering, and acts on the session alone [ENV-13].
    Session,
    /// Changes no file; a server may compute the reply again for a resend instead of remembering it [SEQ-8].
    Recomputable,
    /// Changes no file; its reply is remembered.
    ReadOnly,
    /// Changes served or staged files, so that a read-only server answers DENIED; its reply is remembered.
    Mutating,
}

/// Which message of an operation has a payload frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PayloadFrame {
    /// Neither the request nor the reply.
    None,
    /// The request; the payload may be of zero length [ENV-4].
    Request,
    /// The reply with code OK [ENV-6].
    Reply,
}

/// What an operation that succeeds does to the staged upload that its `up` names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum UploadEffect {
    /// It names no upload.
    None,
    /// Creates or resumes it, and discards others of the same path [BEGIN-3].
    Begin,
    /// Appends to it; needs a `begin` in the same session [APPEND-2].
    Append,
    /// Ends it, by DIGEST too; needs a `begin` in the same session [COMMIT-1].
    Commit,
    /// Ends it, whichever session began it.
    Abort,
}

/// How a client finds out in a new session what a request without a reply did (spec section 16) [LOST-2].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Recovery {
    /// The request is not numbered and means nothing in another session.
    NotNeeded,
    /// Repeat: executing the request twice has the effect of executing it once.
    Repeat,
    /// Repeat; EXISTS and a directory is there: done.
    RepeatUnlessDirectory,
    /// Repeat; NOT_FOUND: done.
    RepeatUnlessNotFound,
    /// `hash` of the path equals that of the content: done; else repeat.
    CompareContent,
    /// `hash` of `from` and `to` are equal: done; else repeat.
    CompareFiles,
    /// `from` is gone and `to` is there: done; else repeat.
    CheckBothPaths,
    /// If no other request that changes the file was sent, repeat all in order; else report them as in doubt.
    RepeatInOrder,
    /// `begin`, and continue at its `off`.
    Resume,
    /// `begin`; `off` 0, and `hash` of the path equal to the source's: done [UP-8].
    ResumeUnlessCommitted,
}

/// The row of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct OperationInfo {
    /// Which operation it is.
    pub kind: OperationKind,
    /// The name in the header.
    pub name: &'static str,
    /// How its requests are numbered, and what sending one again may do.
    pub class: OperationClass,
    /// Which of its messages has a payload frame.
    pub payload: PayloadFrame,
    /// Whether a client flushes before it reports success [DUR-5].
    ///
    /// `begin`, `append` and `abort` need none: a client compares staged bytes before it resumes an upload [UP-5], and
    /// `commit` makes them durable [DUR-1].
    pub needs_flush: bool,
    /// Whether it processes the content of whole files, so that a client expects PENDING [SEQ-28].
    pub takes_long: bool,
    /// What it does to an upload.
    pub upload: UploadEffect,
    /// What a client does about a request without a reply, once the session is lost.
    pub recovery: Recovery,
}

impl OperationInfo {
    /// The row of the operation with this name; none where version 1 defines no such operation.
    #[must_use]
    pub fn by_name(name: &str) -> Option<&'static Self> {
        OperationKind::from_name(name).map(OperationKind::info)
    }

    /// Whether it carries a seq of 1 or more [ENV-13].
    #[must_use]
    pub const fn is_numbered(&self) -> bool {
        !matches!(self.class, OperationClass::Session)
    }

    /// Whether a server may compute its reply again for a resend [SEQ-8].
    #[must_use]
    pub const fn is_recomputable(&self) -> bool {
        matches!(self.class, OperationClass::Recomputable)
    }

    /// Whether it changes served or staged files.
    #[must_use]
    pub const fn is_mutating(&self) -> bool {
        matches!(self.class, OperationClass::Mutating)
    }

    /// Whether the upload that it names has to be begun in the same session [APPEND-2].
    #[must_use]
    pub const fn needs_begin(&self) -> bool {
        matches!(self.upload, UploadEffect::Append | UploadEffect::Commit)
    }
}

macro_rules! operations {
    ($($kind:ident $name:literal $class:ident $payload:ident $flush:literal $long:literal $upload:ident $recovery:ident;)*) => {
        /// An operation without its arguments.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum OperationKind { $(#[doc = concat!("`", $name, "`")] $kind,)* }

        /// Every operation of version 1, in the order of spec section 11.
        pub const OPERATIONS: &[OperationInfo] = &[$(OperationInfo {
            kind: OperationKind::$kind,
            name: $name,
            class: OperationClass::$class,
            payload: PayloadFrame::$payload,
            needs_flush: $flush,
            takes_long: $long,
            upload: UploadEffect::$upload,
            recovery: Recovery::$recovery,
        },)*];

        impl OperationKind {
            /// The operation with this name, if version 1 defines one.
            #[must_use]
            pub fn from_name(name: &str) -> Option<Self> {
                match name { $($name => Some(Self::$kind),)* _ => None }
            }
        }
    };
}

operations! {
    // kind   name        class         payload  flush  long   upload  recovery
    Hello     "hello"     Session       None     false  false  None    NotNeeded;
    Ping      "ping"      Session       None     false  false  None    NotNeeded;
    Bye       "bye"       Session       None     false  false  None    NotNeeded;
    Stat      "stat"      ReadOnly      None     false  false  None    Repeat;
    List      "list"      Recomputable  None     false  false  None    Repeat;
    Read      "read"      Recomputable  Reply    false  false  None    Repeat;
    Hash      "hash"      ReadOnly      None     false  true   None    Repeat;
    Mkdir     "mkdir"     Mutating      None     true   false  None    RepeatUnlessDirectory;
    Put       "put"       Mutating      Request  true   false  None    CompareContent;
    Write     "write"     Mutating      Request  true   false  None    RepeatInOrder;
    Truncate  "truncate"  Mutating      None     true   false  None    RepeatInOrder;
    Touch     "touch"     Mutating      None     true   false  None    Repeat;
    Remove    "remove"    Mutating      None     true   false  None    RepeatUnlessNotFound;
    Move      "move"      Mutating      None     true   false  None    CheckBothPaths;
    Copy      "copy"      Mutating      None     true   true   None    CompareFiles;
    Begin     "begin"     Mutating      None     false  true   Begin   Repeat;
    Append    "append"    Mutating      Request  false  false  Append  Resume;
    Commit    "commit"    Mutating      None     true   true   Commit  ResumeUnlessCommitted;
    Abort     "abort"     Mutating      None     false  false  Abort   Repeat;
    Uploads   "uploads"   Recomputable  None     false  false  None    Repeat;
    Flush     "flush"     ReadOnly      None     false  true   None    Repeat;
}

impl OperationKind {
    /// The row of the operation.
    #[must_use]
    pub const fn info(self) -> &'static OperationInfo {
        // One macro makes the variants and the rows, in one order.
        &OPERATIONS[self as usize]
    }
}

const _: () = {
    let mut at = 0;
    while at < OPERATIONS.len() {
        assert!(OPERATIONS[at].kind as usize == at, "each kind has one row");
        at += 1;
    }
};
