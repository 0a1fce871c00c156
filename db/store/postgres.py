"""PostgreSQL's addresses as providers hand them out, with libpq's parameters, for asyncpg under SQLAlchemy.

asyncpg reads most of them itself (`sslmode`, `sslrootcert`, `target_session_attrs`, `application_name` and other
settings of a session), if only it gets the whole address; SQLAlchemy would hand them over one by one, as what they are
not. `pgbouncer=true` tells of a pooler in transaction mode: nothing then outlives a transaction on a connection.
"""

from functools import partial
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit
from uuid import uuid4

import asyncpg
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

IDLE_IN_TRANSACTION_MS = 10_000
"""A process that froze in the middle of a transaction holds its locks no longer than this."""
CONNECT_SECONDS, COMMAND_SECONDS = 10.0, 60.0


def engine(url: str, **pool: Any) -> AsyncEngine:
    """Return an engine for an address of PostgreSQL."""
    dsn, options = address(url)
    pooled = options.pop("pooled")
    arguments: dict[str, Any] = {"async_creator_fn": partial(asyncpg.connect, dsn, **options)}
    if pooled:  # the next statement may be sent by another connection, which knows none of our prepared ones
        arguments |= {"prepared_statement_cache_size": 0, "prepared_statement_name_func": lambda: f"__{uuid4()}__"}
    return create_async_engine("postgresql+asyncpg://", connect_args=arguments, **pool)


def address(url: str) -> tuple[str, dict[str, Any]]:
    """Return the address for asyncpg, and its arguments beside it; of these, `pooled` is for us."""
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    pooled = query.pop("pgbouncer", "false").lower() in {"1", "true", "yes"}
    timeout = query.pop("connect_timeout", "")
    options: dict[str, Any] = {
        "pooled": pooled,
        "timeout": float(timeout) if timeout.isdigit() and int(timeout[:6]) > 0 else CONNECT_SECONDS,
        "command_timeout": COMMAND_SECONDS,
    }
    if "ssl" in query:  # SQLAlchemy's name for it
        query.setdefault("sslmode", query.pop("ssl"))
    query.pop("channel_binding", None)  # asyncpg does what the server asks for
    if pooled:
        options["statement_cache_size"] = 0
    else:  # a pooler refuses settings at the start of a session
        options["server_settings"] = {"idle_in_transaction_session_timeout": str(IDLE_IN_TRANSACTION_MS)}
    return urlunsplit(("postgresql", parts.netloc, parts.path, urlencode(query), "")), options
