"""Conditional requests for files that never change (RFC 9110, 13): what a client has already is not sent again."""

import re
from email.utils import formatdate, parsedate_to_datetime

from starlette.requests import Request

_TAG = re.compile(r'(?:W/)?"([^"]*)"')
_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})", re.ASCII)


class Validators:
    """The marks that tell one content of an address from another: a strong tag and its date (epoch milliseconds)."""

    def __init__(self, sha256: str | None, made_at: int) -> None:
        self.tag = f'"{sha256}"'
        self._seconds = made_at // 1000

    def headers(self) -> dict[str, str]:
        """Return the headers that tell a client."""
        return {"ETag": self.tag, "Last-Modified": formatdate(self._seconds, usegmt=True)}

    def known_to(self, request: Request) -> bool:
        """Return True if the client has this content already: a 304 will do."""
        if (tags := request.headers.get("if-none-match")) is not None:
            return tags.strip() == "*" or self.tag.strip('"') in _TAG.findall(tags)
        since = _seconds(request.headers.get("if-modified-since"))
        return since is not None and self._seconds <= since

    def part_for(self, request: Request, size: int) -> tuple[int, int] | None:
        """Return the bytes that are asked for, from (included) to (excluded): empty when there are none, None when all
        are to be sent, because all are wanted or because what the client has a part of is something else.
        """
        condition = request.headers.get("if-range")
        if condition is not None and condition != self.tag and _seconds(condition) != self._seconds:
            return None
        asked = _RANGE.fullmatch(request.headers.get("range", ""))
        if asked is None or asked.groups() == ("", ""):
            return None
        first, last = asked.groups()
        if not first:
            return max(0, size - int(last)), size
        return int(first), min(size, int(last) + 1 if last else size)


def _seconds(date: str | None) -> int | None:
    try:
        return int(parsedate_to_datetime(date or "").timestamp())
    except (ValueError, OverflowError):
        return None
