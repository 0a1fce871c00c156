"""The viewer: the person or the program that asks."""

from typing import Annotated, Any, NamedTuple

import strawberry

from db import listing, models
from db.domain.clock import now
from db.models import Owner
from schema.account.tokens import AccessToken, access_tokens
from schema.account.usage import Usage, of_viewer
from schema.base import connections
from schema.base.connections import Connection, ConnectionView
from schema.base.context import Context, Info
from schema.base.fields import arg, field, link
from schema.base.nodes import Node, StandIn
from schema.base.rates import Left
from schema.base.scalars import Instant
from schema.webhooks.types import WebhookEndpoint, webhook_endpoints


class RateLimitView(NamedTuple):
    """RateLimit at run time; `reset_at` in epoch milliseconds."""

    limit: int
    remaining: int
    reset_at: int
    cost: int


@strawberry.type(description="Somebody who has recordings.")
class User(StandIn, Node):
    """db.models.Owner in the graph."""

    stands_for = Owner

    name: str | None = field("The name.")
    email: str | None = field("The address for mail.")


async def _user(info: Info) -> Owner | None:
    return await info.context.load.owner.load(info.context.owner_id)


def _scopes(info: Info) -> list[str]:
    return sorted(info.context.viewer.scopes)


@strawberry.type(description="The budget of query cost, in points.")
class RateLimit:
    """schema.base.rates.Left in the graph."""

    limit: int = field("Points in a minute.")
    remaining: int = field("Points that are left.")
    reset_at: Instant = field("The instant at which there will be as many as ever.")
    cost: int = field("The cost of this request.")


async def _rate_limit(info: Info) -> RateLimitView:
    context = info.context
    own = context.viewer.quota.points_per_minute
    left = await context.rates.left(context.owner_id, own) if context.rates else Left(2**31 - 1, 2**31 - 1, now())
    return RateLimitView(left.limit, left.remaining, left.reset_at or now(), context.cost)


First = Annotated[int | None, arg("The number of entries from the start, at most 100.")]
After = Annotated[str | None, arg("Only what lies behind this cursor.")]


async def _media(info: Info, first: First = 20, after: After = None) -> ConnectionView:
    order = listing.by_creation(models.Media, descending=True)
    window = connections.window(order, first=first, after=after)
    return await connections.paginate(info.context, listing.media(info.context.owner_id), order, window)


async def _exports(info: Info, first: First = 20, after: After = None) -> ConnectionView:
    order = listing.by_creation(models.Export, descending=True)
    window = connections.window(order, first=first, after=after)
    return await connections.paginate(info.context, listing.all_exports(info.context.owner_id), order, window)


@strawberry.type(description="The viewer, and what the credentials allow.")
class Viewer:
    """schema.base.context.Viewer in the graph."""

    user: User = field("The user whose things can be seen.", _user)
    scopes: list[str] = field("The scopes of the credentials, such as `jobs:read`; `admin` allows everything.", _scopes)
    rate_limit: RateLimit = field("The budget that is left of this minute.", _rate_limit)
    media: Any = field(
        "The viewer's recordings, newest first; also those of which no job was made.",
        _media,
        scope="jobs:read",
        graphql_type=link("Media", "schema.media", Connection),
    )
    exports: Any = field(
        "The viewer's exports, newest first.",
        _exports,
        scope="exports:read",
        graphql_type=link("Export", "schema.exports", Connection),
    )
    usage: Usage = field("The viewer's use, and what is allowed.", of_viewer)
    access_tokens: Connection[AccessToken] = field(
        "The account's access tokens, the newest first.", access_tokens, scope="account"
    )
    webhook_endpoints: list[WebhookEndpoint] = field(
        "The account's receivers of webhooks, the oldest first; at most 50.", webhook_endpoints, scope="account"
    )


def viewer(info: Info) -> Context:
    """Return the viewer: the person or the program that asks."""
    return info.context
