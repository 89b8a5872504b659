"""What a server answers, message by message, from its start on and with an empty directory."""

from blake3 import blake3

from .keys import LOOK_ALIKE_FREE, hello_auth
from .requests import UP
from .wire import (
    CHUNK,
    HEADER_LIMIT,
    MAGIC,
    OTHER_SESSION,
    SESSION,
    THIRD_SESSION,
    diagnostic,
    encode_checked,
    frame,
    plain,
)

A, B, C = (SESSION, OTHER_SESSION, THIRD_SESSION)
LEASE = 30_000
CODES = {
    "OK": 0,
    "BUSY": 10,
    "NO_SESSION": 11,
    "AUTH": 12,
    "VERSION": 13,
    "SEQ": 14,
    "SEQ_REUSED": 15,
    "NOT_FOUND": 20,
    "EXISTS": 21,
    "NOT_FILE": 22,
    "NOT_DIR": 23,
    "NOT_EMPTY": 24,
    "BAD_NAME": 25,
    "CHANGED": 27,
    "DENIED": 28,
    "LOOP": 29,
    "NO_UPLOAD": 40,
    "OFFSET": 41,
    "DIGEST": 42,
    "TOO_LARGE": 50,
    "LIMIT": 52,
    "BAD_MESSAGE": 60,
    "BAD_OP": 61,
    "BAD_ARGS": 62,
}


class Scenario:
    """Steps that a server answers one after the other; `at_ms` counts from the server's start."""

    def __init__(self, book, name, rules, comment, **server):
        self.steps, self.at_ms = ([], 0)
        parameters = {
            "token": LOOK_ALIKE_FREE,
            "window": 4,
            "chunk": CHUNK,
            "header": HEADER_LIMIT,
            "lease_ms": LEASE,
            "read_only": False,
        }
        book.put(name, "sequence", "answers", rules, comment, server=parameters | server, steps=self.steps)

    def wait(self, milliseconds):
        self.at_ms += milliseconds

    def raw(self, frames, code, *, session=A, seq=0, said, **expected):
        step = {"at_ms": self.at_ms, "diagnostic": said, "frames": [frame(one) for one in frames]}
        if code is not None:
            step["reply"] = {"session": session.hex(), "seq": seq, "code": CODES[code]} | expected
        self.steps.append(step)

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
        self.raw(frames, code, session=session, seq=seq, said=diagnostic(message), **expected)

    def hello(self, session, code="OK", result=None, *, auth=None, same_as=None, client="anna@laptop", **more):
        args = {"auth": auth or hello_auth(LOOK_ALIKE_FREE, session), "client": client} | more
        self.send(session, 0, "hello", args, code, result, same_as=same_as)

    def ping(self, session, code="OK"):
        self.send(session, 0, "ping", {}, code)

    def bye(self, session, code="OK"):
        self.send(session, 0, "bye", {}, code)

    def mkdir(self, session, seq, path, code="OK", result=None, **more):
        self.send(session, seq, "mkdir", {"path": path}, code, result, **more)

    def begin(self, session, seq, staged, path="/a", up=UP):
        """Expects that these bytes are staged."""
        expected = {"off": len(staged), "hash": blake3(staged).digest()}
        self.send(session, seq, "begin", {"up": up, "path": path}, "OK", expected)

    def append(self, session, seq, off, payload, code, result=None):
        self.send(session, seq, "append", {"up": UP, "off": off}, code, result, payload=payload)

    def commit(self, session, seq, content, code, result=None, **more):
        args = {"up": UP, "size": len(content), "hash": blake3(content).digest()} | more
        self.send(session, seq, "commit", args, code, result)
