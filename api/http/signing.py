"""Addresses that work without credentials until a given time: uploads, downloads, playback."""

import hmac
from urllib.parse import urlencode

from starlette.requests import Request

from api.http.problems import HttpProblem
from db.domain.clock import now
from db.domain.values import ErrorCode


class Signer:
    """Signs a path together with its owner and its end (HMAC-SHA256)."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def sign(self, path: str, owner_id: str, expires: int) -> str:
        """The path with a query that lets anybody use it as this owner until `expires` (epoch milliseconds)."""
        query = {"owner": owner_id, "expires": expires, "signature": self._signature(path, owner_id, str(expires))}
        return f"{path}?{urlencode(query)}"

    def owner_of(self, request: Request) -> str:
        """Whose the signed address is. Raises HttpProblem (403) when it was altered or its time is over."""
        owner_id, expires, given = (request.query_params.get(name, "") for name in ("owner", "expires", "signature"))
        expected = self._signature(request.url.path, owner_id, expires)
        if not hmac.compare_digest(expected.encode(), given.encode()):
            raise HttpProblem(403, ErrorCode.FORBIDDEN, "This address was not signed by this server.")
        if int(expires) < now():
            raise HttpProblem(403, ErrorCode.FORBIDDEN, "This address is no longer valid; ask for a new one.")
        return owner_id

    def _signature(self, path: str, owner_id: str, expires: str) -> str:
        message = f"{path}\n{owner_id}\n{expires}".encode()
        return hmac.digest(self._key, message, "sha256").hex()
