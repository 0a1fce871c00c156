"""Bytes on their way in: announced, sent in pieces by whoever has the right to write, joined once all are there."""

from db.uploads.lifecycle import PARTIAL, UPLOAD_TTL_MS, concatenate, create, find, get, terminate
from db.uploads.writing import MAX_PIECES, Piece, claim, pieces, record, release

__all__ = [
    "MAX_PIECES",
    "PARTIAL",
    "UPLOAD_TTL_MS",
    "Piece",
    "claim",
    "concatenate",
    "create",
    "find",
    "get",
    "pieces",
    "record",
    "release",
    "terminate",
]
