"""Requests whose header decodes and whose arguments are refused, and which refusal wins."""

from .requests import ARGS, RULE, UP, words
from .wire import CHUNK, MAX, SESSION

TYPES = {
    "auth": bytes,
    "client": str,
    "take": bytes,
    "lease_ms": "uint",
    "path": str,
    "after": str,
    "limit": "uint",
    "tree": bool,
    "off": "uint",
    "len": "uint",
    "etag": bytes,
    "pre": "pre",
    "mtime_ns": int,
    "size": "uint",
    "from": str,
    "to": str,
    "up": bytes,
    "hash": bytes,
}
# Of each type, a value that a lenient reader might take for it.
WRONG = {bytes: "text", str: b"bytes", "uint": "5", int: "5", bool: 1, "pre": 1}


def add(book):
    for op, (required, optional) in ARGS.items():
        keys(book, op, required, optional)
        types(book, op, required, optional)
    sizes(book)
    sums(book)
    operations(book)
    limits(book)
    precedence(book)


def keys(book, op, required, optional):
    for key in required:
        without = {other: value for other, value in required.items() if other != key}
        book.request(
            f"{op}-without-{words(key)}", f"OP-2 {RULE[op]}", f"{op} needs {key}.", op, without, expect="BAD_ARGS"
        )
    if op == "hello":
        return
    book.request(
        f"{op}-with-an-unknown-key",
        "CBOR-13",
        f"{op} takes no key but its own.",
        op,
        required | {"zz": True},
        expect="BAD_ARGS",
    )
    if optional:
        book.request(
            f"{op}-with-all-arguments-and-an-unknown-key",
            "CBOR-13",
            "Known keys do not excuse an unknown one.",
            op,
            required | optional | {"a": 0},
            expect="BAD_ARGS",
        )


def types(book, op, required, optional):
    for key in required | optional:
        kind = "bytes" if (op, key) == ("uploads", "after") else TYPES[key]
        wrong = "text" if kind == "bytes" else WRONG[kind]
        book.request(
            f"{op}-with-{words(key)}-of-another-type",
            f"OP-2 {RULE[op]}",
            f"{key} of {op} is no {type(wrong).__name__}.",
            op,
            required | {key: wrong},
            expect="BAD_ARGS",
        )
        if kind == "uint":
            book.request(
                f"{op}-with-{words(key)}-below-0",
                "OP-2",
                f"{key} is unsigned.",
                op,
                required | {key: -1},
                expect="BAD_ARGS",
            )


def sizes(book):
    def refuse(name, rules, comment, op, **wrong):
        book.request(name, rules, comment, op, ARGS[op][0] | wrong, expect="BAD_ARGS")

    for size in (0, 31, 33):
        refuse(f"hello-with-an-auth-of-{size}-bytes", "HELLO-1", "auth is 32 bytes.", "hello", auth=b"\x5a" * size)
        refuse(
            f"commit-with-a-hash-of-{size}-bytes", "OP-4", "A BLAKE3 hash is 32 bytes.", "commit", hash=b"\x5a" * size
        )
    for size in (0, 15, 17):
        refuse(f"hello-with-a-take-of-{size}-bytes", "OP-2", "A session id is 16 bytes.", "hello", take=b"\x5a" * size)
        for op in ("begin", "append", "commit", "abort"):
            refuse(f"{op}-with-an-up-of-{size}-bytes", "OP-4", "An upload id is 16 bytes.", op, up=b"\x5a" * size)
        refuse(
            f"uploads-with-an-after-of-{size}-bytes",
            "UPLOADS-1",
            "after is an upload id.",
            "uploads",
            after=b"\x5a" * size,
        )
    for size in (0, 65):
        for op in ("read", "write", "truncate", "remove", "move", "copy"):
            refuse(f"{op}-with-an-etag-of-{size}-bytes", "OP-4", "An etag is 1 to 64 bytes.", op, etag=b"\x5a" * size)
        for op in ("put", "move", "copy", "commit"):
            refuse(
                f"{op}-with-a-pre-of-{size}-bytes",
                "OP-4",
                "A pre that is an etag is 1 to 64 bytes.",
                op,
                pre=b"\x5a" * size,
            )
    for word in ("", "Any", "none"):
        refuse(
            f"pre-{'of-no-letters' if not word else 'capital-any' if word == 'Any' else word}",
            "OP-4",
            "pre is absent, any or an etag.",
            "put",
            pre=word,
        )
    refuse(
        "hello-with-a-client-of-129-bytes", "HELLO-1", "client is at most 128 bytes long.", "hello", client="c" * 129
    )
    refuse(
        "hello-with-a-client-of-65-characters-in-130-bytes",
        "HELLO-1",
        "Bytes are counted, not characters.",
        "hello",
        client="\u00e9" * 65,
    )
    refuse("list-with-limit-0", "LIST-5", "A page of no entries would never end.", "list", limit=0)
    refuse("list-with-an-after-of-4097-bytes", "LIST-4", "after is at most 4,096 bytes long.", "list", after="z" * 4097)
    book.request(
        "ping-with-an-argument", "CBOR-13", "ping has no arguments.", "ping", {"lease_ms": 5000}, expect="BAD_ARGS"
    )


def sums(book):
    too_far = "off + len must not exceed 2^63-1, and must not wrap around."
    book.request(
        "read-beyond-the-largest-offset",
        "OP-2",
        too_far,
        "read",
        {"path": "/a", "off": MAX, "len": 1},
        expect="BAD_ARGS",
    )
    book.request(
        "hash-beyond-the-largest-offset",
        "OP-2",
        too_far,
        "hash",
        {"path": "/a", "off": MAX, "len": MAX},
        expect="BAD_ARGS",
    )
    book.request(
        "write-beyond-the-largest-offset",
        "OP-2",
        too_far,
        "write",
        {"path": "/a", "off": MAX},
        payload=b"!",
        expect="BAD_ARGS",
    )
    book.request(
        "append-beyond-the-largest-offset",
        "OP-2",
        too_far,
        "append",
        {"up": UP, "off": MAX - 6},
        payload=b"payload",
        expect="BAD_ARGS",
    )


def operations(book):
    for name, op in (
        ("an-unknown-operation", "chmod"),
        ("an-operation-in-capitals", "STAT"),
        ("an-operation-of-no-letters", ""),
        ("an-operation-with-a-space-after-it", "stat "),
        ("a-long-operation", "stat" * 100),
        ("an-operation-that-is-not-ascii", "st\u00e4t"),
    ):
        book.request(
            name,
            "ENV-20 OP-1",
            "There is no such operation; the session goes on.",
            op,
            {"path": "/a"},
            expect="BAD_OP",
            seq=1,
        )


def limits(book):
    book.request(
        "read-of-more-than-chunk",
        "OP-5",
        "len is at most chunk.",
        "read",
        {"path": "/a", "off": 0, "len": CHUNK + 1},
        expect="TOO_LARGE",
    )
    book.request(
        "read-of-the-largest-len",
        "OP-5 CBOR-12",
        "A claim reserves nothing.",
        "read",
        {"path": "/a", "off": 0, "len": MAX},
        expect="TOO_LARGE",
    )
    for op in ("put", "write", "append"):
        book.request(
            f"{op}-with-a-payload-of-more-than-chunk",
            "OP-5 LIMIT-4",
            "A payload is at most chunk bytes long.",
            op,
            ARGS[op][0],
            payload=b"\xa5" * (CHUNK + 1),
            expect="TOO_LARGE",
        )
    for op in ("move", "copy"):
        for name, source, target in (
            ("onto-itself", "/a", "/a"),
            ("below-itself", "/a", "/a/b"),
            ("of-the-root", "/", "/a"),
            ("of-the-root-onto-itself", "/", "/"),
        ):
            book.request(
                f"{op}-{name}",
                f"{op.upper()}-2",
                "to lies at or below from.",
                op,
                {"from": source, "to": target},
                expect="LOOP",
            )
        book.request(
            f"{op}-to-a-name-that-begins-alike",
            f"{op.upper()}-2",
            "/ab does not lie below /a.",
            op,
            {"from": "/a", "to": "/ab"},
        )
        book.request(
            f"{op}-upwards",
            f"{op.upper()}-2",
            "from may lie below to: that the target is there is another matter.",
            op,
            {"from": "/a/b", "to": "/a"},
        )
    for op in ARGS:
        for key in ("path", "from", "to"):
            if key in ARGS[op][0]:
                book.request(
                    f"{op}-with-a-bad-{key}",
                    "PATH-7",
                    f"{key} is checked by its names.",
                    op,
                    ARGS[op][0] | {key: "/a/../b"},
                    expect="BAD_NAME",
                )
    for op in ("list", "stat"):
        book.request(
            f"{op}-of-an-empty-path",
            "PATH-1 PATH-7",
            "A path begins with a slash.",
            op,
            {"path": ""},
            expect="BAD_NAME",
        )


def precedence(book):
    deep, bad = "/a" * 129, "/a//b"
    order = "CODE-5"

    def wins(name, comment, op, args, expect, **fields):
        book.request(name, order, comment, op, args, expect=expect, **fields)

    wins(
        "unknown-operation-before-arguments",
        "BAD_OP comes before BAD_ARGS: the arguments of an unknown operation are unknown.",
        "chmod",
        {"path": 1},
        "BAD_OP",
        seq=1,
    )
    wins(
        "unknown-operation-with-seq-0-before-arguments",
        "BAD_OP comes before BAD_ARGS.",
        "chmod",
        {"path": 1},
        "BAD_OP",
        seq=0,
    )
    wins(
        "arguments-before-size",
        "BAD_ARGS comes before TOO_LARGE.",
        "read",
        {"path": "/a", "off": -1, "len": MAX},
        "BAD_ARGS",
    )
    wins(
        "arguments-before-path",
        "BAD_ARGS comes before LIMIT and BAD_NAME.",
        "stat",
        {"path": deep, "zz": 0},
        "BAD_ARGS",
    )
    wins(
        "sum-before-size",
        "BAD_ARGS comes before TOO_LARGE.",
        "read",
        {"path": "/a", "off": MAX, "len": CHUNK + 1},
        "BAD_ARGS",
    )
    wins(
        "size-before-path",
        "TOO_LARGE comes before LIMIT.",
        "read",
        {"path": deep, "off": 0, "len": CHUNK + 1},
        "TOO_LARGE",
    )
    wins(
        "payload-size-before-name",
        "TOO_LARGE comes before BAD_NAME.",
        "put",
        {"path": bad},
        "TOO_LARGE",
        payload=bytes(CHUNK + 1),
    )
    wins("limit-before-name", "LIMIT comes before BAD_NAME for one path.", "stat", {"path": deep + "/.."}, "LIMIT")
    wins("length-before-name", "LIMIT comes before BAD_NAME for one path.", "stat", {"path": "a" * 4097}, "LIMIT")
    wins("limit-of-from-before-name-of-to", "from is checked before to.", "move", {"from": deep, "to": bad}, "LIMIT")
    wins(
        "name-of-from-before-limit-of-to",
        "from is checked, whole, before to.",
        "move",
        {"from": bad, "to": deep},
        "BAD_NAME",
    )
    wins(
        "name-of-from-before-limit-of-to-in-copy",
        "from is checked, whole, before to.",
        "copy",
        {"from": bad, "to": deep},
        "BAD_NAME",
    )
    wins("name-before-loop", "BAD_NAME comes before LOOP.", "move", {"from": bad, "to": bad}, "BAD_NAME")
    wins("limit-before-loop", "LIMIT comes before LOOP.", "copy", {"from": "/a", "to": "/a" * 129}, "LIMIT")
    wins(
        "arguments-before-loop",
        "BAD_ARGS comes before LOOP.",
        "move",
        {"from": "/a", "to": "/a", "pre": "maybe"},
        "BAD_ARGS",
    )
    book.request(
        "frame-count-before-unknown-operation",
        "ENV-20 CODE-5",
        "BAD_MESSAGE comes before BAD_OP.",
        "chmod",
        {},
        payload=b"x",
        expect="BAD_MESSAGE",
        seq=1,
    )
    book.request(
        "frame-count-before-arguments",
        "ENV-5 CODE-5",
        "BAD_MESSAGE comes before BAD_ARGS.",
        "stat",
        {},
        payload=b"x",
        expect="BAD_MESSAGE",
    )
    book.request(
        "frame-count-before-seq-0",
        "ENV-5 CODE-5",
        "BAD_MESSAGE comes before BAD_OP.",
        "stat",
        {"path": "/a"},
        payload=b"x",
        expect="BAD_MESSAGE",
        seq=0,
        session=SESSION,
    )
