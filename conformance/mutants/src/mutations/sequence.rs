//! Mutations of sequence numbers.

use super::declare::mutations;

mutations! {
    REFUSED_KEEP = "refused-numbers-are-not-consumed", ["SEQ-6", "SEQ-1"],
        "It counts what it has executed, and not what it has refused.";
    BAD_OP_KEEPS = "bad-op-consumes-nothing", ["SEQ-6"],
        "It refuses unknown operations before it checks the numbers.";
    BAD_ARGS_KEEPS = "bad-args-consumes-nothing", ["SEQ-6"],
        "It refuses arguments before it checks the numbers.";
    MEMORY_ONE_SHORT = "memory-one-short", ["SEQ-2", "SEQ-3"],
        "It drops the oldest reply when the memory is full, before the next one comes.";
    ONE_REPLY = "one-reply-is-remembered", ["SEQ-2", "SEQ-3"],
        "It remembers the last reply, for one client that waits for each.";
    REFUSALS_FORGOTTEN = "refusals-are-not-remembered", ["SEQ-1", "SEQ-2", "SEQ-6"],
        "It remembers what it did, and what it refused did nothing.";
    EXECUTED_AGAIN = "the-last-request-is-executed-again", ["SEQ-3"],
        "It takes the last number once more for a retry, and executes it.";
    ANY_HEADER = "any-header-gets-the-reply", ["SEQ-4", "SEQ-3"],
        "It finds remembered replies by their number alone.";
    SAME_LENGTH = "headers-are-compared-by-length", ["SEQ-4"],
        "It compares headers by a checksum that is too short.";
    REUSED_IS_SEQ = "a-reused-number-is-seq", ["SEQ-4"],
        "It has one code for whatever is wrong with a number.";
    GAPS_ARE_EXECUTED = "gaps-are-executed", ["SEQ-5"],
        "It executes whatever is above the last number.";
    GAP_OF_ONE = "a-gap-of-one-is-executed", ["SEQ-5"],
        "It is off by one where it compares the number.";
    SEQ_RETURNS_THE_LAST = "seq-returns-the-last-number", ["SEQ-5"],
        "It tells the number that it executed last, and not the next one.";
    FORGOTTEN_ARE_EXECUTED = "forgotten-numbers-are-executed", ["SEQ-5"],
        "It executes what it cannot find in its memory.";
    SEQ_CONSUMES = "a-gap-moves-the-numbers", ["SEQ-5", "SEQ-6"],
        "It follows the client to the number that it sent.";
    BAD_MESSAGE_CONSUMES = "bad-message-consumes", ["SEQ-7"],
        "It counts what it could not read as a request.";
    KEPT_BACKWARDS = "kept-requests-run-backwards", ["SEQ-9", "SEQ-26"],
        "It keeps what comes meanwhile on a stack.";
    PENDING_COMES_LATE = "pending-comes-late", ["SEQ-10"],
        "It tells that it works on a request when that has taken three seconds.";
    PENDING_CONSUMES = "pending-consumes", ["SEQ-11", "SEQ-12"],
        "It remembers PENDING as the reply, and raises the number.";
    POLLS_OF_ANOTHER = "polls-are-known-by-their-number", ["SEQ-12"],
        "It takes whatever has the number that runs for a poll.";
    POLLS_ARE_SEQ = "polls-are-answered-seq", ["SEQ-12"],
        "It has raised the number when it starts, and refuses it from then on.";
    KEPT_AFTER_PENDING = "requests-after-pending-wait", ["SEQ-12"],
        "It keeps what comes while it works, whatever it has said.";
    POLLS_NOT_HELD = "polls-are-answered-at-once", ["SEQ-13"],
        "It answers a poll at once, since it costs nothing.";
    POLLS_HELD_LONG = "polls-are-held-for-seconds", ["SEQ-10", "SEQ-13"],
        "It holds a poll for some seconds, to spare messages.";
    FINISHED_UNAWAITED = "replies-without-a-waiting-client-are-forgotten", ["SEQ-14"],
        "It remembers the reply that it sends, and sends none when no request waits.";
    BYE_LETS_IT_RUN = "bye-lets-it-run", ["SEQ-15", "SES-17"],
        "It releases the session, and what runs goes on.";
    SEQ_BEFORE_PENDING = "seq-before-pending", ["SEQ-26"],
        "It refuses what comes while it works, for it is not the next number.";
    KEPT_ARE_LOST = "kept-requests-are-lost", ["SEQ-26", "ENV-8"],
        "It drops what it has kept when it has to say PENDING.";
    REPLIES_LOST_ON_CANCEL = "replies-lost-on-cancel", ["SEQ-27", "ENV-8"],
        "It drops the waiting requests together with the cancelled operation.";
    CANCELLED_IS_INTERNAL = "cancelled-is-internal", ["SEQ-27"],
        "It says that an operation failed when it was cancelled.";
    FOUND_BY_NUMBER = "resends-are-found-by-their-number", ["SEQ-7", "CODE-5"],
        "It answers a number that it remembers before it reads the rest of a request.";
    REFUSED_PING_COUNTS = "a-refused-ping-takes-a-number", ["SEQ-6", "SEQ-1"],
        "It counts a refused ping among the requests of the session.";
    READS_FORGOTTEN = "reads-are-not-remembered", ["SEQ-3"],
        "It remembers the replies to changes, and answers SEQ to a read that comes again.";
    BACKWARDS = "requests-that-arrive-together-run-backwards", ["SEQ-9", "SEQ-1"],
        "It takes requests that wait from the end of their queue.";
}
