"""The public keys of a provider: fetched seldom, whatever key ids a client invents."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import structlog
from joserfc.errors import JoseError
from joserfc.jwk import Key, KeySet

FRESH_SECONDS = 600.0
"""After that, keys are fetched again when they are needed."""

COOLING_SECONDS = 30.0
"""Between two fetches at least, also when they fail: so an unknown key id costs two fetches a minute at most."""

_log = structlog.get_logger(__name__)


class ProviderUnreachable(Exception):
    """A provider does not answer, or not as it should."""


class Keys:
    """A cache of one key set. One fetch at a time; what was fetched stays when the next fetch fails."""

    def __init__(self, fetch: Callable[[], Awaitable[Any]]) -> None:
        self._fetch = fetch
        self._lock = asyncio.Lock()
        self._keys: dict[str, Key] = {}
        self._fetched_at = self._tried_at = float("-inf")

    async def get(self, key_id: str) -> Key | None:
        """Return the key of this id; None when the provider has none. Raises ProviderUnreachable before the first
        fetch has worked.
        """
        now = time.monotonic()
        if key_id not in self._keys or now - self._fetched_at > FRESH_SECONDS:
            await self._refresh(now)
        if not self._keys:
            raise ProviderUnreachable("the provider's keys are not known yet")
        return self._keys.get(key_id)

    async def _refresh(self, asked_at: float) -> None:
        async with self._lock:
            if self._tried_at > asked_at or time.monotonic() - self._tried_at < COOLING_SECONDS:
                return
            self._tried_at = time.monotonic()
            try:
                found = KeySet.import_key_set(await self._fetch())
            except (JoseError, ValueError, TypeError, KeyError, ProviderUnreachable) as error:
                _log.warning("provider.keys_unknown", error=str(error))
                return
            self._keys = {str(key.kid): key for key in found.keys if key.kid}
            self._fetched_at = self._tried_at
