"""Replies that refuse, with what they carry; unknown codes and keys; and broken replies."""

from .requests import ETAG
from .results import BUSY, FILE, LISTING, RESULTS, UPLOAD, WELCOME, without
from .wire import CHUNK, MAX, ZERO_SESSION, Pairs, Raw

# Every code of a refusal without result keys of its own, with an operation that it can answer.
PLAIN = {
    "NO_SESSION": (11, "stat"),
    "AUTH": (12, "hello"),
    "SEQ_REUSED": (15, "put"),
    "NOT_FOUND": (20, "stat"),
    "EXISTS": (21, "mkdir"),
    "NOT_FILE": (22, "read"),
    "NOT_DIR": (23, "list"),
    "NOT_EMPTY": (24, "remove"),
    "BAD_NAME": (25, "stat"),
    "NAME_CLASH": (26, "put"),
    "CHANGED": (27, "read"),
    "DENIED": (28, "write"),
    "LOOP": (29, "move"),
    "UNSUPPORTED_KIND": (30, "hash"),
    "NO_UPLOAD": (40, "append"),
    "DIGEST": (42, "commit"),
    "TOO_LARGE": (50, "put"),
    "NO_SPACE": (51, "append"),
    "LIMIT": (52, "begin"),
    "BAD_MESSAGE": (60, "stat"),
    "BAD_OP": (61, "flush"),
    "BAD_ARGS": (62, "stat"),
    "INTERNAL": (70, "flush"),
}


def add(book):
    refusals(book)
    unknown(book)
    broken(book)


def refusals(book):
    for name, (code, op) in PLAIN.items():
        book.reply(f"reply-{name.lower().replace('_', '-')}", "CODE-1", f"{name} carries nothing.", op, code, {})
        book.reply(
            f"reply-{name.lower().replace('_', '-')}-with-msg",
            "CODE-2",
            f"{name} with a sentence for people.",
            op,
            code,
            {"msg": "Sorry \u2014 no."},
        )
    book.reply("reply-busy", "SES-7 CODE-1", "BUSY says who holds the session, and for how long.", "hello", 10, BUSY)
    book.reply(
        "reply-busy-with-msg",
        "SES-7 CODE-2",
        "BUSY with a sentence for people.",
        "hello",
        10,
        BUSY | {"msg": "come back later"},
    )
    book.reply(
        "reply-version", "ENV-16", "VERSION has a session of zeros and seq 0.", "hello", 13, {}, session=ZERO_SESSION
    )
    book.reply("reply-seq", "SEQ-5 CODE-1", "SEQ says what is next.", "put", 14, {"next": 7}, seq=9)
    book.reply("reply-offset", "APPEND-1 CODE-1", "OFFSET says how many bytes are staged.", "append", 41, {"off": 11})
    for name, result in (
        ("", {}),
        ("-with-done", {"done": 0}),
        ("-with-total", {"total": MAX}),
        ("-with-done-and-total", {"done": 2147483648, "total": 10737418240}),
    ):
        book.reply(
            f"reply-pending{name}", "SEQ-10 CODE-1", "done and total are there where they are known.", "hash", 1, result
        )
    for key in BUSY:
        book.reply(
            f"reply-busy-without-{key.replace('_', '-')}",
            "CODE-1",
            f"BUSY has {key}.",
            "hello",
            10,
            without(BUSY, key),
            expect="refuse",
        )
    book.reply("reply-seq-without-next", "CODE-1", "SEQ has next.", "put", 14, {}, expect="refuse")
    book.reply("reply-offset-without-off", "CODE-1", "OFFSET has off.", "append", 41, {}, expect="refuse")
    book.reply("reply-with-msg-that-is-no-text", "CODE-2", "msg is text.", "stat", 20, {"msg": 5}, expect="refuse")
    book.reply(
        "refusal-of-read-with-a-payload",
        "ENV-7",
        "Only an OK to read has a payload.",
        "read",
        20,
        {},
        payload=b"",
        expect="refuse",
    )


def unknown(book):
    for code, loses in (
        (2, False),
        (9, False),
        (16, True),
        (19, True),
        (31, False),
        (39, False),
        (43, False),
        (53, False),
        (63, False),
        (71, False),
        (255, False),
    ):
        book.reply(
            f"reply-with-unknown-code-{code}",
            "CODE-4",
            "An unknown code of 10 to 19 is the loss of the session."
            if loses
            else "An unknown code refuses the request; the session goes on.",
            "stat",
            code,
            {"msg": "from a later version"},
            loses_session=loses,
        )
    book.reply(
        "reply-with-unknown-code-and-result",
        "CODE-4 CBOR-14",
        "What an unknown code carries is ignored.",
        "stat",
        33,
        {"why": [1]},
        known={},
        loses_session=False,
    )
    for op in ("hello", "list", "read", "flush", "uploads"):
        result = RESULTS[op]
        book.reply(
            f"reply-to-{op}-with-an-unknown-key",
            "CBOR-14",
            "What is not known is ignored.",
            op,
            0,
            result | {"a": {"b": [1, -1, b"", "", True]}},
            known=result,
        )
    book.reply(
        "reply-not-found-with-an-unknown-key",
        "CBOR-14",
        "What is not known is ignored.",
        "stat",
        20,
        {"hint": "/b"},
        known={},
    )


def broken(book):
    refuse = {"expect": "refuse"}
    for op, result in RESULTS.items():
        for key in result:
            if (op, key) != ("hello", "root"):
                book.reply(
                    f"reply-to-{op}-without-{key.replace('_', '-')}",
                    "ENV-22 HELLO-2" if op == "hello" else "ENV-22 CODE-1",
                    f"The result of {op} has {key}.",
                    op,
                    0,
                    without(result, key),
                    **refuse,
                )
    book.reply("reply-to-stat-without-entry", "CODE-1 STAT-1", "The result of stat has entry.", "stat", 0, {}, **refuse)
    book.reply(
        "reply-to-read-with-more-than-asked-for",
        "ENV-22",
        "A client that asked for 65,536 bytes takes no more.",
        "read",
        0,
        RESULTS["read"],
        payload=b"\xa5" * (CHUNK + 1),
        **refuse,
    )
    book.reply(
        "reply-to-read-without-payload",
        "ENV-6",
        "An OK to read has a payload frame.",
        "read",
        0,
        RESULTS["read"],
        payload=None,
        **refuse,
    )
    book.reply(
        "reply-to-stat-with-payload",
        "ENV-7",
        "Only an OK to read has a payload frame.",
        "stat",
        0,
        {"entry": FILE},
        payload=b"",
        **refuse,
    )
    book.reply("reply-with-code-256", "ENV-11", "A code is 0 to 255.", "stat", 256, {}, **refuse)
    book.reply(
        "reply-with-a-trailing-byte",
        "CBOR-9 CBOR-11",
        "Nothing follows the header.",
        "flush",
        0,
        {},
        more=b"\x00",
        **refuse,
    )
    book.reply(
        "reply-with-keys-in-the-wrong-order",
        "CBOR-7 CBOR-11",
        "A client checks the profile too.",
        "read",
        0,
        Pairs(("size", 11), ("etag", ETAG)),
        **refuse,
    )
    book.reply(
        "reply-with-a-key-twice",
        "CBOR-7 CBOR-11",
        "A client checks the profile too.",
        "append",
        0,
        Pairs(("off", 11), ("off", 11)),
        **refuse,
    )
    book.reply(
        "reply-with-a-long-integer",
        "CBOR-3 CBOR-11",
        "A client checks the profile too.",
        "append",
        0,
        {"off": Raw("180b", "11_0")},
        **refuse,
    )
    book.reply(
        "reply-with-a-float-under-an-unknown-key",
        "CBOR-1 CBOR-11",
        "The profile holds for unknown keys too.",
        "flush",
        0,
        {"x": Raw("f93c00", "1.0_1")},
        **refuse,
    )
    book.reply("reply-with-a-result-that-is-an-array", "ENV-11", "A result is a map.", "flush", 0, [], **refuse)
    book.reply(
        "reply-to-list-with-entries-that-are-a-map",
        "CODE-1",
        "entries is an array.",
        "list",
        0,
        LISTING | {"entries": {}},
        **refuse,
    )
    book.reply(
        "reply-to-list-with-a-nameless-entry",
        "CODE-1",
        "An entry of a listing has a name.",
        "list",
        0,
        LISTING | {"entries": [FILE]},
        **refuse,
    )
    book.reply(
        "reply-to-hello-with-unknown-names",
        "HELLO-5",
        "names is posix or windows.",
        "hello",
        0,
        WELCOME | {"names": "vms"},
        **refuse,
    )
    book.reply(
        "reply-to-hello-with-caps-that-are-numbers",
        "HELLO-6",
        "Capabilities are text.",
        "hello",
        0,
        WELCOME | {"caps": [1]},
        **refuse,
    )
    book.reply(
        "reply-to-hello-with-a-boot-of-15-bytes",
        "HELLO-3",
        "boot is 16 bytes.",
        "hello",
        0,
        WELCOME | {"boot": bytes(15)},
        **refuse,
    )
    book.reply(
        "reply-to-hash-with-a-hash-of-31-bytes",
        "HASH-1",
        "A BLAKE3 hash is 32 bytes.",
        "hash",
        0,
        RESULTS["hash"] | {"hash": bytes(31)},
        **refuse,
    )
    book.reply(
        "reply-to-uploads-with-a-bad-path",
        "UPLOADS-1 SEC-1",
        "A client checks the paths that it receives.",
        "uploads",
        0,
        {"uploads": [UPLOAD | {"path": "/../etc"}], "more": False},
        **refuse,
    )
