"""The saturation of a process and the queues, measured every few seconds while metrics are on."""

import asyncio
import os
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

import structlog

from db.queue import backlog
from db.store.session import Database, DatabaseDown

SECONDS: Final = 5.0
"""Seconds between two looks at the database: two small queries for every process that shows metrics."""

_TICK: Final = 0.5
_PAGE: Final = os.sysconf("SC_PAGE_SIZE")
_log = structlog.get_logger(__name__)

Values = Sequence[tuple[Mapping[str, str], float]]


class Saturation:
    """The present values of the gauges: `run` keeps them, `values` tells them."""

    def __init__(self, db: Database, process: str) -> None:
        self._db, self._process = db, process
        self._values: dict[str, Values] = {}
        self._lag = 0.0

    def values(self, name: str) -> Iterable[tuple[Mapping[str, str], float]]:
        """Return what a gauge shows now; nothing before the first look."""
        if name == "process.memory.usage":
            return [({"process": self._process}, resident_bytes())]
        return self._values.get(name, ())

    async def run(self) -> None:
        """Look until cancelled."""
        looked = -SECONDS
        while True:
            before = time.monotonic()
            await asyncio.sleep(_TICK)
            self._lag = max(self._lag, time.monotonic() - before - _TICK)
            if before - looked >= SECONDS:
                looked = before
                self._values["graphophone.event_loop.lag"] = [({}, max(0.0, self._lag))]
                self._lag = 0.0
                await self._look()

    async def _look(self) -> None:
        try:
            async with self._db.read() as session:
                found = await backlog.look(session)
        except DatabaseDown as error:
            _log.debug("metrics.blind", error=str(error))
            return
        self._values["graphophone.queue.depth"] = [({"work": work}, waiting) for work, waiting, _ in found.queues]
        self._values["graphophone.queue.oldest_wait"] = [({"work": work}, age) for work, _, age in found.queues]
        self._values["graphophone.workers.online"] = [({"worker": kind}, count) for kind, count in found.workers]


def resident_bytes(pid: int | None = None) -> float:
    """Return the resident memory of a process, this one unless another is named; 0 where the system does not tell."""
    try:
        return int(Path(f"/proc/{pid or 'self'}/statm").read_text().split()[1]) * _PAGE
    except (OSError, IndexError):
        return 0.0
