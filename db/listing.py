"""The lists that an owner can page through: jobs, transcripts and exports, filtered and in a total order."""

from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Select, Text, func, or_, select, type_coerce
from sqlmodel import col

from db.domain.values import JobState
from db.models import Export, Job, Media, Transcript
from db.store.pages import Order


class JobFilter(msgspec.Struct, frozen=True, kw_only=True):
    """A filter of jobs; a job must carry all the tags. Instants are epoch milliseconds, both bounds inclusive."""

    states: tuple[JobState, ...] | None = None
    created_after: int | None = None
    created_before: int | None = None
    tags: tuple[str, ...] = ()
    media_id: str | None = None
    language: str | None = None
    text: str | None = None


def jobs(owner_id: str, wanted: JobFilter) -> Select[Job]:
    """Select the owner's jobs that pass the filter."""
    statement = select(Job).where(col(Job.owner_id) == owner_id)
    if wanted.states is not None:
        statement = statement.where(col(Job.state).in_(wanted.states))
    if wanted.created_after is not None:
        statement = statement.where(col(Job.created_at) >= wanted.created_after)
    if wanted.created_before is not None:
        statement = statement.where(col(Job.created_at) <= wanted.created_before)
    for tag in wanted.tags:
        statement = statement.where(holds(col(Job.tags), tag))
    if wanted.media_id is not None:
        statement = statement.where(col(Job.media_id) == wanted.media_id)
    if wanted.language is not None:
        statement = statement.where(_made(owner_id, col(Transcript.language) == wanted.language))
    if wanted.text is not None:
        named = select(col(Media.id)).where(
            col(Media.owner_id) == owner_id, _contains(col(Media.filename), wanted.text)
        )
        titled = _made(owner_id, _contains(col(Transcript.title), wanted.text))
        statement = statement.where(or_(col(Job.media_id).in_(named), titled))
    return statement


def _made(owner_id: str, condition: ColumnElement[bool]) -> ColumnElement[bool]:
    """Tell whether a job made a transcript of which this holds."""
    return col(Job.id).in_(select(col(Transcript.job_id)).where(col(Transcript.owner_id) == owner_id, condition))


def _contains(column: Any, part: str) -> ColumnElement[bool]:
    """Tell whether a text has this part, whatever the case of its letters."""
    return func.lower(column).contains(part.lower(), autoescape=True)


def transcripts(owner_id: str, language: str | None) -> Select[Transcript]:
    """Select the owner's transcripts, of one language or of all."""
    statement = select(Transcript).where(col(Transcript.owner_id) == owner_id)
    return statement if language is None else statement.where(col(Transcript.language) == language)


def exports(owner_id: str, transcript_id: str) -> Select[Export]:
    """Select the exports of one of the owner's transcripts."""
    return select(Export).where(col(Export.owner_id) == owner_id, col(Export.transcript_id) == transcript_id)


def all_exports(owner_id: str) -> Select[Export]:
    """Return all exports of an owner."""
    return select(Export).where(col(Export.owner_id) == owner_id)


def media(owner_id: str) -> Select[Media]:
    """Return all recordings of an owner."""
    return select(Media).where(col(Media.owner_id) == owner_id)


def by_creation(table: type[Job] | type[Transcript] | type[Export] | type[Media], *, descending: bool) -> Order:
    """Order by age; ids break ties."""
    return Order(
        f"{table.__name__}:CREATED_AT:{descending}",
        (col(table.created_at), col(table.id)),
        lambda row: (row.created_at, row.id),
        descending,
    )


def by_end() -> Order:
    """Order by end: the job that ended last comes first; those that have not ended come last."""
    ended = func.coalesce(col(Job.finished_at), 0)
    return Order(
        "Job:FINISHED_AT:True", (ended, col(Job.id)), lambda row: (row.finished_at or 0, row.id), descending=True
    )


def holds(column: Any, member: str) -> ColumnElement[bool]:
    """Return the condition that a list of strings, kept as JSON text, has this member; exact, on both databases."""
    text = type_coerce(column, Text)
    return func.replace(text, msgspec.json.encode(member).decode(), "") != text
