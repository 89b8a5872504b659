"""Tokens, and all that is derived from them."""

import hashlib
import hmac

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from .wire import MAGIC, OTHER_SESSION, SESSION, diagnostic, encode_checked

Z85 = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#"
LOOK_ALIKE_FREE = "TTA3rMB8VtNYv25kdipkaJ"


def derive(token, info):
    """HKDF-SHA256, by the book and by a library: both have to agree."""
    extracted = hmac.digest(b"remofile/1", token.encode("ascii"), "sha256")
    expanded = hmac.digest(extracted, info.encode("ascii") + b"\x01", "sha256")
    library = HKDF(hashes.SHA256(), 32, b"remofile/1", info.encode("ascii")).derive(token.encode("ascii"))
    if expanded != library:
        raise AssertionError("two readings of RFC 5869")
    return expanded


def public(secret):
    return X25519PrivateKey.from_private_bytes(secret).public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


def hello_auth(token, session=SESSION):
    return hmac.new(derive(token, "hello auth"), MAGIC.encode() + session, hashlib.sha256).digest()


def z85(data):
    text = ""
    for at in range(0, len(data), 4):
        number = int.from_bytes(data[at : at + 4], "big")
        text += "".join(Z85[number // 85**power % 85] for power in (4, 3, 2, 1, 0))
    return text


def both(data):
    return {"hex": data.hex(), "z85": z85(data)}


def add(book):
    for name, token, session in (
        ("keys-of-a-customary-token", LOOK_ALIKE_FREE, SESSION),
        ("keys-of-a-customary-token-in-another-session", LOOK_ALIKE_FREE, OTHER_SESSION),
        ("keys-of-a-token-of-128-characters", "0123456789abcdefABCDEF" * 5 + "zyxwvutsrqponmlkZY", bytes(range(16))),
        ("keys-of-a-token-of-8-distinct-characters", "abcdefgh" * 2 + "aaaaaa", b"\xff" * 16),
    ):
        server, client, auth = (derive(token, info) for info in ("server curve", "client curve", "hello auth"))
        hello = [MAGIC, session, 0, "hello", {"auth": hello_auth(token, session), "client": "anna@laptop"}]
        book.put(
            name,
            "keys",
            "accept",
            "KEY-5 KEY-6 KEY-7",
            "From the token to the bytes of hello.",
            token=token,
            server_secret=both(server),
            server_public=both(public(server)),
            client_secret=both(client),
            client_public=both(public(client)),
            hello_key=auth.hex(),
            session=session.hex(),
            client="anna@laptop",
            auth=hello_auth(token, session).hex(),
            diagnostic=diagnostic(hello),
            frames=[encode_checked(hello).hex()],
        )
    tokens(book)


def tokens(book):
    alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    good, bad = "accept", "refuse"
    for name, expect, token, comment in (
        ("token-of-22-characters", good, LOOK_ALIKE_FREE, "The customary form."),
        ("token-of-21-characters", bad, LOOK_ALIKE_FREE[:21], "Too short by one."),
        ("token-of-128-characters", good, (alphabet * 3)[:128], "The longest."),
        ("token-of-129-characters", bad, (alphabet * 3)[:129], "Too long by one."),
        ("token-of-nothing", bad, "", "No token is no token."),
        ("token-of-every-character", good, alphabet, "All 62 characters, look-alikes too."),
        ("token-of-8-distinct-characters", good, "abcdefgh" * 3, "Eight distinct characters are enough."),
        ("token-of-7-distinct-characters", bad, "abcdefg" * 4, "Seven distinct characters are not enough."),
        ("token-of-one-character-repeated", bad, "a" * 22, "One distinct character is not enough."),
        ("token-of-7-letters-in-both-cases", good, "abcdefgABCDEFG" * 2, "Letters of either case are distinct."),
        ("token-with-a-hyphen", bad, "TTA3rMB8VtN-v25kdipkaJ", "Digits and ASCII letters only."),
        ("token-with-an-underscore", bad, "TTA3rMB8VtN_v25kdipkaJ", "Digits and ASCII letters only."),
        ("token-with-a-space-after-it", bad, LOOK_ALIKE_FREE + " ", "White space is not stripped by the codec."),
        ("token-with-a-line-feed-after-it", bad, LOOK_ALIKE_FREE + "\n", "White space is not stripped by the codec."),
        ("token-with-a-nul-in-it", bad, "TTA3rMB8VtN\x00v25kdipkaJ", "Digits and ASCII letters only."),
        ("token-with-a-letter-beyond-ascii", bad, "TTA3rMB8VtN\u00ffv25kdipkaJ", "Digits and ASCII letters only."),
        ("token-with-a-digit-beyond-ascii", bad, "TTA3rMB8VtN\u0665v25kdipkaJ", "An Arabic digit is no 0-9."),
        (
            "token-of-21-characters-in-22-bytes",
            bad,
            "TTA3rMB8VtN\u00e9v25kdipka",
            "Neither bytes nor characters make it right.",
        ),
        ("token-in-base64", bad, "q83vEjRWeJCrze8SNFZ4kA==", "Digits and ASCII letters only."),
    ):
        book.add(name, "token", expect, "KEY-1 KEY-4", comment, token=token)
