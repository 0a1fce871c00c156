"""Notifications of a transaction, sent once it is durable."""

from typing import Literal, NamedTuple

from sqlalchemy.ext.asyncio import AsyncSession

from db.domain.values import Queue

_NOTIFICATIONS = "notifications"


class Notification(NamedTuple):
    """Something that others may want to wake up for, once it is durable."""

    # a row waits for a worker of this queue; an owner has new events; an owner wants a running job to end
    topic: Queue | Literal["events", "cancel"]
    owner_id: str


def notify_on_commit(session: AsyncSession, notifications: Notification) -> None:
    """Notify once the transaction is durable, and never when it was rolled back."""
    session.info.setdefault(_NOTIFICATIONS, set()).add(notifications)


def notifications_of(session: AsyncSession) -> set[Notification]:
    """Return what was announced, once."""
    found: set[Notification] = session.info.pop(_NOTIFICATIONS, set())
    return found
