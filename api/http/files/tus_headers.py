"""The headers of tus 1.0 (https://tus.io/protocols/resumable-upload), read strictly.

A status that the protocol leaves open is the one that npm's `@tus/server` answers with.
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Mapping
from email.utils import formatdate
from urllib.parse import urlsplit

from starlette.requests import Request

from api.http.problems import HttpProblem
from db.domain.errors import InvalidInput
from db.domain.values import ErrorCode
from db.uploads.tables import Upload
from schema.base import validation
from tasks.media.receiving import Checksum

VERSION = "1.0.0"
OFFSET_STREAM = "application/offset+octet-stream"
ALGORITHMS = ("sha256", "sha1", "md5")
EXTENSIONS = (
    *("creation", "creation-with-upload", "creation-defer-length"),
    *("checksum", "expiration", "termination", "concatenation"),
)
PARTIAL, FINAL = "partial", "final;"
LONGEST_METADATA = 8192
_NUMBER = re.compile(r"0|[1-9]\d{0,15}", re.ASCII)


def check_version(request: Request) -> None:
    """Refuse a request of another protocol, or of another version of it."""
    if request.headers.get("tus-resumable") != VERSION:
        message = f"This address speaks tus {VERSION}: send Tus-Resumable: {VERSION}."
        raise HttpProblem(412, ErrorCode.INVALID_INPUT, message, headers={"Tus-Version": VERSION})


def number(request: Request, name: str) -> int | None:
    """Return a count of bytes, or None when it is not given. Raises InvalidInput."""
    value = request.headers.get(name)
    if value is None:
        return None
    if not _NUMBER.fullmatch(value):
        raise InvalidInput(name, "A number of bytes, in decimal digits.")
    return int(value)


def length(request: Request) -> int | None:
    """Return the length of an upload that is created, or None when it is left open. Raises InvalidInput."""
    known, deferred = number(request, "Upload-Length"), request.headers.get("upload-defer-length")
    if deferred not in (None, "1"):
        raise InvalidInput("Upload-Defer-Length", "It can only be 1.")
    if (known is None) == (deferred is None):
        raise InvalidInput("Upload-Length", "Send Upload-Length, or else Upload-Defer-Length: 1.")
    return known


def metadata(request: Request) -> dict[str, str]:
    """Return the pairs of `Upload-Metadata`. Raises InvalidInput."""
    text = request.headers.get("upload-metadata")
    if text is None:
        return {}
    pairs: dict[str, str] = {}
    for pair in text.split(","):
        key, space, value = pair.partition(" ")
        if not key or not key.isascii() or key in pairs or (space and not _is_base64(value)):
            raise InvalidInput("Upload-Metadata", "Pairs of a key and a value in Base64, with commas; each key once.")
        pairs[key] = base64.b64decode(value).decode(errors="replace")
    if len(text) > LONGEST_METADATA:
        raise InvalidInput("Upload-Metadata", f"At most {LONGEST_METADATA} characters.")
    return pairs


def filename(pairs: Mapping[str, str]) -> str:
    """Return the name of the file that the client gave. Raises InvalidInput."""
    name = pairs.get("filename") or pairs.get("name")
    return validation.filename("Upload-Metadata", name) if name else "recording"


def concat(request: Request) -> str:
    """Return `Upload-Concat`: nothing, `partial`, or `final;` and addresses. Raises InvalidInput."""
    value = request.headers.get("upload-concat", "")
    if ("upload-concat" in request.headers) and value != PARTIAL and not value.startswith(FINAL):
        raise InvalidInput("Upload-Concat", "`partial`, or `final;` and the addresses of the parts.")
    return value


def parts_of(value: str) -> list[str]:
    """Return the ids of the partial uploads that a final one names."""
    return [urlsplit(address).path.rstrip("/").rpartition("/")[2] for address in value.removeprefix(FINAL).split()]


def checksum(request: Request) -> Checksum | None:
    """Return the digest that the bytes of this request must have. Raises InvalidInput."""
    value = request.headers.get("upload-checksum")
    if value is None:
        return None
    algorithm, _, digest = value.partition(" ")
    if algorithm not in ALGORITHMS or not _is_base64(digest):
        raise InvalidInput("Upload-Checksum", f"One of {', '.join(ALGORITHMS)}, a space, and the digest in Base64.")
    found = Checksum(algorithm, base64.b64decode(digest))
    if len(found.digest) != hashlib.new(algorithm, usedforsecurity=False).digest_size:
        raise InvalidInput("Upload-Checksum", f"This is no digest of {algorithm}.")
    return found


def options(max_size: int) -> dict[str, str]:
    """Return what the server can do."""
    return {
        "Tus-Version": VERSION,
        "Tus-Extension": ",".join(EXTENSIONS),
        "Tus-Max-Size": str(max_size),
        "Tus-Checksum-Algorithm": ",".join(ALGORITHMS),
    }


def described(upload: Upload) -> dict[str, str]:
    """Return what is told of an upload."""
    headers = {"Upload-Offset": str(upload.received), **expiry(upload)}
    if upload.length_known:
        headers["Upload-Length"] = str(upload.byte_size)
    else:
        headers["Upload-Defer-Length"] = "1"
    if upload.client_metadata:
        headers["Upload-Metadata"] = upload.client_metadata
    if upload.concat:
        headers["Upload-Concat"] = upload.concat
    return headers


def expiry(upload: Upload) -> dict[str, str]:
    """Return the time until which the rest must have come, if there is a rest."""
    return {} if upload.is_whole else {"Upload-Expires": formatdate(upload.expires_at / 1000, usegmt=True)}


def _is_base64(text: str) -> bool:
    try:
        base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return False
    return True
