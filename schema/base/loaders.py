"""Loaders: what many resolvers ask for one by one is read by one statement. Made anew for each operation."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from functools import cached_property
from typing import Any, TypeVar

from sqlalchemy.ext.asyncio import AsyncSession
from strawberry.dataloader import DataLoader

from db import exports, jobs, media, transcripts
from db.accounts import owners, tokens
from db.accounts.tables import AccessToken
from db.models import Export, Job, Media, Owner, Transcript
from db.store.session import Database
from db.webhooks import deliveries, endpoints
from db.webhooks.tables import WebhookDelivery, WebhookEndpoint
from schema.base.speakers import SpeakerView, speaker_view

Found = TypeVar("Found")
Arguments = TypeVar("Arguments", bound=Hashable)
Fetch = Callable[[AsyncSession, str, Sequence[str]], Awaitable[Mapping[str, Found]]]


class Loader(DataLoader[str, Found]):
    """Many fields may wait for one key: when some of them are cancelled, the others still get what they asked for.

    If one field fails, graphql-core cancels those beside it, and so the future that a plain loader gave to all.
    Only when nobody waits any more is the statement cancelled, too.
    """

    def __init__(self, load: Callable[[list[str]], Awaitable[Sequence[Found]]]) -> None:
        super().__init__(load)
        self._waiting: Counter[asyncio.Future[Found]] = Counter()

    def load(self, key: str) -> Awaitable[Found]:
        """Return what the key stands for."""
        future = asyncio.ensure_future(super().load(key))
        self._waiting[future] += 1
        return self._wait(future)

    async def _wait(self, future: "asyncio.Future[Found]") -> Found:
        try:
            return await asyncio.shield(future)
        finally:
            self._waiting[future] -= 1
            if not self._waiting[future]:
                del self._waiting[future]
                future.cancel()


class Loaders:
    """Loaders by id, for one owner, each made when first needed; None for what is not there or somebody else's."""

    def __init__(self, db: Database, owner_id: str) -> None:
        self._db, self._owner_id = db, owner_id
        self._each: dict[Hashable, Loader[Any]] = {}

    def _by_id(self, fetch: Fetch[Found]) -> Loader[Found | None]:
        async def load(ids: list[str]) -> list[Found | None]:
            async with self._db.read() as session:
                found = await fetch(session, self._owner_id, ids)
            return [found.get(id_) for id_ in ids]

        return Loader(load)

    @cached_property
    def job(self) -> Loader[Job | None]:
        """Load jobs."""
        return self._by_id(jobs.many)

    @cached_property
    def media(self) -> Loader[Media | None]:
        """Load recordings."""
        return self._by_id(media.many)

    @cached_property
    def peaks(self) -> Loader[str | None]:
        """Load the keys of waveforms, by recording."""
        return self._by_id(media.peaks)

    @cached_property
    def transcript(self) -> Loader[Transcript | None]:
        """Load transcripts."""
        return self._by_id(transcripts.many)

    @cached_property
    def export(self) -> Loader[Export | None]:
        """Load exports."""
        return self._by_id(exports.many)

    @cached_property
    def queue_position(self) -> Loader[int | None]:
        """Load places in the queue, by job."""
        return self._by_id(jobs.queue_positions)

    @cached_property
    def owner(self) -> Loader[Owner | None]:
        """Load owners."""
        return self._by_id(owners.many)

    @cached_property
    def token(self) -> Loader[AccessToken | None]:
        """Load access tokens."""
        return self._by_id(tokens.many)

    @cached_property
    def webhook_endpoint(self) -> Loader[WebhookEndpoint | None]:
        """Load endpoints of webhooks."""
        return self._by_id(endpoints.many)

    @cached_property
    def webhook_delivery(self) -> Loader[WebhookDelivery | None]:
        """Load deliveries of webhooks."""
        return self._by_id(deliveries.many)

    @cached_property
    def speakers(self) -> Loader[list[SpeakerView] | None]:
        """Load speakers, by transcript."""
        return self._by_id(_speakers)

    def each(
        self,
        fetch: "Callable[[AsyncSession, str, Sequence[str], Arguments], Awaitable[Mapping[str, Found]]]",
        arguments: "Arguments" = None,  # type: ignore[assignment]  # for those that take none
    ) -> "Loader[Found | None]":
        """Return the loader of what many parents are asked for with the same arguments: `fetch` reads it for all."""
        key = (fetch, arguments)
        if key not in self._each:

            async def of_parents(session: AsyncSession, owner_id: str, ids: Sequence[str]) -> Mapping[str, Found]:
                return await fetch(session, owner_id, ids, arguments)

            self._each[key] = self._by_id(of_parents)
        return self._each[key]


async def _speakers(session: AsyncSession, owner_id: str, ids: Sequence[str]) -> dict[str, Any]:
    rows = await transcripts.speakers(session, owner_id, ids)
    return {id_: [speaker_view(row) for row in of_one] for id_, of_one in rows.items()}
