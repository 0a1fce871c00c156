"""The web application: routes, and what lives as long as the process."""

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import structlog
from redis.asyncio import Redis
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from api.auth.routes import SignIn
from api.auth.standings import Standings
from api.console.page import console_routes
from api.graphql import GraphQLSettings, graphql_routes
from api.graphql.leftovers import keep_clear
from api.http.correlation import Correlation
from api.http.files.downloads import Downloads
from api.http.files.playback import Playback
from api.http.files.tus import Tus
from api.http.files.uploads import Uploads
from api.http.headers import SecurityHeaders
from api.http.health import Readiness, healthz
from api.http.metrics import show_metrics
from api.http.origins import PublicBase, cross_origin, public_base
from api.http.problems import Problems, problem_for
from api.http.rates import RateLimitHeaders
from api.http.secrets import access_token
from api.http.settings import AuthSettings, ServerSettings
from api.http.signing import Signer
from api.http.state import AppState
from api.http.tracing import Tracing
from api.openai import Entrance, openai_routes
from api.process.exposure import warning_of
from db.accounts import accounts
from db.accounts.keys import Seals, signing_keys
from db.settings import StoreSettings
from db.store.blobs import Blobs
from db.store.session import Database
from db.webhooks.secrets import PURPOSE
from schema import build_schema
from schema.base.context import Context, SchemaSettings, Viewer
from schema.base.heavy import HeavyWork
from schema.base.rates import Rates
from schema.execution import Limits
from schema.settings import IntakeSettings
from schema.subscriptions.broadcaster import Broadcaster
from schema.subscriptions.entries import event_key
from tasks.decoding.formats import CONTAINERS
from tasks.settings import WorkerSettings
from tasks.system import logs
from tasks.telemetry import metrics, traces
from tasks.telemetry.saturation import Saturation
from tasks.wakeups.broker import Notifier, make_broker, make_client
from tasks.wakeups.live import Live

VERSION = "0.1.0"
STORAGE_SECONDS = 10.0
"""For the object store to answer at the start."""

_log = structlog.get_logger(__name__)


def create_app() -> Starlette:
    """Make the application, from the environment; uvicorn's factory."""
    logs.configure("web")
    server, store, worker, auth = ServerSettings(), StoreSettings(), WorkerSettings(), AuthSettings()
    keys = signing_keys(store)
    if warning := warning_of(server):
        structlog.get_logger(__name__).warning("server.exposed", reason=warning)
    client = make_client(worker.resolved_redis_url(store))
    notifier = Notifier(make_broker(worker.resolved_redis_url(store)), client)
    database = Database(store.resolved_database_url, notifier)
    standings = Standings(database)
    state = AppState(
        server=server,
        intake=IntakeSettings(),
        worker=worker,
        db=database,
        blobs=Blobs(store),
        live=Live(client),
        notifier=notifier,
        signer=Signer(keys, lambda: standings.disabled),
    )
    uploads, downloads, playback = Uploads(state), Downloads(state), Playback(state)
    settings, broadcaster = _schema_settings(state, Seals(keys, PURPOSE)), Broadcaster(state.db, state.live)
    rates = Rates(server.points_per_minute, client if worker.redis_url else None)
    signin = SignIn(
        database,
        standings,
        rates,
        auth,
        token=access_token(server, store),
        keys=keys,
        url=server.resolved_public_url,
    )

    tus = Tus(state, signin.credentials)
    heavy = HeavyWork()

    def context(viewer: Viewer, correlation_id: str) -> Context:
        return Context(
            viewer=viewer,
            db=state.db,
            blobs=state.blobs,
            settings=settings,
            correlation_id=correlation_id,
            broadcaster=broadcaster,
            rates=rates,
            heavy=heavy,
            public_url=server.public_url or public_base.get(),
        )

    saturation = Saturation(state.db, "web")
    traces.configure("web")
    metrics.configure("web", saturation.values)

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        await _check_storage(state)
        async with state.db.write() as session:
            await accounts.ensure_local(session)
        background = [asyncio.create_task(state.live.run()), asyncio.create_task(standings.run())]
        background.append(asyncio.create_task(keep_clear(store.home / "incoming")))
        if metrics.on():
            background.append(asyncio.create_task(saturation.run()))
        gc.collect()
        gc.freeze()  # the schema stays; each search through it for garbage would hold up all answers for 0.1 s and more
        try:
            yield
        finally:
            for task in background:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task
            await state.notifier.close()
            await state.db.close()
            await asyncio.to_thread(traces.shut_down)
            await asyncio.to_thread(metrics.shut_down)

    return Starlette(
        routes=[
            *console_routes(),
            Route("/healthz", healthz),
            Route("/readyz", Readiness(state, lambda: _ping(client)).get),
            *signin.routes,
            Route("/metrics", show_metrics),
            Route("/uploads", tus.collection, methods=["POST", "OPTIONS"]),
            Route("/uploads/{id}", uploads.put, methods=["PUT"]),
            Route("/uploads/{id}", tus.upload, methods=["HEAD", "PATCH", "DELETE", "POST", "OPTIONS"]),
            Route("/exports/{id}/{filename}", downloads.get),
            Route("/media/{id}", playback.get),
            *openai_routes(
                Entrance(
                    authenticate=signin.credentials, context_factory=context, upload_folder=store.home / "incoming"
                )
            ),
            *graphql_routes(
                build_schema(),
                authenticate=signin.credentials,
                context_factory=context,
                broadcast=event_key,
                settings=_graphql_settings(server, store.home, state.intake.max_upload_bytes),
            ),
        ],
        middleware=[
            Middleware(Correlation),
            Middleware(PublicBase, trusted=server.proxies),
            Middleware(SecurityHeaders),
            Middleware(Tracing),
            *cross_origin(server.origins),
            Middleware(RateLimitHeaders),
            Middleware(Problems),
        ],
        exception_handlers={HTTPException: _problem},
        lifespan=lifespan,
    )


async def _problem(request: Request, error: Exception) -> Response:
    """Answer for a path or a method that there is not."""
    return problem_for(error, request.scope["correlation_id"]).response(request.scope["correlation_id"])


async def _check_storage(state: AppState) -> None:
    """Say at the start, and not at the first upload, that an object store does not answer."""
    try:
        await asyncio.wait_for(state.blobs.check(), STORAGE_SECONDS)
    except Exception as error:  # noqa: BLE001  it may come back: all else can be served meanwhile
        reason = str(error).splitlines()[0][:300] if str(error) else type(error).__name__
        _log.error("storage.away", variable="GRAPHOPHONE_STORAGE_URL", reason=reason)


def _graphql_settings(server: ServerSettings, home: Path, max_upload_bytes: int) -> GraphQLSettings:
    return GraphQLSettings(
        upload_folder=home / "incoming",
        max_upload_bytes=max_upload_bytes,
        limits=Limits() if server.introspection else Limits(introspection=0),
        playground=server.playground,
        get_queries=server.get_queries,
        allowed_origins=server.origins,
    )


def _schema_settings(state: AppState, seals: Seals) -> SchemaSettings:
    return SchemaSettings(
        version=VERSION,
        public_url=state.server.resolved_public_url,
        intake=state.intake,
        worker=state.worker,
        audio_formats=tuple(CONTAINERS),
        sign=state.signer.sign,
        seal=seals.seal,
        warnings=tuple(warning for warning in (warning_of(state.server),) if warning),
    )


async def _ping(client: Redis) -> None:
    await client.execute_command("PING")  # type: ignore[no-untyped-call]  # the library
