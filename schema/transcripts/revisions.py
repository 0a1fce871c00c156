"""The revisions of a transcript, change by change."""

from collections.abc import Sequence
from typing import Annotated, NamedTuple

import strawberry
from sqlalchemy.ext.asyncio import AsyncSession

from db import models
from db.transcripts import differences, segment_id
from schema.account.viewer import User
from schema.base import validation
from schema.base.context import Info
from schema.base.fields import arg, field
from schema.base.scalars import Instant


class ChangeView(NamedTuple):
    """SegmentChange at run time."""

    segment_id: str
    start: float
    before: str | None
    after: str | None
    speaker_before: str | None
    speaker_after: str | None


async def _author(parent: strawberry.Parent[models.Revision], info: Info) -> models.Owner | None:
    return None if parent.author_id is None else await info.context.load.owner.load(parent.author_id)


async def _changes(
    parent: strawberry.Parent[models.Revision],
    info: Info,
    first: Annotated[int, arg("The number of entries from the start, 1..1000.")] = 500,
) -> list[ChangeView]:
    validation.between("first", first, 1, 1000)
    id_ = parent.transcript_id
    found = await info.context.load.each(_differences).load(f"{id_}/{parent.number}") or ()
    return [ChangeView(segment_id(id_, key), start_ms / 1000, *facts) for key, start_ms, *facts in found[:first]]


async def _differences(
    session: AsyncSession, owner_id: str, names: Sequence[str], _arguments: None
) -> dict[str, list[differences.Difference]]:
    """Return what revisions changed, by their transcript's id and their number."""
    wanted = [(id_, int(number)) for id_, _, number in (name.partition("/") for name in names)]
    found = await differences.differences(session, owner_id, wanted)
    return {f"{id_}/{number}": changes for (id_, number), changes in found.items()}


@strawberry.type(description="A change of one segment. Without `before` it was made, without `after` it is gone.")
class SegmentChange:
    """ChangeView in the graph."""

    segment_id: strawberry.ID = field("The segment's id.")
    start: float = field("The time at which it begins, in seconds.")
    before: str | None = field("Its text before the revision.")
    after: str | None = field("Its text since the revision.")
    speaker_before: str | None = field("The name or label of its speaker before the revision.")
    speaker_after: str | None = field("The name or label of its speaker since the revision.")


@strawberry.type(description="One change of a transcript.")
class Revision:
    """db.models.Revision in the graph."""

    number: int = field("1 is the machine's own.")
    summary: str = field("The change, in words.")
    created_at: Instant = field("The instant at which it was made.")
    author: User | None = field("The person who made it; null when it was the machine.", _author)
    changes: list[SegmentChange] = field(
        "Its changes of the text and of the speakers, against the revision before, by time.", _changes
    )
