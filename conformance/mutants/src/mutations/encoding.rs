//! Mutations of the CBOR profile.

use super::declare::mutations;

mutations! {
    SIMPLE_VALUES = "null-is-read", ["CBOR-1", "CBOR-10"],
        "Its CBOR library reads null and other simple values, and the author did not turn that off.";
    FLOATS = "floats-are-read", ["CBOR-1", "CBOR-10"],
        "Its CBOR library reads floating-point numbers, and the author did not turn that off.";
    TAGS = "tags-are-read", ["CBOR-1", "CBOR-10"],
        "Its CBOR library skips tags.";
    LARGE_INTEGERS = "large-integers-are-cut", ["CBOR-2", "CBOR-10"],
        "It reads integers of 64 bits, and takes the nearest that it has.";
    LONG_NUMBERS = "long-numbers-are-read", ["CBOR-3", "CBOR-10"],
        "It reads numbers and lengths in any form, as most decoders do.";
    INDEFINITE_LENGTHS = "indefinite-lengths-are-read", ["CBOR-4", "CBOR-10"],
        "Its CBOR library reads strings, arrays and maps of indefinite length.";
    BROKEN_TEXT = "invalid-text-is-repaired", ["CBOR-5", "CBOR-10"],
        "It replaces what is not UTF-8.";
    KEYS_OF_ANY_TYPE = "keys-of-any-type", ["CBOR-6", "CBOR-10"],
        "It skips entries whose key is no text.";
    LONG_KEYS = "long-keys-are-read", ["CBOR-6", "CBOR-10"],
        "It has no limit on the length of a key.";
    KEYS_TWICE = "keys-may-come-twice", ["CBOR-7", "CBOR-10"],
        "It puts arguments into a table, where the last one of a name stays.";
    KEYS_IN_ANY_ORDER = "keys-in-any-order", ["CBOR-7", "CBOR-10"],
        "It puts arguments into a table, and has lost their order when it could look at it.";
    NINE_DEEP = "nesting-is-off-by-one", ["CBOR-8", "CBOR-10"],
        "It does not count the header's own array.";
    SEVEN_DEEP = "nesting-is-one-short", ["CBOR-8", "LIMIT-1"],
        "It counts a level of its own as one of nesting.";
    ANY_DEPTH = "nesting-has-no-limit", ["CBOR-8", "CBOR-10"],
        "It counts no levels; what is nested deeper than it can use is skipped.";
    TRAILING_BYTES = "trailing-bytes-are-ignored", ["CBOR-9", "CBOR-10"],
        "It decodes a value, and does not ask where that ended.";
    CUT_IS_COMPLETE = "missing-bytes-are-made-up", ["CBOR-10", "CBOR-12"],
        "It stops at the end of the frame, and takes what it has.";
    TRUSTED_CLAIMS = "lengths-are-trusted", ["CBOR-12"],
        "It makes room for what a length announces, before it looks at what is there.";
    HELLO_IS_TRUSTED = "hello-is-read-loosely", ["CBOR-10"],
        "It reads hello, whose unknown arguments are ignored, without checking them.";
    UNKNOWN_OPERATIONS_ARE_TRUSTED = "unknown-operations-are-read-loosely", ["CBOR-10", "ENV-20"],
        "It checks what it decodes, and does not decode the arguments of what it does not know.";
    OTHER_SESSIONS_ARE_TRUSTED = "other-sessions-are-read-loosely", ["CBOR-10", "CODE-5"],
        "It answers NO_SESSION to other sessions before it checks what they sent.";
    PING_HAS_ARGUMENTS = "ping-takes-any-argument", ["CBOR-13"],
        "It does not look at the arguments of operations that have none.";
    HELLO_IS_STRICT = "hello-refuses-unknown-arguments", ["CBOR-13"],
        "It treats unknown arguments of hello like all others.";
    KNOWN_ELSEWHERE = "arguments-of-others-are-ignored", ["CBOR-13"],
        "It has one table of arguments for all operations, and refuses what is not in it.";
    WRITES_NULL = "null-for-what-is-absent", ["CBOR-1"],
        "It writes null for what it does not know, where the key is to be left out.";
    WRITES_LARGE_NUMBERS = "sizes-of-64-bits", ["CBOR-2"],
        "It writes a sentinel of 64 bits where nothing is to be told.";
    WRITES_LONG_NUMBERS = "numbers-of-eight-bytes", ["CBOR-3", "STAT-1"],
        "It writes sizes in eight bytes, whatever they are.";
    WRITES_INDEFINITE = "maps-of-indefinite-length", ["CBOR-4"],
        "It writes results as they come, and closes the map when there are no more.";
    WRITES_LATIN = "texts-of-one-byte-a-letter", ["CBOR-5", "SES-7"],
        "It writes the name of a client in the encoding of its system.";
    WRITES_BYTES_FOR_KEYS = "keys-are-byte-strings", ["CBOR-6"],
        "It writes the keys of results with an entry as byte strings, as some languages do by themselves.";
    WRITES_ALPHABETICALLY = "keys-in-alphabetical-order", ["CBOR-7", "ENTRY-1"],
        "It sorts keys by the alphabet, and not by their encodings.";
    WRITES_A_LINE_FEED = "a-line-feed-after-not-found", ["CBOR-9"],
        "It ends what it has to say about a missing file with a line feed.";
    WANTS_THE_ALPHABET = "keys-are-wanted-in-alphabetical-order", ["CBOR-7", "LIMIT-1"],
        "It wants the keys of an argument that it does not know in the order of the alphabet.";
    BASIC_PLANE = "text-has-sixteen-bits-a-letter", ["CBOR-5", "LIMIT-1"],
        "It keeps text in units of 16 bits, and refuses letters that take two of them.";
    FEW_ITEMS = "a-map-or-array-has-256-items", ["CBOR-10", "LIMIT-1"],
        "It has room for 256 items of an array or a map.";
    WRITES_DEEP = "refusals-are-nested-too-deep", ["CBOR-8"],
        "It tells with BAD_MESSAGE what led to it, and what led to that.";
}
