"""Loaders: what many resolvers ask for one by one is read by one statement. Made anew for each operation."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeVar

from sqlalchemy.ext.asyncio import AsyncSession
from strawberry.dataloader import DataLoader

from db import exports, jobs, media, owners, transcripts
from db.models import Export, Job, Media, Owner, Transcript
from db.session import Database
from schema.speakers import SpeakerView, speaker_view

Found = TypeVar("Found")
Fetch = Callable[[AsyncSession, str, Sequence[str]], Awaitable[Mapping[str, Found]]]


class Loaders:
    """By id, for one owner; None for what is not there or is somebody else's."""

    def __init__(self, db: Database, owner_id: str) -> None:
        def by_id(fetch: Fetch[Found]) -> DataLoader[str, Found | None]:
            async def load(ids: list[str]) -> list[Found | None]:
                async with db.read() as session:
                    found = await fetch(session, owner_id, ids)
                return [found.get(id_) for id_ in ids]

            return DataLoader(load)

        self.job: DataLoader[str, Job | None] = by_id(jobs.many)
        self.media: DataLoader[str, Media | None] = by_id(media.many)
        self.peaks: DataLoader[str, str | None] = by_id(media.peaks)
        self.transcript: DataLoader[str, Transcript | None] = by_id(transcripts.many)
        self.export: DataLoader[str, Export | None] = by_id(exports.many)
        self.queue_position: DataLoader[str, int | None] = by_id(jobs.queue_positions)
        self.owner: DataLoader[str, Owner | None] = by_id(owners.many)
        self.speakers: DataLoader[str, list[SpeakerView] | None] = by_id(_speakers)


async def _speakers(session: AsyncSession, owner_id: str, ids: Sequence[str]) -> dict[str, Any]:
    rows = await transcripts.speakers(session, owner_id, ids)
    return {id_: [speaker_view(row) for row in of_one] for id_, of_one in rows.items()}
