"""What a transcript was, change by change."""

import strawberry

from db import models
from schema.account.viewer import User
from schema.base.context import Info
from schema.base.fields import field
from schema.base.scalars import Instant


async def _author(parent: strawberry.Parent[models.Revision], info: Info) -> models.Owner | None:
    return None if parent.author_id is None else await info.context.load.owner.load(parent.author_id)


@strawberry.type(description="One change of a transcript.")
class Revision:
    """db.models.Revision in the graph."""

    number: int = field("1 is the machine's own.")
    summary: str = field("What was done.")
    created_at: Instant = field("When it was done.")
    author: User | None = field("Who did it; null when it was the machine.", _author)
