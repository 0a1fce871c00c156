"""Requests to providers. Loaded when the first is made: a server without providers needs no HTTP client in memory."""

from collections.abc import Mapping
from typing import Any

import httpx2
import msgspec
from authlib.integrations.httpx_client import AsyncOAuth2Client

from api.auth.keys import ProviderUnreachable

TIMEOUT = 10.0
MOST_BYTES = 1 << 20
FAULTS = (httpx2.HTTPError, ValueError)
"""The ways in which a request through `AsyncOAuth2Client` fails for the provider's fault."""

__all__ = ["FAULTS", "TIMEOUT", "AsyncOAuth2Client", "fetch_json"]


async def fetch_json(url: str, headers: Mapping[str, str] | None = None) -> Any:
    """Return the JSON at an address of a provider. Raises ProviderUnreachable."""
    try:
        async with (
            httpx2.AsyncClient(timeout=TIMEOUT, headers={"Accept": "application/json", **(headers or {})}) as client,
            client.stream("GET", url) as answer,
        ):
            answer.raise_for_status()
            body = b""
            async for chunk in answer.aiter_bytes():
                body += chunk
                if len(body) > MOST_BYTES:
                    raise ProviderUnreachable(f"{url}: the answer is too large")
        return msgspec.json.decode(body)
    except (httpx2.HTTPError, httpx2.InvalidURL, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ProviderUnreachable(f"{url}: {error}") from error
