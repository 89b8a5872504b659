"""Requests that are accepted: every operation, with and without every optional argument, at the ends of ranges."""

from .keys import hello_auth
from .wire import CHUNK, MAX, OTHER_SESSION

PATH = "/photos/a.jpg"
ETAG = bytes.fromhex("e7a6000000000000000000000000000a")
UP = bytes.fromhex("0b1ad000000000000000000000000001")
HASH = bytes.fromhex("d74981efa70a0c880b8d8c1985d075dbcbf679b99a5f9914e5aaf96b831a9e24")
AUTH = hello_auth("TTA3rMB8VtNYv25kdipkaJ")
MTIME = 1_760_000_000_000_000_000
HELLO = {"auth": AUTH, "client": "anna@laptop"}

# Required arguments, and optional ones.
ARGS = {
    "hello": (HELLO, {"take": OTHER_SESSION, "lease_ms": 5000}),
    "ping": ({}, {}),
    "bye": ({}, {}),
    "stat": ({"path": PATH}, {}),
    "list": ({"path": "/photos"}, {"after": "a.jpg", "limit": 100, "tree": True}),
    "read": ({"path": PATH, "off": 0, "len": CHUNK}, {"etag": ETAG}),
    "hash": ({"path": PATH}, {"off": 4096, "len": 100_000}),
    "mkdir": ({"path": "/photos"}, {}),
    "put": ({"path": PATH}, {"pre": ETAG, "mtime_ns": MTIME}),
    "write": ({"path": PATH, "off": 6}, {"etag": ETAG}),
    "truncate": ({"path": PATH, "size": 5}, {"etag": ETAG}),
    "touch": ({"path": PATH, "mtime_ns": MTIME}, {}),
    "remove": ({"path": PATH}, {"etag": ETAG}),
    "move": ({"from": "/new", "to": "/photos/2025"}, {"pre": "any", "etag": ETAG}),
    "copy": ({"from": PATH, "to": "/b.jpg"}, {"pre": "any", "etag": ETAG}),
    "begin": ({"up": UP, "path": "/disk.img"}, {"size": 300_000}),
    "append": ({"up": UP, "off": 0}, {}),
    "commit": ({"up": UP, "size": 11, "hash": HASH}, {"pre": "any", "mtime_ns": MTIME}),
    "abort": ({"up": UP}, {}),
    "uploads": ({}, {"after": UP}),
    "flush": ({}, {}),
}

# The requirement that an operation's arguments stand under.
RULE = {"hello": "HELLO-1", "ping": "OP-3", "bye": "OP-3"} | {
    op: {"truncate": "TRUNC"}.get(op, op.upper()) + "-1" for op in ARGS if op not in ("hello", "ping", "bye")
}

# Where the number of bytes of an integer's encoding changes.
WIDTHS = (0, 23, 24, 255, 256, 65535, 65536, 2**32 - 1, 2**32, MAX)


def add(book):
    each_operation(book)
    ranges(book)
    defaults(book)
    payloads(book)


def each_operation(book):
    for op, (required, optional) in ARGS.items():
        rules = f"ENV-10 {RULE[op]}"
        book.request(f"{op}-with-required-arguments", rules, f"The shortest {op} there is.", op, required)
        if len(optional) > 1:
            for key, value in optional.items():
                book.request(
                    f"{op}-with-{words(key)}", rules, f"{op} with the optional argument {key} alone.", op, required | {key: value}
                )
        if optional:
            book.request(
                f"{op}-with-all-arguments", rules, f"{op} with every optional argument.", op, required | optional
            )


def ranges(book):
    for number in WIDTHS:
        book.request(
            f"off-{number}", "CBOR-3 OP-2", "Each width of an unsigned integer, at both of its ends.",
            "append", {"up": UP, "off": number}, payload=b"",
        )
        if number:
            book.request(f"seq-{number}", "ENV-13 CBOR-3", "Each width of a sequence number.", "flush", {}, seq=number)
    for number in (-1, -24, -25, -256, -257, -65536, -65537, -(2**32), -(2**32) - 1, -MAX - 1, MAX, 0):
        name = f"mtime-{'minus-' if number < 0 else ''}{abs(number)}"
        book.request(
            name, "CBOR-2 CBOR-3 TOUCH-1", "Times before 1970 are negative; every int64 is a time.",
            "touch", {"path": "/a", "mtime_ns": number},
        )
    for op, key in (("truncate", "size"), ("begin", "size"), ("commit", "size"), ("hash", "off"), ("hello", "lease_ms")):
        book.request(
            f"{op}-with-the-largest-{words(key)}", "OP-2", f"{key} reaches 2^63-1.", op, ARGS[op][0] | {key: MAX}
        )
    book.request("hello-with-lease-0", "SES-12 OP-2", "Any unsigned lease_ms can be asked for; the server clamps it.", "hello", HELLO | {"lease_ms": 0})
    book.request(
        "read-up-to-the-largest-offset", "OP-2", "off and len may add up to 2^63-1.", "read", {"path": "/a", "off": MAX - CHUNK, "len": CHUNK}
    )
    book.request("read-of-nothing", "READ-1", "A len of 0 is a range like any other.", "read", {"path": "/a", "off": 0, "len": 0})
    book.request("hash-up-to-the-largest-offset", "OP-2", "off and len may add up to 2^63-1.", "hash", {"path": "/a", "off": 1, "len": MAX - 1})
    book.request("hash-of-nothing", "HASH-1", "A len of 0 is not the same as no len.", "hash", {"path": "/a", "len": 0})
    book.request("list-with-limit-1", "LIST-5", "The smallest limit.", "list", {"path": "/", "limit": 1})
    book.request("list-with-the-largest-limit", "LIST-5", "The largest limit.", "list", {"path": "/", "limit": MAX})
    book.request("list-of-the-root", "PATH-1", "The served directory is a path.", "list", {"path": "/"})
    book.request("list-with-an-after-of-nothing", "LIST-3 LIST-4", "An empty after is like none, but it was sent.", "list", {"path": "/", "after": ""})
    book.request("list-with-an-after-that-is-no-name", "LIST-4", "after is compared, not looked up.", "list", {"path": "/", "after": "../\x00/.remofile//"})
    book.request("list-with-an-after-of-4096-bytes", "LIST-4", "The longest after.", "list", {"path": "/", "after": "z" * 4096})
    book.request("etag-of-1-byte", "OP-4 ENTRY-3", "The shortest etag.", "remove", {"path": "/a", "etag": b"\x00"})
    book.request("etag-of-64-bytes", "OP-4 ENTRY-3", "The longest etag.", "remove", {"path": "/a", "etag": b"\xff" * 64})
    book.request("pre-that-is-an-etag-of-64-bytes", "OP-4", "A byte string as pre is an etag.", "put", {"path": "/a", "pre": bytes(range(64))})
    book.request("pre-any", "OP-4", "pre any: nothing, or a file, has to be there.", "put", {"path": "/a", "pre": "any"})
    book.request("hello-with-a-client-of-128-bytes", "HELLO-1", "Bytes are counted, not characters.", "hello", HELLO | {"client": "\u00e9" * 64})
    book.request("hello-with-a-client-of-nothing", "HELLO-1", "A client need not call itself anything.", "hello", HELLO | {"client": ""})


def defaults(book):
    book.request(
        "tree-false", "CBOR-15", "A reader takes a false tree that a writer would leave out.",
        "list", {"path": "/", "tree": False}, reencoded={"path": "/"},
    )
    for op in ("put", "move", "copy", "commit"):
        book.request(
            f"{op}-with-pre-absent", "OP-4 TARGET-4", "A reader takes the default of pre that a writer leaves out.",
            op, ARGS[op][0] | {"pre": "absent"}, reencoded=ARGS[op][0],
        )
    book.request(
        "hash-from-0", "HASH-1 CBOR-15", "A reader takes the default of off that a writer leaves out.",
        "hash", {"path": "/a", "off": 0}, reencoded={"path": "/a"},
    )
    book.request(
        "hello-with-an-unknown-key", "CBOR-13", "hello alone ignores what it does not know, so that later clients can ask for more.",
        "hello", HELLO | {"zstd": True, "later": {"levels": [1, -2, b"\x03", "4"]}}, reencoded=HELLO,
    )


def payloads(book):
    for op in ("put", "write", "append"):
        book.request(f"{op}-with-a-payload-of-nothing", "ENV-4", "A payload frame may be empty; it has to be there.", op, ARGS[op][0], payload=b"")
        book.request(f"{op}-with-a-payload-of-chunk-bytes", "OP-5 LIMIT-1", "The longest payload.", op, ARGS[op][0], payload=b"\xa5" * CHUNK)
    book.request(
        "payload-that-looks-like-a-header", "ENV-4", "A payload is raw bytes, whatever they look like.",
        "put", {"path": "/a"}, payload=bytes.fromhex("8564726d6631"),
    )
    book.request(
        "write-up-to-the-largest-offset", "OP-2", "off and the payload's length may add up to 2^63-1.",
        "write", {"path": "/a", "off": MAX - 7}, payload=b"payload",
    )
    book.request(
        "append-of-nothing-at-the-largest-offset", "OP-2 APPEND-4", "An empty payload adds nothing to off.",
        "append", {"up": UP, "off": MAX}, payload=b"", seq=2,
    )


def words(key):
    return key.replace("_", "-")
