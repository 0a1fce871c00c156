"""Messages of graphql-transport-ws, checked as the protocol says before anything acts on them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from schema.execution import Request

FROM_CLIENT = ("connection_init", "ping", "pong", "subscribe", "complete")


class BadMessage(Exception):
    """A message that the protocol does not know: the socket closes with 4400."""


@dataclass(frozen=True)
class Subscribe:
    """The client starts an operation."""

    id: str
    request: Request

    @classmethod
    def of(cls, message: Mapping[str, Any]) -> "Subscribe":
        """From a checked message."""
        payload = message["payload"]
        fields = (payload.get(name) for name in ("variables", "operationName", "extensions"))
        return cls(message["id"], Request(payload["query"], *fields))


def check_message(text: str) -> dict[str, Any]:
    """Return the decoded message; raises `BadMessage`."""
    try:
        message = orjson.loads(text)
    except orjson.JSONDecodeError:
        raise BadMessage("Message is not JSON") from None
    if not isinstance(message, dict):
        raise BadMessage("Message is not an object")
    kind = message.get("type")
    if not isinstance(kind, str):
        raise BadMessage("Message has no type")
    if kind not in FROM_CLIENT:
        raise BadMessage(f"Unknown message type: {kind[:50]}")
    if kind in ("subscribe", "complete"):
        _check(message.get("id"), str, "id must be a non-empty string", optional=False)
    if kind == "subscribe":
        _check_payload(message.get("payload"))
    elif kind != "complete":
        _check(message.get("payload"), dict, "payload must be an object")
    return message


def _check_payload(payload: Any) -> None:
    _check(payload, dict, "payload must be an object", optional=False, empty=True)
    _check(payload.get("query"), str, "query must be a string", optional=False, empty=True)
    _check(payload.get("operationName"), str, "operationName must be a string")
    _check(payload.get("variables"), dict, "variables must be an object")
    _check(payload.get("extensions"), dict, "extensions must be an object")


def _check(value: Any, kind: type, complaint: str, *, optional: bool = True, empty: bool = False) -> None:
    if value is None and optional:
        return
    if not isinstance(value, kind) or (not optional and not empty and not value):
        raise BadMessage(f"Message's {complaint}")


def headers_of(headers: Mapping[str, str], payload: Mapping[str, Any]) -> dict[str, str]:
    """Return the credentials of a connection: its headers, over them the `connection_init` payload.

    A payload may hold headers (`{"Authorization": "Bearer …"}`), those within `headers`, or a bare `token`.
    """
    found = dict(headers.items())
    nested = payload.get("headers")
    for source in (nested if isinstance(nested, dict) else {}, payload):
        found.update({name.lower(): value for name, value in source.items() if isinstance(value, str)})
    if isinstance(token := payload.get("token"), str) and "authorization" not in {name.lower() for name in payload}:
        found["authorization"] = f"Bearer {token}"
    return found
