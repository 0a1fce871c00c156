"""Addresses that work without credentials until a given time: uploads, downloads, playback.

The path names one object and, by its route, what may be done with it.
"""

import hashlib
from collections.abc import Callable, Collection, Sequence
from urllib.parse import urlencode

from itsdangerous import Signer as Signatures
from starlette.requests import Request

from api.http.problems import HttpProblem
from db.domain.clock import now
from db.domain.values import ErrorCode

STEP_MS = 900_000
"""Ends are rounded up to a quarter of an hour, so that an address stays the same for a while and caches can keep it."""


class Signer:
    """Signs a path together with its owner and its end (HMAC-SHA256). The first key signs, all are taken."""

    def __init__(self, keys: Sequence[bytes], closed: Callable[[], Collection[str]] = frozenset) -> None:
        oldest_first = list(reversed(keys))  # the library signs with the last one
        self._signatures = Signatures(
            oldest_first, salt=b"graphophone.address", key_derivation="hmac", digest_method=hashlib.sha256
        )
        self._closed = closed

    def sign(self, path: str, owner_id: str, expires: int) -> str:
        """Return the path with a query that lets anybody use it as this owner until `expires` (epoch milliseconds), or
        some minutes longer.
        """
        expires = -(-expires // STEP_MS) * STEP_MS
        signature = self._signatures.get_signature(_message(path, owner_id, str(expires))).decode()
        return f"{path}?{urlencode({'owner': owner_id, 'expires': expires, 'signature': signature})}"

    def owner_of(self, request: Request) -> str:
        """Return whose the signed address is. Raises HttpProblem (403) when it was altered, its time is over, or the
        owner's account was closed.
        """
        owner_id, expires, given = (request.query_params.get(name, "") for name in ("owner", "expires", "signature"))
        if not self._signatures.verify_signature(_message(request.url.path, owner_id, expires), given.encode()):
            raise HttpProblem(403, ErrorCode.FORBIDDEN, "This address was not signed by this server.")
        if int(expires) < now():
            raise HttpProblem(403, ErrorCode.FORBIDDEN, "This address is no longer valid; ask for a new one.")
        if owner_id in self._closed():
            raise HttpProblem(403, ErrorCode.FORBIDDEN, "The account that this address belongs to is closed.")
        return owner_id


def _message(path: str, owner_id: str, expires: str) -> bytes:
    return f"{path}\n{owner_id}\n{expires}".encode()
