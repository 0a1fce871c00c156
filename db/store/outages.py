"""Outages: the operating system's, the database's and the object store's errors for "away" and "full", as one."""

import errno

from obstore.exceptions import BaseError

from db.domain.errors import StorageFull, Unavailable

FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE, errno.EIO, errno.ENETDOWN, errno.ENETUNREACH, errno.ECONNREFUSED})
SOON = 5.0
"""Seconds after which it may be worth to try again."""


def outage(error: BaseException) -> Unavailable | None:
    """Return the outage that an error tells of, or None when it is a fault of this program."""
    for cause in _chain(error):
        if isinstance(cause, Unavailable):
            return cause
        if isinstance(cause, OSError) and cause.errno in FULL:
            return StorageFull()
        if isinstance(cause, BaseError) and "os error 28" in str(cause):  # obstore tells the system's errors as text
            return StorageFull()
        if (isinstance(cause, OSError) and cause.errno in EXHAUSTED) or isinstance(cause, BaseError):
            return Unavailable("Files cannot be read or written at the moment.", retry_after_seconds=SOON)
    return None


def _chain(error: BaseException | None) -> list[BaseException]:
    found: list[BaseException] = []
    while error is not None and error not in found:
        found.append(error)
        error = error.__cause__ or error.__context__
    return found
