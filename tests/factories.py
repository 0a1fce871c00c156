"""Rows for tests, made through the same functions that the product uses."""

from itertools import count
from typing import Any

from db import jobs, media
from db.accounts import owners
from db.domain.values import MediaFacts, Options, Segment, Word
from db.jobs import NewJob, QueueLimits, attempts
from db.models import Job, Media
from db.queue.leases import Lease
from db.store.session import Database

PLENTY = QueueLimits(max_queued=10_000, max_queued_per_owner=10_000)
_numbers = count()


async def recording(database: Database, owner: str = "usr_a", seconds: float = 30.0) -> Media:
    """A recording of an owner who is made at first sight."""
    number = next(_numbers)
    facts = MediaFacts(container="wav", codec="pcm_s16le", duration_seconds=seconds, channels=1, sample_rate=16_000)
    async with database.write() as session:
        await owners.ensure(session, owner)
        return await media.add(
            session,
            owner,
            media_id=f"med_{number}",
            filename=f"call {number}.wav",
            byte_size=3,
            sha256="ab",
            facts=facts,
            blob_key=f"media/med_{number}",
        )


async def queued(database: Database, owner: str = "usr_a", *, limits: QueueLimits = PLENTY, **fields: Any) -> Job:
    """A job that waits, on a recording of its own unless `media_id` names one."""
    media_id = fields.pop("media_id", None) or (await recording(database, owner)).id
    new = NewJob(**{"media_id": media_id, "options": Options(model="base"), "correlation_id": "c", **fields})
    job, _ = await jobs.create(database, owner, new, limits)
    return job


async def claimed(database: Database, worker: str = "w1", per_owner: int = 1000) -> tuple[Job, Lease] | None:
    """The best job, taken by a worker."""
    return await attempts.claim(database, worker=worker, per_owner=per_owner)


async def running(database: Database, owner: str = "usr_a", **fields: Any) -> tuple[Job, Lease]:
    """A job that a worker is at."""
    await queued(database, owner, **fields)
    taken = await claimed(database)
    assert taken
    return taken


def sentence(key: str, start: float, *words: str) -> Segment:
    """A segment of words of half a second each."""
    placed = tuple(Word(word, start + i / 2, start + (i + 1) / 2) for i, word in enumerate(words))
    return Segment(key=key, start=start, end=start + len(words) / 2, text=" ".join(words), words=placed)
