//! Mutations of sessions.

use super::declare::mutations;

mutations! {
    AUTH_AFTER_BUSY = "auth-is-checked-after-busy", ["SES-3", "CODE-5"],
        "It looks whether there is room before it looks who asks.";
    OWNER_NEEDS_NO_AUTH = "the-owner-needs-no-auth", ["SES-3"],
        "It knows the holder by its id, and asks for no auth.";
    ENDED_BEFORE_AUTH = "ended-ids-are-checked-before-auth", ["SES-3", "CODE-5"],
        "It looks for an ended id before it looks who asks.";
    BUSY_BEFORE_ENDED = "busy-is-checked-before-ended", ["SES-3", "SES-5"],
        "It looks for an ended id when the session is free.";
    HELLO_AGAIN_RESETS = "a-second-hello-resets", ["SES-4"],
        "It opens a new session when the owner sends hello again.";
    HELLO_AGAIN_RENAMES = "a-second-hello-renames", ["SES-4"],
        "It takes client and lease from the last hello that it saw.";
    ENDED_IDS_OPEN_AGAIN = "ended-ids-open-again", ["SES-5", "SES-9"],
        "It remembers the current session, and no earlier one.";
    FEW_ENDED_IDS = "few-ended-ids-are-remembered", ["SES-5"],
        "It remembers the last thousand ids, a round number.";
    LAPSED_STAYS = "a-lapsed-session-stays", ["SES-6"],
        "It lets others in by bye and take, and forgot the lease.";
    BYE_KEEPS_THE_LEASE = "a-released-session-keeps-its-lease", ["SES-6", "SES-17"],
        "It notes the bye, and goes on counting the lease.";
    TAKE_IS_IGNORED = "take-is-ignored", ["SES-6"],
        "It reads take, and does nothing with it.";
    MEMORY_STAYS = "replies-stay-for-the-next-session", ["SES-6", "SEQ-3"],
        "It clears the number, and leaves the remembered replies.";
    NUMBERS_GO_ON = "numbers-go-on-in-the-next-session", ["SES-6", "SEQ-1"],
        "It counts the requests of the server, and not those of a session.";
    BUSY_OMITS_THE_SESSION = "busy-omits-the-session", ["SES-7", "CODE-1"],
        "It does not tell whose session it is, out of discretion.";
    BUSY_RETURNS_THE_OTHER_NAME = "busy-returns-the-name-of-the-refused-client", ["SES-7"],
        "It puts the client of the hello into BUSY.";
    BUSY_RETURNS_THE_LONGEST_LEASE = "busy-returns-the-longest-lease", ["SES-7"],
        "It puts its own lease into BUSY.";
    IDLE_SINCE_HELLO = "idle-is-counted-from-hello", ["SES-7", "SES-13"],
        "It notes when a session opens, and nothing later.";
    ANY_TAKE = "any-take-takes", ["SES-8"],
        "It accepts every take, whatever session it names.";
    UNKNOWN_TAKE = "an-unknown-take-is-no-session", ["SES-8"],
        "It answers NO_SESSION to a take of a session that it does not have.";
    SHORT_LEASES = "leases-as-short-as-asked", ["SES-12"],
        "It grants whatever lease is asked for up to its own.";
    LONG_LEASES = "leases-as-long-as-asked", ["SES-12"],
        "It grants whatever lease is asked for from a second on.";
    OWN_LEASE = "every-lease-is-its-own", ["SES-12"],
        "It grants its own lease, whatever is asked for.";
    PING_RENEWS_NOTHING = "ping-renews-nothing", ["SES-13"],
        "It counts numbered requests alone as signs of life.";
    REFUSED_RENEW_NOTHING = "refusals-renew-nothing", ["SES-13"],
        "It renews the lease when it executes something.";
    REPEATED_RENEW_NOTHING = "repeated-requests-renew-nothing", ["SES-13"],
        "It renews the lease after the search for a remembered reply.";
    BUSY_RENEWS = "hello-of-others-renews", ["SES-13"],
        "It notes the time of each hello, also of one that it answers BUSY.";
    REFUSED_HELLOS_RENEW = "a-refused-hello-renews", ["SES-13"],
        "It notes the time of a hello with the holder's id before it checks it.";
    BAD_MESSAGE_RENEWS = "bad-message-renews", ["SES-13"],
        "It notes the time of whatever carries the session.";
    OTHERS_RENEW = "other-sessions-renew", ["SES-14"],
        "It notes the time of each message, and does not look whose it is.";
    IDLE_FROM_THE_START = "idle-is-counted-from-the-start-of-work", ["SES-14"],
        "It notes the time when a request comes, and works on while the lease runs.";
    IDLE_AT_WORK = "a-working-owner-is-idle", ["SES-14"],
        "It does not know of the work that is under way when it counts the idle time.";
    LAPSED_ENDS = "a-lapsed-session-ends", ["SES-15"],
        "It ends a session when its lease has run out.";
    BYE_FORGETS = "bye-forgets-the-replies", ["SES-18"],
        "It clears everything at bye.";
    BYE_ONCE = "bye-again-is-no-session", ["SES-18"],
        "It has no session any more when bye comes again.";
    RELEASED_PINGS = "released-ids-may-ping", ["SES-18"],
        "It compares the id of ping, and not whether it said bye.";
    RELEASED_OPENS = "released-ids-open-again", ["SES-18", "SES-5"],
        "It forgets a session at bye, and takes its id for a new one.";
    RELEASED_GOES_ON = "released-sessions-go-on", ["SES-18", "SES-25"],
        "It lets a session that said bye go on until another comes.";
    OTHERS_PING = "other-sessions-may-ping", ["SES-19"],
        "It answers ping as long as there is a session, and does not look whose.";
    OTHERS_BYE = "other-sessions-may-say-bye", ["SES-19", "SES-17"],
        "It releases the session at a bye, and does not look whose it is.";
    OTHERS_ARE_EXECUTED = "other-sessions-are-executed", ["SES-19"],
        "It checks the number, and not the session, for there is one client at a time.";
    SESSIONS_SURVIVE = "sessions-survive-a-restart", ["SES-21"],
        "It keeps the session in a file, so that a restart goes unnoticed.";
    BUSY_RESETS = "busy-resets-the-numbers", ["SES-7", "SEQ-1"],
        "It makes itself ready for a new client before it looks whether there is room for one.";
    TAKE_BEFORE_AUTH = "take-is-done-before-auth", ["SES-3"],
        "It ends the session that a hello takes over before it looks who asks.";
    LEASE_IS_INHERITED = "a-takeover-inherits-the-lease", ["SES-12"],
        "It gives who takes over the lease of the session before, where none is asked for.";
    BUSY_STAYS = "busy-is-answered-until-the-lease-ends", ["SES-17", "SES-6"],
        "It remembers the clients that it answered BUSY, and answers them again although the session has said bye.";
    READS_AFTER_BYE = "reads-of-a-released-session-are-seq", ["SES-18"],
        "It forgets at bye what reads were answered, and answers SEQ to what it has forgotten.";
}
