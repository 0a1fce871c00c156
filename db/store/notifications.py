"""News of a transaction, told once it is durable."""

from typing import Literal, NamedTuple

from sqlalchemy.ext.asyncio import AsyncSession

_NOTIFICATIONS = "news"


class Notification(NamedTuple):
    """Something that others may want to wake up for, once it is durable."""

    # a row of this table waits for a worker; an owner has new events; an owner wants a running job to end
    topic: Literal["job", "export", "cleanup", "events", "cancel"]
    owner_id: str


def notify_on_commit(session: AsyncSession, notifications: Notification) -> None:
    """Rings the bell once the transaction is durable, and never when it was rolled back."""
    session.info.setdefault(_NOTIFICATIONS, set()).add(notifications)


def notifications_of(session: AsyncSession) -> set[Notification]:
    """What was announced, once."""
    found: set[Notification] = session.info.pop(_NOTIFICATIONS, set())
    return found
