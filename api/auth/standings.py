"""Credentials that something is open to: whether they still hold is asked again every few seconds, for all at once."""

import asyncio
import time
from weakref import WeakSet

import structlog

from db.accounts import accounts, principals, tokens
from db.domain.clock import now
from db.store.session import Database, DatabaseDown
from schema.base.context import Standing

LOOK_SECONDS = 4.0
"""The seconds between two looks. A transport, too, looks at a standing every few seconds; together, below ten."""

_log = structlog.get_logger(__name__)


class Standings:
    """The standings of a process that are in use, the accounts that are closed, and tokens' uses yet to be written."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._held: WeakSet[Standing] = WeakSet()
        self._uses: dict[str, int] = {}
        self.disabled: frozenset[str] = frozenset()

    def hold(self, standing: Standing) -> None:
        """Ask about a standing for as long as anybody refers to it."""
        self._held.add(standing)

    def used(self, token_id: str) -> None:
        """Write down soon that a token was used now."""
        self._uses[token_id] = now()

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            try:
                await self.look()
            except DatabaseDown as error:
                _log.warning("standings.database_down", error=str(error))
            await asyncio.sleep(LOOK_SECONDS)

    async def look(self) -> None:
        """Write the uses down, and end what no longer holds. Raises DatabaseDown."""
        if uses := self._uses:
            self._uses = {}
            async with self._db.write() as session:
                await tokens.note_uses(session, uses)
        held = [standing for standing in self._held if standing.credential]
        async with self._db.read() as session:
            self.disabled = await accounts.disabled(session)
            there = await principals.still_there(session, {standing.credential for standing in held})
        for standing in held:
            if standing.credential not in there or standing.owner_id in self.disabled:
                standing.expires_at = min(time.time(), standing.expires_at or float("inf"))
