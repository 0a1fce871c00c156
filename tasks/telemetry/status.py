"""A worker's own small HTTP server: is it alive, can it work, and what does it measure."""

from collections.abc import Awaitable, Callable
from functools import partial

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tasks.telemetry import metrics

Ready = Callable[[], Awaitable[dict[str, str]]]
"""Gives what is away, by part, with the reason; empty when the worker can work."""


async def serve(host: str, port: int, ready: Ready) -> None:
    """Serve `/healthz`, `/readyz` and `/metrics` until cancelled."""
    routes = [
        Route("/healthz", _alive),
        Route("/readyz", partial(_ready, ready)),
        Route("/metrics", _metrics),
    ]
    config = uvicorn.Config(
        Starlette(routes=routes), host=host, port=port, lifespan="off", log_config=None, access_log=False
    )
    server = uvicorn.Server(config)
    server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]  # signals are the worker's business
    try:
        await server._serve()  # noqa: SLF001  `serve` would take the process's signals
    except SystemExit as ended:  # the port is taken
        raise OSError(f"{host}:{port} cannot be listened at") from ended


async def _alive(_request: Request) -> Response:
    return JSONResponse({"status": "ok"})


async def _ready(ready: Ready, _request: Request) -> Response:
    away = await ready()
    return JSONResponse({"status": "unavailable", "away": away} if away else {"status": "ok"}, 503 if away else 200)


async def _metrics(_request: Request) -> Response:
    shown = metrics.exposition()
    if shown is None:
        return JSONResponse({"message": "Metrics are off. Set OTEL_METRICS_EXPORTER=prometheus."}, 404)
    return Response(shown[0], media_type=shown[1])
