"""Time as people read it. Instants are epoch milliseconds."""

import time


def now() -> int:
    """The host's clock: for what people read, not for leases."""
    return time.time_ns() // 1_000_000
