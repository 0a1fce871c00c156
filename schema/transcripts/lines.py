"""A transcript's text without its words, read once for all that need it in an operation."""

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncSession

from db import models
from db.transcripts import segments
from db.transcripts.segments import Line
from schema.base.context import Context

SECONDS_A_POINT = 20
"""So long a recording's text costs a point."""


async def lines_of(transcript: models.Transcript, context: Context) -> Sequence[Line]:
    """Return the text of every segment, in order, at the price of its length."""
    await context.spend(transcript.duration_ms / 1000 / SECONDS_A_POINT)
    return await context.load.each(_lines).load(transcript.id) or ()


async def _lines(session: AsyncSession, owner_id: str, ids: Sequence[str], _arguments: None) -> dict[str, list[Line]]:
    found: dict[str, list[Line]] = {}
    for line in await segments.lines(session, owner_id, ids):
        found.setdefault(line.transcript_id, []).append(line)
    return found
