"""The way in which a speech engine leaves off: at a boundary, or ended."""

from contextlib import suppress

from tasks.runtime.context import Runtime
from tasks.runtime.heartbeat import StopReason
from tasks.settings import STOP_GRACE
from tasks.speech.process import EngineLost


class EngineStopper:
    """Asks the engine to leave off, the more firmly the longer it takes; whoever follows it records what came of it."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._asked = 0  # how firmly: 1 at the end of the window, 2 at the next boundary

    async def press(self, reason: StopReason, waited: float) -> None:
        """Ask once for each degree of firmness; end an engine that does not listen."""
        engine = self._runtime.engine
        patience = self._runtime.settings.drain_seconds if reason is StopReason.DRAIN else 0.0
        if reason is StopReason.STUCK or self._runtime.force_stop.is_set() or waited > patience + STOP_GRACE:
            await engine.end()
            return
        firmly = 2 if waited >= patience else 1
        if firmly > self._asked:
            self._asked = firmly
            with suppress(EngineLost):
                await engine.stop(patient=firmly == 1)
