//! Mutations of stat, read and hash.

use super::declare::mutations;

mutations! {
    STAT_FOLLOWS = "stat-follows-links", ["STAT-1", "PATH-11", "ENTRY-1", "PATH-10"],
        "It calls stat, and not lstat.";
    NO_STAT_OF_THE_ROOT = "the-root-is-not-found", ["STAT-1"],
        "It looks for the last name of a path, and finds none in the path of the served directory.";
    READ_UNGUARDED = "read-ignores-the-etag", ["OP-7", "READ-3"],
        "It sends the etag with what is read, and leaves it to clients to compare.";
    READ_TO_THE_LAST_BYTE = "a-read-stops-before-the-last-byte", ["READ-1", "READ-4"],
        "It takes the size of a file for the offset of its last byte, and stops before that.";
    PAST_THE_END = "a-read-past-the-end-is-refused", ["READ-1"],
        "It takes an offset past the end for a bad argument.";
    AT_THE_END = "a-read-at-the-end-is-refused", ["READ-1"],
        "It says of bytes that are not there that they are not found.";
    SHORT_READS = "reads-are-short", ["READ-4", "READ-1"],
        "It reads as much as one call gives it, which asks for 64 KiB at most.";
    PADDED_READS = "reads-are-padded", ["READ-1"],
        "It sends its whole buffer, of which the end of the file filled a part.";
    SIZE_OF_THE_PAYLOAD = "read-returns-the-size-of-the-payload", ["READ-2", "ENTRY-5"],
        "It takes size for the number of bytes that it sends.";
    HASH_OF_ALL = "hash-is-of-the-whole-file", ["HASH-1"],
        "It hashes the whole file, whatever part is asked for.";
    HASH_FROM_THE_START = "hash-ignores-off", ["HASH-1"],
        "It hashes the requested number of bytes, from the start of the file.";
    HASH_RETURNS_LEN = "hash-returns-the-requested-len", ["HASH-1"],
        "It answers the len of the request where the file has less.";
    HASH_OF_NO_LEN = "a-hash-of-nothing-is-of-all", ["HASH-1"],
        "It takes a len of 0 for one that was left out.";
    HASH_OF_A_CHUNK = "hash-keeps-to-a-chunk", ["HASH-1", "OP-5"],
        "It limits the len of a hash like that of a read.";
    HASH_KEYED = "hash-is-keyed", ["HASH-1"],
        "It hashes with the derive-key mode of BLAKE3, to be safe from other uses of the hash.";
    HASH_IS_NOT_HELD = "a-file-that-changes-is-hashed", ["HASH-2"],
        "It hashes whatever it reads, and asks for the etag in the end.";
    HASH_DOES_NOT_SEE_GROWTH = "a-file-that-grows-is-hashed", ["HASH-2"],
        "It takes a file for unchanged as long as it has the bytes that are hashed.";
    PAST_THE_END_IS_CHANGED = "a-guarded-read-past-the-end-is-changed", ["READ-3", "OP-7"],
        "It takes an offset past the end for a sign that the file was longer at the time of its etag.";
}
