"""Scenarios of files, directories and uploads."""

from blake3 import blake3

from .requests import UP
from .scenario import A, B, Scenario
from .wire import MAX

OTHER_UP = bytes.fromhex("0b1ad000000000000000000000000002")


def add(book):
    files(book)
    uploads(book)


def files(book):
    s = Scenario(
        book,
        "put-is-read-back",
        "PUT-1 PUT-2 READ-1 READ-4",
        "read returns what put wrote, and nothing at the end and after it.",
    )
    s.hello(A)
    s.send(A, 1, "put", {"path": "/a", "mtime_ns": 1_700_000_000_000_000_000}, "OK", payload=b"hello world")
    s.send(A, 2, "read", {"path": "/a", "off": 0, "len": 100}, "OK", {"size": 11}, answer=b"hello world")
    s.send(A, 3, "read", {"path": "/a", "off": 6, "len": 3}, "OK", {"size": 11}, answer=b"wor")
    s.send(A, 4, "read", {"path": "/a", "off": 11, "len": 1}, "OK", {"size": 11}, answer=b"")
    s.send(A, 5, "read", {"path": "/a", "off": MAX, "len": 0}, "OK", answer=b"")
    s.send(A, 6, "read", {"path": "/b", "off": 0, "len": 1}, "NOT_FOUND")
    s.send(A, 7, "read", {"path": "/", "off": 0, "len": 1}, "NOT_FILE")

    s = Scenario(book, "put-onto-something-needs-leave", "TARGET-4 TARGET-5 TARGET-7", "pre says what has to be there.")
    wrong = b"no etag of this server"
    s.hello(A)
    s.send(A, 1, "put", {"path": "/a"}, "OK", payload=b"1")
    s.send(A, 2, "put", {"path": "/a"}, "EXISTS", payload=b"2")
    s.send(A, 3, "put", {"path": "/a", "pre": wrong}, "CHANGED", payload=b"3")
    s.send(A, 4, "read", {"path": "/a", "off": 0, "len": 9}, "OK", answer=b"1")
    s.send(A, 5, "put", {"path": "/a", "pre": "any"}, "OK", payload=b"5")
    s.send(A, 6, "read", {"path": "/a", "off": 0, "len": 9}, "OK", answer=b"5")
    s.send(A, 7, "put", {"path": "/"}, "EXISTS", payload=b"")
    s.send(A, 8, "put", {"path": "/", "pre": "any"}, "NOT_FILE", payload=b"")
    s.send(A, 9, "put", {"path": "/b", "pre": wrong}, "CHANGED", payload=b"")

    s = Scenario(
        book,
        "write-and-truncate-fill-with-zeros",
        "WRITE-1 WRITE-2 WRITE-3 TRUNC-1",
        "Zeros fill the gap after the end; an empty write changes nothing.",
    )
    s.hello(A)
    s.send(A, 1, "put", {"path": "/a"}, "OK", payload=b"abc")
    s.send(A, 2, "write", {"path": "/a", "off": 5}, "OK", payload=b"fg")
    s.send(A, 3, "read", {"path": "/a", "off": 0, "len": 99}, "OK", {"size": 7}, answer=b"abc\x00\x00fg")
    s.send(A, 4, "truncate", {"path": "/a", "size": 2}, "OK")
    s.send(A, 5, "truncate", {"path": "/a", "size": 4}, "OK")
    s.send(A, 6, "write", {"path": "/a", "off": 100}, "OK", payload=b"")
    s.send(A, 7, "read", {"path": "/a", "off": 0, "len": 99}, "OK", {"size": 4}, answer=b"ab\x00\x00")
    s.send(A, 8, "write", {"path": "/b", "off": 0}, "NOT_FOUND", payload=b"x")
    s.send(A, 9, "truncate", {"path": "/b", "size": 0}, "NOT_FOUND")

    s = Scenario(book, "hash-is-of-a-range", "HASH-1", "off and len choose what is hashed.")
    s.hello(A)
    s.send(A, 1, "put", {"path": "/a"}, "OK", payload=b"hello world")
    for seq, (more, data) in enumerate(
        (
            ({}, b"hello world"),
            ({"off": 6}, b"world"),
            ({"len": 5}, b"hello"),
            ({"off": 4, "len": 3}, b"o w"),
            ({"off": 50}, b""),
            ({"len": MAX}, b"hello world"),
        ),
        2,
    ):
        s.send(A, seq, "hash", {"path": "/a"} | more, "OK", {"hash": blake3(data).digest(), "len": len(data)})

    s = Scenario(
        book,
        "directories-are-made-and-removed-empty",
        "MKDIR-1 MKDIR-2 REMOVE-1 REMOVE-2 REMOVE-3 PATH-13",
        "One directory at a time, and only empty ones go.",
    )
    s.hello(A)
    s.mkdir(A, 1, "/", "EXISTS")
    s.mkdir(A, 2, "/a")
    s.mkdir(A, 3, "/a/b")
    s.send(A, 4, "remove", {"path": "/a"}, "NOT_EMPTY")
    s.send(A, 5, "remove", {"path": "/a/b"}, "OK", {})
    s.send(A, 6, "remove", {"path": "/a"}, "OK", {})
    s.send(A, 7, "remove", {"path": "/a"}, "NOT_FOUND")
    s.send(A, 8, "remove", {"path": "/"}, "DENIED")
    s.send(A, 9, "put", {"path": "/f"}, "OK", payload=b"")
    s.mkdir(A, 10, "/f/d", "NOT_DIR")
    s.mkdir(A, 11, "/x/d", "NOT_FOUND")
    s.send(A, 12, "list", {"path": "/f"}, "NOT_DIR")

    s = Scenario(
        book,
        "list-is-sorted-and-paged",
        "LIST-2 LIST-3 LIST-5 LIST-7",
        "In a tree a slash sorts before everything else.",
    )
    s.hello(A)
    s.mkdir(A, 1, "/a")
    s.send(A, 2, "put", {"path": "/a/z"}, "OK", payload=b"")
    s.send(A, 3, "put", {"path": "/a b"}, "OK", payload=b"")
    s.send(A, 4, "put", {"path": "/a!"}, "OK", payload=b"")
    s.send(A, 5, "put", {"path": "/B"}, "OK", payload=b"")
    for seq, (args, names, more) in enumerate(
        (
            ({}, ["B", "a", "a b", "a!"], False),
            ({"tree": True}, ["B", "a", "a/z", "a b", "a!"], False),
            ({"limit": 2}, ["B", "a"], True),
            ({"limit": 2, "after": "a"}, ["a b", "a!"], False),
            ({"after": "a!"}, [], False),
            ({"after": "A"}, ["B", "a", "a b", "a!"], False),
            ({"tree": True, "after": "a/a", "limit": 1}, ["a/z"], True),
            ({"after": ""}, ["B", "a", "a b", "a!"], False),
            ({"tree": True, "after": "a", "limit": 1}, ["a/z"], True),
            ({"tree": True, "after": "a/z", "limit": 1}, ["a b"], True),
        ),
        6,
    ):
        s.send(A, seq, "list", {"path": "/"} | args, "OK", {"entry_names": names, "more": more, "skipped": 0})

    s = Scenario(
        book,
        "move-and-copy-respect-the-target",
        "MOVE-1 MOVE-2 MOVE-3 COPY-1 COPY-2 TARGET-4",
        "Nothing is lost by a move or copy that is refused.",
    )
    s.hello(A)
    s.send(A, 1, "put", {"path": "/a"}, "OK", payload=b"a")
    s.send(A, 2, "put", {"path": "/b"}, "OK", payload=b"b")
    s.mkdir(A, 3, "/d")
    s.send(A, 4, "move", {"from": "/a", "to": "/b"}, "EXISTS")
    s.send(A, 5, "copy", {"from": "/a", "to": "/d", "pre": "any"}, "NOT_FILE")
    s.send(A, 6, "move", {"from": "/d", "to": "/b", "pre": "any"}, "NOT_FILE")
    s.send(A, 7, "move", {"from": "/d", "to": "/d/e"}, "LOOP")
    s.send(A, 8, "copy", {"from": "/d", "to": "/e"}, "NOT_FILE")
    s.send(A, 9, "copy", {"from": "/a", "to": "/d/c"}, "OK")
    s.send(A, 10, "move", {"from": "/a", "to": "/b", "pre": "any"}, "OK")
    s.send(A, 11, "stat", {"path": "/a"}, "NOT_FOUND")
    s.send(A, 12, "read", {"path": "/b", "off": 0, "len": 9}, "OK", answer=b"a")
    s.send(A, 13, "read", {"path": "/d/c", "off": 0, "len": 9}, "OK", answer=b"a")
    s.send(A, 14, "move", {"from": "/b", "to": "/c", "etag": b"wrong"}, "CHANGED")
    s.send(A, 15, "remove", {"path": "/d", "etag": b"wrong"}, "CHANGED")
    s.send(A, 16, "move", {"from": "/d", "to": "/g"}, "OK")
    s.send(A, 17, "stat", {"path": "/g/c"}, "OK")


def uploads(book):
    s = Scenario(
        book,
        "upload-appears-with-commit",
        "UP-1 APPEND-1 COMMIT-1 COMMIT-3",
        "Nothing is under the final name before commit, and everything after it.",
    )
    s.hello(A)
    s.begin(A, 1, b"")
    s.append(A, 2, 0, b"hello ", "OK", {"off": 6})
    s.append(A, 3, 6, b"world", "OK", {"off": 11})
    s.send(A, 4, "stat", {"path": "/a"}, "NOT_FOUND")
    s.send(A, 5, "list", {"path": "/"}, "OK", {"entry_names": [], "more": False, "skipped": 0})
    s.commit(A, 6, b"hello world", "OK")
    s.send(A, 7, "read", {"path": "/a", "off": 0, "len": 99}, "OK", {"size": 11}, answer=b"hello world")
    s.append(A, 8, 11, b"!", "NO_UPLOAD")
    s.commit(A, 9, b"hello world", "NO_UPLOAD")
    s.send(A, 10, "uploads", {}, "OK", {"uploads": [], "more": False})

    s = Scenario(book, "upload-without-begin-is-refused", "APPEND-2 COMMIT-1", "begin comes first, in every session.")
    s.hello(A)
    s.append(A, 1, 0, b"x", "NO_UPLOAD")
    s.commit(A, 2, b"", "NO_UPLOAD")
    s.send(A, 3, "abort", {"up": UP}, "OK", {})

    s = Scenario(
        book,
        "upload-grows-only-at-its-end",
        "APPEND-1 APPEND-4",
        "OFFSET says where the end is, for an empty payload too.",
    )
    s.hello(A)
    s.begin(A, 1, b"")
    s.append(A, 2, 0, b"abc", "OK", {"off": 3})
    s.append(A, 3, 0, b"abc", "OFFSET", {"off": 3})
    s.append(A, 4, 4, b"", "OFFSET", {"off": 3})
    s.append(A, 5, 3, b"", "OK", {"off": 3})
    s.append(A, 6, MAX, b"", "OFFSET", {"off": 3})

    s = Scenario(
        book,
        "upload-with-a-wrong-digest-is-discarded",
        "COMMIT-1 COMMIT-2",
        "OFFSET comes before DIGEST; DIGEST discards what was staged.",
    )
    s.hello(A)
    s.begin(A, 1, b"")
    s.append(A, 2, 0, b"abc", "OK")
    s.commit(A, 3, b"abcd", "OFFSET", {"off": 3})
    s.commit(A, 4, b"abd", "DIGEST")
    s.commit(A, 5, b"abc", "NO_UPLOAD")
    s.begin(A, 6, b"")
    s.send(A, 7, "stat", {"path": "/a"}, "NOT_FOUND")

    s = Scenario(
        book,
        "upload-refused-by-its-target-is-kept",
        "COMMIT-2 TARGET-4",
        "After EXISTS the same bytes can be committed with another pre.",
    )
    s.hello(A)
    s.begin(A, 1, b"")
    s.append(A, 2, 0, b"new", "OK")
    s.send(A, 3, "put", {"path": "/a"}, "OK", payload=b"old")
    s.commit(A, 4, b"new", "EXISTS")
    s.commit(A, 5, b"new", "OK", pre="any")
    s.send(A, 6, "read", {"path": "/a", "off": 0, "len": 9}, "OK", answer=b"new")

    s = Scenario(
        book,
        "upload-goes-on-in-another-session",
        "BEGIN-1 BEGIN-2 UP-2 APPEND-2",
        "Staged bytes outlive their session, but begin has to be sent again.",
    )
    s.hello(A)
    s.begin(A, 1, b"")
    s.append(A, 2, 0, b"half", "OK")
    s.bye(A)
    s.hello(B)
    s.append(B, 1, 4, b"!", "NO_UPLOAD")
    s.begin(B, 2, b"half")
    s.append(B, 3, 4, b"way", "OK", {"off": 7})
    s.commit(B, 4, b"halfway", "OK")

    s = Scenario(
        book, "upload-of-another-path-starts-empty", "BEGIN-2", "An id that is known for another path begins at nothing."
    )
    s.hello(A)
    s.begin(A, 1, b"")
    s.append(A, 2, 0, b"abc", "OK")
    s.begin(A, 3, b"", path="/b")

    s = Scenario(book, "upload-of-the-same-path-discards-the-other", "BEGIN-3 APPEND-2", "One staged upload a path.")
    s.hello(A)
    s.begin(A, 1, b"")
    s.append(A, 2, 0, b"abc", "OK")
    s.begin(A, 3, b"", up=OTHER_UP)
    s.append(A, 4, 3, b"d", "NO_UPLOAD")

    s = Scenario(book, "upload-that-is-aborted-is-gone", "ABORT-1 APPEND-2", "abort of nothing is OK as well.")
    s.hello(A)
    s.begin(A, 1, b"")
    s.append(A, 2, 0, b"abc", "OK")
    s.send(A, 3, "abort", {"up": UP}, "OK", {})
    s.send(A, 4, "abort", {"up": UP}, "OK", {})
    s.append(A, 5, 3, b"", "NO_UPLOAD")

    s = Scenario(
        book,
        "upload-does-not-look-at-its-target",
        "BEGIN-4 COMMIT-1",
        "begin takes a path whose parent is not there; commit does not.",
    )
    s.hello(A)
    s.begin(A, 1, b"", path="/no/such")
    s.commit(A, 2, b"", "NOT_FOUND")
    s.mkdir(A, 3, "/no")
    s.commit(A, 4, b"", "OK")
    s.send(A, 5, "hash", {"path": "/no/such"}, "OK", {"hash": blake3(b"").digest(), "len": 0})

    s = Scenario(
        book, "upload-is-begun-once-when-resent", "SEQ-3", "A resent append is answered again and appends nothing."
    )
    s.hello(A)
    s.begin(A, 1, b"")
    message = {"up": UP, "off": 0}
    s.send(A, 2, "append", message, "OK", {"off": 3}, payload=b"abc")
    s.send(A, 2, "append", message, "OK", {"off": 3}, payload=b"abc", same_as=2)
    s.commit(A, 3, b"abc", "OK")
