"""The web process: uvicorn around the application."""

import socket

import uvicorn

from api.http.settings import ServerSettings

BACKLOG = 2048
"""Connections that wait in the kernel while the web process starts again."""


def listen(settings: ServerSettings) -> socket.socket:
    """The listening socket. Raises `OSError` when the address is taken or not ours."""
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


def serve(listener: socket.socket, application: str = "api.app:create_app") -> None:
    """Serve the application that a factory makes on a listening socket until SIGTERM or SIGINT."""
    config = uvicorn.Config(
        application,
        factory=True,
        loop="uvloop",
        http="httptools",
        ws="websockets-sansio",
        ws_max_size=1 << 20,
        log_config=None,  # logging is the application's
        access_log=False,
        server_header=False,
        backlog=BACKLOG,
        timeout_graceful_shutdown=5,
    )
    uvicorn.Server(config).run(sockets=[listener])
