"""Things with a global id, and how one is found by it."""

import asyncio
import re
from typing import Annotated, Any

import strawberry

from db.domain.errors import InvalidInput
from schema.base.context import Context, Info
from schema.base.fields import arg, field

_ID = re.compile(r"[a-z]{3}_[0-9A-Za-z._-]{1,80}")
_SCOPES = {
    "job": "jobs:read",
    "med": "jobs:read",
    "trn": "transcripts:read",
    "exp": "exports:read",
    "tok": "account",
    "usr": None,
}


@strawberry.interface(description="Something that can be read again by its id.")
class Node:
    """Relay's Node."""

    id: strawberry.ID = field("Opaque, global and stable.")


def known(id_: str, prefix: str) -> bool:
    """Whether this can be the id of such a thing at all; keeps hostile strings away from the database."""
    return id_.startswith(prefix + "_") and _ID.fullmatch(id_) is not None


async def node(info: Info, id_: Annotated[strawberry.ID, arg("The id, as given by any type.", name="id")]) -> Any:
    """One node, or None."""
    return await _find(info.context, id_)


async def nodes(info: Info, ids: Annotated[list[strawberry.ID], arg("At most 100 ids.")]) -> list[Any]:
    """Nodes in the order of the ids, None where there is none. Raises InvalidInput."""
    if len(ids) > 100:
        raise InvalidInput("ids", "At most 100 ids.")
    return list(await asyncio.gather(*(_find(info.context, id_) for id_ in ids)))


async def _find(context: Context, id_: str) -> Any:
    prefix = id_[:3]
    if prefix not in _SCOPES or not known(id_, prefix):
        return None
    scope = _SCOPES[prefix]
    if scope is not None:
        context.require(scope)
    load = context.load
    loaders: dict[str, Any] = {
        "job": load.job, "med": load.media, "trn": load.transcript, "exp": load.export, "tok": load.token,
        "usr": load.owner,
    }  # fmt: skip
    return await loaders[prefix].load(id_)
