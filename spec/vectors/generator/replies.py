"""Replies: every result, every refusal with what it carries, unknown codes and keys, and broken ones."""

from .requests import ARGS, ETAG, HASH, MTIME, UP
from .wire import CHUNK, MAX, OTHER_SESSION, ZERO_SESSION, Pairs, Raw

BOOT = bytes.fromhex("b0070000000000000000000000000001")
ROOT = bytes.fromhex("40070000000000000000000000000001")
WELCOME = {
    "window": 64, "chunk": 262144, "header": 65536, "lease_ms": 30000, "boot": BOOT, "root": ROOT, "names": "posix",
    "folds": False, "ro": False, "caps": [],
}
FILE = {"kind": "file", "size": 11, "mtime_ns": MTIME, "etag": ETAG}
DIRECTORY = {"kind": "dir", "mtime_ns": MTIME}
UPLOAD = {"up": UP, "path": "/film.mkv", "off": 262144, "size": 734003200, "age_ms": 86400000}
BUSY = {"client": "anna@laptop", "idle_ms": 4200, "lease_ms": 30000, "session": OTHER_SESSION}
LISTING = {"entries": [{"name": "photos"} | DIRECTORY, {"name": "photos/a.jpg"} | FILE], "more": True, "skipped": 0}

RESULTS = {
    "hello": WELCOME, "list": LISTING, "read": {"etag": ETAG, "size": 11}, "hash": {"hash": HASH, "len": 11, "etag": ETAG},
    "begin": {"off": 11, "hash": HASH}, "append": {"off": 11}, "uploads": {"uploads": [UPLOAD], "more": False},
} | {op: {} for op in ("ping", "bye", "remove", "abort", "flush")}

# Every code of a refusal without result keys of its own, with an operation that it can answer.
PLAIN = {
    "NO_SESSION": (11, "stat"), "AUTH": (12, "hello"), "SEQ_REUSED": (15, "put"), "NOT_FOUND": (20, "stat"), "EXISTS": (21, "mkdir"),
    "NOT_FILE": (22, "read"), "NOT_DIR": (23, "list"), "NOT_EMPTY": (24, "remove"), "BAD_NAME": (25, "stat"), "NAME_CLASH": (26, "put"),
    "CHANGED": (27, "read"), "DENIED": (28, "write"), "LOOP": (29, "move"), "UNSUPPORTED_KIND": (30, "hash"), "NO_UPLOAD": (40, "append"),
    "DIGEST": (42, "commit"), "TOO_LARGE": (50, "put"), "NO_SPACE": (51, "append"), "LIMIT": (52, "begin"), "BAD_MESSAGE": (60, "stat"),
    "BAD_OP": (61, "flush"), "BAD_ARGS": (62, "stat"), "INTERNAL": (70, "flush"),
}


def add(book):
    results(book)
    entries(book)
    refusals(book)
    unknown(book)
    broken(book)


def results(book):
    for op in ARGS:
        book.reply(f"reply-to-{op}", "ENV-11 CODE-1", f"What {op} answers.", op, 0, RESULTS.get(op, {"entry": FILE}))
    ok = "ENV-11 HELLO-2"
    book.reply("reply-to-hello-without-root", "HELLO-4", "A server that cannot keep a root id names none.", "hello", 0, without(WELCOME, "root"))
    book.reply("reply-to-hello-of-a-windows-server", "HELLO-5", "A server on a folding file system.", "hello", 0, WELCOME | {"names": "windows", "folds": True, "ro": True})
    book.reply("reply-to-hello-with-capabilities", "HELLO-6 HELLO-7", "Capabilities come in any order, unknown ones too.", "hello", 0, WELCOME | {"caps": ["x-zz", "x-a", ""]})
    book.reply("reply-to-hello-with-the-smallest-limits", ok, "The lower ends of the ranges.", "hello", 0, WELCOME | {"window": 1, "chunk": 65536, "header": 16384, "lease_ms": 1000})
    book.reply("reply-to-hello-with-the-largest-limits", ok, "The upper ends of the ranges.", "hello", 0, WELCOME | {"window": 1024, "chunk": 1048576, "header": 65536, "lease_ms": MAX})
    book.reply("reply-to-list-of-an-empty-directory", "LIST-7", "Nothing is there, and nothing follows.", "list", 0, {"entries": [], "more": False, "skipped": 0})
    book.reply("reply-to-list-with-names-left-out", "LIST-12", "What was left out is counted.", "list", 0, {"entries": [], "more": False, "skipped": MAX})
    book.reply(
        "reply-to-list-of-every-kind", "ENTRY-1 ENTRY-2", "Each kind has its own keys.", "list", 0,
        {"entries": [{"name": "a"} | DIRECTORY, {"name": "b"} | FILE, {"name": "c", "kind": "link"}, {"name": "d", "kind": "other"}], "more": False, "skipped": 2},
    )
    book.reply("reply-to-read-of-nothing", "READ-1 ENV-6", "At the end of the file the payload frame is there, and empty.", "read", 0, RESULTS["read"], payload=b"")
    book.reply("reply-to-read-of-chunk-bytes", "READ-1", "The longest payload.", "read", 0, RESULTS["read"] | {"size": CHUNK}, payload=b"\xa5" * CHUNK)
    book.reply("reply-to-hash-of-nothing", "HASH-1", "A range behind the end has no bytes.", "hash", 0, RESULTS["hash"] | {"len": 0})
    book.reply("reply-to-uploads-without-any", "UPLOADS-2", "Nothing is staged.", "uploads", 0, {"uploads": [], "more": False})
    book.reply("reply-to-uploads-without-size", "UPLOADS-1", "size is there if begin announced one.", "uploads", 0, {"uploads": [without(UPLOAD, "size"), UPLOAD | {"up": b"\xff" * 16}], "more": True})
    for seq in (23, 24, 255, 256, 65535, 65536, 2**32, MAX):
        book.reply(f"reply-with-seq-{seq}", "ENV-12 CBOR-3", "Each width of a sequence number.", "append", 0, {"off": seq}, seq=seq)


def entries(book):
    def entry(name, rules, comment, value, **fields):
        book.reply(f"entry-{name}", rules, comment, "stat", 0, {"entry": value}, **fields)

    entry("of-a-directory", "ENTRY-2", "A directory has a time and nothing else.", DIRECTORY)
    entry("of-a-link", "ENTRY-2", "A link has neither size nor time nor etag.", {"kind": "link"})
    entry("of-another-kind", "ENTRY-1", "A FIFO, socket or device.", {"kind": "other"})
    entry("of-a-racy-file", "ENTRY-6", "The etag may miss another change.", FILE | {"racy": True})
    entry("of-a-racy-directory", "ENTRY-6", "A directory can be racy too.", DIRECTORY | {"racy": True})
    entry("with-racy-false", "ENTRY-6", "A reader takes a false racy that a writer leaves out.", FILE | {"racy": False}, known={"entry": FILE})
    entry("of-an-old-file", "CBOR-2", "Times reach down to -2^63.", FILE | {"mtime_ns": -MAX - 1, "size": 0})
    entry("of-the-largest-file", "CBOR-2", "Sizes and times reach up to 2^63-1.", FILE | {"mtime_ns": MAX, "size": MAX, "etag": b"\xff" * 64})
    entry("of-an-unknown-kind", "ENTRY-8", "An unknown kind is treated as other.", {"kind": "volume"}, known={"entry": {"kind": "other"}})
    entry("with-an-unknown-key", "CBOR-14", "What is not known is ignored, in an entry too.", FILE | {"inode": 5}, known={"entry": FILE})
    for key in ("size", "mtime_ns", "etag"):
        entry(f"of-a-file-without-{key.replace('_', '-')}", "ENTRY-2", f"A file has {key}.", without(FILE, key), expect="refuse")
    entry("of-a-directory-without-mtime-ns", "ENTRY-2", "A directory has mtime_ns.", {"kind": "dir"}, expect="refuse")
    entry("without-kind", "ENTRY-1", "An entry is of some kind.", without(FILE, "kind"), expect="refuse")
    entry("with-an-etag-of-0-bytes", "ENTRY-3", "An etag is 1 to 64 bytes.", FILE | {"etag": b""}, expect="refuse")
    entry("with-an-etag-of-65-bytes", "ENTRY-3", "An etag is 1 to 64 bytes.", FILE | {"etag": bytes(65)}, expect="refuse")
    entry("with-a-size-below-0", "ENTRY-2", "A size is unsigned.", FILE | {"size": -1}, expect="refuse")


def refusals(book):
    for name, (code, op) in PLAIN.items():
        book.reply(f"reply-{name.lower().replace('_', '-')}", "CODE-1", f"{name} carries nothing.", op, code, {})
        book.reply(f"reply-{name.lower().replace('_', '-')}-with-msg", "CODE-2", f"{name} with a sentence for people.", op, code, {"msg": "Sorry \u2014 no."})
    book.reply("reply-busy", "SES-7 CODE-1", "BUSY says who holds the session, and for how long.", "hello", 10, BUSY)
    book.reply("reply-busy-with-msg", "SES-7 CODE-2", "BUSY with a sentence for people.", "hello", 10, BUSY | {"msg": "come back later"})
    book.reply("reply-version", "ENV-16", "VERSION has a session of zeros and seq 0.", "hello", 13, {}, session=ZERO_SESSION)
    book.reply("reply-seq", "SEQ-5 CODE-1", "SEQ says what is next.", "put", 14, {"next": 7}, seq=9)
    book.reply("reply-offset", "APPEND-1 CODE-1", "OFFSET says how many bytes are staged.", "append", 41, {"off": 11})
    for name, result in (("", {}), ("-with-done", {"done": 0}), ("-with-total", {"total": MAX}), ("-with-done-and-total", {"done": 2147483648, "total": 10737418240})):
        book.reply(f"reply-pending{name}", "SEQ-10 CODE-1", "done and total are there where they are known.", "hash", 1, result)
    for key in BUSY:
        book.reply(f"reply-busy-without-{key.replace('_', '-')}", "CODE-1", f"BUSY has {key}.", "hello", 10, without(BUSY, key), expect="refuse")
    book.reply("reply-seq-without-next", "CODE-1", "SEQ has next.", "put", 14, {}, expect="refuse")
    book.reply("reply-offset-without-off", "CODE-1", "OFFSET has off.", "append", 41, {}, expect="refuse")
    book.reply("reply-with-msg-that-is-no-text", "CODE-2", "msg is text.", "stat", 20, {"msg": 5}, expect="refuse")
    book.reply("refusal-of-read-with-a-payload", "ENV-7", "Only an OK to read has a payload.", "read", 20, {}, payload=b"", expect="refuse")


def unknown(book):
    for code, loses in ((2, False), (9, False), (16, True), (19, True), (31, False), (39, False), (43, False), (53, False), (63, False), (71, False), (255, False)):
        book.reply(
            f"reply-with-unknown-code-{code}", "CODE-4",
            "An unknown code of 10 to 19 is the loss of the session." if loses else "An unknown code refuses the request; the session goes on.",
            "stat", code, {"msg": "from a later version"}, loses_session=loses,
        )
    book.reply("reply-with-unknown-code-and-result", "CODE-4 CBOR-14", "What an unknown code carries is ignored.", "stat", 33, {"why": [1]}, known={}, loses_session=False)
    for op in ("hello", "list", "read", "flush", "uploads"):
        result = RESULTS[op]
        book.reply(f"reply-to-{op}-with-an-unknown-key", "CBOR-14", "What is not known is ignored.", op, 0, result | {"a": {"b": [1, -1, b"", "", True]}}, known=result)
    book.reply("reply-not-found-with-an-unknown-key", "CBOR-14", "What is not known is ignored.", "stat", 20, {"hint": "/b"}, known={})


def broken(book):
    refuse = {"expect": "refuse"}
    for op, result in RESULTS.items():
        for key in result:
            if (op, key) != ("hello", "root"):
                book.reply(f"reply-to-{op}-without-{key.replace('_', '-')}", "CODE-1 HELLO-2" if op == "hello" else "CODE-1", f"The result of {op} has {key}.", op, 0, without(result, key), **refuse)
    book.reply("reply-to-stat-without-entry", "CODE-1 STAT-1", "The result of stat has entry.", "stat", 0, {}, **refuse)
    book.reply("reply-to-read-without-payload", "ENV-6", "An OK to read has a payload frame.", "read", 0, RESULTS["read"], payload=None, **refuse)
    book.reply("reply-to-stat-with-payload", "ENV-7", "Only an OK to read has a payload frame.", "stat", 0, {"entry": FILE}, payload=b"", **refuse)
    book.reply("reply-with-code-256", "ENV-11", "A code is 0 to 255.", "stat", 256, {}, **refuse)
    book.reply("reply-with-a-trailing-byte", "CBOR-9 CBOR-11", "Nothing follows the header.", "flush", 0, {}, more=b"\x00", **refuse)
    book.reply("reply-with-keys-in-the-wrong-order", "CBOR-7 CBOR-11", "A client checks the profile too.", "read", 0, Pairs(("size", 11), ("etag", ETAG)), **refuse)
    book.reply("reply-with-a-key-twice", "CBOR-7 CBOR-11", "A client checks the profile too.", "append", 0, Pairs(("off", 11), ("off", 11)), **refuse)
    book.reply("reply-with-a-long-integer", "CBOR-3 CBOR-11", "A client checks the profile too.", "append", 0, {"off": Raw("180b", "11_0")}, **refuse)
    book.reply("reply-with-a-float-under-an-unknown-key", "CBOR-1 CBOR-11", "The profile holds for unknown keys too.", "flush", 0, {"x": Raw("f93c00", "1.0_1")}, **refuse)
    book.reply("reply-with-a-result-that-is-an-array", "ENV-11", "A result is a map.", "flush", 0, [], **refuse)
    book.reply("reply-to-list-with-entries-that-are-a-map", "CODE-1", "entries is an array.", "list", 0, LISTING | {"entries": {}}, **refuse)
    book.reply("reply-to-list-with-a-nameless-entry", "CODE-1", "An entry of a listing has a name.", "list", 0, LISTING | {"entries": [FILE]}, **refuse)
    book.reply("reply-to-hello-with-unknown-names", "HELLO-5", "names is posix or windows.", "hello", 0, WELCOME | {"names": "vms"}, **refuse)
    book.reply("reply-to-hello-with-caps-that-are-numbers", "HELLO-6", "Capabilities are text.", "hello", 0, WELCOME | {"caps": [1]}, **refuse)
    book.reply("reply-to-hello-with-a-boot-of-15-bytes", "HELLO-3", "boot is 16 bytes.", "hello", 0, WELCOME | {"boot": bytes(15)}, **refuse)
    book.reply("reply-to-hash-with-a-hash-of-31-bytes", "HASH-1", "A BLAKE3 hash is 32 bytes.", "hash", 0, RESULTS["hash"] | {"hash": bytes(31)}, **refuse)
    book.reply("reply-to-uploads-with-a-bad-path", "UPLOADS-1 SEC-1", "A client checks the paths that it receives.", "uploads", 0, {"uploads": [UPLOAD | {"path": "/../etc"}], "more": False}, **refuse)


def without(result, key):
    return {other: value for other, value in result.items() if other != key}
