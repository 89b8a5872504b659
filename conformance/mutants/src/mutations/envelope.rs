//! Mutations of the envelope.

use super::declare::mutations;

mutations! {
    ONE_ROUTING_FRAME = "one-routing-frame", ["ENV-2"],
        "It knows ROUTER sockets, which put one frame before the delimiter, and sends back one.";
    ROUTING_IS_TURNED = "routing-is-turned-around", ["ENV-2"],
        "It pops the routing frames from a stack, and pushes them back the wrong way round.";
    LAST_DELIMITER = "last-empty-frame-delimits", ["ENV-3", "ENV-4"],
        "It looks for the delimiter from the end.";
    PAYLOADS_MAY_BE_MISSING = "payloads-may-be-missing", ["ENV-4", "ENV-18"],
        "It takes a payload frame that is not there for an empty one.";
    FURTHER_FRAMES = "further-frames-are-ignored", ["ENV-4", "ENV-18"],
        "It takes the payload from the second frame, and never counts the frames.";
    PAYLOADS_ARE_IGNORED = "payloads-are-ignored", ["ENV-5", "ENV-18"],
        "It looks for a payload where an operation has one, and nowhere else.";
    PAYLOADS_OF_SEQ_0 = "payloads-of-seq-0-are-ignored", ["ENV-5", "ENV-18"],
        "It answers hello, ping and bye before it counts the frames.";
    NOTHING_IS_NO_PAYLOAD = "nothing-is-no-payload", ["ENV-6"],
        "It sends a payload frame where there is a payload, and there is none at the end of a file.";
    UPLOADS_WITH_PAYLOAD = "uploads-are-answered-with-payloads", ["ENV-7", "BEGIN-1", "APPEND-1"],
        "It sends an empty payload frame with the replies to begin and append.";
    REFUSED_WITH_PAYLOAD = "not-found-has-a-payload", ["ENV-7"],
        "It sends an empty payload for a file that is not there.";
    REMEMBERED_TWICE = "remembered-replies-come-twice", ["ENV-8"],
        "It sends a remembered reply where it is found, and again where replies are sent.";
    OLDER_POLLS_FORGOTTEN = "older-polls-are-forgotten", ["ENV-8", "SEQ-27"],
        "It has room for one who waits, and a poll takes the place of the one before.";
    ARGS_OF_ANY_TYPE = "args-of-any-type", ["ENV-10", "ENV-18"],
        "It takes args that are no map for an empty one.";
    OPERATION_OF_ANY_TYPE = "operation-of-any-type", ["ENV-10", "ENV-18"],
        "It looks the operation up, and finds none that is not a text.";
    NEGATIVE_NUMBERS = "negative-numbers", ["ENV-10", "ENV-18"],
        "It reads the number as a signed one, and takes what lies below 0 for 0.";
    REFUSALS_WITHOUT_RESULT = "bad-message-has-no-result", ["ENV-11", "ENV-18"],
        "It leaves the result out of BAD_MESSAGE, which has nothing to tell.";
    OWNERS_SESSION = "refusals-have-the-owners-session", ["ENV-12"],
        "It writes the open session into each reply, also into those to other sessions.";
    SEQ_OF_NEXT = "refusals-have-the-next-number", ["ENV-12", "SEQ-5"],
        "It answers SEQ under the number that it selects.";
    NUMBERED_PING = "ping-may-have-a-number", ["ENV-13", "CODE-5"],
        "It executes ping, hello and bye under whatever number they come.";
    UNNUMBERED_IS_BAD = "without-a-number-is-bad-message", ["ENV-13", "CODE-5"],
        "It takes a stat with seq 0 for a broken message.";
    STRANGE_IS_ANSWERED = "strange-messages-are-answered", ["ENV-14", "ENV-8"],
        "It answers BAD_MESSAGE to whatever it cannot read.";
    EMPTY_IS_ANSWERED = "empty-headers-are-answered", ["ENV-14", "ENV-8"],
        "It answers BAD_MESSAGE to a header of no bytes.";
    ANY_VERSION = "any-letter-is-a-version", ["ENV-14", "ENV-8"],
        "It compares the first three letters of the magic, and takes the fourth for a version.";
    REPLIES_ARE_ANSWERED = "replies-are-answered", ["ENV-15", "ENV-8"],
        "It did not look for replies, and refuses them like any header that it cannot read.";
    REPLIES_OF_VERSION_1 = "replies-of-this-version-only", ["ENV-15", "ENV-8"],
        "It answers VERSION to a reply of another version.";
    NEGATIVE_CODES = "negative-codes-make-no-reply", ["ENV-15", "ENV-8"],
        "It takes for a reply what has an unsigned code.";
    CUT_REPLIES = "cut-replies-are-answered", ["ENV-15", "ENV-8"],
        "It takes for a reply what decodes as one.";
    VERSION_TO_THE_SESSION = "version-to-the-session", ["ENV-16", "ENV-12"],
        "It answers VERSION to the session that stands where this version has one.";
    VERSION_NEEDS_A_SESSION = "version-needs-a-session", ["ENV-16"],
        "It answers VERSION only to headers with a session of 16 bytes.";
    VERSION_NEEDS_A_HEADER = "version-needs-a-header", ["ENV-16", "CODE-5"],
        "It decodes first, and looks at the version of what decodes.";
    VERSION_TO_THE_NEWER = "version-to-the-newer", ["ENV-16"],
        "It answers VERSION to what is newer, and takes rmf0 for its own.";
    SHORT_IS_REFUSED = "short-headers-are-refused", ["ENV-17", "ENV-8"],
        "It answers BAD_MESSAGE to a header that is too short to have a session.";
    SHORT_BY_ONE = "headers-of-23-bytes-are-ignored", ["ENV-17"],
        "It wants a byte after the session before it takes a header for a request.";
    BAD_MESSAGE_WITH_SEQ_0 = "bad-message-has-seq-0", ["ENV-18"],
        "It does not look for the number of what does not decode.";
    BAD_MESSAGE_OF_NO_SESSION = "bad-message-to-no-session", ["ENV-18"],
        "It does not look for the session of what does not decode.";
    LOOSE_SEQ = "bad-message-repeats-any-number", ["ENV-18"],
        "It repeats a number of BAD_MESSAGE whatever its form.";
    REP_ANSWERS_IN_FULL = "rep-answers-in-full", ["ENV-19"],
        "It has to answer on REP, and answers BAD_MESSAGE.";
    UNKNOWN_IS_BAD_MESSAGE = "unknown-operations-are-bad-message", ["ENV-20", "SEQ-6"],
        "It takes an operation that it does not know for a broken header.";
    UNKNOWN_WITH_PAYLOAD = "unknown-operations-have-payloads", ["ENV-20", "ENV-5"],
        "It cannot know whether an unknown operation has a payload, and lets it pass.";
    UNKNOWN_IS_BAD_ARGS = "unknown-operations-are-bad-args", ["ENV-20"],
        "It has one code for whatever it does not know.";
    ANY_CASE = "operations-in-any-case", ["ENV-20"],
        "It looks operations up without regard to case.";
    NO_DELIMITER = "messages-without-delimiter-are-read", ["ENV-14", "ENV-8"],
        "It takes a message without an empty frame for one whose delimiter a library has taken off.";
    NOTHING_AFTER = "a-bare-delimiter-is-answered", ["ENV-14", "ENV-8"],
        "It answers BAD_MESSAGE to a message that ends with its delimiter.";
    REQ_WITHOUT_DELIMITER = "req-sockets-get-no-delimiter", ["ENV-2"],
        "It leaves the delimiter out for a REQ socket, which hides it from who uses it.";
    NONSENSE_ENDS_IT = "nonsense-ends-it", ["ENV-8"],
        "It accepts no connection after one that began with bytes it cannot read.";
    GREETS_IN_TURN = "greetings-are-read-in-turn", ["ENV-8"],
        "It reads one greeting after the other, and waits for each to be complete.";
}
