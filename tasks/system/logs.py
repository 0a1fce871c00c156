"""Structured logs: readable on a terminal, JSON elsewhere; always with the correlation id that is in force."""

import logging
import os
import sys
from typing import Any

import orjson
import structlog

from tasks.telemetry import traces


def configure(process: str, level: int = logging.INFO) -> None:
    """Set up logging for this process, of our own lines and of the libraries', to standard error."""

    def name(_logger: object, _method: str, line: structlog.typing.EventDict) -> structlog.typing.EventDict:
        return {**line, "process": process}

    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        name,
        _traced,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
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
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, render],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    logging.captureWarnings(capture=True)
    for chatty in ("dramatiq", "alembic", "authlib", "httpx", "httpx2", "uvicorn.access"):  # authlib shows tokens
        logging.getLogger(chatty).setLevel(logging.WARNING)


def _traced(_logger: object, _method: str, line: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Add the trace in force, so that a line of the log leads to it."""
    trace_id = traces.trace_id()
    return line if trace_id is None else {**line, "trace_id": trace_id}


def _json(value: Any, **_options: Any) -> str:
    return orjson.dumps(value, default=str).decode()
