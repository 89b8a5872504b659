//! Mutations of hello, ping and bye.

use super::declare::mutations;

mutations! {
    LONG_CLIENT = "client-of-any-length", ["HELLO-1"],
        "It has no limit on the name of a client.";
    CLIENT_ONE_MORE = "client-of-129-bytes", ["HELLO-1"],
        "It is off by one where it compares the length of the name.";
    CLIENT_IN_CHARACTERS = "client-counts-in-characters", ["HELLO-1"],
        "It counts the characters of the name, and not its bytes.";
    AUTH_OF_ANY_LENGTH = "auth-of-any-length", ["HELLO-1"],
        "It answers AUTH to an auth of another length, since that cannot be right.";
    NO_HEADER = "hello-omits-header", ["HELLO-2", "SES-4"],
        "It answers a hello that comes again with less: who sends it has been told the header's limit.";
    SMALL_CHUNK = "hello-announces-a-small-chunk", ["HELLO-2"],
        "It announces a chunk of 32 KiB.";
    LARGE_WINDOW = "hello-announces-a-large-window", ["HELLO-2"],
        "It announces a window of 4,096.";
    BOOT_STAYS = "boot-stays", ["HELLO-3"],
        "It draws boot when it is installed.";
    SHORT_BOOT = "boot-is-short", ["HELLO-3"],
        "It draws eight bytes, which are enough.";
    ROOT_IS_DRAWN = "root-is-drawn-at-each-start", ["HELLO-4"],
        "It draws root when it starts, like boot.";
    LONG_ROOT = "root-is-long", ["HELLO-4"],
        "It takes a hash of 32 bytes for root.";
    NAMES_OF_THE_SYSTEM = "names-is-the-system", ["HELLO-5"],
        "It says linux where it should say what names there may be.";
    READ_ONLY = "read-only-is-announced", ["HELLO-5"],
        "It says that it refuses every change, and refuses none.";
    CAPS_IS_A_TEXT = "caps-are-texts-with-commas", ["HELLO-6"],
        "It writes the capabilities into one text.";
    OWN_CAPABILITY = "a-capability-of-its-own", ["EXT-4"],
        "It announces a capability of its own under a plain name.";
    PING_RETURNS_THE_LEASE = "ping-returns-the-lease", ["OP-3"],
        "It tells in the result of ping how long the lease is.";
    MISSING_AUTH = "a-missing-auth-is-a-wrong-one", ["OP-2", "SES-3"],
        "It answers AUTH to a hello whose auth is missing or of another type.";
    AUTH_FIRST = "auth-is-checked-before-arguments", ["SES-3", "CODE-5"],
        "It looks who asks before it looks at the other arguments of hello.";
    CLIENT_ONE_LESS = "client-of-127-bytes", ["HELLO-1", "LIMIT-1"],
        "It keeps the name of a client in 128 bytes, with a zero at the end.";
    CLIENT_HAS_A_NAME = "client-must-not-be-empty", ["HELLO-1", "LIMIT-1"],
        "It refuses a client that does not say who it is.";
    LEASE_OF_32_BITS = "leases-have-32-bits", ["OP-2", "SES-12"],
        "It refuses a lease of more than 32 bits.";
    BOOT_OF_THE_SESSION = "boot-is-drawn-for-each-session", ["HELLO-3"],
        "It draws boot when a session opens.";
    BOOT_IS_ZERO = "boot-is-zero", ["HELLO-3"],
        "It leaves boot for later, and sends zeros.";
    WINDOW_BY_LOAD = "the-window-depends-on-the-load", ["HELLO-2"],
        "It announces a smaller window to every second session.";
    PENDING_HELLO = "hello-again-is-pending", ["CODE-5"],
        "It asks who says hello again to come back later.";
}
