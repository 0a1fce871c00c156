"""Cookies that only the server can read: encrypted (JWE, A256GCM) under keys that rotate."""

import json
import time
from collections.abc import Mapping, Sequence
from typing import Any

from starlette.responses import Response

from db.accounts.keys import CannotOpen, Seals


class Sealer:
    """Seals values for a time with the first key, and opens those that any of the keys sealed."""

    def __init__(self, keys: Sequence[bytes], purpose: str) -> None:
        self._seals = Seals(keys, purpose)

    def seal(self, value: Mapping[str, Any], seconds: float) -> str:
        """Return a text that nobody else can read, and that opens for so long."""
        return self._seals.seal(json.dumps({"exp": time.time() + seconds, "v": value}))

    def open(self, text: str) -> dict[str, Any] | None:
        """Return what was sealed; None when its time is over or it is not ours."""
        try:
            body = json.loads(self._seals.open(text))
        except CannotOpen:
            return None
        value: dict[str, Any] | None = body["v"] if body["exp"] > time.time() else None
        return value


class Cookie:
    """One kind of cookie. Over TLS its name binds it to this host (`__Host-`), and it is sent over TLS only."""

    def __init__(self, name: str, sealer: Sealer, *, secure: bool) -> None:
        self.name = f"__Host-{name}" if secure else name
        self._sealer, self._secure = sealer, secure

    def read(self, cookies: Mapping[str, str]) -> dict[str, Any] | None:
        """Return what the browser was given."""
        text = cookies.get(self.name)
        return None if text is None else self._sealer.open(text)

    def write(self, response: Response, value: Mapping[str, Any], seconds: float) -> None:
        """Give the browser a value for so long."""
        sealed = self._sealer.seal(value, seconds)
        response.set_cookie(
            self.name, sealed, max_age=round(seconds), path="/", secure=self._secure, httponly=True, samesite="lax"
        )

    def clear(self, response: Response) -> None:
        """Take the value back."""
        response.delete_cookie(self.name, path="/", secure=self._secure, httponly=True, samesite="lax")
