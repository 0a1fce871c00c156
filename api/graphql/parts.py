"""Multipart responses: subscriptions as Apollo Client asks for them over plain HTTP, and answers in parts.

Clients show a part when they meet the boundary behind it: so each part brings it along.
"""

from collections.abc import Mapping, MutableMapping
from typing import Any

import orjson

from api.graphql.events import SERVER_SENT_EVENTS
from api.graphql.negotiation import Accepted
from api.graphql.stream import Framing
from schema.execution import GraphQLResponse, Part
from schema.execution.encoding import encode

HEAD = b"\r\nContent-Type: application/json\r\n\r\n"
BOUNDARY = b"\r\n--graphql"
END = b"--\r\n"


def encode_part(answer: GraphQLResponse) -> bytes:
    """Return an event as a part; one that was not executed ends the stream as an error of the transport."""
    if not answer.executed:
        return HEAD + encode({"payload": None, "errors": answer.errors}) + BOUNDARY
    return HEAD + b'{"payload":' + answer.json() + b"}" + BOUNDARY


def encode_patch(answer: GraphQLResponse) -> bytes:
    """Return a part of an answer, as it is."""
    return HEAD + answer.json() + BOUNDARY


def framing_of_parts(accept: Accepted) -> Framing | None:
    """Return the framing of an answer in parts, in today's draft or in that of August 2022; None if nobody asked."""
    if not accept.parts_quality or accept.parts_quality < accept.stream_quality:
        named = accept.stream_quality and (accept.json is None or accept.prefers_stream)
        return SERVER_SENT_EVENTS if named else None
    if accept.parts_by_id:
        return Framing('multipart/mixed;boundary="graphql";incrementalSpec=v0.2', encode_patch, BOUNDARY, b"", END)
    return Framing('multipart/mixed;boundary="graphql";deferSpec=20220824', Paths().encode, BOUNDARY, b"", END)


MULTIPART = Framing(
    'multipart/mixed;boundary="graphql";subscriptionSpec=1.0', encode_part, BOUNDARY, HEAD + b"{}" + BOUNDARY, END
)


class Paths:
    """The draft of August 2022 names the whole path of each patch, where today's names what was announced before."""

    def __init__(self) -> None:
        self.data: Any = None
        self.pending: dict[str, Mapping[str, Any]] = {}

    def encode(self, answer: GraphQLResponse) -> bytes:
        """Return the part in the older shape."""
        if not isinstance(answer, Part):
            return encode_patch(answer)
        self.pending.update((one["id"], one) for one in answer.pending)
        patches: list[Any] = [self._patch(one) for one in answer.incremental]
        patches += [self._failed(one) for one in answer.completed if one.get("errors")]
        if answer.first:
            self.data = answer.data
            body = GraphQLResponse.body(answer)
        else:
            body = {"incremental": patches} if patches else {}
        return HEAD + encode(body | {"hasNext": answer.has_next}) + BOUNDARY

    def _patch(self, given: Mapping[str, Any]) -> orjson.Fragment:
        announced = self.pending[given["id"]]
        path = [*announced["path"], *given.get("subPath", ())]
        patch = {name: given[name] for name in ("data", "items", "errors", "extensions") if name in given}
        found = self._at(path)
        if "items" in patch:
            path.append(len(found))
        encoded = encode(patch | _label(announced) | {"path": path})  # now, before what it holds grows
        if "items" in patch:
            found.extend(patch["items"])
        else:
            _merge(found, patch["data"])
        return orjson.Fragment(encoded)

    def _failed(self, completed: Mapping[str, Any]) -> dict[str, Any]:
        announced = self.pending[completed["id"]]
        path = list(announced["path"])
        found = self._at(path)
        nothing = (
            {"items": None, "path": [*path, len(found)]} if isinstance(found, list) else {"data": None, "path": path}
        )
        return nothing | _label(announced) | {"errors": completed["errors"]}

    def _at(self, path: list[str | int]) -> Any:
        found = self.data
        for key in path:
            found = found[key]
        return found


def _label(announced: Mapping[str, Any]) -> dict[str, Any]:
    return {"label": announced["label"]} if "label" in announced else {}


def _merge(into: MutableMapping[str, Any], data: Mapping[str, Any]) -> None:
    for name, value in data.items():
        if isinstance(value, dict) and isinstance(into.get(name), dict):
            _merge(into[name], value)
        else:
            into[name] = value
