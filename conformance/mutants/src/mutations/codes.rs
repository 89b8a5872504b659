//! Mutations of codes, their order, and what all operations share.

use super::declare::mutations;

mutations! {
    FLUSH_IS_MISSING = "flush-is-not-offered", ["OP-1", "FLUSH-1"],
        "It has nothing to flush, and does not offer it.";
    MISSING_ARGUMENTS = "missing-arguments-have-defaults", ["OP-2"],
        "It takes zero or nothing for what is left out.";
    TYPES_ARE_IGNORED = "wrong-types-are-left-out", ["OP-2", "OP-4"],
        "It takes an argument of another type for one that is left out.";
    RANGES_ARE_IGNORED = "ranges-are-not-checked", ["OP-2", "OP-4"],
        "It takes a value out of its range for one that is left out.";
    SUMS_ARE_IGNORED = "sums-are-not-checked", ["OP-2"],
        "It checks offset and length, and not their sum.";
    ETAG_OF_ANY_LENGTH = "etags-of-any-length", ["OP-4"],
        "It compares etags, and does not look how long they are.";
    ID_OF_ANY_LENGTH = "ids-of-any-length", ["OP-4", "OP-2"],
        "It fills the id of an upload up with zeros, and cuts it off.";
    PRE_OF_ANY_TEXT = "pre-of-any-text", ["OP-4"],
        "It takes any text but absent for any.";
    RESULT_OF_NOTHING = "remove-returns-the-path", ["OP-3"],
        "It tells what it removed.";
    UNKNOWN_ARGUMENTS = "unknown-arguments-are-ignored", ["CBOR-13"],
        "It picks the arguments that it knows, and never sees the others.";
    MISSING_IS_INTERNAL = "not-found-is-internal", ["CODE-5", "STAT-1"],
        "It has no line for a missing file in its table of the system's errors.";
    SEQ_WITHOUT_NEXT = "seq-without-next", ["CODE-1", "SEQ-5"],
        "It answers SEQ with a sentence, and leaves the number out.";
    NUMBERS_FOR_PEOPLE = "msg-is-a-number", ["CODE-2"],
        "It sends the number of the system's error for a sentence.";
    ROOT_IS_REVEALED = "msg-reveals-the-root", ["CODE-3"],
        "It tells people the whole path of what it did not find.";
    NO_SESSION_LATE = "sequence-before-session", ["CODE-5", "SES-19"],
        "It looks at the number before it looks at the session.";
    ARGS_BEFORE_SESSION = "arguments-before-session", ["CODE-5", "SES-19"],
        "It checks the arguments before it looks at session and number.";
    PINGS_OF_OTHERS = "pings-of-other-sessions-are-not-checked", ["CODE-5"],
        "It tells who asks by ping or bye that there is no such session, and does not look at the arguments.";
    ARGS_BEFORE_SEQ = "arguments-before-sequence", ["CODE-5", "SEQ-5"],
        "It checks the arguments before it looks at the number.";
    LARGE_BEFORE_ARGS = "too-large-before-arguments", ["CODE-5", "CBOR-13"],
        "It looks at the size of a payload first, to throw it away.";
    PATHS_BEFORE_ARGS = "paths-before-arguments", ["CODE-5", "OP-2"],
        "It checks paths where it reads them, before the other arguments.";
    PATHS_BEFORE_LARGE = "paths-before-too-large", ["CODE-5", "OP-5"],
        "It checks the paths before the size.";
    TO_BEFORE_FROM = "to-before-from", ["CODE-5", "PATH-7"],
        "It checks where a thing goes before where it is.";
    LOOP_IS_LATE = "loop-is-found-late", ["CODE-5", "MOVE-2", "COPY-2"],
        "It looks whether the target is the source when it has found the source.";
    DENIED_EARLY = "denied-before-arguments", ["CODE-5"],
        "It refuses every change of a read-only server before it looks what it is.";
    READ_ONLY_IS_BAD_OP = "read-only-is-bad-op", ["CODE-5", "OP-1"],
        "It does not offer what it would have to refuse on a read-only server.";
    OFFSET_BEFORE_UPLOAD = "offset-before-no-upload", ["CODE-5", "APPEND-2"],
        "It takes an upload that it does not know for one of nothing.";
    UNFLUSHED = "a-read-only-server-does-not-flush", ["FLUSH-1", "OP-1"],
        "It denies flush and uploads where there is nothing to flush and nothing staged.";
    OWN_CODE = "a-code-of-its-own", ["CODE-5"],
        "It has a code of its own for a directory that is not empty.";
    FLUSH_RETURNS_LEN = "flush-returns-a-len", ["OP-3"],
        "It tells how many files it has flushed.";
    NO_SIZE = "a-partial-read-has-no-size", ["OP-1", "READ-2", "READ-4"],
        "It tells the size of a file with the read that reaches its end.";
}
