"""Speakers in the graph."""

from typing import Any

import strawberry

from db import models
from schema.base.context import Info
from schema.base.fields import field, link
from schema.base.nodes import Node, StandIn
from schema.base.speakers import SpeakerView


async def _transcript(parent: strawberry.Parent[SpeakerView], info: Info) -> models.Transcript | None:
    return await info.context.load.transcript.load(parent.transcript_id)


@strawberry.type(description="A speaker, told apart from the others by their voice or added by a person.")
class Speaker(StandIn, Node):
    """SpeakerView in the graph."""

    stands_for = SpeakerView

    transcript: Any = field(
        "The transcript in which they speak.", _transcript, graphql_type=link("Transcript", "schema.transcripts.types")
    )
    label: str = field("The machine's name, by order of first appearance: `SPEAKER_00` …")
    name: str | None = field("The name that a person gave them.")
    seconds: float = field("The time for which they speak in all, in seconds.")
    word_count: int = field("The number of their words.")
