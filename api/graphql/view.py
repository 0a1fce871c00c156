"""GraphQL over HTTP: queries by GET and POST, mutations by POST, subscriptions as server-sent events."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from hashlib import blake2b
from math import ceil
from typing import Any, TypeAlias

import structlog
from graphql import OperationType
from starlette.requests import ClientDisconnect
from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from api.graphql.events import SERVER_SENT_EVENTS
from api.graphql.negotiation import GRAPHQL_RESPONSE, JSON, Accepted, accepted
from api.graphql.observed import counted, observed
from api.graphql.parts import MULTIPART, framing_of_parts
from api.graphql.playground import page
from api.graphql.requests import check_head, read_request
from api.graphql.settings import GraphQLSettings
from api.graphql.stream import AnswerStream
from api.http.connection.connections import Crowd
from api.http.files.multipart import TemporaryFiles
from api.http.problems import HttpProblem, problem_for
from db.domain.values import ErrorCode
from schema.execution import (
    Engine,
    Execution,
    GraphQLResponse,
    Operation,
    Part,
    Request,
    RequestRejected,
    is_subscription,
)

log = structlog.get_logger("graphophone.graphql")

Authenticate: TypeAlias = Callable[[Mapping[str, str]], Awaitable[Any]]
"""Finds the viewer from headers (names in lower case; of a WebSocket with its `connection_init` payload), or None."""
ContextFactory: TypeAlias = Callable[[Any, str], Any]
"""Makes the context of one operation, or of one event, from the viewer and the correlation id."""

METHODS = "GET, HEAD, POST, OPTIONS"


@dataclass(frozen=True)
class Endpoint:
    """The parts of the endpoint that all transports share."""

    engine: Engine
    authenticate: Authenticate
    context_factory: ContextFactory
    settings: GraphQLSettings
    sockets: Crowd
    streams: Crowd

    def call(self, operation: Operation, request: Request, viewer: Any, correlation_id: str) -> Execution:
        """Return an operation with a new context for itself and for each of its events."""
        return Execution(
            operation, request, partial(self.context_factory, viewer, correlation_id), correlation_id, viewer
        )


def owner_of(viewer: Any) -> Any:
    """Return whose connections are counted together: all of an owner, whatever the credentials."""
    return getattr(viewer, "owner_id", viewer)


class GraphQLView:
    """The HTTP side of the endpoint, as an ASGI application."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request."""
        correlation_id: str = scope["correlation_id"]
        uploads = TemporaryFiles(self.endpoint.settings.upload_folder)
        try:
            try:
                response = await self._respond(HttpRequest(scope, receive), uploads, correlation_id)
            except ClientDisconnect:
                return  # in the middle of its request: nobody is there to be answered
            except Exception as error:  # noqa: BLE001  the last line of defence: nothing leaks
                response = problem_for(error, correlation_id).response(correlation_id)
            response.headers.add_vary_header("Accept")
            if not isinstance(response, AnswerStream):
                uploads.delete()  # before the client can see that its request is over
            await response(scope, receive, send)
        finally:
            uploads.delete()

    async def _respond(self, http: HttpRequest, uploads: TemporaryFiles, correlation_id: str) -> Response:
        check_head(http, self.endpoint.settings)
        if http.method == "OPTIONS":
            return Response(status_code=204, headers={"Allow": METHODS})
        if http.method not in METHODS.split(", "):
            allow = {"Allow": METHODS}
            raise HttpProblem(405, ErrorCode.INVALID_INPUT, "GraphQL is asked by GET or POST.", headers=allow)
        accept = accepted(", ".join(http.headers.getlist("accept")))
        if self.endpoint.settings.playground and http.method != "POST" and accept.prefers_html:
            return page(http)
        if http.method != "POST" and not self.endpoint.settings.get_queries:
            raise HttpProblem(405, ErrorCode.INVALID_INPUT, "Queries are sent by POST.", headers={"Allow": "POST"})
        viewer = await self.endpoint.authenticate(http.headers)
        if viewer is None:
            challenge = {"WWW-Authenticate": "Bearer"}
            message = "This needs a token: send the header 'Authorization: Bearer …'."
            raise HttpProblem(401, ErrorCode.UNAUTHENTICATED, message, headers=challenge)
        if accept.json is None and accept.stream_quality == accept.parts_quality == 0:
            raise _not_acceptable(
                "The answers here are application/graphql-response+json, application/json and text/event-stream."
            )
        request = await read_request(http, self.endpoint.settings, uploads)
        try:
            operation = self.endpoint.engine.operation(request)
        except RequestRejected as refused:
            return self._answered(http, accept, self.endpoint.engine.refusal(refused, correlation_id))
        if operation.type is OperationType.MUTATION and http.method != "POST":
            raise HttpProblem(405, ErrorCode.INVALID_INPUT, "Mutations are sent by POST.", headers={"Allow": "POST"})
        call = self.endpoint.call(operation, request, viewer, correlation_id)
        if is_subscription(operation):
            return self._streamed(http, accept, call)
        return await self._executed(http, accept, call)

    async def _executed(self, http: HttpRequest, accept: Accepted, call: Execution) -> Response:
        framing = framing_of_parts(accept) if call.operation.in_parts else None
        if framing is None:
            with observed(call) as tell:
                answer = await self.endpoint.engine.execute(call)
                tell(answer)
            return self._answered(http, accept, answer)
        answers = self.endpoint.engine.deliver(call)
        first = await anext(answers)
        if isinstance(first, Part):
            return AnswerStream(answers, framing, self.endpoint.settings.heartbeat_seconds, first=first)
        await answers.aclose()
        return self._answered(http, accept, first)

    def _streamed(self, http: HttpRequest, accept: Accepted, call: Execution) -> Response:
        if accept.stream_quality == accept.parts_quality == 0:
            raise _not_acceptable("Subscriptions need 'Accept: text/event-stream', or a WebSocket.")
        streams, owner = self.endpoint.streams, owner_of(call.viewer)
        if not streams.enter(owner):
            message = f"At most {streams.limit} event streams at a time; close one, or share a WebSocket."
            again = {"Retry-After": "5"}
            raise HttpProblem(
                429, ErrorCode.LIMIT_EXCEEDED, message, {"limit": streams.limit, "unit": "streams"}, again
            )
        framing = MULTIPART if accept.parts_quality > accept.stream_quality else SERVER_SENT_EVENTS
        answers = counted(self.endpoint.engine.subscribe(call, http.headers.get("last-event-id") or None))
        settings = self.endpoint.settings
        return AnswerStream(
            answers,
            framing,
            settings.heartbeat_seconds,
            viewer=call.viewer,
            recheck_seconds=settings.recheck_seconds,
            ended=partial(streams.leave, owner),
        )

    def _answered(self, http: HttpRequest, accept: Accepted, answer: GraphQLResponse) -> Response:
        if accept.stream_quality and (accept.json is None or accept.prefers_stream):
            return AnswerStream.of(answer, SERVER_SENT_EVENTS, self.endpoint.settings.heartbeat_seconds)
        body = answer.json()
        media_type = f"{accept.json or JSON}; charset=utf-8"
        headers = {"Cache-Control": "no-store"}
        if answer.faulty:
            return Response(body, 500, headers, media_type=media_type)
        if answer.retry_after is not None:
            headers["Retry-After"] = str(ceil(answer.retry_after))
            return Response(body, 429, headers, media_type=media_type)
        if not answer.executed and accept.json == GRAPHQL_RESPONSE:
            return Response(body, 400, headers, media_type=media_type)
        if http.method != "POST" and not answer.errors:
            headers = {"Cache-Control": "private, no-cache", "ETag": f'W/"{blake2b(body, digest_size=12).hexdigest()}"'}
            if headers["ETag"] in http.headers.get("if-none-match", ""):
                return Response(status_code=304, headers=headers)
        return Response(body, 200, headers, media_type=media_type)


def _not_acceptable(message: str) -> HttpProblem:
    return HttpProblem(406, ErrorCode.INVALID_INPUT, message)
