"""Collects vectors, writes them, and compares them with what is there."""

import json
import re
from pathlib import Path

import jsonschema

from . import wire

HERE = Path(__file__).resolve().parent.parent
REQUIREMENT = re.compile(r"^- \*\*\[([A-Z]+-[0-9]+)\]\*\*", re.MULTILINE)
NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
# What a file's name ends in, so that it says what is to happen.
DIAGNOSIS = {"accept": "is-accepted", "refuse": "is-refused", "not-ours": "is-not-ours"}
WITH_PAYLOAD = ("put", "write", "append")


class Book:
    """All vectors by the name of their file."""

    def __init__(self):
        self.vectors = {}

    def add(self, name, kind, expect, requirements, comment, **fields):
        name = f"{name}-{DIAGNOSIS.get(expect) or 'is-' + expect.lower().replace('_', '-')}"
        self.put(name, kind, expect, requirements, comment, **fields)

    def put(self, name, kind, expect, requirements, comment, **fields):
        if not NAME.fullmatch(name):
            raise ValueError(f"{name}: not lower-case words with hyphens")
        if name in self.vectors:
            raise ValueError(f"{name}: twice")
        common = {"kind": kind, "expect": expect, "requirements": requirements.split(), "comment": comment}
        self.vectors[name] = common | {key: value for key, value in fields.items() if value is not None}

    def request(self, name, requirements, comment, op, args, *, expect="accept", seq=None, payload=None, **fields):
        """The frames after the delimiter; `reencoded` has the args as an encoder writes them, where that differs."""
        if seq is None:
            seq = 0 if op in ("hello", "ping", "bye") else 1
        session = fields.pop("session", wire.SESSION)
        reencoded = fields.pop("reencoded", None)
        message = [wire.MAGIC, session, seq, op, args]
        if payload is None and op in WITH_PAYLOAD:
            payload = b"payload"
        decoded = {}
        if expect == "accept":
            decoded["args"] = wire.plain(reencoded if reencoded is not None else args)
        if reencoded is not None:
            decoded["reencoded"] = wire.frame(wire.encode_checked([wire.MAGIC, session, seq, op, reencoded]))
        self.add(
            name,
            "request",
            expect,
            requirements,
            comment,
            diagnostic=wire.diagnostic(message),
            frames=[wire.frame(wire.encode_checked(message))] + ([] if payload is None else [wire.frame(payload)]),
            session=session.hex(),
            seq=seq,
            op=op,
            **decoded,
            **fields,
        )

    def broken(self, name, requirements, comment, message, *, seq=1, session=wire.SESSION, more=b"", cut=None):
        """A request that breaks the envelope or the CBOR profile: BAD_MESSAGE with this session and seq."""
        header = (wire.encode_checked(message) + more)[:cut]
        self.add(
            name,
            "request",
            "BAD_MESSAGE",
            requirements,
            comment,
            diagnostic=wire.diagnostic(message) if not more and cut is None else None,
            frames=[wire.frame(header)],
            session=session.hex(),
            seq=seq,
        )

    def reply(self, name, requirements, comment, op, code, result, *, expect="accept", **fields):
        """A reply to a request of this operation; `known` is what is left of a result without unknown keys."""
        seq = fields.pop("seq", 0 if op in ("hello", "ping", "bye") else 1)
        session = fields.pop("session", wire.SESSION)
        payload = fields.pop("payload", b"payload" if (op, code) == ("read", 0) else None)
        known = fields.pop("known", None)
        message = [wire.MAGIC, session, seq, code, result]
        header = wire.encode_checked(message) + fields.pop("more", b"")
        decoded = {}
        if expect == "accept":
            decoded = {
                "session": session.hex(),
                "seq": seq,
                "code": code,
                "result": wire.plain(result if known is None else known),
            }
        if known is not None:
            decoded["reencoded"] = wire.frame(wire.encode_checked([wire.MAGIC, session, seq, code, known]))
        self.add(
            name,
            "reply",
            expect,
            requirements,
            comment,
            diagnostic=wire.diagnostic(message),
            op=op,
            frames=[wire.frame(header)] + ([] if payload is None else [wire.frame(payload)]),
            **decoded,
            **fields,
        )

    def files(self):
        """The text of every file by its name."""
        return {f"{name}.json": json.dumps(vector, indent=2) + "\n" for name, vector in self.vectors.items()}

    def write(self):
        """Writes what differs and removes what is no longer made."""
        files = self.files()
        for path in committed():
            if path.name not in files:
                path.unlink()
        for name, text in files.items():
            path = HERE / name
            if not path.exists() or path.read_text() != text:
                path.write_text(text)

    def complaints(self):
        """What is wrong with the committed files, one line each."""
        files = self.files()
        there = {path.name: path.read_text() for path in committed()}
        yield from (f"{name}: missing; run generate.py" for name in sorted(files.keys() - there.keys()))
        yield from (f"{name}: not made by generate.py" for name in sorted(there.keys() - files.keys()))
        yield from (
            f"{name}: differs; run generate.py"
            for name in sorted(files.keys() & there.keys())
            if files[name] != there[name]
        )
        schema = json.loads((HERE / "schema.json").read_text())
        jsonschema.Draft202012Validator.check_schema(schema)
        validator = jsonschema.Draft202012Validator(schema)
        defined = set(REQUIREMENT.findall((HERE.parent / "protocol.md").read_text()))
        for name, text in sorted(there.items()):
            vector = json.loads(text)
            for error in validator.iter_errors(vector):
                yield f"{name}: {error.json_path}: {error.message[:200]}"
            for requirement in vector["requirements"]:
                if requirement not in defined:
                    yield f"{name}: protocol.md defines no {requirement}"


def committed():
    return sorted(path for path in HERE.glob("*.json") if path.name != "schema.json")
