"""WebSocket connections under the same bounds as the requests that they begin with."""

from typing import Any

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from api.http.connection.connections import Connections
from api.http.connection.patience import Patience


class SocketConnection(WebSocketsSansIOProtocol):
    """One WebSocket. A client that reads nothing is cut off after a time."""

    def __init__(self, connections: Connections, **facts: Any) -> None:
        super().__init__(**facts)
        self._connections = connections
        self._patience = Patience(connections)

    @property
    def address(self) -> str:
        """The address that it comes from."""
        return self.client[0] if self.client else ""

    @property
    def waiting(self) -> bool:
        """Always False: its client is asked for a sign of life, so it never waits."""
        return False

    def end(self, reason: str) -> None:
        """End it at once."""
        self._connections.note(reason)
        self.transport.abort()

    def look(self, now: float) -> None:
        """End it when its time is up."""
        closing = self.transport.is_closing()
        if reason := self._patience.reason(now, closing=closing):
            self.end(reason)

    def connection_made(self, transport: Any) -> None:
        """Count it; as an HTTP connection it was let in already."""
        super().connection_made(transport)
        self._connections.enter(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it."""
        self._connections.leave(self)
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """Wait for the client to read, for a time."""
        super().pause_writing()
        self._patience.full()

    def resume_writing(self) -> None:
        """Write on."""
        super().resume_writing()
        self._patience.taken()
