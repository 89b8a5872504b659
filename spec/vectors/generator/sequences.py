"""Scenarios of sequence numbers: resending, gaps, what consumes a number, and which answer wins."""

from blake3 import blake3

from .keys import LOOK_ALIKE_FREE, hello_auth
from .scenario import A, B, Scenario
from .wire import CHUNK, MAGIC, MAX, ZERO_SESSION, encode


def add(book):
    numbers(book)
    consuming(book)
    winning(book)


def numbers(book):
    s = Scenario(book, "seq-goes-up-by-one", "SEQ-1", "Numbers are executed one after the other.")
    s.hello(A)
    s.mkdir(A, 1, "/a")
    s.mkdir(A, 2, "/a/b")
    s.mkdir(A, 3, "/a/b/c")

    s = Scenario(book, "seq-resent-is-answered-again", "SEQ-3", "Executed again it would be EXISTS.")
    s.hello(A)
    s.mkdir(A, 1, "/a")
    s.mkdir(A, 1, "/a", same_as=1)
    s.mkdir(A, 1, "/a", same_as=1)
    s.mkdir(A, 2, "/a", "EXISTS")
    s.mkdir(A, 2, "/a", "EXISTS", same_as=4)

    s = Scenario(book, "seq-reused-for-another-request-is-refused", "SEQ-4", "A number is one request for ever.")
    s.hello(A)
    s.mkdir(A, 1, "/a")
    s.mkdir(A, 1, "/b", "SEQ_REUSED")
    s.send(A, 1, "stat", {"path": "/a"}, "SEQ_REUSED")
    s.mkdir(A, 1, "/a", same_as=1)
    s.send(A, 2, "stat", {"path": "/b"}, "NOT_FOUND")

    s = Scenario(
        book,
        "seq-gap-is-refused-and-repaired",
        "SEQ-5",
        "Requests after a gap are not executed, and are sent again once the gap is filled.",
    )
    s.hello(A)
    s.mkdir(A, 2, "/a/b", "SEQ", {"next": 1})
    s.mkdir(A, 3, "/a/b/c", "SEQ", {"next": 1})
    s.mkdir(A, 1, "/a")
    s.mkdir(A, 2, "/a/b")
    s.mkdir(A, 3, "/a/b/c")

    s = Scenario(
        book, "seq-gap-keeps-what-was-done", "SEQ-3 SEQ-5", "A gap after executed numbers: next says where to continue."
    )
    s.hello(A)
    s.mkdir(A, 1, "/a")
    s.mkdir(A, 3, "/c", "SEQ", {"next": 2})
    s.mkdir(A, 1, "/a", same_as=1)
    s.mkdir(A, 2, "/b")
    s.mkdir(A, 3, "/c")

    s = Scenario(
        book,
        "seq-older-than-the-window-is-refused",
        "SEQ-2 SEQ-5",
        "The last four replies are remembered, and no fifth one.",
        window=4,
    )
    s.hello(A)
    for seq in range(1, 7):
        s.mkdir(A, seq, f"/{seq}")
    s.mkdir(A, 3, "/3", same_as=3)
    s.mkdir(A, 6, "/6", same_as=6)
    s.mkdir(A, 2, "/2", "SEQ", {"next": 7})
    s.mkdir(A, 1, "/1", "SEQ", {"next": 7})
    s.mkdir(A, 7, "/7")
    s.mkdir(A, 3, "/3", "SEQ", {"next": 8})

    s = Scenario(
        book, "seq-in-lockstep-remembers-one", "SEQ-2", "With a window of 1 the last reply is remembered.", window=1
    )
    s.hello(A, result={"window": 1})
    s.mkdir(A, 1, "/a")
    s.mkdir(A, 1, "/a", same_as=1)
    s.mkdir(A, 2, "/b")
    s.mkdir(A, 1, "/a", "SEQ", {"next": 3})
    s.mkdir(A, 2, "/b", same_as=3)

    s = Scenario(book, "seq-far-ahead-is-refused", "SEQ-5", "The largest number is as far ahead as any.")
    s.hello(A)
    s.mkdir(A, MAX, "/a", "SEQ", {"next": 1})
    s.mkdir(A, 5, "/a", "SEQ", {"next": 1})
    s.mkdir(A, 1, "/a")

    s = Scenario(
        book,
        "seq-resent-with-another-payload-is-answered-again",
        "SEQ-3 SEQ-4",
        "Header frames are compared; a payload is the client's own promise.",
    )
    s.hello(A)
    s.send(A, 1, "put", {"path": "/a"}, "OK", payload=b"one")
    s.send(A, 1, "put", {"path": "/a"}, "OK", payload=b"two", same_as=1)
    s.send(A, 2, "read", {"path": "/a", "off": 0, "len": 100}, "OK", {"size": 3}, answer=b"one")

    s = Scenario(book, "seq-requests-are-independent", "SEQ-25 REFUSE-2", "A refusal does not stop the requests that follow it.")
    s.hello(A)
    s.mkdir(A, 1, "/a/b", "NOT_FOUND")
    s.mkdir(A, 2, "/a")
    s.mkdir(A, 3, "/a/b")


def consuming(book):

    def consumes(name, rules, comment, *request, payload=None):
        s = Scenario(book, f"seq-is-consumed-by-{name}", rules, comment)
        s.hello(A)
        s.send(A, 1, *request, payload=payload)
        s.send(A, 1, *request, payload=payload, same_as=1)
        s.mkdir(A, 1, "/other", "SEQ_REUSED")
        s.mkdir(A, 2, "/a")

    rules = "SEQ-6"
    consumes("bad-args", rules, "A header that decodes consumes its number.", "stat", {"path": 1}, "BAD_ARGS")
    consumes("bad-op", rules, "A header that decodes consumes its number.", "chmod", {"path": "/a"}, "BAD_OP")
    consumes("bad-name", rules, "A header that decodes consumes its number.", "mkdir", {"path": "/.."}, "BAD_NAME")
    consumes(
        "too-large",
        rules,
        "A header that decodes consumes its number.",
        "read",
        {"path": "/a", "off": 0, "len": CHUNK + 1},
        "TOO_LARGE",
    )
    consumes(
        "too-large-a-payload",
        "SEQ-6 OP-5",
        "A header that decodes consumes its number.",
        "put",
        {"path": "/a"},
        "TOO_LARGE",
        payload=b"\xa5" * (CHUNK + 1),
    )
    consumes("not-found", rules, "A refusal is a reply like any other.", "remove", {"path": "/b"}, "NOT_FOUND")
    consumes(
        "ping",
        "SEQ-6 ENV-13",
        "ping with a number is an operation that numbered requests do not have.",
        "ping",
        {},
        "BAD_OP",
    )
    consumes("bye", "SEQ-6 ENV-13", "bye with a number ends nothing.", "bye", {}, "BAD_OP")
    consumes(
        "hello",
        "SEQ-6 ENV-13",
        "hello with a number opens nothing.",
        "hello",
        {"auth": hello_auth(LOOK_ALIKE_FREE, A), "client": ""},
        "BAD_OP",
    )

    s = Scenario(
        book,
        "seq-is-not-consumed-by-bad-message",
        "SEQ-7 ENV-18",
        "What does not decode was no request; the number is free.",
    )
    broken = encode([MAGIC, A, 1, "mkdir", {"path": "/a"}]) + b"\x00"
    s.hello(A)
    s.raw([broken], "BAD_MESSAGE", seq=1, said="a byte after the header")
    s.mkdir(A, 1, "/a")

    s = Scenario(
        book, "seq-is-not-consumed-by-a-wrong-frame-count", "SEQ-7 ENV-18", "The frame count belongs to the envelope."
    )
    put = encode([MAGIC, A, 1, "put", {"path": "/a"}])
    s.hello(A)
    s.raw([put], "BAD_MESSAGE", seq=1, said="put without a payload")
    s.send(A, 1, "put", {"path": "/a"}, "OK", payload=b"")

    s = Scenario(book, "seq-is-not-consumed-by-no-session", "SEQ-6", "NO_SESSION says nothing about numbers.")
    s.mkdir(A, 1, "/a", "NO_SESSION")
    s.hello(A)
    s.mkdir(A, 1, "/a")

    s = Scenario(
        book,
        "seq-0-is-for-the-session-alone",
        "ENV-13 CODE-5",
        "Any other operation with seq 0 is BAD_OP, with or without a session.",
    )
    s.send(A, 0, "stat", {"path": "/"}, "BAD_OP")
    s.hello(A)
    s.send(A, 0, "stat", {"path": "/"}, "BAD_OP")
    s.send(A, 0, "chmod", {}, "BAD_OP")
    s.send(A, 0, "put", {"path": "/a"}, "BAD_OP", payload=b"")
    s.send(A, 1, "stat", {"path": "/"}, "OK")

    s = Scenario(book, "replies-are-not-answered", "ENV-15", "Two servers that are wired to each other fall silent.")
    s.hello(A)
    s.raw([encode([MAGIC, A, 1, 0, {}])], None, said="a reply")
    s.mkdir(A, 1, "/a")

    s = Scenario(book, "another-version-is-answered-version", "ENV-16", "The holder's session is not touched.")
    s.hello(A)
    s.raw([b"\x85drmf2" + encode(A) + b"\x01dstat\xa0"], "VERSION", session=ZERO_SESSION, said="a request of version 2")
    s.mkdir(A, 1, "/a")


def winning(book):
    rules = "CODE-5"

    s = Scenario(
        book,
        "no-session-wins-over-sequence-and-arguments",
        rules,
        "A client of another session learns nothing about numbers or operations.",
    )
    s.hello(A)
    s.send(B, 7, "stat", {"path": 1}, "NO_SESSION")
    s.send(B, 7, "chmod", {}, "NO_SESSION")
    s.send(B, 1, "stat", {"path": "/.."}, "NO_SESSION")

    s = Scenario(
        book, "sequence-wins-over-operation-and-arguments", rules, "A number out of turn is not looked at further."
    )
    s.hello(A)
    s.send(A, 2, "chmod", {}, "SEQ", {"next": 1})
    s.send(A, 2, "stat", {"path": 1}, "SEQ", {"next": 1})
    s.send(A, 2, "stat", {"path": "/.."}, "SEQ", {"next": 1})
    s.mkdir(A, 1, "/a")
    s.send(A, 1, "chmod", {}, "SEQ_REUSED")
    s.send(A, 1, "stat", {"path": 1}, "SEQ_REUSED")

    s = Scenario(book, "arguments-win-over-auth", "SES-3 CODE-5", "hello checks its arguments first.")
    s.send(A, 0, "hello", {"auth": bytes(32), "client": 5}, "BAD_ARGS")
    s.send(A, 0, "hello", {"auth": bytes(31), "client": ""}, "BAD_ARGS")

    s = Scenario(book, "arguments-win-over-no-session", rules, "ping and bye check their arguments first.")
    s.send(A, 0, "ping", {"x": 1}, "BAD_ARGS")
    s.send(A, 0, "bye", {"x": 1}, "BAD_ARGS")

    s = Scenario(book, "auth-wins-over-ended", "SES-3 CODE-5", "An unauthenticated client does not learn which ids have ended.")
    s.hello(A)
    s.bye(A)
    s.hello(A, "AUTH", auth=bytes(32))
    s.hello(A, "NO_SESSION")

    s = Scenario(book, "auth-wins-over-holder", "SES-3 CODE-5", "The holder's id alone is no proof of the token.")
    s.hello(A)
    s.hello(A, "AUTH", auth=bytes(32))
    s.ping(A)

    s = Scenario(
        book,
        "read-only-server-refuses-every-change",
        "CODE-5 HELLO-5",
        "DENIED comes after names, and before the file system.",
        read_only=True,
    )
    up = bytes(16)
    s.hello(A, result={"ro": True})
    for seq, (op, args, payload) in enumerate(
        (
            ("mkdir", {"path": "/"}, None),
            ("put", {"path": "/x/y"}, b""),
            ("write", {"path": "/x", "off": 0}, b""),
            ("truncate", {"path": "/x", "size": 0}, None),
            ("touch", {"path": "/x", "mtime_ns": 0}, None),
            ("remove", {"path": "/x"}, None),
            ("move", {"from": "/x", "to": "/y"}, None),
            ("copy", {"from": "/x", "to": "/y"}, None),
            ("begin", {"up": up, "path": "/x"}, None),
            ("append", {"up": up, "off": 0}, b""),
            ("commit", {"up": up, "size": 0, "hash": blake3(b"").digest()}, None),
            ("abort", {"up": up}, None),
        ),
        1,
    ):
        s.send(A, seq, op, args, "DENIED", payload=payload)
    s.send(A, 13, "uploads", {}, "OK", {"uploads": [], "more": False})
    s.send(A, 14, "flush", {}, "OK")
    s.send(A, 15, "stat", {"path": "/x"}, "NOT_FOUND")
    s.send(A, 16, "mkdir", {"path": "/.."}, "BAD_NAME")
    s.send(A, 17, "move", {"from": "/x", "to": "/x"}, "LOOP")
