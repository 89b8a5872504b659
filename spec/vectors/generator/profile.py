"""Headers that break the CBOR profile, one mistake each, built byte by byte."""

from .requests import UP
from .wire import MAGIC, MAX, SESSION, Pairs, Raw, encode, head


def add(book):
    integers(book)
    values(book)
    strings(book)
    containers(book)
    maps(book)
    ends(book)


def with_value(book, name, rules, comment, value):
    """An unknown key with this value: were the bytes right, the answer would be BAD_ARGS."""
    book.broken(name, rules, comment, stat({"path": "/a", "x": value}))


def stat(args):
    return [MAGIC, SESSION, 1, "stat", args]


def integers(book):
    rules = "CBOR-3 CBOR-10"
    for name, hexadecimal, diagnostic in (
        ("0-in-two-bytes", "1800", "0_0"),
        ("23-in-two-bytes", "1817", "23_0"),
        ("24-in-three-bytes", "190018", "24_1"),
        ("255-in-three-bytes", "1900ff", "255_1"),
        ("256-in-five-bytes", "1a00000100", "256_2"),
        ("65535-in-five-bytes", "1a0000ffff", "65535_2"),
        ("65536-in-nine-bytes", "1b0000000000010000", "65536_3"),
        ("2-to-the-32-less-1-in-nine-bytes", "1b00000000ffffffff", "4294967295_3"),
        ("minus-1-in-two-bytes", "3800", "-1_0"),
        ("minus-24-in-three-bytes", "390017", "-24_1"),
        ("minus-1-in-nine-bytes", "3b0000000000000000", "-1_3"),
    ):
        with_value(book, f"integer-{name}", rules, "Integers are in their shortest form.", Raw(hexadecimal, diagnostic))
    for name, raw in (
        ("2-to-the-63", Raw("1b8000000000000000", "9223372036854775808")),
        ("2-to-the-64-less-1", Raw("1bffffffffffffffff", "18446744073709551615")),
        ("minus-2-to-the-63-less-1", Raw("3b8000000000000000", "-9223372036854775809")),
        ("minus-2-to-the-64", Raw("3bffffffffffffffff", "-18446744073709551616")),
    ):
        with_value(book, f"integer-{name}", "CBOR-2 CBOR-10", "Integers fit into 64 bits with a sign.", raw)
        book.broken(
            f"mtime-{name}",
            "CBOR-2",
            "A time that does not fit is no time.",
            [MAGIC, SESSION, 1, "touch", {"path": "/a", "mtime_ns": raw}],
        )
    for info in (28, 29, 30):
        with_value(
            book,
            f"integer-with-reserved-size-{info}",
            "CBOR-3",
            "RFC 8949 reserves this size.",
            Raw(f"{info:02x}", f"/reserved {info}/"),
        )
    with_value(
        book,
        "integer-of-indefinite-size",
        "CBOR-4",
        "An integer has no indefinite form.",
        Raw("1f", "/not well-formed/"),
    )
    book.broken(
        "length-of-op-in-two-bytes",
        rules,
        "Lengths are in their shortest form.",
        [MAGIC, SESSION, 1, Raw("780473746174", '"stat"_0'), {"path": "/a"}],
    )
    book.broken(
        "length-of-a-key-in-two-bytes",
        rules,
        "Lengths are in their shortest form.",
        stat(Pairs((Raw("780470617468", '"path"_0'), "/a"))),
    )
    book.broken(
        "length-of-bytes-in-three-bytes",
        rules,
        "Lengths are in their shortest form.",
        [MAGIC, SESSION, 1, "abort", {"up": Raw("590010" + UP.hex(), f"h'{UP.hex()}'_1")}],
    )
    book.broken(
        "count-of-a-map-in-two-bytes",
        rules,
        "Counts are in their shortest form.",
        stat(Raw("b801647061746862" + "2f61", '{_0 "path": "/a"}')),
    )
    with_value(
        book, "count-of-an-array-in-two-bytes", rules, "Counts are in their shortest form.", Raw("980101", "[_0 1]")
    )


def values(book):
    for name, hexadecimal, diagnostic in (
        ("float-of-two-bytes", "f93c00", "1.0_1"),
        ("float-of-four-bytes", "fa3f800000", "1.0_2"),
        ("float-of-eight-bytes", "fb3ff0000000000000", "1.0_3"),
        ("not-a-number", "f97e00", "NaN"),
        ("infinity", "f97c00", "Infinity"),
        ("null", "f6", "null"),
        ("undefined", "f7", "undefined"),
        ("simple-value-0", "e0", "simple(0)"),
        ("simple-value-19", "f3", "simple(19)"),
        ("simple-value-32", "f820", "simple(32)"),
        ("simple-value-255", "f8ff", "simple(255)"),
        ("true-in-two-bytes", "f815", "/not well-formed/"),
        ("reserved-simple-value", "fc", "/not well-formed/"),
        ("break-without-a-beginning", "ff", "/not well-formed/"),
        ("tag-0", "c074323032352d31302d30395430383a35333a32305a", '0("2025-10-09T08:53:20Z")'),
        ("tag-1", "c11a68e77700", "1(1760000768)"),
        ("tag-2-bignum", "c249010000000000000000", "2(h'010000000000000000')"),
        ("tag-3-bignum", "c349010000000000000000", "3(h'010000000000000000')"),
        ("tag-2-small-bignum", "c24101", "2(h'01')"),
        ("tag-4-decimal-fraction", "c4820101", "4([1, 1])"),
        ("tag-24-embedded-cbor", "d8184101", "24(h'01')"),
        ("tag-35-regular-expression", "d823612e", '35(".")'),
        ("tag-55799-self-described", "d9d9f701", "55799(1)"),
    ):
        with_value(
            book,
            name,
            "CBOR-1 CBOR-10",
            "The profile has no such thing, under unknown keys either.",
            Raw(hexadecimal, diagnostic),
        )
    book.broken(
        "tag-around-an-argument",
        "CBOR-1",
        "A tag is not looked through.",
        stat({"path": Raw("d820622f61", '32("/a")')}),
    )
    book.broken(
        "null-for-an-optional-argument",
        "CBOR-1 CBOR-15",
        "What does not apply is left out.",
        [MAGIC, SESSION, 1, "uploads", {"after": Raw("f6", "null")}],
    )
    book.broken(
        "float-as-an-offset",
        "CBOR-1",
        "1.0 is not 1.",
        [MAGIC, SESSION, 1, "truncate", {"path": "/a", "size": Raw("f93c00", "1.0_1")}],
    )


def strings(book):
    for name, hexadecimal, comment in (
        ("lone-continuation-byte", "80", "A continuation byte without a beginning."),
        ("lone-leading-byte", "c3", "A sequence that is cut off by the end."),
        ("leading-byte-before-ascii", "c361", "A sequence that is cut off by a letter."),
        ("overlong-slash", "c0af", "An overlong slash has cost many a jail."),
        ("overlong-slash-of-three-bytes", "e080af", "An overlong slash of three bytes."),
        ("overlong-nul", "c080", "Java's NUL."),
        ("overlong-of-four-bytes", "f08080af", "An overlong slash of four bytes."),
        ("high-surrogate", "eda080", "U+D800 is no character."),
        ("low-surrogate", "edbfbf", "U+DFFF is no character."),
        ("surrogate-pair", "eda081edb080", "CESU-8 is not UTF-8."),
        ("beyond-the-last-character", "f4908080", "U+110000 does not exist."),
        ("byte-f5", "f5808080", "F5 begins nothing."),
        ("byte-ff", "ff", "FF begins nothing."),
        ("byte-fe", "fe", "FE begins nothing."),
        ("truncated-three-bytes", "e282", "A euro sign without its end."),
        ("truncated-four-bytes", "f09f98", "A smiley without its end."),
        ("latin-1", "63616ce9", "Latin-1 is not UTF-8."),
    ):
        data = bytes.fromhex(hexadecimal)
        raw = Raw((head(3, len(data) + 1) + b"/" + data).hex(), f"/not UTF-8/ h'2f{hexadecimal}'")
        book.broken(f"utf8-{name}", "CBOR-5 CBOR-10", comment, stat({"path": raw}))
    bad = Raw("61ff", "/not UTF-8/ h'ff'")
    book.broken("utf8-broken-in-op", "CBOR-5", "Operations are text too.", [MAGIC, SESSION, 1, bad, {}])
    book.broken("utf8-broken-in-a-key", "CBOR-5", "Keys are text too.", stat(Pairs((bad, 1), ("path", "/a"))))
    book.broken(
        "utf8-broken-in-client",
        "CBOR-5",
        "So is what a client calls itself.",
        [MAGIC, SESSION, 0, "hello", {"client": bad}],
        seq=0,
    )
    with_value(book, "utf8-broken-in-an-unknown-value", "CBOR-5", "Unknown values are checked too.", bad)
    book.broken(
        "text-of-indefinite-length",
        "CBOR-4",
        "Strings are of definite length.",
        stat({"path": Raw("7f612f6161ff", '(_ "/", "a")')}),
    )
    book.broken(
        "bytes-of-indefinite-length",
        "CBOR-4",
        "Strings are of definite length.",
        [MAGIC, SESSION, 1, "abort", {"up": Raw("5f50" + UP.hex() + "ff", f"(_ h'{UP.hex()}')")}],
    )
    book.broken(
        "op-of-indefinite-length",
        "CBOR-4",
        "Strings are of definite length.",
        [MAGIC, SESSION, 1, Raw("7f6473746174ff", '(_ "stat")'), {"path": "/a"}],
    )
    book.broken(
        "empty-text-of-indefinite-length",
        "CBOR-4",
        "Strings are of definite length, empty ones too.",
        stat({"path": Raw("7fff", "(_ )")}),
    )


def containers(book):
    book.broken(
        "args-of-indefinite-length",
        "CBOR-4",
        "Maps are of definite length.",
        stat(Raw("bf6470617468622f61ff", '{_ "path": "/a"}')),
    )
    with_value(book, "array-of-indefinite-length", "CBOR-4", "Arrays are of definite length.", Raw("9f01ff", "[_ 1]"))
    with_value(book, "map-of-indefinite-length", "CBOR-4", "Maps are of definite length.", Raw("bfff", "{_ }"))
    for depth in (9, 10, 1000):
        levels = depth - 2
        with_value(
            book,
            f"arrays-{depth}-deep",
            "CBOR-8",
            "The header's array is level 1 and args level 2.",
            Raw("81" * (levels - 1) + "80", "[" * min(levels, 20) + "]" * min(levels, 20)),
        )
    with_value(
        book,
        "maps-9-deep",
        "CBOR-8",
        "Maps count as arrays do.",
        Raw("a16161" * 6 + "a0", '{"a": ' * 6 + "{}" + "}" * 6),
    )
    book.request(
        "nesting-8-deep",
        "CBOR-8 CBOR-13",
        "Eight levels are well-formed; the key is unknown all the same.",
        "stat",
        {"path": "/a", "x": [[[[[[]]]]]]},
        expect="BAD_ARGS",
    )
    hello = {"auth": bytes(32), "client": "", "x": {"a": {"a": {"a": {"a": {"a": {}}}}}}}
    book.request(
        "hello-with-an-unknown-key-8-deep",
        "CBOR-8 CBOR-13",
        "Eight levels are well-formed, and hello ignores the key.",
        "hello",
        hello,
        reencoded={"auth": bytes(32), "client": ""},
    )


def maps(book):
    rules = "CBOR-7 CBOR-10"
    book.broken(
        "key-order-wrong",
        rules,
        "A longer key stands before a shorter one.",
        [MAGIC, SESSION, 1, "append", Pairs(("off", 0), ("up", UP))],
    )
    book.broken(
        "key-order-wrong-by-bytes",
        rules,
        "Keys of one length are in the order of their bytes.",
        [MAGIC, SESSION, 1, "read", Pairs(("off", 0), ("len", 1), ("path", "/a"))],
    )
    book.broken(
        "key-order-alphabetical",
        rules,
        "Shorter keys come first, whatever their letters.",
        [MAGIC, SESSION, 1, "truncate", Pairs(("etag", b"e"), ("path", "/a"), ("size", 1), ("a", 1))],
    )
    book.broken("key-twice", rules, "Keys are unique.", stat(Pairs(("path", "/a"), ("path", "/a"))))
    book.broken(
        "key-twice-with-another-value",
        rules,
        "Keys are unique, or two readers differ.",
        stat(Pairs(("path", "/a"), ("path", "/b"))),
    )
    with_value(book, "key-twice-in-an-unknown-map", rules, "Unknown maps are checked too.", Pairs(("a", 1), ("a", 2)))
    with_value(
        book, "key-order-wrong-in-an-unknown-map", rules, "Unknown maps are checked too.", Pairs(("b", 1), ("a", 2))
    )
    book.broken("key-of-24-bytes", "CBOR-6", "Keys are at most 23 bytes long.", stat({"path": "/a", "k" * 24: 1}))
    book.broken(
        "key-of-23-bytes-and-one-more",
        "CBOR-6",
        "Bytes are counted, not characters.",
        stat({"path": "/a", "\u00e9" * 12: 1}),
    )
    book.request(
        "key-of-23-bytes",
        "CBOR-6 CBOR-13",
        "A key of 23 bytes is well-formed, and unknown.",
        "stat",
        {"path": "/a", "k" * 23: 1},
        expect="BAD_ARGS",
    )
    book.request(
        "key-of-nothing",
        "CBOR-6 CBOR-13",
        "An empty key is well-formed, and unknown.",
        "stat",
        {"": 1, "path": "/a"},
        expect="BAD_ARGS",
    )
    for name, key in (
        ("an-integer", 1),
        ("a-negative-integer", -1),
        ("bytes", b"path"),
        ("a-boolean", True),
        ("an-array", Raw("80", "[]")),
        ("a-map", Raw("a0", "{}")),
    ):
        book.broken(f"key-that-is-{name}", "CBOR-6", "Keys are text.", stat(Pairs((key, "/a"))))
    with_value(
        book, "key-that-is-an-integer-in-an-unknown-map", "CBOR-6", "Unknown maps are checked too.", Pairs((1, 1))
    )


def ends(book):
    good = encode(stat({"path": "/a"}))
    for name, more in (("zero-byte", b"\x00"), ("second-header", good), ("line-feed", b"\n"), ("break", b"\xff")):
        book.broken(
            f"header-with-a-{name}-after-it",
            "CBOR-9 CBOR-10",
            "Nothing follows the header's array.",
            stat({"path": "/a"}),
            more=more,
        )
    parts = [encode(item) for item in stat({"path": "/a"})]
    at = [1 + sum(map(len, parts[:count])) for count in range(6)]
    for name, cut, seq in (
        ("before-seq", at[2], 0),
        ("before-op", at[3], 1),
        ("within-op", at[3] + 3, 1),
        ("before-args", at[4], 1),
        ("before-the-key", at[4] + 1, 1),
        ("within-the-key", at[4] + 3, 1),
        ("before-the-value", at[4] + 6, 1),
        ("within-the-value", at[5] - 1, 1),
    ):
        book.broken(
            f"header-cut-off-{name}",
            "CBOR-10 ENV-18",
            "A header that ends too early.",
            stat({"path": "/a"}),
            cut=cut,
            seq=seq,
        )
    book.broken(
        "header-cut-off-within-seq",
        "CBOR-10 ENV-18",
        "Half a seq is none: the answer carries 0.",
        [MAGIC, SESSION, 65536, "flush", {}],
        cut=26,
        seq=0,
    )
    lies = "CBOR-12 CBOR-10"
    for name, raw in (
        ("text-that-claims-4-gib", Raw("7b0000000100000000" + "2f61", "/claims 4294967296 bytes/")),
        (
            "text-that-claims-2-to-the-64-less-1",
            Raw("7bffffffffffffffff" + "2f61", "/claims 18446744073709551615 bytes/"),
        ),
        ("bytes-that-claim-4-gib", Raw("5b0000000100000000", "/claims 4294967296 bytes/")),
        ("array-that-claims-2-to-the-63-items", Raw("9b8000000000000000", "/claims 9223372036854775808 items/")),
        ("array-that-claims-a-million-items", Raw("9a000f4240", "/claims 1000000 items/")),
        ("map-that-claims-2-to-the-32-pairs", Raw("bb0000000100000000", "/claims 4294967296 pairs/")),
        ("map-that-claims-2-to-the-63-pairs", Raw("bb8000000000000000", "/claims 9223372036854775808 pairs/")),
        ("text-that-claims-one-byte-more", Raw("632f61", "/claims 3 bytes/")),
    ):
        book.broken(name, lies, "A claim that the bytes do not bear out reserves nothing.", stat({"path": raw}))
    book.broken(
        "args-that-claim-one-pair-more",
        lies,
        "A map that ends too early.",
        stat(Raw("a26470617468622f61", "/claims 2 pairs/")),
    )
    book.broken(
        "integer-cut-off",
        "CBOR-10",
        "Half an integer.",
        [MAGIC, SESSION, 1, "touch", {"path": "/a", "mtime_ns": Raw("1b0000", "/cut off/")}],
    )
    book.broken(
        "unknown-operation-with-broken-args",
        "CBOR-10 ENV-20",
        "The profile is checked for unknown operations too.",
        [MAGIC, SESSION, 1, "chmod", {"mode": Raw("f93c00", "1.0_1")}],
    )
    book.broken(
        "largest-seq-with-broken-args",
        "ENV-18",
        "The answer carries the seq.",
        [MAGIC, SESSION, MAX, "stat", {"path": Raw("f6", "null")}],
        seq=MAX,
    )
