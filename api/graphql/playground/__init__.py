"""The playground for browsers: GraphiQL out of an installed package, served by us, under a strict content policy.

The page loads nothing from anywhere else. Its address may carry a token (`/graphql#token=…`), which the browser keeps
to itself: a fragment is never sent.
"""

import gzip
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from hashlib import sha384
from importlib.util import find_spec
from pathlib import Path

from graphql import GraphQLSchema, parse, validate
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from schema.execution.encoding import encode

PACKAGE = "graphene_django_graphiql_static"
"""A wheel with GraphiQL's built files. Only its files are read: its Python modules want Django."""
VENDORED = (
    "graphiql.min.css",
    "react.production.min.js",
    "react-dom.production.min.js",
    "graphiql.min.js",
    "graphql-ws.min.js",
)
OURS = ("playground.css", "playground.js")
TYPES = {".js": "text/javascript", ".css": "text/css", ".json": "application/json"}
# Styles: GraphiQL's dialogs insert style elements. Fonts: its style sheet holds them as data addresses.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; font-src 'self' data:; "
    "img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


@dataclass(frozen=True)
class Asset:
    """One file of the page, with the name under which browsers may keep it for ever."""

    body: bytes
    zipped: bytes
    media_type: str
    digest: bytes

    @property
    def integrity(self) -> str:
        """For the `integrity` attribute."""
        return f"sha384-{b64encode(self.digest).decode()}"

    @property
    def version(self) -> str:
        """The part of the address that changes with the content."""
        return self.digest.hex()[:16]


def asset(name: str, body: bytes) -> Asset:
    """Return a file, hashed and compressed."""
    return Asset(body, gzip.compress(body, 6, mtime=0), TYPES[Path(name).suffix], sha384(body).digest())


@cache
def assets() -> Mapping[str, Asset]:
    """All files of the page by name, read at the first visit."""
    here = Path(__file__).parent
    spec = find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise RuntimeError(
            f"The package {PACKAGE.replace('_', '-')} is not installed: it holds the playground's files."
        )
    vendored = Path(spec.submodule_search_locations[0]) / "static" / PACKAGE
    found = {name: asset(name, (vendored / name).read_bytes()) for name in VENDORED}
    return found | {name: asset(name, (here / name).read_bytes()) for name in OURS}


def examples(schema: GraphQLSchema) -> bytes:
    """Return the example operations that this schema can answer, as JSON for the page."""
    found = []
    for path in sorted((Path(__file__).parent / "examples").glob("*.graphql")):
        query = path.read_text(encoding="utf-8")
        if not validate(schema, parse(query)):
            variables = path.with_suffix(".json")
            text = variables.read_text(encoding="utf-8") if variables.exists() else None
            found.append({"query": query, "variables": text})
    return encode(found)


def page(request: Request) -> Response:
    """Return the page itself."""
    base = f"{request.url.path.rstrip('/')}/assets"

    def address(name: str) -> str:
        return f"{base}/{assets()[name].version}/{name}"

    def script(name: str) -> str:
        return f'<script defer src="{address(name)}" integrity="{assets()[name].integrity}"></script>'

    def style(name: str) -> str:
        return f'<link rel="stylesheet" href="{address(name)}" integrity="{assets()[name].integrity}">'

    names = (*VENDORED, *OURS)
    tags = [style(name) if name.endswith(".css") else script(name) for name in names]
    html = (Path(__file__).parent / "page.html").read_text(encoding="utf-8")
    headers = {
        "Content-Security-Policy": POLICY,
        "Cache-Control": "no-cache",
    }
    return HTMLResponse(html.replace("<!-- assets -->", "\n".join(tags)), headers=headers)


def asset_response(request: Request) -> Response:
    """`…/assets/{version}/{name}`: a file that never changes under this address."""
    found = assets().get(request.path_params["name"])
    if found is None or found.version != request.path_params["version"]:
        return Response(status_code=404)
    headers = {
        "Cache-Control": "public, max-age=31536000, immutable",
        "Vary": "Accept-Encoding",
    }
    body = found.body
    if "gzip" in request.headers.get("accept-encoding", ""):
        body, headers["Content-Encoding"] = found.zipped, "gzip"
    return Response(body, headers=headers, media_type=found.media_type)
