"""Scenarios: what a server answers, message by message, from its start on and with an empty directory."""

from blake3 import blake3

from .keys import LOOK_ALIKE_FREE, hello_auth
from .wire import CHUNK, HEADER_LIMIT, MAGIC, MAX, OTHER_SESSION, SESSION, THIRD_SESSION, ZERO_SESSION
from .wire import diagnostic, encode, encode_checked, frame, plain

A, B, C = SESSION, OTHER_SESSION, THIRD_SESSION
LEASE = 30_000
CODES = {
    "OK": 0, "BUSY": 10, "NO_SESSION": 11, "AUTH": 12, "VERSION": 13, "SEQ": 14, "SEQ_REUSED": 15, "NOT_FOUND": 20, "EXISTS": 21, "NOT_FILE": 22,
    "NOT_DIR": 23, "NOT_EMPTY": 24, "BAD_NAME": 25, "CHANGED": 27, "DENIED": 28, "LOOP": 29, "NO_UPLOAD": 40, "OFFSET": 41, "DIGEST": 42,
    "TOO_LARGE": 50, "LIMIT": 52, "BAD_MESSAGE": 60, "BAD_OP": 61, "BAD_ARGS": 62,
}


class Scenario:
    """Steps that a server answers one after the other; `at_ms` counts from the server's start."""

    def __init__(self, book, name, rules, comment, **server):
        self.steps, self.at_ms = [], 0
        parameters = {"token": LOOK_ALIKE_FREE, "window": 4, "chunk": CHUNK, "header": HEADER_LIMIT, "lease_ms": LEASE, "read_only": False}
        book.put(name, "sequence", "answers", rules, comment, server=parameters | server, steps=self.steps)

    def wait(self, milliseconds):
        self.at_ms += milliseconds
        return self

    def raw(self, frames, code, *, session=A, seq=0, said, **expected):
        step = {"at_ms": self.at_ms, "diagnostic": said, "frames": [frame(one) for one in frames]}
        if code is not None:
            step["reply"] = {"session": session.hex(), "seq": seq, "code": CODES[code]} | expected
        self.steps.append(step)
        return self

    def send(self, session, seq, op, args, code, result=None, *, payload=None, answer=None, same_as=None):
        """Sends a request and expects a code, some keys of the result, or the reply to an earlier step again."""
        message = [MAGIC, session, seq, op, args]
        expected = {}
        if result is not None:
            expected["result"] = plain(result)
        if answer is not None:
            expected["payload"] = answer.hex()
        if same_as is not None:
            expected["same_as"] = same_as
        frames = [encode_checked(message)] + ([] if payload is None else [payload])
        return self.raw(frames, code, session=session, seq=seq, said=diagnostic(message), **expected)

    def hello(self, session, code="OK", result=None, *, auth=None, same_as=None, client="anna@laptop", **more):
        args = {"auth": auth or hello_auth(LOOK_ALIKE_FREE, session), "client": client} | more
        return self.send(session, 0, "hello", args, code, result, same_as=same_as)

    def ping(self, session, code="OK"):
        return self.send(session, 0, "ping", {}, code)

    def bye(self, session, code="OK"):
        return self.send(session, 0, "bye", {}, code)

    def mkdir(self, session, seq, path, code="OK", result=None, **more):
        return self.send(session, seq, "mkdir", {"path": path}, code, result, **more)


def add(book):
    opening(book)
    busy(book)
    lease(book)
    ending(book)
    numbers(book)
    consuming(book)
    winning(book)
    files(book)
    uploads(book)


def opening(book):
    s = Scenario(book, "session-opens-with-hello", "SES-6 HELLO-2", "hello opens a session, and its result says by what rules.")
    s.hello(A, result={"window": 4, "chunk": CHUNK, "header": HEADER_LIMIT, "lease_ms": LEASE, "names": "posix", "ro": False, "caps": []}).ping(A).mkdir(A, 1, "/a")
    s = Scenario(book, "session-hello-of-the-holder-changes-nothing", "SES-4", "A hello that arrives twice is answered the same, and the numbering goes on.")
    s.hello(A).mkdir(A, 1, "/a").hello(A, same_as=0).mkdir(A, 2, "/b").mkdir(A, 1, "/a", same_as=1)
    s = Scenario(book, "session-wrong-auth-is-refused", "SES-3 KEY-7", "An auth of another token opens nothing.")
    s.hello(A, "AUTH", auth=hello_auth("KhVeRNEJQeBwaD7Cg3ifuT")).ping(A, "NO_SESSION").hello(A)
    s = Scenario(book, "session-auth-of-another-session-is-refused", "KEY-7", "A captured auth opens the session that it was made for, and no other.")
    s.hello(A, "AUTH", auth=hello_auth(LOOK_ALIKE_FREE, B))
    s = Scenario(book, "session-of-its-own-for-each-id", "SES-6", "A new session numbers from 1, and remembers nothing of the one before.")
    s.hello(A).mkdir(A, 1, "/a").bye(A).hello(B).mkdir(B, 2, "/b", "SEQ", {"next": 1}).mkdir(B, 1, "/b")
    s = Scenario(book, "session-hello-ignores-unknown-arguments", "CBOR-13", "Later clients may ask for more.")
    s.hello(A, zstd=True)
    s = Scenario(book, "session-take-without-a-holder-opens", "SES-8", "A take that names nobody is as if absent.")
    s.hello(A, take=B)
    s = Scenario(book, "session-none-is-open-at-the-start", "SES-19 SES-21", "Without hello nothing is done.")
    s.ping(A, "NO_SESSION").bye(A, "NO_SESSION").mkdir(A, 1, "/a", "NO_SESSION").mkdir(A, 2, "/a", "NO_SESSION")
    s.hello(A).send(A, 1, "stat", {"path": "/a"}, "NOT_FOUND")


def busy(book):
    s = Scenario(book, "session-busy-names-the-holder", "SES-7", "BUSY says who holds the session, since when silent, and what to name in take.")
    s.hello(A).wait(4200).hello(B, "BUSY", {"client": "anna@laptop", "idle_ms": 4200, "lease_ms": LEASE, "session": A}, client="ben")
    s.wait(800).hello(B, "BUSY", {"idle_ms": 5000}, client="ben").ping(A).hello(B, "BUSY", {"idle_ms": 0}, client="ben")
    s = Scenario(book, "session-auth-comes-before-busy", "SES-3", "A stranger is not told who holds the session.")
    s.hello(A).hello(B, "AUTH", auth=bytes(32)).hello(B, "AUTH", auth=bytes(32), take=A).ping(A)
    s = Scenario(book, "session-busy-does-not-end-an-id", "SES-5 SES-7", "An id that was refused may ask again; a client that is careful draws another.")
    s.hello(A).hello(B, "BUSY").bye(A).hello(B)
    s = Scenario(book, "session-take-replaces-the-holder", "SES-6 SES-9", "take of the holder opens at once; the replaced id has ended.")
    s.hello(A).mkdir(A, 1, "/a").hello(B, take=A).ping(A, "NO_SESSION").mkdir(A, 2, "/b", "NO_SESSION").mkdir(A, 1, "/a", "NO_SESSION")
    s.hello(A, "NO_SESSION").bye(A, "NO_SESSION").ping(B).send(B, 1, "stat", {"path": "/b"}, "NOT_FOUND")
    s = Scenario(book, "session-take-of-another-is-ignored", "SES-8", "take has to name the holder.")
    s.hello(A).hello(B, "BUSY", take=C).hello(B, "BUSY", take=B).ping(A)
    s = Scenario(book, "session-take-of-an-ended-id-is-ignored", "SES-8", "Who was replaced can not be replaced again.")
    s.hello(A).hello(B, take=A).hello(C, "BUSY", take=A).hello(C, take=B).ping(B, "NO_SESSION").ping(C)
    s = Scenario(book, "session-ended-id-cannot-take", "SES-3 SES-5", "An id that has ended opens nothing, whatever it names.")
    s.hello(A).hello(B, take=A).hello(A, "NO_SESSION", take=B).ping(B)


def lease(book):
    s = Scenario(book, "lease-runs-out-after-its-time", "SES-6 SES-7", "One millisecond before the lease ends another client is refused, then not.")
    s.hello(A).wait(LEASE - 1).hello(B, "BUSY", {"idle_ms": LEASE - 1}).wait(1).hello(B).ping(A, "NO_SESSION").hello(A, "NO_SESSION")
    s = Scenario(book, "lease-that-ran-out-does-not-end-the-session", "SES-15", "A laptop that slept goes on, as long as nobody came.")
    s.hello(A).mkdir(A, 1, "/a").wait(10 * LEASE).mkdir(A, 2, "/b").hello(B, "BUSY", {"idle_ms": 0}).mkdir(A, 1, "/a", same_as=1)
    for name, renew in (
        ("ping", lambda s: s.ping(A)),
        ("a-request", lambda s: s.mkdir(A, 1, "/a")),
        ("a-refused-request", lambda s: s.send(A, 1, "stat", {}, "BAD_ARGS")),
        ("a-gap", lambda s: s.mkdir(A, 9, "/a", "SEQ", {"next": 1})),
        ("a-hello", lambda s: s.hello(A, same_as=0)),
        ("an-unknown-operation", lambda s: s.send(A, 1, "chmod", {}, "BAD_OP")),
    ):
        s = Scenario(book, f"lease-is-renewed-by-{name}", "SES-13", "Any request of the holder whose header decodes starts the lease anew.")
        renew(s.hello(A).wait(20_000))
        s.wait(20_000).hello(B, "BUSY", {"idle_ms": 20_000}).wait(10_000).hello(B)
    s = Scenario(book, "lease-is-not-renewed-by-others", "SES-13", "Being asked for does not keep a session.")
    s.hello(A).wait(20_000).hello(B, "BUSY").ping(B, "NO_SESSION").wait(10_000).hello(B)
    for asked, granted in ((0, 1000), (999, 1000), (1000, 1000), (5000, 5000), (LEASE, LEASE), (LEASE + 1, LEASE), (MAX, LEASE)):
        s = Scenario(book, f"lease-asked-for-{asked}", "SES-12", "A client may ask for a shorter lease, of a second at least.")
        s.hello(A, result={"lease_ms": granted}, lease_ms=asked).wait(granted - 1).hello(B, "BUSY", {"lease_ms": granted}).wait(1).hello(B, result={"lease_ms": LEASE})


def ending(book):
    s = Scenario(book, "bye-releases-the-session", "SES-17", "After bye the next client opens at once.")
    s.hello(A).bye(A).hello(B).ping(B)
    s = Scenario(book, "bye-twice-is-answered-twice", "SES-18", "A bye that is sent again is answered OK until another session opens.")
    s.hello(A).bye(A).bye(A).hello(B).bye(A, "NO_SESSION").ping(B)
    s = Scenario(book, "bye-leaves-remembered-replies", "SES-18 SEQ-3", "What was executed can still be asked for; nothing new is executed.")
    s.hello(A).mkdir(A, 1, "/a").bye(A).mkdir(A, 1, "/a", same_as=1).mkdir(A, 2, "/b", "NO_SESSION").hello(B).mkdir(A, 1, "/a", "NO_SESSION")
    s.send(B, 1, "stat", {"path": "/b"}, "NOT_FOUND")
    s = Scenario(book, "bye-ends-the-id", "SES-5 SES-18", "An id opens one session in its life.")
    s.hello(A).bye(A).hello(A, "NO_SESSION").ping(A, "NO_SESSION").hello(B).bye(B).hello(A, "NO_SESSION").hello(B, "NO_SESSION").hello(C)
    s = Scenario(book, "bye-of-a-stranger-changes-nothing", "SES-19", "Only the holder ends his session.")
    s.hello(A).bye(B, "NO_SESSION").ping(A)
    s = Scenario(book, "bye-with-arguments-does-not-end-the-session", "CODE-5 CBOR-13", "BAD_ARGS comes before everything that bye does.")
    s.hello(A).send(A, 0, "bye", {"now": True}, "BAD_ARGS").ping(A)


def numbers(book):
    s = Scenario(book, "seq-goes-up-by-one", "SEQ-1", "Numbers are executed one after the other.")
    s.hello(A).mkdir(A, 1, "/a").mkdir(A, 2, "/a/b").mkdir(A, 3, "/a/b/c")
    s = Scenario(book, "seq-resent-is-answered-again", "SEQ-3", "Executed again it would be EXISTS.")
    s.hello(A).mkdir(A, 1, "/a").mkdir(A, 1, "/a", same_as=1).mkdir(A, 1, "/a", same_as=1).mkdir(A, 2, "/a", "EXISTS").mkdir(A, 2, "/a", "EXISTS", same_as=4)
    s = Scenario(book, "seq-reused-for-another-request-is-refused", "SEQ-4", "A number is one request for ever.")
    s.hello(A).mkdir(A, 1, "/a").mkdir(A, 1, "/b", "SEQ_REUSED").send(A, 1, "stat", {"path": "/a"}, "SEQ_REUSED").mkdir(A, 1, "/a", same_as=1).send(A, 2, "stat", {"path": "/b"}, "NOT_FOUND")
    s = Scenario(book, "seq-gap-is-refused-and-repaired", "SEQ-5", "What comes behind a gap is not executed, and sent again once the gap is filled.")
    s.hello(A).mkdir(A, 2, "/a/b", "SEQ", {"next": 1}).mkdir(A, 3, "/a/b/c", "SEQ", {"next": 1}).mkdir(A, 1, "/a").mkdir(A, 2, "/a/b").mkdir(A, 3, "/a/b/c")
    s = Scenario(book, "seq-gap-keeps-what-was-done", "SEQ-3 SEQ-5", "A gap behind executed numbers: next says where to go on.")
    s.hello(A).mkdir(A, 1, "/a").mkdir(A, 3, "/c", "SEQ", {"next": 2}).mkdir(A, 1, "/a", same_as=1).mkdir(A, 2, "/b").mkdir(A, 3, "/c")
    s = Scenario(book, "seq-older-than-the-window-is-refused", "SEQ-2 SEQ-5", "The last four replies are remembered, and no fifth one.", window=4)
    s.hello(A)
    for seq in range(1, 7):
        s.mkdir(A, seq, f"/{seq}")
    s.mkdir(A, 3, "/3", same_as=3).mkdir(A, 6, "/6", same_as=6).mkdir(A, 2, "/2", "SEQ", {"next": 7}).mkdir(A, 1, "/1", "SEQ", {"next": 7}).mkdir(A, 7, "/7").mkdir(A, 3, "/3", "SEQ", {"next": 8})
    s = Scenario(book, "seq-in-lockstep-remembers-one", "SEQ-2", "With a window of 1 the last reply is remembered.", window=1)
    s.hello(A, result={"window": 1}).mkdir(A, 1, "/a").mkdir(A, 1, "/a", same_as=1).mkdir(A, 2, "/b").mkdir(A, 1, "/a", "SEQ", {"next": 3}).mkdir(A, 2, "/b", same_as=3)
    s = Scenario(book, "seq-far-ahead-is-refused", "SEQ-5", "The largest number is as far ahead as any.")
    s.hello(A).mkdir(A, MAX, "/a", "SEQ", {"next": 1}).mkdir(A, 5, "/a", "SEQ", {"next": 1}).mkdir(A, 1, "/a")
    s = Scenario(book, "seq-resent-with-another-payload-is-answered-again", "SEQ-3 SEQ-4", "Header frames are compared; a payload is the client's own promise.")
    s.hello(A).send(A, 1, "put", {"path": "/a"}, "OK", payload=b"one").send(A, 1, "put", {"path": "/a"}, "OK", payload=b"two", same_as=1)
    s.send(A, 2, "read", {"path": "/a", "off": 0, "len": 100}, "OK", {"size": 3}, answer=b"one")
    s = Scenario(book, "seq-requests-are-independent", "SEQ-25 REFUSE-2", "A refusal does not stop those behind it.")
    s.hello(A).mkdir(A, 1, "/a/b", "NOT_FOUND").mkdir(A, 2, "/a").mkdir(A, 3, "/a/b")


def consuming(book):
    def consumes(name, rules, comment, *request, payload=None):
        s = Scenario(book, f"seq-is-consumed-by-{name}", rules, comment)
        s.hello(A).send(A, 1, *request, payload=payload).send(A, 1, *request, payload=payload, same_as=1).mkdir(A, 1, "/other", "SEQ_REUSED").mkdir(A, 2, "/a")

    rules = "SEQ-6"
    consumes("bad-args", rules, "A header that decodes consumes its number.", "stat", {"path": 1}, "BAD_ARGS")
    consumes("bad-op", rules, "A header that decodes consumes its number.", "chmod", {"path": "/a"}, "BAD_OP")
    consumes("bad-name", rules, "A header that decodes consumes its number.", "mkdir", {"path": "/.."}, "BAD_NAME")
    consumes("too-large", rules, "A header that decodes consumes its number.", "read", {"path": "/a", "off": 0, "len": CHUNK + 1}, "TOO_LARGE")
    consumes("too-large-a-payload", "SEQ-6 OP-5", "A header that decodes consumes its number.", "put", {"path": "/a"}, "TOO_LARGE", payload=b"\xa5" * (CHUNK + 1))
    consumes("not-found", rules, "A refusal is a reply like any other.", "remove", {"path": "/b"}, "NOT_FOUND")
    consumes("ping", "SEQ-6 ENV-13", "ping with a number is an operation that numbered requests do not have.", "ping", {}, "BAD_OP")
    consumes("bye", "SEQ-6 ENV-13", "bye with a number ends nothing.", "bye", {}, "BAD_OP")
    consumes("hello", "SEQ-6 ENV-13", "hello with a number opens nothing.", "hello", {"auth": hello_auth(LOOK_ALIKE_FREE, A), "client": ""}, "BAD_OP")

    s = Scenario(book, "seq-is-not-consumed-by-bad-message", "SEQ-7 ENV-18", "What does not decode was no request; the number is free.")
    broken = encode([MAGIC, A, 1, "mkdir", {"path": "/a"}]) + b"\x00"
    s.hello(A).raw([broken], "BAD_MESSAGE", seq=1, said="a byte behind the header").mkdir(A, 1, "/a")
    s = Scenario(book, "seq-is-not-consumed-by-a-wrong-frame-count", "SEQ-7 ENV-18", "The frame count belongs to the envelope.")
    put = encode([MAGIC, A, 1, "put", {"path": "/a"}])
    s.hello(A).raw([put], "BAD_MESSAGE", seq=1, said="put without a payload").send(A, 1, "put", {"path": "/a"}, "OK", payload=b"")
    s = Scenario(book, "seq-is-not-consumed-by-no-session", "SEQ-6", "NO_SESSION says nothing about numbers.")
    s.mkdir(A, 1, "/a", "NO_SESSION").hello(A).mkdir(A, 1, "/a")
    s = Scenario(book, "seq-0-is-for-the-session-alone", "ENV-13 CODE-5", "Any other operation with seq 0 is BAD_OP, with or without a session.")
    s.send(A, 0, "stat", {"path": "/"}, "BAD_OP").hello(A).send(A, 0, "stat", {"path": "/"}, "BAD_OP").send(A, 0, "chmod", {}, "BAD_OP").send(A, 0, "put", {"path": "/a"}, "BAD_OP", payload=b"").send(A, 1, "stat", {"path": "/"}, "OK")
    s = Scenario(book, "replies-are-not-answered", "ENV-15", "Two servers that are wired to each other fall silent.")
    s.hello(A).raw([encode([MAGIC, A, 1, 0, {}])], None, said="a reply").mkdir(A, 1, "/a")
    s = Scenario(book, "another-version-is-told-so", "ENV-16", "The holder's session is not touched.")
    s.hello(A).raw([b"\x85drmf2" + encode(A) + b"\x01\x64stat\xa0"], "VERSION", session=ZERO_SESSION, said="a request of version 2").mkdir(A, 1, "/a")


def winning(book):
    rules = "CODE-5"
    s = Scenario(book, "no-session-wins-over-sequence-and-arguments", rules, "A stranger learns nothing about numbers or operations.")
    s.hello(A).send(B, 7, "stat", {"path": 1}, "NO_SESSION").send(B, 7, "chmod", {}, "NO_SESSION").send(B, 1, "stat", {"path": "/.."}, "NO_SESSION")
    s = Scenario(book, "sequence-wins-over-operation-and-arguments", rules, "A number out of turn is not looked at further.")
    s.hello(A).send(A, 2, "chmod", {}, "SEQ", {"next": 1}).send(A, 2, "stat", {"path": 1}, "SEQ", {"next": 1}).send(A, 2, "stat", {"path": "/.."}, "SEQ", {"next": 1})
    s.mkdir(A, 1, "/a").send(A, 1, "chmod", {}, "SEQ_REUSED").send(A, 1, "stat", {"path": 1}, "SEQ_REUSED")
    s = Scenario(book, "arguments-win-over-auth", "SES-3 CODE-5", "hello checks its arguments first.")
    s.send(A, 0, "hello", {"auth": bytes(32), "client": 5}, "BAD_ARGS").send(A, 0, "hello", {"auth": bytes(31), "client": ""}, "BAD_ARGS")
    s = Scenario(book, "arguments-win-over-no-session", rules, "ping and bye check their arguments first.")
    s.send(A, 0, "ping", {"x": 1}, "BAD_ARGS").send(A, 0, "bye", {"x": 1}, "BAD_ARGS")
    s = Scenario(book, "auth-wins-over-ended", "SES-3 CODE-5", "A stranger does not learn which ids have ended.")
    s.hello(A).bye(A).hello(A, "AUTH", auth=bytes(32)).hello(A, "NO_SESSION")
    s = Scenario(book, "auth-wins-over-holder", "SES-3 CODE-5", "The holder's id alone is no proof of the token.")
    s.hello(A).hello(A, "AUTH", auth=bytes(32)).ping(A)
    s = Scenario(book, "read-only-server-refuses-every-change", "CODE-5 HELLO-5", "DENIED comes behind names, and before the file system.", read_only=True)
    up = bytes(16)
    s.hello(A, result={"ro": True})
    for seq, (op, args, payload) in enumerate((
        ("mkdir", {"path": "/"}, None), ("put", {"path": "/x/y"}, b""), ("write", {"path": "/x", "off": 0}, b""), ("truncate", {"path": "/x", "size": 0}, None), ("touch", {"path": "/x", "mtime_ns": 0}, None),
        ("remove", {"path": "/x"}, None), ("move", {"from": "/x", "to": "/y"}, None), ("copy", {"from": "/x", "to": "/y"}, None), ("begin", {"up": up, "path": "/x"}, None),
        ("append", {"up": up, "off": 0}, b""), ("commit", {"up": up, "size": 0, "hash": blake3(b"").digest()}, None), ("abort", {"up": up}, None),
    ), 1):
        s.send(A, seq, op, args, "DENIED", payload=payload)
    s.send(A, 13, "uploads", {}, "OK", {"uploads": [], "more": False}).send(A, 14, "flush", {}, "OK").send(A, 15, "stat", {"path": "/x"}, "NOT_FOUND").send(A, 16, "mkdir", {"path": "/.."}, "BAD_NAME").send(A, 17, "move", {"from": "/x", "to": "/x"}, "LOOP")


def files(book):
    s = Scenario(book, "put-is-read-back", "PUT-1 PUT-2 READ-1 READ-4", "What was put is what is read; at the end and behind it there is nothing.")
    s.hello(A).send(A, 1, "put", {"path": "/a", "mtime_ns": 1_700_000_000_000_000_000}, "OK", payload=b"hello world")
    s.send(A, 2, "read", {"path": "/a", "off": 0, "len": 100}, "OK", {"size": 11}, answer=b"hello world").send(A, 3, "read", {"path": "/a", "off": 6, "len": 3}, "OK", {"size": 11}, answer=b"wor")
    s.send(A, 4, "read", {"path": "/a", "off": 11, "len": 1}, "OK", {"size": 11}, answer=b"").send(A, 5, "read", {"path": "/a", "off": MAX, "len": 0}, "OK", answer=b"").send(A, 6, "read", {"path": "/b", "off": 0, "len": 1}, "NOT_FOUND").send(A, 7, "read", {"path": "/", "off": 0, "len": 1}, "NOT_FILE")
    s = Scenario(book, "put-onto-something-needs-leave", "TARGET-4 TARGET-5 TARGET-7", "pre says what has to be there.")
    wrong = b"no etag of this server"
    s.hello(A).send(A, 1, "put", {"path": "/a"}, "OK", payload=b"1").send(A, 2, "put", {"path": "/a"}, "EXISTS", payload=b"2").send(A, 3, "put", {"path": "/a", "pre": wrong}, "CHANGED", payload=b"3")
    s.send(A, 4, "read", {"path": "/a", "off": 0, "len": 9}, "OK", answer=b"1").send(A, 5, "put", {"path": "/a", "pre": "any"}, "OK", payload=b"5").send(A, 6, "read", {"path": "/a", "off": 0, "len": 9}, "OK", answer=b"5")
    s.send(A, 7, "put", {"path": "/"}, "EXISTS", payload=b"").send(A, 8, "put", {"path": "/", "pre": "any"}, "NOT_FILE", payload=b"").send(A, 9, "put", {"path": "/b", "pre": wrong}, "CHANGED", payload=b"")
    s = Scenario(book, "write-and-truncate-fill-with-zeros", "WRITE-1 WRITE-2 WRITE-3 TRUNC-1", "Behind the end there are zeros; nothing written changes nothing.")
    s.hello(A).send(A, 1, "put", {"path": "/a"}, "OK", payload=b"abc").send(A, 2, "write", {"path": "/a", "off": 5}, "OK", payload=b"fg").send(A, 3, "read", {"path": "/a", "off": 0, "len": 99}, "OK", {"size": 7}, answer=b"abc\0\0fg")
    s.send(A, 4, "truncate", {"path": "/a", "size": 2}, "OK").send(A, 5, "truncate", {"path": "/a", "size": 4}, "OK").send(A, 6, "write", {"path": "/a", "off": 100}, "OK", payload=b"").send(A, 7, "read", {"path": "/a", "off": 0, "len": 99}, "OK", {"size": 4}, answer=b"ab\0\0")
    s.send(A, 8, "write", {"path": "/b", "off": 0}, "NOT_FOUND", payload=b"x").send(A, 9, "truncate", {"path": "/b", "size": 0}, "NOT_FOUND")
    s = Scenario(book, "hash-is-of-a-range", "HASH-1", "off and len choose what is hashed.")
    s.hello(A).send(A, 1, "put", {"path": "/a"}, "OK", payload=b"hello world")
    for seq, (more, data) in enumerate((({}, b"hello world"), ({"off": 6}, b"world"), ({"len": 5}, b"hello"), ({"off": 4, "len": 3}, b"o w"), ({"off": 50}, b""), ({"len": MAX}, b"hello world")), 2):
        s.send(A, seq, "hash", {"path": "/a"} | more, "OK", {"hash": blake3(data).digest(), "len": len(data)})
    s = Scenario(book, "directories-are-made-and-removed-empty", "MKDIR-1 MKDIR-2 REMOVE-1 REMOVE-2 REMOVE-3 PATH-13", "One directory at a time, and only empty ones go.")
    s.hello(A).mkdir(A, 1, "/", "EXISTS").mkdir(A, 2, "/a").mkdir(A, 3, "/a/b").send(A, 4, "remove", {"path": "/a"}, "NOT_EMPTY").send(A, 5, "remove", {"path": "/a/b"}, "OK", {}).send(A, 6, "remove", {"path": "/a"}, "OK", {})
    s.send(A, 7, "remove", {"path": "/a"}, "NOT_FOUND").send(A, 8, "remove", {"path": "/"}, "DENIED").send(A, 9, "put", {"path": "/f"}, "OK", payload=b"").mkdir(A, 10, "/f/d", "NOT_DIR").mkdir(A, 11, "/x/d", "NOT_FOUND").send(A, 12, "list", {"path": "/f"}, "NOT_DIR")
    s = Scenario(book, "list-is-sorted-and-paged", "LIST-2 LIST-3 LIST-5 LIST-7", "In a tree a slash sorts before everything else.")
    s.hello(A).mkdir(A, 1, "/a").send(A, 2, "put", {"path": "/a/z"}, "OK", payload=b"").send(A, 3, "put", {"path": "/a b"}, "OK", payload=b"").send(A, 4, "put", {"path": "/a!"}, "OK", payload=b"").send(A, 5, "put", {"path": "/B"}, "OK", payload=b"")
    for seq, (args, names, more) in enumerate((
        ({}, ["B", "a", "a b", "a!"], False), ({"tree": True}, ["B", "a", "a/z", "a b", "a!"], False), ({"limit": 2}, ["B", "a"], True), ({"limit": 2, "after": "a"}, ["a b", "a!"], False), ({"after": "a!"}, [], False),
        ({"after": "A"}, ["B", "a", "a b", "a!"], False), ({"tree": True, "after": "a/a", "limit": 1}, ["a/z"], True), ({"after": ""}, ["B", "a", "a b", "a!"], False),
    ), 6):
        s.send(A, seq, "list", {"path": "/"} | args, "OK", {"entry_names": names, "more": more, "skipped": 0})
    s = Scenario(book, "move-and-copy-respect-the-target", "MOVE-1 MOVE-2 MOVE-3 COPY-1 COPY-2 TARGET-4", "Nothing is lost by a move or copy that is refused.")
    s.hello(A).send(A, 1, "put", {"path": "/a"}, "OK", payload=b"a").send(A, 2, "put", {"path": "/b"}, "OK", payload=b"b").mkdir(A, 3, "/d")
    s.send(A, 4, "move", {"from": "/a", "to": "/b"}, "EXISTS").send(A, 5, "copy", {"from": "/a", "to": "/d", "pre": "any"}, "NOT_FILE").send(A, 6, "move", {"from": "/d", "to": "/b", "pre": "any"}, "NOT_FILE").send(A, 7, "move", {"from": "/d", "to": "/d/e"}, "LOOP").send(A, 8, "copy", {"from": "/d", "to": "/e"}, "NOT_FILE")
    s.send(A, 9, "copy", {"from": "/a", "to": "/d/c"}, "OK").send(A, 10, "move", {"from": "/a", "to": "/b", "pre": "any"}, "OK").send(A, 11, "stat", {"path": "/a"}, "NOT_FOUND").send(A, 12, "read", {"path": "/b", "off": 0, "len": 9}, "OK", answer=b"a").send(A, 13, "read", {"path": "/d/c", "off": 0, "len": 9}, "OK", answer=b"a")
    s.send(A, 14, "move", {"from": "/b", "to": "/c", "etag": b"wrong"}, "CHANGED").send(A, 15, "remove", {"path": "/d", "etag": b"wrong"}, "CHANGED").send(A, 16, "move", {"from": "/d", "to": "/g"}, "OK").send(A, 17, "stat", {"path": "/g/c"}, "OK")


def uploads(book):
    up, other = bytes.fromhex("0b1ad000000000000000000000000001"), bytes.fromhex("0b1ad000000000000000000000000002")
    empty = blake3(b"").digest()

    def begin(s, session, seq, data, path="/a", up=up):
        return s.send(session, seq, "begin", {"up": up, "path": path}, "OK", {"off": len(data), "hash": blake3(data).digest()})

    def append(s, session, seq, off, payload, code, result=None, up=up):
        return s.send(session, seq, "append", {"up": up, "off": off}, code, result, payload=payload)

    def commit(s, session, seq, data, code, result=None, **more):
        return s.send(session, seq, "commit", {"up": up, "size": len(data), "hash": blake3(data).digest()} | more, code, result)

    s = begin(Scenario(book, "upload-appears-with-commit", "UP-1 APPEND-1 COMMIT-1 COMMIT-3", "Nothing under the final name before commit, everything behind it.").hello(A), A, 1, b"")
    append(s, A, 2, 0, b"hello ", "OK", {"off": 6})
    append(s, A, 3, 6, b"world", "OK", {"off": 11}).send(A, 4, "stat", {"path": "/a"}, "NOT_FOUND").send(A, 5, "list", {"path": "/"}, "OK", {"entry_names": [], "more": False, "skipped": 0})
    commit(s, A, 6, b"hello world", "OK").send(A, 7, "read", {"path": "/a", "off": 0, "len": 99}, "OK", {"size": 11}, answer=b"hello world")
    commit(append(s, A, 8, 11, b"!", "NO_UPLOAD"), A, 9, b"hello world", "NO_UPLOAD").send(A, 10, "uploads", {}, "OK", {"uploads": [], "more": False})
    s = Scenario(book, "upload-without-begin-is-refused", "APPEND-2 COMMIT-1", "begin comes first, in every session.")
    commit(append(s.hello(A), A, 1, 0, b"x", "NO_UPLOAD"), A, 2, b"", "NO_UPLOAD").send(A, 3, "abort", {"up": up}, "OK", {})
    s = begin(Scenario(book, "upload-grows-only-at-its-end", "APPEND-1 APPEND-4", "OFFSET says where the end is, for an empty payload too.").hello(A), A, 1, b"")
    append(append(append(append(s, A, 2, 0, b"abc", "OK", {"off": 3}), A, 3, 0, b"abc", "OFFSET", {"off": 3}), A, 4, 4, b"", "OFFSET", {"off": 3}), A, 5, 3, b"", "OK", {"off": 3})
    append(s, A, 6, MAX, b"", "OFFSET", {"off": 3})
    s = begin(Scenario(book, "upload-with-a-wrong-digest-is-discarded", "COMMIT-1 COMMIT-2", "OFFSET comes before DIGEST; DIGEST discards what was staged.").hello(A), A, 1, b"")
    commit(append(s, A, 2, 0, b"abc", "OK"), A, 3, b"abcd", "OFFSET", {"off": 3})
    commit(s, A, 4, b"abd", "DIGEST")
    begin(commit(s, A, 5, b"abc", "NO_UPLOAD"), A, 6, b"").send(A, 7, "stat", {"path": "/a"}, "NOT_FOUND")
    s = begin(Scenario(book, "upload-refused-by-its-target-is-kept", "COMMIT-2 TARGET-4", "After EXISTS the same bytes can be committed with another pre.").hello(A), A, 1, b"")
    append(s, A, 2, 0, b"new", "OK").send(A, 3, "put", {"path": "/a"}, "OK", payload=b"old")
    commit(commit(s, A, 4, b"new", "EXISTS"), A, 5, b"new", "OK", pre="any").send(A, 6, "read", {"path": "/a", "off": 0, "len": 9}, "OK", answer=b"new")
    s = begin(Scenario(book, "upload-goes-on-in-another-session", "BEGIN-1 BEGIN-2 UP-2 APPEND-2", "Staged bytes outlive their session, but begin has to be said anew.").hello(A), A, 1, b"")
    append(s, A, 2, 0, b"half", "OK").bye(A).hello(B)
    append(s, B, 1, 4, b"!", "NO_UPLOAD")
    commit(append(begin(s, B, 2, b"half"), B, 3, 4, b"way", "OK", {"off": 7}), B, 4, b"halfway", "OK")
    s = begin(Scenario(book, "upload-of-another-path-starts-anew", "BEGIN-2", "An id that is known for another path begins at nothing.").hello(A), A, 1, b"")
    begin(append(s, A, 2, 0, b"abc", "OK"), A, 3, b"", path="/b")
    s = begin(Scenario(book, "upload-of-the-same-path-discards-the-other", "BEGIN-3 APPEND-2", "One staged upload a path.").hello(A), A, 1, b"")
    append(begin(append(s, A, 2, 0, b"abc", "OK"), A, 3, b"", up=other), A, 4, 3, b"d", "NO_UPLOAD")
    s = begin(Scenario(book, "upload-that-is-aborted-is-gone", "ABORT-1 APPEND-2", "abort of nothing is OK as well.").hello(A), A, 1, b"")
    append(append(s, A, 2, 0, b"abc", "OK").send(A, 3, "abort", {"up": up}, "OK", {}).send(A, 4, "abort", {"up": up}, "OK", {}), A, 5, 3, b"", "NO_UPLOAD")
    s = begin(Scenario(book, "upload-does-not-look-at-its-target", "BEGIN-4 COMMIT-1", "begin takes a path whose parent is not there; commit does not.").hello(A), A, 1, b"", path="/no/such")
    commit(s, A, 2, b"", "NOT_FOUND").mkdir(A, 3, "/no")
    commit(s, A, 4, b"", "OK").send(A, 5, "hash", {"path": "/no/such"}, "OK", {"hash": empty, "len": 0})
    s = begin(Scenario(book, "upload-is-begun-once-when-resent", "SEQ-3", "A resent append is answered again and appends nothing.").hello(A), A, 1, b"")
    message = {"up": up, "off": 0}
    s.send(A, 2, "append", message, "OK", {"off": 3}, payload=b"abc").send(A, 2, "append", message, "OK", {"off": 3}, payload=b"abc", same_as=2)
    commit(s, A, 3, b"abc", "OK")
