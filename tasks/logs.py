"""Structured logs: readable on a terminal, JSON elsewhere; always with the correlation id that is in force."""

import logging
import os
import sys
from typing import Any

import orjson
import structlog

_shared: list[Any] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.processors.format_exc_info,
]


def configure(process: str, level: int = logging.INFO) -> None:
    """Sets up logging for this process, of our own lines and of the libraries', to standard error."""
    structlog.contextvars.bind_contextvars(process=process)
    structlog.configure(
        processors=[*_shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    render: Any = (
        structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
        if sys.stderr.isatty() or "FORCE_COLOR" in os.environ  # behind the supervisor, on a terminal
        else structlog.processors.JSONRenderer(serializer=_json)
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=_shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, render],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for chatty in ("dramatiq", "alembic", "httpx", "uvicorn.access"):
        logging.getLogger(chatty).setLevel(logging.WARNING)


def _json(value: Any, **_options: Any) -> str:
    return orjson.dumps(value, default=str).decode()
