"""CBOR, diagnostic notation and frames, with room for every mistake."""

import struct

import cbor2

MAGIC = "rmf1"
SESSION = bytes.fromhex("5e5510000000000000000000000000a1")
OTHER_SESSION = bytes.fromhex("5e5510000000000000000000000000b2")
THIRD_SESSION = bytes.fromhex("5e5510000000000000000000000000c3")
ZERO_SESSION = bytes(16)
MAX = 2**63 - 1
CHUNK = 65536
HEADER_LIMIT = 65536


class Raw:
    """Bytes that stand in place of an encoded item, with what diagnostic notation has to say of them."""

    def __init__(self, hexadecimal, diagnostic):
        self.bytes = bytes.fromhex(hexadecimal)
        self.diagnostic = diagnostic


class Pairs:
    """A map whose pairs are written in the order given, sorted and unique or not."""

    def __init__(self, *pairs):
        self.pairs = pairs


def head(major, value):
    """The first bytes of an item, in the shortest form."""
    if value < 24:
        return bytes([major << 5 | value])
    for info, form in ((24, ">B"), (25, ">H"), (26, ">I"), (27, ">Q")):
        if value < 1 << 8 * struct.calcsize(form):
            return bytes([major << 5 | info]) + struct.pack(form, value)
    raise ValueError(value)


def encode(value):
    """The deterministic encoding of RFC 8949 section 4.2.1, except where Raw and Pairs say otherwise."""
    if isinstance(value, Raw):
        return value.bytes
    if isinstance(value, bool):
        return b"\xf5" if value else b"\xf4"
    if isinstance(value, int):
        return head(0, value) if value >= 0 else head(1, -1 - value)
    if isinstance(value, bytes):
        return head(2, len(value)) + value
    if isinstance(value, str):
        text = value.encode()
        return head(3, len(text)) + text
    if isinstance(value, list):
        return head(4, len(value)) + b"".join(map(encode, value))
    if isinstance(value, dict):
        pairs = sorted((encode(key), encode(item)) for key, item in value.items())
        return head(5, len(pairs)) + b"".join(key + item for key, item in pairs)
    if isinstance(value, Pairs):
        return head(5, len(value.pairs)) + b"".join(encode(key) + encode(item) for key, item in value.pairs)
    raise TypeError(value)


def is_plain(value):
    """Whether nothing in it was cut by hand."""
    if isinstance(value, (Raw, Pairs)):
        return False
    if isinstance(value, dict):
        return all(is_plain(item) for item in value.values())
    return not isinstance(value, list) or all(map(is_plain, value))


def encode_checked(value):
    """Two writers have to agree on what was not cut by hand."""
    encoded = encode(value)
    if is_plain(value) and encoded != cbor2.dumps(value, canonical=True):
        raise AssertionError(f"cbor2 writes {value!r} otherwise")
    return encoded


def diagnostic(value):
    """CBOR diagnostic notation; long strings are elided with `...`."""
    if isinstance(value, Raw):
        return value.diagnostic
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, bytes):
        return f"h'{value.hex()}'" if len(value) <= 128 else f"h'{value[:8].hex()}' ... h'{value[-8:].hex()}'"
    if isinstance(value, str):
        return quoted(value) if len(value) <= 256 else f"{quoted(value[:8])} ... {quoted(value[-8:])}"
    if isinstance(value, list):
        return "[" + ", ".join(map(diagnostic, value)) + "]"
    if isinstance(value, dict):
        pairs = sorted(value.items(), key=lambda pair: encode(pair[0]))
    else:
        pairs = value.pairs
    return "{" + ", ".join(f"{diagnostic(key)}: {diagnostic(item)}" for key, item in pairs) + "}"


def quoted(text):
    escaped = "".join(
        "\\" + character if character in '"\\' else character if " " <= character <= "~" else escape(character)
        for character in text
    )
    return f'"{escaped}"'


def escape(character):
    units = character.encode("utf-16-be")
    return "".join(f"\\u{units[at:at + 2].hex()}" for at in range(0, len(units), 2))


def frame(data):
    """Hex, or hex and a unit that repeats, where that saves more than a kilobyte of hex."""
    best = (0, 0, 1)
    for width in range(1, min(257, len(data) // 2)):
        unit, times, at = data[-width:], 0, len(data)
        while at >= width and data[at - width:at] == unit:
            times, at = times + 1, at - width
        best = max(best, ((times - 1) * width, times, width), key=lambda found: found[0])
    saved, times, width = best
    if saved < 512:
        return data.hex()
    return {"hex": data[:len(data) - times * width].hex(), "then": data[-width:].hex(), "times": times}


def plain(value):
    """A value as JSON says it: byte strings in hex."""
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, list):
        return list(map(plain, value))
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return value
