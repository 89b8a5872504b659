"""Replies that answer OK: every result, and every kind of entry."""

from .requests import ARGS, ETAG, HASH, MTIME, UP
from .wire import CHUNK, MAX, OTHER_SESSION

BOOT = bytes.fromhex("b0070000000000000000000000000001")
ROOT = bytes.fromhex("40070000000000000000000000000001")
WELCOME = {
    "window": 64,
    "chunk": 262144,
    "header": 65536,
    "lease_ms": 30000,
    "boot": BOOT,
    "root": ROOT,
    "names": "posix",
    "folds": False,
    "ro": False,
    "caps": [],
}
FILE = {"kind": "file", "size": 11, "mtime_ns": MTIME, "etag": ETAG}
DIRECTORY = {"kind": "dir", "mtime_ns": MTIME}
UPLOAD = {"up": UP, "path": "/film.mkv", "off": 262144, "size": 734003200, "age_ms": 86400000}
BUSY = {"client": "anna@laptop", "idle_ms": 4200, "lease_ms": 30000, "session": OTHER_SESSION}
LISTING = {"entries": [{"name": "photos"} | DIRECTORY, {"name": "photos/a.jpg"} | FILE], "more": True, "skipped": 0}

RESULTS = {
    "hello": WELCOME,
    "list": LISTING,
    "read": {"etag": ETAG, "size": 11},
    "hash": {"hash": HASH, "len": 11, "etag": ETAG},
    "begin": {"off": 11, "hash": HASH},
    "append": {"off": 11},
    "uploads": {"uploads": [UPLOAD], "more": False},
} | {op: {} for op in ("ping", "bye", "remove", "abort", "flush")}


def add(book):
    results(book)
    entries(book)


def results(book):
    for op in ARGS:
        book.reply(f"reply-to-{op}", "ENV-11 CODE-1", f"What {op} answers.", op, 0, RESULTS.get(op, {"entry": FILE}))
    ok = "ENV-11 HELLO-2"
    book.reply(
        "reply-to-hello-without-root",
        "HELLO-4",
        "A server that cannot keep a root id names none.",
        "hello",
        0,
        without(WELCOME, "root"),
    )
    book.reply(
        "reply-to-hello-of-a-windows-server",
        "HELLO-5",
        "A server on a folding file system.",
        "hello",
        0,
        WELCOME | {"names": "windows", "folds": True, "ro": True},
    )
    book.reply(
        "reply-to-hello-with-capabilities",
        "HELLO-6 HELLO-7",
        "Capabilities come in any order, unknown ones too.",
        "hello",
        0,
        WELCOME | {"caps": ["x-zz", "x-a", ""]},
    )
    book.reply(
        "reply-to-hello-with-the-smallest-limits",
        ok,
        "The lower ends of the ranges.",
        "hello",
        0,
        WELCOME | {"window": 1, "chunk": 65536, "header": 16384, "lease_ms": 1000},
    )
    book.reply(
        "reply-to-hello-with-the-largest-limits",
        ok,
        "The upper ends of the ranges.",
        "hello",
        0,
        WELCOME | {"window": 1024, "chunk": 1048576, "header": 65536, "lease_ms": MAX},
    )
    book.reply(
        "reply-to-list-of-an-empty-directory",
        "LIST-7",
        "Nothing is there, and nothing follows.",
        "list",
        0,
        {"entries": [], "more": False, "skipped": 0},
    )
    book.reply(
        "reply-to-list-with-names-left-out",
        "LIST-12",
        "What was left out is counted.",
        "list",
        0,
        {"entries": [], "more": False, "skipped": MAX},
    )
    book.reply(
        "reply-to-list-of-every-kind",
        "ENTRY-1 ENTRY-2",
        "Each kind has its own keys.",
        "list",
        0,
        {
            "entries": [
                {"name": "a"} | DIRECTORY,
                {"name": "b"} | FILE,
                {"name": "c", "kind": "link"},
                {"name": "d", "kind": "other"},
            ],
            "more": False,
            "skipped": 2,
        },
    )
    book.reply(
        "reply-to-read-of-nothing",
        "READ-1 ENV-6",
        "At the end of the file the payload frame is there, and empty.",
        "read",
        0,
        RESULTS["read"],
        payload=b"",
    )
    book.reply(
        "reply-to-read-of-chunk-bytes",
        "READ-1",
        "The longest payload.",
        "read",
        0,
        RESULTS["read"] | {"size": CHUNK},
        payload=b"\xa5" * CHUNK,
    )
    book.reply(
        "reply-to-hash-of-nothing",
        "HASH-1",
        "A range after the end has no bytes.",
        "hash",
        0,
        RESULTS["hash"] | {"len": 0},
    )
    book.reply(
        "reply-to-uploads-without-any", "UPLOADS-2", "Nothing is staged.", "uploads", 0, {"uploads": [], "more": False}
    )
    book.reply(
        "reply-to-uploads-without-size",
        "UPLOADS-1",
        "size is there if begin announced one.",
        "uploads",
        0,
        {"uploads": [without(UPLOAD, "size"), UPLOAD | {"up": b"\xff" * 16}], "more": True},
    )
    for seq in (23, 24, 255, 256, 65535, 65536, 2**32, MAX):
        book.reply(
            f"reply-with-seq-{seq}",
            "ENV-12 CBOR-3",
            "Each width of a sequence number.",
            "append",
            0,
            {"off": seq},
            seq=seq,
        )


def entries(book):
    def entry(name, rules, comment, value, **fields):
        book.reply(f"entry-{name}", rules, comment, "stat", 0, {"entry": value}, **fields)

    entry("of-a-directory", "ENTRY-2", "A directory has a time and nothing else.", DIRECTORY)
    entry("of-a-link", "ENTRY-2", "A link has neither size nor time nor etag.", {"kind": "link"})
    entry("of-another-kind", "ENTRY-1", "A FIFO, socket or device.", {"kind": "other"})
    entry("of-a-racy-file", "ENTRY-6", "The etag may miss another change.", FILE | {"racy": True})
    entry(
        "with-racy-false",
        "ENTRY-6",
        "A reader takes a false racy that a writer leaves out.",
        FILE | {"racy": False},
        known={"entry": FILE},
    )
    entry("of-an-old-file", "CBOR-2", "Times reach down to -2^63.", FILE | {"mtime_ns": -MAX - 1, "size": 0})
    entry(
        "of-the-largest-file",
        "CBOR-2",
        "Sizes and times reach up to 2^63-1.",
        FILE | {"mtime_ns": MAX, "size": MAX, "etag": b"\xff" * 64},
    )
    entry(
        "of-an-unknown-kind",
        "ENTRY-8",
        "An unknown kind is treated as other.",
        {"kind": "volume"},
        known={"entry": {"kind": "other"}},
    )
    entry(
        "with-an-unknown-key",
        "CBOR-14",
        "What is not known is ignored, in an entry too.",
        FILE | {"inode": 5},
        known={"entry": FILE},
    )
    for key in ("size", "mtime_ns", "etag"):
        entry(
            f"of-a-file-without-{key.replace('_', '-')}",
            "ENTRY-2",
            f"A file has {key}.",
            without(FILE, key),
            expect="refuse",
        )
    entry("of-a-directory-without-mtime-ns", "ENTRY-2", "A directory has mtime_ns.", {"kind": "dir"}, expect="refuse")
    entry("without-kind", "ENTRY-1", "An entry is of some kind.", without(FILE, "kind"), expect="refuse")
    entry("with-an-etag-of-0-bytes", "ENTRY-3", "An etag is 1 to 64 bytes.", FILE | {"etag": b""}, expect="refuse")
    entry(
        "with-an-etag-of-65-bytes", "ENTRY-3", "An etag is 1 to 64 bytes.", FILE | {"etag": bytes(65)}, expect="refuse"
    )
    entry("with-a-size-below-0", "ENTRY-2", "A size is unsigned.", FILE | {"size": -1}, expect="refuse")


def without(result, key):
    return {other: value for other, value in result.items() if other != key}
