"""GraphQL over WebSocket: the graphql-transport-ws protocol, with each of its close codes."""

import asyncio
import time
from contextlib import suppress
from typing import Any

import structlog
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from api.graphql.messages import BadMessage, Subscribe, check_message, headers_of
from api.graphql.observed import counted, observed
from api.graphql.origin import may_open
from api.graphql.view import Endpoint, owner_of
from db.domain.values import ErrorCode
from schema.execution import RequestRejected, is_subscription
from schema.execution.encoding import encode
from schema.execution.errors import facts

log = structlog.get_logger("graphophone.graphql")
PROTOCOL = "graphql-transport-ws"

NORMAL, TOO_BIG, TRY_LATER, SERVER_FAULT = 1000, 1009, 1013, 4500
BAD_REQUEST, UNAUTHORIZED, FORBIDDEN, NO_PROTOCOL, TIMEOUT, DUPLICATE, TWICE = 4400, 4401, 4403, 4406, 4408, 4409, 4429


class Closed(Exception):
    """The connection ends with this code."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code, self.reason = code, reason


class GraphQLWebSocket:
    """The WebSocket side of the endpoint, as an ASGI application."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        websocket = WebSocket(scope, receive, send)
        if not may_open(websocket.headers, self.endpoint.settings.allowed_origins):
            await websocket.close()  # before it is accepted: HTTP 403
            return
        if PROTOCOL not in scope["subprotocols"]:
            await websocket.accept()
            await websocket.close(NO_PROTOCOL, "Subprotocol not acceptable")
            return
        await websocket.accept(PROTOCOL)
        await Connection(self.endpoint, websocket, scope["correlation_id"]).serve()


class Connection:
    """One open socket: who is on it, and its operations."""

    def __init__(self, endpoint: Endpoint, websocket: WebSocket, correlation_id: str) -> None:
        self.endpoint = endpoint
        self.settings = endpoint.settings
        self.websocket = websocket
        self.correlation_id = correlation_id
        self.viewer: Any = None
        self.initialised = False
        self.operations: dict[str, asyncio.Task[None]] = {}
        self.count = 0
        self.opened = self.heard = self.busy = time.monotonic()
        self.pinged: float | None = None
        self.counted = False
        self.answering = asyncio.Semaphore(self.settings.answers_per_connection)

    async def serve(self) -> None:
        """Answer messages until either side closes."""
        try:
            while True:
                try:
                    async with asyncio.timeout(self._patience()):
                        message = await self.websocket.receive()
                except TimeoutError:
                    await self._on_silence()
                    continue
                if message["type"] == "websocket.disconnect":
                    return
                self.heard, self.pinged = time.monotonic(), None
                await self._on_message(message)
        except Closed as closed:
            await self._close(closed.code, closed.reason)
        except WebSocketDisconnect:
            pass
        except Exception:  # the last line of defence: the client learns that it was us
            log.exception("websocket_fault", correlation_id=self.correlation_id)
            await self._close(SERVER_FAULT, "Internal server error")
        finally:
            if self.counted:
                self.endpoint.sockets.leave(owner_of(self.viewer))
            await self._end_operations()

    # ------------------------------------------------------------ time

    def _patience(self) -> float:
        """Return the seconds until something must be done although the client is silent."""
        now = time.monotonic()
        if not self.initialised:
            return max(0.0, self.opened + self.settings.connection_init_seconds - now)
        deadlines = [self.heard + self.settings.ping_seconds]
        if self.pinged is not None:
            deadlines = [self.pinged + self.settings.pong_seconds]
        # operations end while this side waits: then it looks again after that time
        deadlines.append((now if self.operations else self.busy) + self.settings.idle_seconds)
        deadlines.append(now + self.settings.recheck_seconds)
        if (expires := self._expires()) is not None:
            deadlines.append(now + expires)
        return max(0.0, min(deadlines) - now)

    def _expires(self) -> float | None:
        at = getattr(self.viewer, "expires_at", None)
        return None if at is None else max(0.0, at - time.time())

    async def _on_silence(self) -> None:
        now = time.monotonic()
        if not self.initialised:
            raise Closed(TIMEOUT, "Connection initialisation timeout")
        if self._expires() == 0:
            raise Closed(FORBIDDEN, "Token expired")
        if self.pinged is not None and now >= self.pinged + self.settings.pong_seconds:
            raise Closed(TIMEOUT, "No sign of life")
        if not self.operations and now >= self.busy + self.settings.idle_seconds:
            raise Closed(NORMAL, "Idle")
        if self.pinged is None and now >= self.heard + self.settings.ping_seconds:
            self.pinged = now
            await self._send('{"type":"ping"}')

    # ------------------------------------------------------------ messages

    async def _on_message(self, received: Any) -> None:
        if self._expires() == 0:
            raise Closed(FORBIDDEN, "Token expired")
        text = received.get("text")
        if text is None:
            raise Closed(BAD_REQUEST, "Messages are text, not binary")
        if len(text) > self.settings.max_message_bytes:
            raise Closed(TOO_BIG, "Message too big")
        try:
            message = check_message(text)
        except BadMessage as bad:
            raise Closed(BAD_REQUEST, str(bad)) from None
        kind = message["type"]
        if kind == "connection_init":
            await self._initialise(message.get("payload") or {})
        elif kind == "ping":
            payload = message.get("payload")
            await self._send(encode({"type": "pong", **({"payload": payload} if payload else {})}).decode())
        elif kind == "subscribe":
            self._subscribe(Subscribe.of(message))
        elif kind == "complete" and (task := self.operations.pop(message["id"], None)):
            task.cancel()
            self.busy = time.monotonic()

    async def _initialise(self, payload: dict[str, Any]) -> None:
        if self.initialised:
            raise Closed(TWICE, "Too many initialisation requests")
        self.initialised = True
        self.viewer = await self.endpoint.authenticate(headers_of(self.websocket.headers, payload))
        if self.viewer is None or self._expires() == 0:
            raise Closed(FORBIDDEN, "Forbidden")
        self.counted = self.endpoint.sockets.enter(owner_of(self.viewer))
        if not self.counted:
            raise Closed(TRY_LATER, f"At most {self.endpoint.sockets.limit} connections at a time")
        await self._send('{"type":"connection_ack"}')

    def _subscribe(self, message: Subscribe) -> None:
        if self.viewer is None:
            raise Closed(UNAUTHORIZED, "Unauthorized")
        if message.id in self.operations:
            raise Closed(DUPLICATE, f"Subscriber for {message.id} already exists")
        self.count += 1
        correlation_id = f"{self.correlation_id}.{self.count}"
        crowded = len(self.operations) >= self.settings.operations_per_connection
        task = asyncio.create_task(self._operate(message, correlation_id, crowded=crowded))
        self.operations[message.id] = task
        task.add_done_callback(lambda done: self._forget(message.id, done))

    def _forget(self, identifier: str, task: "asyncio.Task[None]") -> None:
        if self.operations.get(identifier) is task:
            del self.operations[identifier]
            self.busy = time.monotonic()

    # ------------------------------------------------------------ operations

    async def _operate(self, message: Subscribe, correlation_id: str, *, crowded: bool) -> None:
        head = f'{{"id":{encode(message.id).decode()},"type":'
        try:
            if not await self._run(message, head, correlation_id, crowded=crowded):
                return
            last = head + '"complete"}'
        except (WebSocketDisconnect, asyncio.CancelledError):
            return
        except Exception:  # one operation's fault must not end the others
            log.exception("operation_fault", correlation_id=correlation_id)
            fault = facts(ErrorCode.INTERNAL, "Something went wrong on the server.", None, correlation_id)
            last = f'{head}"error","payload":{encode([fault]).decode()}}}'
        with suppress(WebSocketDisconnect):
            await self._last(message.id, last)

    async def _run(self, message: Subscribe, head: str, correlation_id: str, *, crowded: bool) -> bool:
        """Send the answers; False when an `error` message has ended the operation."""
        engine = self.endpoint.engine

        async def failed(errors: Any) -> bool:
            await self._last(message.id, f'{head}"error","payload":{encode(errors).decode()}}}')
            return False

        if crowded:
            limit = self.settings.operations_per_connection
            text = f"At most {limit} operations at a time on one connection."
            return await failed([facts(ErrorCode.LIMIT_EXCEEDED, text, {"limit": limit}, correlation_id)])
        try:
            operation = engine.operation(message.request)
        except RequestRejected as refused:
            return await failed(engine.refusal(refused, correlation_id).errors)
        call = self.endpoint.call(operation, message.request, self.viewer, correlation_id)
        if not is_subscription(operation) and not operation.in_parts:
            async with self.answering:  # until it is sent: what a client does not read is not piled up
                with observed(call) as tell:
                    answer = await engine.execute(call)
                    tell(answer)
                if not answer.executed:
                    return await failed(answer.errors)
                await self._send(f'{head}"next","payload":{answer.json().decode()}}}')
            return True
        answers = counted(engine.subscribe(call)) if is_subscription(operation) else engine.deliver(call)
        try:
            async for answer in answers:
                if not answer.executed:
                    return await failed(answer.errors)
                await self._send(f'{head}"next","payload":{answer.json().decode()}}}')
        finally:
            await answers.aclose()
        return True

    async def _last(self, identifier: str, text: str) -> None:
        """Return the last message of an operation; its id is free again before the client can see it."""
        self.operations.pop(identifier, None)
        self.busy = time.monotonic()
        await self._send(text)

    async def _end_operations(self) -> None:
        tasks = list(self.operations.values())
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    # ------------------------------------------------------------ out

    async def _send(self, text: str) -> None:
        try:
            await self.websocket.send_text(text)
        except RuntimeError:
            raise WebSocketDisconnect(NORMAL) from None  # closed by us, in the meantime

    async def _close(self, code: int, reason: str) -> None:
        await self._end_operations()
        with suppress(RuntimeError, WebSocketDisconnect):  # it is closed already
            await self.websocket.close(code, reason.encode()[:123].decode(errors="ignore"))
