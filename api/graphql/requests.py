"""A GraphQL request out of an HTTP request: query string, JSON body or multipart body."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

import orjson
from python_multipart.multipart import parse_options_header
from starlette.requests import Request as HttpRequest

from api.graphql.multipart import read_multipart
from api.graphql.settings import GraphQLSettings
from api.http.files.multipart import TemporaryFiles
from api.http.problems import HttpProblem
from db.domain.values import ErrorCode
from schema.execution import Request

SINGLE_HEADERS = ("host", "authorization", "content-type", "content-encoding")
PREFLIGHT_HEADERS = ("graphql-preflight", "apollo-require-preflight", "x-requested-with", "x-apollo-operation-name")


def bad_request(message: str, details: dict[str, Any] | None = None, status: int = 400) -> HttpProblem:
    """Return the problem of a request that is not well formed."""
    return HttpProblem(status, ErrorCode.INVALID_INPUT, message, details)


def check_head(http: HttpRequest, settings: GraphQLSettings) -> None:
    """Refuse a head that is too long, or that can be read in two ways; raises `HttpProblem`."""
    if len(http.scope["raw_path"]) + len(http.scope["query_string"]) > settings.max_target_bytes:
        raise too_large("address", settings.max_target_bytes, 414)
    if sum(len(name) + len(value) for name, value in http.scope["headers"]) > settings.max_header_bytes:
        raise too_large("header", settings.max_header_bytes, 431)
    for name in SINGLE_HEADERS:
        if len(http.headers.getlist(name)) > 1:
            raise bad_request(f"The header {name!r} stands twice.")
    if http.scope["http_version"] == "1.1" and "host" not in http.headers:
        raise bad_request("The header 'host' is missing.")


async def read_request(http: HttpRequest, settings: GraphQLSettings, uploads: TemporaryFiles) -> Request:
    """Return the GraphQL request; raises `HttpProblem`."""
    if http.method != "POST":
        _refuse_forged(http, multipart=False)
        return request_from_query_string(http.scope["query_string"])
    header = http.headers.get("content-type", "")
    media, options = parse_options_header(header)
    if media == b"application/json":
        charset = options.get(b"charset", b"utf-8").strip().lower()
        if charset not in (b"utf-8", b"utf8"):
            raise bad_request("Only the charset utf-8 is understood.", status=415)
        if http.headers.get("content-encoding", "identity").lower() != "identity":
            raise bad_request("Compressed bodies are not understood.", status=415)
        return request_from_json(await _body(http, settings.max_body_bytes))
    if media == b"multipart/form-data":
        _refuse_forged(http, multipart=True)
        boundary = options.get(b"boundary", b"")
        return request_from_object(await read_multipart(http.stream(), boundary, settings, uploads))
    accept = {"Accept-Post": "application/json, multipart/form-data"}
    raise HttpProblem(
        415, ErrorCode.INVALID_INPUT, "Send application/json, or multipart/form-data for uploads.", headers=accept
    )


def _refuse_forged(http: HttpRequest, *, multipart: bool) -> None:
    """Refuse what another origin's page can send without asking first, unless it has a header that no page sets."""
    if any(name in http.headers for name in PREFLIGHT_HEADERS):
        return
    if not multipart and ("authorization" in http.headers or "cookie" not in http.headers):
        return
    names = ", ".join(PREFLIGHT_HEADERS[:3])
    raise HttpProblem(403, ErrorCode.FORBIDDEN, f"Such a request needs one of these headers, with any value: {names}.")


async def _body(http: HttpRequest, limit: int) -> bytes:
    declared = http.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > limit:
        raise too_large("body", limit)
    body = bytearray()
    async for chunk in http.stream():
        body += chunk
        if len(body) > limit:
            raise too_large("body", limit)
    return bytes(body)


def too_large(what: str, limit: int, status: int = 413) -> HttpProblem:
    """More bytes than are allowed."""
    details = {"limit": limit, "unit": "bytes"}
    return HttpProblem(status, ErrorCode.LIMIT_EXCEEDED, f"The {what} is larger than {limit} bytes.", details)


def request_from_query_string(query_string: bytes) -> Request:
    """Return a request out of `query`, `variables`, `operationName` and `extensions` in an address."""
    try:
        pairs = parse_qsl(query_string.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=20)
    except ValueError:
        raise bad_request("The query string cannot be decoded.") from None
    fields: dict[str, Any] = {}
    for name, value in pairs:
        if name in fields:
            raise bad_request(f"The parameter {name[:50]!r} stands twice in the query string.")
        fields[name] = value
    for name in ("variables", "extensions"):
        if name in fields:
            fields[name] = _json(fields[name].encode(), f"The parameter {name!r}") if fields[name] else None
    if fields.get("operationName") == "":
        del fields["operationName"]
    return request_from_object(fields)


def request_from_json(body: bytes) -> Request:
    """Return a request out of a JSON body."""
    return request_from_object(_json(body, "The body"))


def _json(text: bytes, what: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise bad_request(f"{what} is not JSON: {error.msg}, at line {error.lineno} column {error.colno}.") from None


def request_from_object(value: Any) -> Request:
    """Return a request out of decoded JSON; each parameter has its type or is null."""
    if isinstance(value, list):
        raise bad_request("Batching is off: send one operation in a request.")
    if not isinstance(value, dict):
        raise bad_request("The request is not a JSON object.")
    query = value.get("query")
    if query is None:
        raise bad_request("The parameter 'query' is missing.", {"field": "query"})
    _check("query", query, str, "a string")
    _check("operationName", value.get("operationName"), str, "a string or null")
    _check("variables", value.get("variables"), Mapping, "an object or null")
    _check("extensions", value.get("extensions"), Mapping, "an object or null")
    return Request(query, value.get("variables"), value.get("operationName"), value.get("extensions"))


def _check(name: str, value: Any, kind: type, allowed: str) -> None:
    if value is not None and not isinstance(value, kind):
        raise bad_request(f"The parameter {name!r} must be {allowed}.", {"field": name})
