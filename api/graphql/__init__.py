"""The GraphQL endpoint: HTTP, WebSocket, server-sent events, uploads and the playground under one address."""

from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.gzip import DEFAULT_EXCLUDED_CONTENT_TYPES, GZipMiddleware
from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from strawberry import Schema

from api.graphql.negotiation import PARTS
from api.graphql.playground import asset_response, examples
from api.graphql.requests import PREFLIGHT_HEADERS
from api.graphql.settings import GraphQLSettings
from api.graphql.view import Authenticate, ContextFactory, Endpoint, GraphQLView
from api.graphql.websocket import GraphQLWebSocket
from api.http.connection.connections import Crowd
from api.http.correlation import Correlation
from api.http.files.multipart import UploadedFile
from schema.base.errors import explain
from schema.execution import CoalescedResponses, Engine
from schema.execution.coalescing import EventKey

__all__ = ["Authenticate", "ContextFactory", "GraphQLSettings", "UploadedFile", "graphql_routes"]


def graphql_routes(
    schema: Schema,
    *,
    authenticate: Authenticate,
    context_factory: ContextFactory,
    settings: GraphQLSettings,
    broadcast: EventKey | None = None,
    path: str = "/graphql",
) -> list[BaseRoute]:
    """Return the routes of the endpoint.

    `broadcast` tells events apart: subscribers that sent the same document and variables, and are the same viewer
    (equal, hashable), share one execution and one encoding of events with equal keys. Without it nothing is shared.
    A viewer's `expires_at` (epoch seconds), if it has one, ends its sockets and streams.
    """
    engine = Engine(schema, settings.limits, CoalescedResponses(broadcast) if broadcast else None, explain=explain)
    sockets, streams = Crowd(settings.connections_per_owner), Crowd(settings.connections_per_owner)
    endpoint = Endpoint(engine, authenticate, context_factory, settings, sockets, streams)
    correlated = Middleware(Correlation)
    http = [correlated, *_cross_origin(settings)]
    http.append(
        Middleware(
            GZipMiddleware,
            minimum_size=settings.compress_from_bytes,
            compresslevel=1,
            exclude_content_types=(*DEFAULT_EXCLUDED_CONTENT_TYPES, PARTS),  # it would hold parts back
        )
    )
    shown = examples(engine.schema)

    def examples_response(_: HttpRequest) -> Response:
        return Response(shown, headers={"Cache-Control": "no-cache"}, media_type="application/json")

    routes: list[BaseRoute] = [
        Route(path, GraphQLView(endpoint), middleware=http),
        WebSocketRoute(path, GraphQLWebSocket(endpoint), middleware=[correlated]),
    ]
    if settings.playground:
        routes += [
            Route(f"{path}/assets/examples.json", examples_response),
            Route(f"{path}/assets/{{version}}/{{name}}", asset_response),
        ]
    return routes


def _cross_origin(settings: GraphQLSettings) -> list[Middleware]:
    """Let the pages of allowed origins ask, without cookies: they bring a token."""
    if not settings.allowed_origins:
        return []
    allowed = ["authorization", "content-type", "last-event-id", "x-request-id", *PREFLIGHT_HEADERS]
    return [
        Middleware(
            CORSMiddleware,
            allow_origins=sorted(settings.allowed_origins),
            allow_methods=["GET", "POST"],
            allow_headers=allowed,
            expose_headers=["X-Request-ID", "ETag"],
            max_age=3600,
        )
    ]
