"""The fields that all events of the graph have."""

from typing import Annotated

import strawberry

from schema.base.fields import arg, field
from schema.base.scalars import Instant

After = Annotated[
    str | None,
    arg("The cursor of the last event seen (exclusive). Without one, only what happens from now on is sent."),
]


@strawberry.interface(description="Something that happened.")
class Event:
    """The base of all events."""

    cursor: str = field(
        "The place of the last recorded event up to this one: resume with it as `after`. It never goes back."
    )
    at: Instant = field("The instant at which it happened.")
