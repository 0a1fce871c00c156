"""The web process: uvicorn around the application."""

import socket
from functools import partial
from typing import Any

import uvicorn

from api.http.connection.connections import ConnectionLimits, Connections, fit_open_files
from api.http.connection.protocol import HttpConnection
from api.http.connection.sockets import SocketConnection
from api.http.settings import ServerSettings

BACKLOG = 2048
"""Connections that wait in the kernel while the web process starts again."""


def listen(settings: ServerSettings) -> socket.socket:
    """Return the listening socket. Raises `OSError` when the address is taken or not ours."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((settings.host, settings.port))
        listener.listen(BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener


def configuration(application: Any, limits: ConnectionLimits, **others: Any) -> uvicorn.Config:
    """Return how uvicorn serves an application on connections that are bounded."""
    connections = Connections(limits)
    http: Any = partial(HttpConnection, connections)
    websocket: Any = partial(SocketConnection, connections)
    # Which proxies are believed is `PublicBase`'s to know; uvicorn would believe every program on this machine.
    others |= {"ws_max_size": 1 << 20, "access_log": False, "proxy_headers": False}
    return uvicorn.Config(application, http=http, ws=websocket, **others)


def serve(listener: socket.socket, application: str = "api.app:create_app") -> None:
    """Serve the application that a factory makes on a listening socket until SIGTERM or SIGINT."""
    config = configuration(
        application,
        ConnectionLimits(total=fit_open_files()),
        factory=True,
        loop="uvloop",
        log_config=None,  # logging is the application's
        server_header=False,
        backlog=BACKLOG,
        timeout_graceful_shutdown=5,
    )
    uvicorn.Server(config).run(sockets=[listener])
