"""Scenarios of sessions: opening, taking over, leases, ending."""

from .keys import LOOK_ALIKE_FREE, hello_auth
from .scenario import LEASE, A, B, C, Scenario
from .wire import CHUNK, HEADER_LIMIT, MAGIC, MAX, encode


def add(book):
    opening(book)
    busy(book)
    lease(book)
    ending(book)


def opening(book):
    s = Scenario(
        book, "session-opens-with-hello", "SES-6 HELLO-2", "hello opens a session, and its result says by what rules."
    )
    s.hello(
        A,
        result={
            "window": 4,
            "chunk": CHUNK,
            "header": HEADER_LIMIT,
            "lease_ms": LEASE,
            "names": "posix",
            "ro": False,
            "caps": [],
        },
    )
    s.ping(A)
    s.mkdir(A, 1, "/a")

    s = Scenario(
        book,
        "session-hello-of-the-holder-changes-nothing",
        "SES-4",
        "A hello that arrives twice is answered the same, and the numbering goes on.",
    )
    s.hello(A)
    s.mkdir(A, 1, "/a")
    s.hello(A, same_as=0)
    s.mkdir(A, 2, "/b")
    s.mkdir(A, 1, "/a", same_as=1)

    s = Scenario(book, "session-wrong-auth-is-refused", "SES-3 KEY-7", "An auth of another token opens nothing.")
    s.hello(A, "AUTH", auth=hello_auth("KhVeRNEJQeBwaD7Cg3ifuT"))
    s.ping(A, "NO_SESSION")
    s.hello(A)

    s = Scenario(
        book,
        "session-auth-of-another-session-is-refused",
        "KEY-7",
        "A captured auth opens the session that it was made for, and no other.",
    )
    s.hello(A, "AUTH", auth=hello_auth(LOOK_ALIKE_FREE, B))

    s = Scenario(
        book,
        "session-of-its-own-for-each-id",
        "SES-6",
        "A new session numbers from 1, and remembers nothing of the one before.",
    )
    s.hello(A)
    s.mkdir(A, 1, "/a")
    s.bye(A)
    s.hello(B)
    s.mkdir(B, 2, "/b", "SEQ", {"next": 1})
    s.mkdir(B, 1, "/b")

    s = Scenario(book, "session-hello-ignores-unknown-arguments", "CBOR-13", "Later clients may ask for more.")
    s.hello(A, zstd=True)

    s = Scenario(book, "session-take-without-a-holder-opens", "SES-8", "A take that names no holder has no effect.")
    s.hello(A, take=B)

    s = Scenario(book, "session-none-is-open-at-the-start", "SES-19 SES-21", "Without hello nothing is done.")
    s.ping(A, "NO_SESSION")
    s.bye(A, "NO_SESSION")
    s.mkdir(A, 1, "/a", "NO_SESSION")
    s.mkdir(A, 2, "/a", "NO_SESSION")
    s.hello(A)
    s.send(A, 1, "stat", {"path": "/a"}, "NOT_FOUND")


def busy(book):
    s = Scenario(
        book,
        "session-busy-names-the-holder",
        "SES-7",
        "BUSY says who holds the session, since when silent, and what to name in take.",
    )
    s.hello(A)
    s.wait(4200)
    s.hello(B, "BUSY", {"client": "anna@laptop", "idle_ms": 4200, "lease_ms": LEASE, "session": A}, client="ben")
    s.wait(800)
    s.hello(B, "BUSY", {"idle_ms": 5000}, client="ben")
    s.ping(A)
    s.hello(B, "BUSY", {"idle_ms": 0}, client="ben")

    s = Scenario(book, "session-auth-comes-before-busy", "SES-3", "An unauthenticated client does not learn which client holds the session.")
    s.hello(A)
    s.hello(B, "AUTH", auth=bytes(32))
    s.hello(B, "AUTH", auth=bytes(32), take=A)
    s.ping(A)

    s = Scenario(
        book,
        "session-busy-does-not-end-an-id",
        "SES-5 SES-7",
        "An id that was refused may ask again; a client that is careful draws another.",
    )
    s.hello(A)
    s.hello(B, "BUSY")
    s.bye(A)
    s.hello(B)

    s = Scenario(
        book,
        "session-take-replaces-the-holder",
        "SES-6 SES-9",
        "take of the holder opens at once; the replaced id has ended.",
    )
    s.hello(A)
    s.mkdir(A, 1, "/a")
    s.hello(B, take=A)
    s.ping(A, "NO_SESSION")
    s.mkdir(A, 2, "/b", "NO_SESSION")
    s.mkdir(A, 1, "/a", "NO_SESSION")
    s.hello(A, "NO_SESSION")
    s.bye(A, "NO_SESSION")
    s.ping(B)
    s.send(B, 1, "stat", {"path": "/b"}, "NOT_FOUND")

    s = Scenario(book, "session-take-of-another-is-ignored", "SES-8", "take has to name the holder.")
    s.hello(A)
    s.hello(B, "BUSY", take=C)
    s.hello(B, "BUSY", take=B)
    s.ping(A)

    s = Scenario(book, "session-take-of-an-ended-id-is-ignored", "SES-8", "Who was replaced can not be replaced again.")
    s.hello(A)
    s.hello(B, take=A)
    s.hello(C, "BUSY", take=A)
    s.hello(C, take=B)
    s.ping(B, "NO_SESSION")
    s.ping(C)

    s = Scenario(
        book, "session-ended-id-cannot-take", "SES-3 SES-5", "An id that has ended opens nothing, whatever it names."
    )
    s.hello(A)
    s.hello(B, take=A)
    s.hello(A, "NO_SESSION", take=B)
    s.ping(B)


def lease(book):
    s = Scenario(
        book,
        "lease-runs-out-after-its-time",
        "SES-6 SES-7",
        "One millisecond before the lease ends another client is refused, then not.",
    )
    s.hello(A)
    s.wait(LEASE - 1)
    s.hello(B, "BUSY", {"idle_ms": LEASE - 1})
    s.wait(1)
    s.hello(B)
    s.ping(A, "NO_SESSION")
    s.hello(A, "NO_SESSION")

    s = Scenario(
        book,
        "lease-that-ran-out-does-not-end-the-session",
        "SES-15",
        "A client that was suspended continues, as long as no other client took over.",
    )
    s.hello(A)
    s.mkdir(A, 1, "/a")
    s.wait(10 * LEASE)
    s.mkdir(A, 2, "/b")
    s.hello(B, "BUSY", {"idle_ms": 0})
    s.mkdir(A, 1, "/a", same_as=1)
    for name, renew in (
        ("ping", lambda s: s.ping(A)),
        ("a-request", lambda s: s.mkdir(A, 1, "/a")),
        ("a-refused-request", lambda s: s.send(A, 1, "stat", {}, "BAD_ARGS")),
        ("a-gap", lambda s: s.mkdir(A, 9, "/a", "SEQ", {"next": 1})),
        ("a-hello", lambda s: s.hello(A, same_as=0)),
        ("an-unknown-operation", lambda s: s.send(A, 1, "chmod", {}, "BAD_OP")),
    ):
        s = Scenario(
            book,
            f"lease-is-renewed-by-{name}",
            "SES-13",
            "Any request of the holder whose header decodes restarts the lease.",
        )
        s.hello(A)
        s.wait(20_000)
        renew(s)
        s.wait(20_000)
        s.hello(B, "BUSY", {"idle_ms": 20_000})
        s.wait(10_000)
        s.hello(B)

    s = Scenario(book, "lease-is-not-renewed-by-others", "SES-13", "Being asked for does not keep a session.")
    s.hello(A)
    s.wait(20_000)
    s.hello(B, "BUSY")
    s.ping(B, "NO_SESSION")
    s.wait(10_000)
    s.hello(B)

    s = Scenario(book, "lease-is-not-renewed-by-bad-message", "SES-13", "A message that does not decode is no request of the holder.")
    s.hello(A)
    s.wait(20_000)
    s.raw([encode([MAGIC, A, 1, "stat", 0])], "BAD_MESSAGE", seq=1, said="args that are no map")
    s.wait(10_000)
    s.hello(B)
    for asked, granted in (
        (0, 1000),
        (999, 1000),
        (1000, 1000),
        (5000, 5000),
        (LEASE, LEASE),
        (LEASE + 1, LEASE),
        (MAX, LEASE),
    ):
        s = Scenario(
            book, f"lease-asked-for-{asked}", "SES-12", "A client may ask for a shorter lease, of a second at least."
        )
        s.hello(A, result={"lease_ms": granted}, lease_ms=asked)
        s.wait(granted - 1)
        s.hello(B, "BUSY", {"lease_ms": granted})
        s.wait(1)
        s.hello(B, result={"lease_ms": LEASE})


def ending(book):
    s = Scenario(book, "bye-releases-the-session", "SES-17", "After bye the next client opens at once.")
    s.hello(A)
    s.bye(A)
    s.hello(B)
    s.ping(B)

    s = Scenario(
        book,
        "bye-twice-is-answered-twice",
        "SES-18",
        "A bye that is sent again is answered OK until another session opens.",
    )
    s.hello(A)
    s.bye(A)
    s.bye(A)
    s.hello(B)
    s.bye(A, "NO_SESSION")
    s.ping(B)

    s = Scenario(
        book,
        "bye-leaves-remembered-replies",
        "SES-18 SEQ-3",
        "What was executed can still be asked for; nothing new is executed.",
    )
    s.hello(A)
    s.mkdir(A, 1, "/a")
    s.bye(A)
    s.mkdir(A, 1, "/a", same_as=1)
    s.mkdir(A, 2, "/b", "NO_SESSION")
    s.mkdir(A, 1, "/b", "NO_SESSION")
    s.hello(B)
    s.mkdir(A, 1, "/a", "NO_SESSION")
    s.send(B, 1, "stat", {"path": "/b"}, "NOT_FOUND")

    s = Scenario(book, "bye-ends-the-id", "SES-5 SES-18", "An id opens one session in its life.")
    s.hello(A)
    s.bye(A)
    s.hello(A, "NO_SESSION")
    s.ping(A, "NO_SESSION")
    s.hello(B)
    s.bye(B)
    s.hello(A, "NO_SESSION")
    s.hello(B, "NO_SESSION")
    s.hello(C)

    s = Scenario(book, "bye-of-another-session-changes-nothing", "SES-19", "Only the holder ends his session.")
    s.hello(A)
    s.bye(B, "NO_SESSION")
    s.ping(A)

    s = Scenario(
        book,
        "bye-with-arguments-does-not-end-the-session",
        "CODE-5 CBOR-13",
        "BAD_ARGS comes before everything that bye does.",
    )
    s.hello(A)
    s.send(A, 0, "bye", {"now": True}, "BAD_ARGS")
    s.ping(A)
