//! Mutations of limits.

use super::declare::mutations;

mutations! {
    HEADER_ONE_LESS = "headers-one-byte-less", ["LIMIT-1"],
        "It is off by one where it compares the length of a header.";
    HEADER_ONE_MORE = "headers-one-byte-more", ["LIMIT-1", "LIMIT-4", "ENV-18"],
        "It is off by one where it compares the length of a header, the other way.";
    HEADER_OF_ANY_LENGTH = "headers-of-any-length", ["LIMIT-1", "ENV-18"],
        "It leaves the length of headers to the socket.";
    CHUNK_ONE_LESS = "payloads-one-byte-less", ["LIMIT-1", "OP-5"],
        "It refuses a payload as long as the chunk.";
    CHUNK_ONE_MORE = "payloads-one-byte-more", ["LIMIT-1", "OP-5"],
        "It takes a payload one byte longer than the chunk.";
    LEN_OF_ANY_LENGTH = "reads-of-any-length", ["LIMIT-1", "OP-5"],
        "It reads as much as it can of a len that is too large.";
    LONG_REPLIES = "replies-of-any-length", ["LIMIT-2", "LIST-6"],
        "It ends a page by the number of its entries, and not by their bytes.";
    ANY_MESSAGE = "messages-of-any-length-are-awaited", ["LIMIT-3"],
        "It leaves the socket's limit at its default, which is none.";
    TIGHT_SOCKET = "the-socket-takes-a-chunk", ["LIMIT-4"],
        "It has the socket drop what is longer than the chunk.";
    SHORT_QUEUES = "queues-shorter-than-the-window", ["LIMIT-5", "ENV-8"],
        "It lets one reply wait for a client, and drops the next one.";
    READS_ONE_LESS = "reads-one-byte-less", ["LIMIT-1", "OP-5"],
        "It refuses to read as many bytes as a chunk has.";
}
