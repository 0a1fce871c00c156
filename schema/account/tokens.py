"""Personal access tokens in the graph."""

from typing import Annotated

import strawberry

from db.accounts import tables, tokens
from db.accounts.scopes import SCOPES
from db.domain.clock import now
from db.domain.errors import InvalidInput, NotFound
from schema.base import connections, validation
from schema.base.bounds import at_most
from schema.base.connections import ConnectionView
from schema.base.context import Context, Info
from schema.base.errors import ForbiddenError, InvalidInputError, LimitExceededError, NotFoundError
from schema.base.fields import arg, field
from schema.base.nodes import Node, known
from schema.base.scalars import Instant

NAME_CHARS, MOST_DAYS = 100, 3650
_DAY_MS = 86_400_000


@strawberry.type(description="A credential for a program. Its secret was shown once, by createAccessToken.")
class AccessToken(Node):
    """db.accounts.tables.AccessToken in the graph."""

    name: str = field("The purpose that it was made for.")
    prefix: str = field("The beginning of its secret, by which a person tells tokens apart.")
    scopes: list[str] = field("The scopes that it allows, as far as the account does.")
    created_at: Instant = field("The instant at which it was made.")
    expires_at: Instant | None = field("The instant at which it ends; null: not by itself.")
    last_used_at: Instant | None = field("The minute of its last use; null: never used.")

    @classmethod
    def is_type_of(cls, value: object, _info: object) -> bool:
        """Let rows stand for this type."""
        return isinstance(value, tables.AccessToken)


async def access_tokens(
    info: Info,
    first: Annotated[int | None, arg("The number of entries from the start, at most 100.")] = 20,
    after: Annotated[str | None, arg("Only what lies behind this cursor.")] = None,
) -> ConnectionView:
    """Return a page of the viewer's tokens."""
    order = tokens.by_age()
    wanted = connections.window(order, first=first, after=after)
    return await connections.paginate(info.context, tokens.listing(info.context.owner_id), order, wanted)


@strawberry.input(description="The token to make.")
class CreateAccessTokenInput:
    """The input of `createAccessToken`."""

    name: str = field("Its purpose, at most 100 characters.")
    scopes: list[str] = field(
        f"The scopes, never more than the viewer has: {', '.join(SCOPES)}.", metadata=at_most(len(SCOPES))
    )
    expires_in_days: int | None = strawberry.field(
        default=None, description="After how many days it ends, at most 3650; null: not by itself."
    )


@strawberry.type(description="The token was made.")
class CreateAccessTokenPayload:
    """The result of `createAccessToken`."""

    access_token: AccessToken = field("The token.")
    secret: str = field("The text that the program sends as `Authorization: Bearer …`. Nobody can see it again.")


CreateAccessTokenResult = Annotated[
    CreateAccessTokenPayload | InvalidInputError | LimitExceededError | ForbiddenError,
    strawberry.union("CreateAccessTokenResult", description="The result of `createAccessToken`."),
]


async def create_access_token(
    info: Info, data: Annotated[CreateAccessTokenInput, arg("The token to make.", name="input")]
) -> CreateAccessTokenPayload:
    """Make a token that allows no more than the viewer may, and lasts no longer than a token that makes it."""
    context = info.context
    name = validation.text("input.name", data.name, NAME_CHARS)
    scopes = _scopes(context, data.scopes)
    days = data.expires_in_days
    expires_at = None
    if days is not None:
        expires_at = now() + validation.between("input.expiresInDays", days, 1, MOST_DAYS) * _DAY_MS
    if (end := context.viewer.token_end) is not None:
        expires_at = end if expires_at is None else min(end, expires_at)
    async with context.db.write() as session:
        made = await tokens.create(session, context.owner_id, name=name, scopes=scopes, expires_at=expires_at)
    return CreateAccessTokenPayload(access_token=made.token, secret=made.secret)  # type: ignore[arg-type]  # a row stands for the type


def _scopes(context: Context, wanted: list[str]) -> list[str]:
    if not wanted:
        raise InvalidInput("input.scopes", "At least one scope.")
    for i, scope in enumerate(wanted):
        if scope not in SCOPES:
            raise InvalidInput(f"input.scopes.{i}", f"One of {', '.join(SCOPES)}.")
    for scope in wanted:
        context.require(scope)
    return sorted(set(wanted))


@strawberry.type(description="The token is void.")
class RevokeAccessTokenPayload:
    """The result of `revokeAccessToken`."""

    deleted_id: strawberry.ID = field("The id that the token had.")


RevokeAccessTokenResult = Annotated[
    RevokeAccessTokenPayload | NotFoundError | ForbiddenError,
    strawberry.union("RevokeAccessTokenResult", description="The result of `revokeAccessToken`."),
]


async def revoke_access_token(
    info: Info, id_: Annotated[strawberry.ID, arg("The token's id.", name="id")]
) -> RevokeAccessTokenPayload:
    """Delete a token."""
    if not known(id_, "tok"):
        raise NotFound("access token", id_)
    async with info.context.db.write() as session:
        await tokens.revoke(session, info.context.owner_id, id_)
    return RevokeAccessTokenPayload(deleted_id=id_)
