"""Who asks."""

import strawberry

from db.models import Owner
from schema.context import Context, Info
from schema.fields import field
from schema.nodes import Node
from schema.usage import Usage, of_viewer


@strawberry.type(description="Somebody who has recordings.")
class User(Node):
    """db.models.Owner in the graph."""

    name: str | None = field("What they are called.")
    email: str | None = field("Where they can be written to.")

    @classmethod
    def is_type_of(cls, value: object, _info: object) -> bool:
        """Rows stand for this type."""
        return isinstance(value, Owner)


async def _user(info: Info) -> Owner | None:
    return await info.context.load.owner.load(info.context.owner_id)


def _scopes(info: Info) -> list[str]:
    return sorted(info.context.viewer.scopes)


@strawberry.type(description="Who asks, and what the credentials allow.")
class Viewer:
    """schema.context.Viewer in the graph."""

    user: User = field("Whose things can be seen.", _user)
    scopes: list[str] = field("What the credentials allow, such as `jobs:read`; `admin` allows everything.", _scopes)
    usage: Usage = field("What was used, and what is allowed.", of_viewer)


def viewer(info: Info) -> Context:
    """Who asks."""
    return info.context
