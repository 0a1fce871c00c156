"""News of a transaction, told once it is durable."""

from typing import Literal, NamedTuple

from sqlalchemy.ext.asyncio import AsyncSession

_NEWS = "news"


class News(NamedTuple):
    """Something that others may want to wake up for, once it is durable."""

    # a row of this table waits for a worker; an owner has new events; an owner wants a running job to end
    topic: Literal["job", "export", "cleanup", "events", "cancel"]
    owner_id: str


def announce(session: AsyncSession, news: News) -> None:
    """Rings the bell once the transaction is durable, and never when it was rolled back."""
    session.info.setdefault(_NEWS, set()).add(news)


def news_of(session: AsyncSession) -> set[News]:
    """What was announced, once."""
    found: set[News] = session.info.pop(_NEWS, set())
    return found
