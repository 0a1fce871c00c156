"""One attempt at one piece of work: done under its lease, and recorded however it ends."""

from abc import ABC, abstractmethod
from functools import partial
from typing import Any, Generic

import structlog

from db.domain.errors import LeaseLost
from db.domain.states import Transition
from db.queue import background
from db.queue.leases import Lease, Work
from db.store.base import table_of
from db.store.session import DatabaseDown
from tasks.runtime.context import Runtime
from tasks.runtime.heartbeat import LeaseKeeper, StopReason, WorkDropped
from tasks.runtime.outcomes import when_possible

_log = structlog.get_logger(__name__)


class Attempt(ABC, Generic[Work]):
    """The part that every kind of work has in common; a kind says what `work` is and how it fails.

    In every case the row ends, is put back, or is left to whoever has its lease now.
    """

    def __init__(self, runtime: Runtime, row: Work, lease: Lease) -> None:
        self.runtime = runtime
        self.row = row
        self.lease = lease
        self.keeper = LeaseKeeper(runtime, lease, self)
        self.outcome = "done"
        """The outcome of the attempt, for the metrics."""
        self._name = table_of(type(row)).name

    @abstractmethod
    async def work(self) -> None:
        """Do it, and record under the lease that it is done."""

    @abstractmethod
    async def failed(self, error: Exception) -> None:
        """Record that it went wrong: again later, or never. Raises LeaseLost and DatabaseDown."""

    @abstractmethod
    def budget(self) -> float:
        """Return how many seconds may pass from one sign of life to the next."""

    def position(self) -> dict[str, Any]:
        """Return the columns that are written with each heartbeat."""
        return {}

    async def press(self, reason: StopReason, waited: float) -> bool:
        """Drop the work; one that is to leave off because its worker goes down has its time to get done."""
        patience = self.runtime.settings.drain_seconds if reason is StopReason.DRAIN else 0.0
        return waited >= patience or self.runtime.force_stop.is_set()

    async def clear(self) -> None:
        """Put in order what work that was broken off may have left in this process."""

    async def hand_back(self) -> None:
        """Put the row back uncharged, or cancel it when its owner asked for that. Raises LeaseLost and DatabaseDown."""
        async with self.runtime.db.write() as session:
            state = await background.put_back(session, self.lease, Transition.HAND_BACK)
        _log.info(f"{self._name}.handed_back", state=state, reason=self.keeper.reason)

    async def run(self) -> None:
        """Work to an end, whatever that is."""
        _log.info(f"{self._name}.claimed", attempt=self.row.attempt, fence=self.lease.fence)
        try:
            await self.keeper.over(self.work())
        except LeaseLost:
            self.outcome = "lease_lost"
            _log.warning(f"{self._name}.lease_lost", remedy="another worker has it, or it was cancelled or deleted")
            await self.clear()
        except DatabaseDown as error:
            self.outcome = "handed_back"
            _log.warning(f"{self._name}.database_down", error=str(error))
            await self.clear()
            await when_possible(self.runtime, self.hand_back)
        except WorkDropped:
            await self.clear()
            stuck = self.keeper.reason is StopReason.STUCK
            self.outcome = "failed" if stuck else "handed_back"
            late = TimeoutError(f"it took longer than {self.budget():g} seconds")
            await when_possible(self.runtime, partial(self.failed, late) if stuck else self.hand_back)
        except Exception as error:  # noqa: BLE001  whatever it is, the work must not wait for its lease to end
            self.outcome = "failed"
            _log.exception(f"{self._name}.fault", attempt=self.row.attempt)
            await self.clear()
            await when_possible(self.runtime, partial(self.failed, error))
