"""Finding things by their global ids."""

import asyncio
from collections.abc import Sequence
from typing import Annotated, Any

import strawberry
from sqlalchemy.ext.asyncio import AsyncSession

from db import transcripts
from db.domain.ids import split_child_id
from schema.base.bounds import at_most
from schema.base.context import Context, Info
from schema.base.fields import arg
from schema.base.nodes import known
from schema.base.speakers import SpeakerView, speaker_view
from schema.transcripts.segments import segments_by_id

_SCOPES = {
    "job": "jobs:read",
    "med": "jobs:read",
    "trn": "transcripts:read",
    "seg": "transcripts:read",
    "spk": "transcripts:read",
    "exp": "exports:read",
    "tok": "account",
    "whe": "account",
    "whd": "account",
    "usr": None,
}
"""The scope that each kind of thing needs, by the prefix of its ids."""


async def node(info: Info, id_: Annotated[strawberry.ID, arg("The id, as given by any type.", name="id")]) -> Any:
    """Find one node, or None."""
    return await _find(info.context, id_)


async def nodes(
    info: Info, ids: Annotated[list[strawberry.ID], arg("At most 100 ids.", metadata=at_most(100, ordered=True))]
) -> list[Any]:
    """Find nodes in the order of the ids, None where there is none."""
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
        "job": load.job,
        "med": load.media,
        "trn": load.transcript,
        "seg": load.each(segments_by_id),
        "spk": load.each(_speakers),
        "exp": load.export,
        "tok": load.token,
        "whe": load.webhook_endpoint,
        "whd": load.webhook_delivery,
        "usr": load.owner,
    }
    return await loaders[prefix].load(id_)


async def _speakers(
    session: AsyncSession, owner_id: str, ids: Sequence[str], _arguments: None
) -> dict[str, SpeakerView]:
    parents = {parts[0] for id_ in ids if (parts := split_child_id(id_, "spk", "trn"))}
    people = await transcripts.speakers(session, owner_id, sorted(parents))
    found = [speaker_view(row) for of_one in people.values() for row in of_one]
    return {view.id: view for view in found}
