"""Changing what a transcript is called and in which language it is: updateTranscript."""

from typing import Annotated

import strawberry

from db.domain.errors import InvalidInput, NotFound
from db.transcripts import edits
from schema.base import validation
from schema.base.context import Info
from schema.base.errors import ForbiddenError, InvalidInputError, NotFoundError
from schema.base.fields import arg, field
from schema.base.nodes import known
from schema.transcripts.types import Transcript

TITLE_CHARS = 255


@strawberry.input(description="The changes to a transcript; what is left out, or null, stays.")
class UpdateTranscriptInput:
    """The input of `updateTranscript`."""

    title: str | None = strawberry.field(default=None, description=f"The title, at most {TITLE_CHARS} characters.")
    language: str | None = strawberry.field(default=None, description="The language spoken, such as `de` or `en-US`.")


@strawberry.type(description="The transcript with its changes.")
class UpdateTranscriptPayload:
    """The result of `updateTranscript`."""

    transcript: Transcript = field("The transcript, at the same revision.")


UpdateTranscriptResult = Annotated[
    UpdateTranscriptPayload | InvalidInputError | NotFoundError | ForbiddenError,
    strawberry.union("UpdateTranscriptResult", description="The result of `updateTranscript`."),
]


async def update_transcript(
    info: Info,
    id_: Annotated[strawberry.ID, arg("The transcript's id.", name="id")],
    data: Annotated[UpdateTranscriptInput, arg("The changes.", name="input")],
) -> UpdateTranscriptPayload:
    """Change a transcript's title or language."""
    context = info.context
    checks = validation.Checks()
    title = None if data.title is None else checks(validation.text, "input.title", data.title, TITLE_CHARS)
    language = None if data.language is None else checks(validation.language, "input.language", data.language)
    checks.done()
    if data.title is None and data.language is None:
        raise InvalidInput("input", "A title or a language.")
    if not known(id_, "trn"):
        raise NotFound("transcript", id_)
    async with context.db.write() as session:
        row = await edits.retitle(session, context.owner_id, id_, title=title, language=language)
    return UpdateTranscriptPayload(transcript=row)  # type: ignore[arg-type]  # a row stands for the type
