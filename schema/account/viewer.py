"""Who asks."""

from typing import NamedTuple

import strawberry

from db.domain.clock import now
from db.models import Owner
from schema.account.tokens import AccessToken, access_tokens
from schema.account.usage import Usage, of_viewer
from schema.base.connections import Connection
from schema.base.context import Context, Info
from schema.base.fields import field
from schema.base.nodes import Node
from schema.base.rates import Left
from schema.base.scalars import Instant


class RateLimitView(NamedTuple):
    """RateLimit at run time; `reset_at` in epoch milliseconds."""

    limit: int
    remaining: int
    reset_at: int
    cost: int


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


@strawberry.type(description="How much may be asked for, in points of query cost.")
class RateLimit:
    """schema.base.rates.Left in the graph."""

    limit: int = field("Points in a minute.")
    remaining: int = field("Points that are left.")
    reset_at: Instant = field("When there will be as many as ever.")
    cost: int = field("What this request costs.")


async def _rate_limit(info: Info) -> RateLimitView:
    context = info.context
    own = context.viewer.quota.points_per_minute
    left = await context.rates.left(context.owner_id, own) if context.rates else Left(2**31 - 1, 2**31 - 1, now())
    return RateLimitView(left.limit, left.remaining, left.reset_at or now(), context.cost)


@strawberry.type(description="Who asks, and what the credentials allow.")
class Viewer:
    """schema.base.context.Viewer in the graph."""

    user: User = field("Whose things can be seen.", _user)
    scopes: list[str] = field("What the credentials allow, such as `jobs:read`; `admin` allows everything.", _scopes)
    rate_limit: RateLimit = field("What may still be asked for in this minute.", _rate_limit)
    usage: Usage = field("What was used, and what is allowed.", of_viewer)
    access_tokens: Connection[AccessToken] = field(
        "The account's access tokens, the newest first.", access_tokens, scope="account"
    )


def viewer(info: Info) -> Context:
    """Who asks."""
    return info.context
