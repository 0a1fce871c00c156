"""The time that a connection may keep the server waiting, and the conditions under which it is read on."""

import time
from math import inf

from uvicorn.protocols.http.flow_control import FlowControl

from api.http.connection.connections import Connections


class Flow(FlowControl):
    """Reads nothing more while `held`: what was read is not parsed yet."""

    held = False

    def resume_reading(self) -> None:
        """Read on, unless held."""
        if not self.held:
            super().resume_reading()


class Patience:
    """The time that one connection may still keep us waiting: until the client takes what was written, or is gone."""

    def __init__(self, connections: Connections) -> None:
        self._limits = connections.limits
        self._written = self._closed = inf

    def full(self) -> None:
        """Note that nothing more can be written until the client has read something."""
        self._written = time.monotonic() + self._limits.write_seconds

    def taken(self) -> None:
        """Note that it has."""
        self._written = inf

    def reason(self, now: float, *, closing: bool) -> str | None:
        """Return why the connection is to be cut, if it is."""
        if now > self._written:
            return "answer not read"
        if closing and self._closed == inf:
            self._closed = now + self._limits.close_seconds
        return "not closed" if now > self._closed else None
