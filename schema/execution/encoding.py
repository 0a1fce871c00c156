"""Answers as JSON."""

import json
from typing import Any

import orjson


def encode(answer: Any) -> bytes:
    """UTF-8 JSON; the standard library's encoder takes what orjson refuses (huge integers, lone surrogates)."""
    try:
        return orjson.dumps(answer)
    except TypeError:
        return json.dumps(answer, separators=(",", ":"), allow_nan=False).encode()
