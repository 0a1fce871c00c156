"""Secrets that the server gives out: recognisable by scanners, checked without a database, stored as a hash only."""

import hashlib
import secrets
import string
import zlib

_ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
_RANDOM, _CHECK = 30, 6  # characters: 178 bits, and a CRC-32

PERSONAL, ACCESS, REFRESH, CLIENT, DEVICE = "gph_", "gpa_", "gpr_", "gpc_", "gpd_"
"""The prefixes of secrets: personal tokens; access and refresh tokens, client secrets and device codes of the token
endpoint.
"""

LENGTH = len(PERSONAL) + _RANDOM + _CHECK


def new_secret(prefix: str) -> str:
    """Return a fresh secret: a prefix, random characters, a checksum of both."""
    body = prefix + "".join(secrets.choice(_ALPHABET) for _ in range(_RANDOM))
    return body + _checksum(body)


def is_secret(text: str, prefix: str) -> bool:
    """Tell whether this can be a secret of ours at all; a mistyped or invented one is refused without a look-up."""
    return (
        len(text) == LENGTH
        and text.startswith(prefix)
        and text.isascii()
        and _checksum(text[:-_CHECK]) == text[-_CHECK:]
    )


def hash_of(secret: str) -> str:
    """Return what is stored of a secret. A plain hash does: nobody can guess 178 bits."""
    return hashlib.sha256(secret.encode()).hexdigest()


def _checksum(body: str) -> str:
    number, digits = zlib.crc32(body.encode()), ""
    for _ in range(_CHECK):
        number, digit = divmod(number, len(_ALPHABET))
        digits = _ALPHABET[digit] + digits
    return digits
