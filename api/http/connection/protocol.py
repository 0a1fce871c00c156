"""HTTP connections that cannot be used to hold up the server: uvicorn's, with a bound on all that comes from outside.

uvicorn parses whatever has arrived, all of it, however long a head is and however many requests wait. Here bytes are
given to the parser a head or a piece of a body at a time, and not at all while enough requests wait. h11 would bound
heads, too; it takes three times the processor time for a request.
"""

import time
from math import inf
from typing import Any

from starlette.responses import Response
from ulid import ULID
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from api.http.connection.connections import Connections
from api.http.connection.patience import Flow, Patience
from api.http.problems import HttpProblem
from db.domain.values import ErrorCode

END_OF_HEAD = b"\r\n\r\n"
PIECE = 4 << 10
"""Bytes given to the parser at once where the end of a message cannot be foreseen: in a chunked body."""
DISCARDED = 1 << 20
"""Bytes read and thrown away after the last answer, so that a client that still sends gets to read it."""


class HttpConnection(HttpToolsProtocol):
    """One connection. Of each request the head is bounded and timed, and the body has to keep coming."""

    flow: Flow

    def __init__(self, connections: Connections, **facts: Any) -> None:
        super().__init__(**facts)
        self._connections = connections
        self._limits = connections.limits
        self._patience = Patience(connections)
        self._unparsed = bytearray()
        self._in_head = True
        self._bytes = 0  # of this head, or since the last piece of this chunked body
        self._lines = 0  # headers of this head, or trailers of this body
        self._left: int | None = None  # bytes of this body that are to come; None: chunked
        self._came = 0  # bytes of this body in this span
        self._due = inf  # when the head has to be complete, or this span of the body ends
        self._over = False  # whatever else comes is not read
        self._discarded = 0

    # ------------------------------------------------------------ for `Connections`

    @property
    def address(self) -> str:
        """The address that it comes from."""
        return self.client[0] if self.client else ""

    @property
    def waiting(self) -> bool:
        """True if nothing is being done for it."""
        return self._in_head and self._idle

    @property
    def _idle(self) -> bool:
        current: Any = self.cycle  # None before the first request, whatever uvicorn's types say
        return (current is None or current.response_complete) and not self.pipeline

    def end(self, reason: str) -> None:
        """End it at once."""
        self._connections.note(reason)
        self._over = True
        self.transport.abort()

    def look(self, now: float) -> None:
        """End it when its time is up."""
        if reason := self._patience.reason(now, closing=self._over or self.transport.is_closing()):
            self.end(reason)
        elif now > self._due and not self._over:
            if self._in_head:
                self._refuse("head too slow", HttpProblem(408, ErrorCode.TIMED_OUT, "The request took too long."))
            elif self._came < self._limits.body_bytes and not self.flow.read_paused:
                message = "The body of the request came too slowly, or not at all."
                self._refuse("body too slow", HttpProblem(408, ErrorCode.TIMED_OUT, message))
            else:
                self._expect_body(now)

    # ------------------------------------------------------------ the connection

    def connection_made(self, transport: Any) -> None:
        """Count it, or say that there is no room."""
        super().connection_made(transport)
        self.flow = Flow(transport)
        self._due = time.monotonic() + self._limits.head_seconds
        if not self._connections.enter(self):
            message = "Too many connections are open; try again in a second."
            problem = HttpProblem(503, ErrorCode.UNAVAILABLE, message, {"retryAfterSeconds": 1}, {"Retry-After": "1"})
            self._refuse("no room", problem)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it."""
        self._connections.leave(self)
        self._over = True
        self._unparsed.clear()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """Wait for the client to read, for a time."""
        super().pause_writing()
        self._patience.full()

    def resume_writing(self) -> None:
        """Write on."""
        super().resume_writing()
        self._patience.taken()

    # ------------------------------------------------------------ what comes in

    def data_received(self, data: bytes) -> None:
        """Take bytes in, and parse those whose turn it is."""
        if self._over:
            self._discarded += len(data)
            if self._discarded > DISCARDED:
                self.transport.abort()
            return
        self._unset_keepalive_if_required()
        if self._in_head and self._due == inf:
            self._due = time.monotonic() + self._limits.head_seconds
        self._unparsed += data
        self._parse()

    def _parse(self) -> None:
        while self._unparsed and not self._over and len(self.pipeline) < self._limits.pipelined:
            size = self._size()
            piece = bytes(self._unparsed[:size])
            del self._unparsed[:size]
            self._bytes += size
            super().data_received(piece)
            self._check()
        self.flow.held = bool(self._unparsed)
        if self.flow.held:
            self.flow.pause_reading()

    def _size(self) -> int:
        """Return how many bytes belong together: at most this head, or what is left of this body."""
        if self._in_head:
            end = self._unparsed.find(END_OF_HEAD) + len(END_OF_HEAD)
            rest = self._limits.head_bytes - self._bytes + 1
            return min(end if end >= len(END_OF_HEAD) else len(self._unparsed), max(rest, 1))
        return min(len(self._unparsed), PIECE if self._left is None else max(self._left, 1))

    def _check(self) -> None:
        """Refuse what is too long. All of it is found out here, after each piece."""
        if self._over:
            return
        limits = self._limits
        if not self._in_head:
            if self._left is None and (self._bytes > limits.framing_bytes or self._lines > limits.head_lines):
                message = "The body has too much around its chunks."
                self._refuse("chunks too long", HttpProblem(413, ErrorCode.LIMIT_EXCEEDED, message))
        elif len(getattr(self, "url", b"")) > limits.head_bytes // 2:
            self._refuse("address too long", _too_long(414, "address", limits.head_bytes // 2, "bytes"))
        elif self._bytes > limits.head_bytes:
            self._refuse("head too long", _too_long(431, "head", limits.head_bytes, "bytes"))
        elif self._lines > limits.head_lines:
            self._refuse("too many headers", _too_long(431, "head", limits.head_lines, "headers"))

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header; trailers are counted only, for nobody reads them."""
        self._lines += 1
        if self._in_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Go on with the body."""
        if self._lines > self._limits.head_lines:
            return  # `_check` refuses it
        self._in_head = False
        length = next((value for name, value in self.headers if name == b"content-length"), None)
        chunked = any(name == b"transfer-encoding" for name, _ in self.headers)
        self._left = None if chunked else int(length or b"0")
        self._bytes = self._lines = 0
        super().on_headers_complete()
        self._expect_body(time.monotonic())

    def on_body(self, body: bytes) -> None:
        """Pass a piece of the body on."""
        self._bytes = 0
        self._came += len(body)
        if self._left is not None:
            self._left -= len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Expect the next head, when it comes."""
        self._in_head, self._due = True, inf
        self._bytes = self._lines = 0
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Go on with the requests that wait."""
        super().on_response_complete()
        if self._unparsed and not self._over:
            self._parse()
            self.flow.resume_reading()

    def handle_websocket_upgrade(self) -> None:
        """Become a WebSocket, unless answers are still under way."""
        if not self._idle:
            self._refuse("bad request", _bad_request("A WebSocket begins on a connection of its own."))
            return
        self._over = True
        self._unparsed.clear()
        super().handle_websocket_upgrade()
        self._connections.leave(self)

    def _expect_body(self, now: float) -> None:
        self._came = 0
        self._due = now + self._limits.body_seconds

    # ------------------------------------------------------------ refusals

    def send_400_response(self, msg: str) -> None:
        """Refuse what the parser does not understand, in the form of all our problems."""
        self._refuse("bad request", _bad_request(msg))

    def _refuse(self, reason: str, problem: HttpProblem) -> None:
        """Answer with a problem and close, or only close where an answer to something else is under way."""
        self._connections.note(reason)
        self._over = True
        self._unparsed.clear()
        self.pipeline.clear()
        self._unset_keepalive_if_required()
        cycle: Any = self.cycle
        if self._in_head and not self._idle:
            cycle.keep_alive = False  # the answer to the request before is the last one
            return
        begun = not self._in_head and cycle is not None and cycle.response_started
        if cycle is not None and not cycle.response_complete:
            cycle.disconnected = True  # nobody else answers it
            cycle.message_event.set()
        if begun:
            self.transport.abort()
            return
        response = problem.response(str(ULID()))
        self.transport.write(_encoded(response))
        if self.transport.can_write_eof():
            self.transport.write_eof()  # closing at once would take the answer away from a client that still sends
        else:
            self.transport.close()


def _too_long(status: int, what: str, limit: int, unit: str) -> HttpProblem:
    message = f"The {what} of a request may have {limit} {unit}."
    return HttpProblem(status, ErrorCode.LIMIT_EXCEEDED, message, {"limit": limit, "unit": unit})


def _bad_request(message: str) -> HttpProblem:
    return HttpProblem(400, ErrorCode.INVALID_INPUT, message)


def _encoded(response: Response) -> bytes:
    lines = [STATUS_LINE[response.status_code]]
    lines += [b"%s: %s\r\n" % header for header in (*response.raw_headers, (b"connection", b"close"))]
    return b"".join([*lines, b"\r\n", bytes(response.body)])
