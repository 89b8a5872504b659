"""Holds the examples of protocol.md against messages.cddl and the derivation of `auth`."""

import re

from cddl_verifier import Validator

from .book import HERE
from .keys import LOOK_ALIKE_FREE, hello_auth
from .wire import MAGIC, diagnostic, encode

BLOCK = re.compile(r"```cbor-diag\n(.*?)```", re.DOTALL)
TOKENS = re.compile(
    r"""\s*(?:(?P<bytes>h'[0-9a-f]*')|(?P<text>"[^"]*")|(?P<integer>-?\d+)|(?P<word>true|false)|(?P<mark>[\[\]{},:]))"""
)
# A payload frame follows these, and an OK to read.
WITH_PAYLOAD = ("put", "write", "append")


def complaints():
    """What is wrong with an example, one line each."""
    validator = Validator((HERE.parent / "messages.cddl").read_text())
    blocks = BLOCK.findall((HERE.parent / "protocol.md").read_text())
    if not blocks:
        yield "protocol.md: no examples"
    for block in blocks:
        op, owed = "hello", None
        for line in block.splitlines():
            side, text = line[:2], line[2:]
            message = parse(text)
            if side in ("C+", "S+"):
                if owed != side or not isinstance(message, bytes):
                    yield f"protocol.md: a payload out of place: {line}"
                owed = None
                continue
            if owed:
                yield f"protocol.md: a payload is missing before: {line}"
            op = message[3] if side == "C:" else op
            owed = (
                "C+"
                if side == "C:" and op in WITH_PAYLOAD
                else "S+"
                if side == "S:" and (op, message[3]) == ("read", 0)
                else None
            )
            rule = f"{'request' if side == 'C:' else 'reply'}-{op}"
            if message[0] != MAGIC or not validator.validate(encode(message), root_type=rule).valid:
                yield f"protocol.md: {rule} of messages.cddl refuses: {line}"
            if rule == "request-hello" and message[4]["auth"] != hello_auth(LOOK_ALIKE_FREE, message[1]):
                yield f"protocol.md: auth of another token: {line}"
            if diagnostic(message) != text.strip():
                yield f"protocol.md: keys are out of order, or it is written otherwise: {line}"


def parse(text):
    """A value in the part of diagnostic notation that the examples use."""
    tokens = list(TOKENS.finditer(text))
    if "".join(match.group(0) for match in tokens) != text:
        raise ValueError(f"not diagnostic notation: {text}")
    value, rest = item([(match.lastgroup, match.group(match.lastgroup)) for match in tokens])
    if rest:
        raise ValueError(f"bytes after the item: {text}")
    return value


def item(tokens):
    (kind, text), rest = tokens[0], tokens[1:]
    if kind == "bytes":
        return bytes.fromhex(text[2:-1]), rest
    if kind == "text":
        return text[1:-1], rest
    if kind == "integer":
        return int(text), rest
    if kind == "word":
        return text == "true", rest
    if text == "[":
        return sequence(rest, "]")
    if text == "{":
        pairs, rest = sequence(rest, "}")
        return dict(pairs), rest
    raise ValueError(text)


def sequence(tokens, end):
    """The items up to the closing bracket, or the pairs."""
    found = []
    while tokens[0][1] != end:
        value, tokens = item(tokens)
        if end == "}":
            value, tokens = pair(value, tokens)
        found.append(value)
        if tokens[0][1] == ",":
            tokens = tokens[1:]
    return found, tokens[1:]


def pair(key, tokens):
    if tokens[0][1] != ":":
        raise ValueError(tokens[0])
    value, tokens = item(tokens[1:])
    return (key, value), tokens
