"""Time as people read it. Instants are epoch milliseconds."""

import time
from datetime import UTC, datetime


def now() -> int:
    """Return the host's time: for people to read, not for leases."""
    return time.time_ns() // 1_000_000


def iso(ms: int) -> str:
    """Return an instant in ISO 8601 in UTC, to the millisecond."""
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
