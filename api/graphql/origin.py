"""The pages that may open a WebSocket: browsers send cookies along whatever page asks, and no preflight."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from urllib.parse import urlsplit

DEFAULT_PORTS = {"http": 80, "https": 443}


def may_open(headers: Mapping[str, str], allowed: AbstractSet[str]) -> bool:
    """Admit programs (no `Origin`), pages of our own origin, and pages of the allowed origins."""
    origin = headers.get("origin")
    if origin is None or "*" in allowed or origin in allowed:
        return True
    if headers.get("sec-fetch-site") == "same-origin":
        return True
    try:
        page, host = urlsplit(origin), urlsplit(f"//{headers.get('host', '')}")
        port = DEFAULT_PORTS.get(page.scheme)
        same = (page.hostname, page.port or port) == (host.hostname, host.port or port)
    except ValueError:
        return False
    return same and port is not None
