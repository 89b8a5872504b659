"""Whole ZeroMQ messages: routing frames, delimiter, and what is a request at all."""

from .requests import HELLO
from .wire import HEADER_LIMIT, MAGIC, MAX, SESSION, ZERO_SESSION, Raw, encode, encode_checked, frame

DEALER = bytes.fromhex("00000000a1")
PROXY = bytes.fromhex("00000000b2")
FLUSH = [MAGIC, SESSION, 1, "flush", {}]
HEAD = bytes.fromhex("8564726d6631")


def add(book):
    routing(book)
    not_ours(book)
    replies(book)
    versions(book)
    items(book)
    counts(book)
    lengths(book)


def envelope(book, name, expect, rules, comment, frames, *, route=None, session=None, seq=None):
    """`route` is how many frames go unchanged before the reply, `session` and `seq` what the reply carries."""
    answered = expect != "not-ours"
    if answered and session is None:
        session = ZERO_SESSION if expect == "VERSION" else SESSION
    if answered and seq is None:
        seq = 0 if expect == "VERSION" else 1
    book.add(
        name,
        "envelope",
        expect,
        rules,
        comment,
        frames=[frame(one) for one in frames],
        route=(frames.index(b"") + 1 if route is None else route) if answered else None,
        session=session.hex() if answered else None,
        seq=seq,
    )


def after_delimiter(book, name, expect, rules, comment, header, *more, **fields):
    """The header right after the delimiter, as a DEALER sends it."""
    envelope(book, name, expect, rules, comment, [b"", header, *more], **fields)


def routing(book):
    header = encode_checked(FLUSH)
    rules = "ENV-2 ENV-3"
    for name, frames, comment in (
        ("message-from-a-dealer", [b"", header], "A DEALER or PAIR peer: the delimiter alone."),
        ("message-through-a-router", [DEALER, b"", header], "A ROUTER puts the peer's identity first."),
        ("message-through-a-proxy", [PROXY, DEALER, b"", header], "Each proxy puts one more identity first."),
        ("message-through-seven-proxies", [PROXY] * 7 + [DEALER, b"", header], "There may be any number of them."),
        (
            "message-of-a-correlating-req",
            [DEALER, b"\x00\x00\x00\x01", b"", header],
            "ZMQ_REQ_CORRELATE puts a number before the delimiter.",
        ),
        (
            "message-with-an-identity-that-looks-like-a-header",
            [header, b"", header],
            "The header is what follows the delimiter.",
        ),
    ):
        envelope(book, name, "accept", rules, comment, frames)
    put = encode_checked([MAGIC, SESSION, 1, "put", {"path": "/a"}])
    envelope(
        book,
        "message-with-an-empty-payload",
        "accept",
        "ENV-2 ENV-4",
        "The first empty frame is the delimiter, the second a payload.",
        [DEALER, b"", put, b""],
    )
    hello = encode_checked([MAGIC, SESSION, 0, "hello", HELLO])
    envelope(
        book,
        "message-that-says-hello",
        "accept",
        "ENV-13",
        "seq 0 is a sequence number here.",
        [DEALER, b"", hello],
        seq=0,
    )


def not_ours(book):
    header = encode_checked(FLUSH)
    rules = "ENV-14"
    for name, frames, comment in (
        ("message-without-a-delimiter", [header], "No empty frame, no Remofile message."),
        ("message-with-an-identity-and-no-delimiter", [DEALER, header], "No empty frame, no Remofile message."),
        ("message-of-an-empty-frame", [b""], "Nothing follows the delimiter."),
        ("message-of-an-identity-and-an-empty-frame", [DEALER, b""], "Nothing follows the delimiter."),
        (
            "message-with-two-delimiters",
            [b"", b"", header],
            "The header is the first frame after the first empty one.",
        ),
        ("message-with-an-empty-header", [b"", b""], "An empty frame is no header."),
        ("message-of-text", [b"", b"GET / HTTP/1.1\r\n"], "Another protocol."),
    ):
        envelope(book, name, "not-ours", rules, comment, frames)
    rest = header[6:]
    for name, start, rule, comment in (
        ("header-of-four-items", "8464726d6631", "ENV-14", "A header is an array of five."),
        ("header-of-six-items", "8664726d6631", "ENV-14", "A header is an array of five."),
        ("header-of-indefinite-length", "9f64726d6631", "ENV-14", "No header begins so."),
        (
            "header-with-a-count-in-two-bytes",
            "980564726d6631",
            "ENV-14",
            "A count in its shortest form begins every header.",
        ),
        ("header-with-magic-of-bytes", "8544726d6631", "ENV-14", "The magic is text."),
        ("header-with-magic-in-capitals", "8564524d4631", "ENV-14", "The magic is rmf."),
        ("header-with-another-magic", "8564726d6731", "ENV-14", "The magic is rmf."),
        ("header-with-a-letter-for-a-version", "8564726d6661", "ENV-14", "A version is a digit."),
        ("header-with-a-slash-for-a-version", "8564726d662f", "ENV-14", "2F comes before the digits."),
        ("header-with-a-colon-for-a-version", "8564726d663a", "ENV-14", "3A comes after the digits."),
        ("header-with-the-length-of-magic-in-two-bytes", "857804726d6631", "ENV-14", "No header begins so."),
        ("header-with-a-tag-before-it", "d9d9f78564726d6631", "ENV-14", "No header begins so."),
    ):
        after_delimiter(book, name, "not-ours", rule, comment, bytes.fromhex(start) + rest)
    for name, item in (
        ("15-bytes", encode(SESSION[:15])),
        ("17-bytes", encode(SESSION + b"!")),
        ("text", encode("0123456789abcdef")),
        ("a-long-length", b"\x58\x10" + SESSION),
        ("an-integer", b"\x01"),
        ("an-array", b"\x90" + b"\x00" * 16),
        ("indefinite-length", b"\x5f\x50" + SESSION + b"\xff"),
    ):
        after_delimiter(
            book,
            f"header-with-a-session-of-{name}",
            "not-ours",
            "ENV-17",
            "A session of 16 bytes is what makes version 1.",
            HEAD + item + header[23:],
        )
    for length in (1, 5, 6, 7, 22):
        after_delimiter(
            book,
            f"header-of-{length}-bytes",
            "not-ours",
            "ENV-14" if length < 6 else "ENV-17",
            "Too short to tell whose session it is.",
            header[:length],
        )


def replies(book):
    rules = "ENV-15"
    for name, code in (
        ("ok", b"\x00"),
        ("busy", b"\x0a"),
        ("a-code-in-two-bytes", b"\x18\x3c"),
        ("a-code-in-long-form", b"\x18\x00"),
        ("a-negative-code", b"\x20"),
        ("a-code-of-nine-bytes", b"\x1b" + b"\xff" * 8),
    ):
        after_delimiter(
            book,
            f"reply-shaped-message-with-{name}",
            "not-ours",
            rules,
            "A reply is never answered, or two servers would talk for ever.",
            HEAD + encode(SESSION) + b"\x01" + code + b"\xa0",
        )
    after_delimiter(
        book,
        "reply-shaped-message-cut-off-after-its-code",
        "not-ours",
        rules,
        "The first byte of the code is enough.",
        HEAD + encode(SESSION) + b"\x01\x00",
    )
    after_delimiter(
        book,
        "reply-shaped-message-with-a-payload",
        "not-ours",
        rules,
        "An answer to read has two frames.",
        HEAD + encode(SESSION) + b"\x01\x00\xa0",
        b"payload",
    )
    after_delimiter(
        book,
        "reply-shaped-message-of-version-2",
        "not-ours",
        rules,
        "A reply of another version is a reply.",
        b"\x85drmf2" + encode(SESSION) + b"\x01\x00\xa0",
    )
    after_delimiter(
        book,
        "reply-shaped-message-with-seq-2-to-the-63",
        "not-ours",
        rules,
        "The seq of a reply need only be in shortest form.",
        HEAD + encode(SESSION) + b"\x1b\x80" + bytes(7) + b"\x00\xa0",
    )
    after_delimiter(
        book,
        "reply-that-says-version",
        "not-ours",
        rules,
        "VERSION is a reply like any other.",
        encode_checked([MAGIC, ZERO_SESSION, 0, 13, {}]),
    )
    after_delimiter(
        book,
        "message-with-a-long-seq-and-a-code",
        "BAD_MESSAGE",
        "ENV-15 ENV-18",
        "With a seq in a longer form it is no reply, and not well-formed.",
        HEAD + encode(SESSION) + b"\x18\x01\x00\xa0",
        seq=0,
    )


def versions(book):
    rules = "ENV-16"
    for digit in "0239":
        after_delimiter(
            book,
            f"request-of-version-{digit}",
            "VERSION",
            rules,
            "A request of another version is answered VERSION.",
            b"\x85drmf" + digit.encode() + encode_checked(FLUSH)[6:],
        )
    for name, rest in (
        ("nothing-more", b""),
        ("garbage-after-it", b"\xff\xff\xff"),
        ("another-session", encode(SESSION[:8]) + b"\x01\x00\xa0"),
        ("integers-for-operations-and-no-session", b"\x01\x02\x03\x04"),
    ):
        after_delimiter(
            book,
            f"header-of-version-2-with-{name}",
            "VERSION",
            rules,
            "Nothing is known of how another version goes on.",
            b"\x85drmf2" + rest,
        )
    after_delimiter(
        book,
        "request-of-version-2-with-three-frames",
        "VERSION",
        "ENV-16 CODE-5",
        "VERSION comes before BAD_MESSAGE.",
        b"\x85drmf2" + encode_checked(FLUSH)[6:],
        b"a",
        b"b",
    )
    envelope(
        book,
        "request-of-version-2-through-a-router",
        "VERSION",
        "ENV-16 ENV-2",
        "The routing frames go back as ever.",
        [DEALER, b"", b"\x85drmf2"],
    )


def items(book):
    rules = "ENV-10 ENV-18"
    types = {"bytes": b"\x00", "null": Raw("f6", "null"), "an-array": [], "a-map": {}, "a-boolean": True}

    def wrong(name, comment, message, seq):
        after_delimiter(book, name, "BAD_MESSAGE", rules, comment, encode(message), seq=seq)

    for kind, value in (types | {"text": "1", "a-negative-integer": -1, "a-float": Raw("f93c00", "1.0")}).items():
        wrong(
            f"header-with-a-seq-of-{kind}" if not kind.startswith("a") else f"header-with-a-seq-that-is-{kind}",
            "seq is an unsigned integer; the answer carries 0.",
            [MAGIC, SESSION, value, "flush", {}],
            0,
        )
    wrong(
        "header-with-a-seq-of-2-to-the-63",
        "seq is at most 2^63-1; the answer carries 0.",
        [MAGIC, SESSION, Raw("1b8000000000000000", ""), "flush", {}],
        0,
    )
    wrong(
        "header-with-a-seq-in-long-form",
        "seq is in its shortest form; the answer carries 0.",
        [MAGIC, SESSION, Raw("1801", ""), "flush", {}],
        0,
    )
    for kind, value in (types | {"a-float": Raw("f93c00", "1.0"), "a-tag": Raw("c065666c757368", "")}).items():
        wrong(f"header-with-an-op-that-is-{kind}", "op is text.", [MAGIC, SESSION, 1, value, {}], 1)
    for kind, value in (
        ("bytes", b""),
        ("null", Raw("f6", "")),
        ("an-array", []),
        ("text", ""),
        ("an-integer", 0),
        ("a-boolean", False),
    ):
        wrong(f"header-with-args-that-are-{kind}", "args is a map.", [MAGIC, SESSION, 1, "flush", value], 1)
    after_delimiter(book, "header-of-five-that-has-four", "BAD_MESSAGE", rules, "The array ends too early.", encode(FLUSH)[:-1])
    after_delimiter(
        book,
        "header-of-five-that-has-six",
        "BAD_MESSAGE",
        "ENV-10 CBOR-9",
        "The sixth item follows the array.",
        encode(FLUSH) + b"\xa0",
    )
    after_delimiter(
        book,
        "header-of-23-bytes",
        "BAD_MESSAGE",
        "ENV-17 ENV-18",
        "The session is all there: it can be answered.",
        encode(FLUSH)[:23],
        seq=0,
    )
    after_delimiter(
        book,
        "header-of-24-bytes",
        "BAD_MESSAGE",
        "ENV-17 ENV-18",
        "The seq is there: it is answered.",
        encode(FLUSH)[:24],
    )
    after_delimiter(
        book,
        "header-of-a-zero-session",
        "accept",
        "ENV-17",
        "16 zero bytes are a session id like any other.",
        encode_checked([MAGIC, ZERO_SESSION, 1, "flush", {}]),
        session=ZERO_SESSION,
    )
    after_delimiter(
        book,
        "header-with-the-largest-seq",
        "accept",
        "ENV-10 CBOR-2",
        "seq reaches 2^63-1.",
        encode_checked([MAGIC, SESSION, MAX, "flush", {}]),
        seq=MAX,
    )


def counts(book):
    for op, args in (
        ("hello", HELLO),
        ("ping", {}),
        ("bye", {}),
        ("stat", {"path": "/a"}),
        ("read", {"path": "/a", "off": 0, "len": 1}),
        ("chmod", {"path": "/a"}),
    ):
        seq = 0 if op in ("hello", "ping", "bye") else 1
        header = encode_checked([MAGIC, SESSION, seq, op, args])
        after_delimiter(
            book,
            f"{op}-with-two-frames",
            "BAD_MESSAGE",
            "ENV-5 ENV-20" if op == "chmod" else "ENV-5",
            f"{op} has no payload, not even an empty one.",
            header,
            b"",
            seq=seq,
        )
    after_delimiter(
        book,
        "flush-with-three-frames",
        "BAD_MESSAGE",
        "ENV-5",
        "One frame after the delimiter.",
        encode_checked(FLUSH),
        b"",
        b"",
    )
    up = bytes(16)
    for op, args in (("put", {"path": "/a"}), ("write", {"path": "/a", "off": 0}), ("append", {"up": up, "off": 0})):
        header = encode_checked([MAGIC, SESSION, 1, op, args])
        after_delimiter(
            book, f"{op}-with-one-frame", "BAD_MESSAGE", "ENV-4", f"{op} has a payload frame, if an empty one.", header
        )
        after_delimiter(book, f"{op}-with-two-frames", "accept", "ENV-4", "Header and payload.", header, b"payload")
        after_delimiter(
            book, f"{op}-with-three-frames", "BAD_MESSAGE", "ENV-4", "A payload is one frame.", header, b"pay", b"load"
        )


def lengths(book):
    empty = encode([MAGIC, SESSION, 0, "hello", HELLO | {"x": ""}])
    for more in (0, 1, 1024):
        room = HEADER_LIMIT + more - len(empty)
        text = "x" * (room - (2 if room < 65536 else 4))
        header = encode_checked([MAGIC, SESSION, 0, "hello", HELLO | {"x": text}])
        if len(header) != HEADER_LIMIT + more:
            raise AssertionError(len(header))
        after_delimiter(
            book,
            f"header-of-{HEADER_LIMIT + more}-bytes",
            "BAD_MESSAGE" if more else "accept",
            "ENV-18 LIMIT-4" if more else "LIMIT-1",
            "A header is at most 65,536 bytes long.",
            header,
            seq=0,
        )
