"""Holds the vectors against messages.cddl."""

from cddl_verifier import Validator

from .book import HERE
from .wire import HEADER_LIMIT


# BAD_ARGS that no schema can see: the sum of two arguments.
SUMS = ("beyond-the-largest-offset", "sum-before-size")


def complaints(book):
    """Accepted headers that the schema refuses, and wrong arguments that it accepts."""
    validator = Validator((HERE.parent / "messages.cddl").read_text())
    for name, vector in book.vectors.items():
        if vector["kind"] not in ("request", "reply"):
            continue
        header = unfold(vector["frames"][0])
        if vector["expect"] == "accept":
            wanted = True
        elif vector["expect"] in ("BAD_ARGS", "BAD_OP") and not any(sum_ in name for sum_ in SUMS):
            wanted = False
        else:
            continue
        rules = [f"{vector['kind']}-{vector['op']}", vector["kind"]] if wanted else [vector["kind"]]
        for rule in rules:
            if len(header) <= HEADER_LIMIT and validator.validate(header, root_type=rule).valid != wanted:
                yield f"{name}: {rule} of messages.cddl {'refuses' if wanted else 'accepts'} it"


def unfold(frame):
    """The bytes of a frame as a vector writes it."""
    if isinstance(frame, str):
        return bytes.fromhex(frame)
    return bytes.fromhex(frame["hex"]) + bytes.fromhex(frame["then"]) * frame["times"]
