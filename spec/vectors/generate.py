"""Writes the vectors of this directory; with --check compares, validates, and writes nothing.

    pip install -r requirements.txt
    python generate.py
    python generate.py --check
"""

import argparse
import sys

from generator import cddl, envelopes, examples, keys, paths, profile, refusals, replies, requests, sequences
from generator.book import Book

CHAPTERS = (requests, refusals, replies, profile, envelopes, paths, keys, sequences)


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--check", action="store_true", help="write nothing; fail if anything would change or does not fit")
    check = arguments.parse_args().check
    book = Book()
    for chapter in CHAPTERS:
        chapter.add(book)
    if not check:
        book.write()
    complaints = [*book.complaints(), *cddl.complaints(book), *examples.complaints()]
    for complaint in complaints:
        print(complaint, file=sys.stderr)
    print(f"{len(book.vectors)} vectors, {len(complaints)} complaints")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
