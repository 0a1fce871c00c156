"""Time as people read it. Instants are epoch milliseconds."""

import time


def now() -> int:
    """Return the host's time: for people to read, not for leases."""
    return time.time_ns() // 1_000_000
