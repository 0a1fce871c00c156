"""The settings of the GraphQL endpoint."""

from dataclasses import dataclass, field
from pathlib import Path

from schema.execution import Limits


@dataclass(frozen=True, kw_only=True)
class GraphQLSettings:
    """Sizes are bytes, times are seconds."""

    upload_folder: Path
    """The folder to which uploaded files are written while they arrive; a resolver moves those that it keeps."""
    max_upload_bytes: int = 2 * 2**30
    """Of one file in a multipart request."""
    max_files: int = 4
    """In one multipart request."""
    max_body_bytes: int = 2**20
    """Of a JSON body, and of everything but the files in a multipart one."""
    max_target_bytes: int = 32 * 2**10
    """Of the path and the query string; `api.http.connection` refuses heads of more than 64 KiB on every route."""
    max_header_bytes: int = 32 * 2**10
    """Of all headers of a request."""
    limits: Limits = field(default_factory=Limits)
    allowed_origins: frozenset[str] = frozenset()
    """Pages of other origins that may ask (CORS) and open WebSockets, `https://example.org`; `*` for all."""
    connection_init_seconds: float = 10.0
    """For the client's first WebSocket message."""
    ping_seconds: float = 25.0
    """A WebSocket that was silent for so long is asked for a sign of life."""
    pong_seconds: float = 20.0
    """For that sign to arrive."""
    idle_seconds: float = 600.0
    """A WebSocket without an operation is closed after this time."""
    operations_per_connection: int = 100
    """At the same time on one WebSocket."""
    answers_per_connection: int = 4
    """Queries and mutations executed at the same time for one WebSocket; a client that does not read gets no more."""
    connections_per_owner: int = 500
    """WebSockets of one owner at the same time; and as many event streams."""
    max_message_bytes: int = 256 * 2**10
    """Of one WebSocket message."""
    recheck_seconds: float = 2.5
    """The seconds between two checks, by all that is open, that the viewer's credentials still hold."""
    heartbeat_seconds: float = 15.0
    """Between two signs of life on an event stream."""
    compress_from_bytes: int = 1024
    """Smaller answers are not compressed."""
    playground: bool = True
    """True if browsers get the playground."""
    get_queries: bool = True
    """True if queries may also be asked by GET."""
