"""The console's page and its files, read and compressed once, each with an ETag, under a strict content policy.

The page loads nothing from anywhere else, and no build step stands between the files here and the browser. Its address
may carry a token (`/#token=…`), which the browser keeps to itself: a fragment is never sent.
"""

import gzip
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from hashlib import blake2b
from pathlib import Path, PurePosixPath

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

FOLDER = Path(__file__).resolve().parent
TYPES = {
    ".css": "text/css",
    ".graphql": "application/graphql",
    ".html": "text/html",
    ".js": "text/javascript",
    ".json": "application/json",
    ".svg": "image/svg+xml",
}
"""Files of other kinds are not served."""
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; media-src 'self' blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'"
)
HEADERS = {
    "Cache-Control": "no-cache",
    "Content-Security-Policy": POLICY,
    "Permissions-Policy": "microphone=(self), camera=(), geolocation=()",
    "Vary": "Accept-Encoding",
}
_IMPORT = re.compile(r"^(?:import|export) .*?'(\.[^']+)'$", re.MULTILINE)


@dataclass(frozen=True)
class File:
    """A file as it is sent."""

    body: bytes
    zipped: bytes
    media_type: str
    etag: str


def console_routes() -> list[BaseRoute]:
    """Return the routes of the page and its files."""
    return [Route("/", _page), Route("/console/{name:path}", _file)]


@cache
def files() -> Mapping[str, File]:
    """Return all files by their path, the page itself among them as `index.html`."""
    found = {
        path.relative_to(FOLDER).as_posix(): path.read_bytes() for path in FOLDER.rglob("*.*") if path.suffix in TYPES
    }
    found["index.html"] = _preloading(found["index.html"])
    return {name: _made(name, body) for name, body in found.items()}


def imported(module: Path) -> list[str]:
    """Return the modules that a module needs before it runs, itself first: a browser would find them link by link."""
    found: dict[Path, None] = {}
    waiting = [module]
    while waiting:
        path = waiting.pop(0)
        if path not in found:
            found[path] = None
            waiting += [(path.parent / name).resolve() for name in _IMPORT.findall(path.read_text(encoding="utf-8"))]
    return [path.relative_to(FOLDER).as_posix() for path in found]


def _preloading(page: bytes) -> bytes:
    links = "\n    ".join(f'<link rel="modulepreload" href="console/{name}">' for name in imported(FOLDER / "main.js"))
    return page.replace(b"<!-- preload -->", links.encode())


def _made(name: str, body: bytes) -> File:
    media_type = TYPES[PurePosixPath(name).suffix]
    return File(body, gzip.compress(body, 9, mtime=0), media_type, f'"{blake2b(body, digest_size=12).hexdigest()}"')


async def _page(request: Request) -> Response:
    return _sent(request, files()["index.html"])


async def _file(request: Request) -> Response:
    found = files().get(request.path_params["name"])
    return Response(status_code=404) if found is None else _sent(request, found)


def _sent(request: Request, file: File) -> Response:
    headers = {**HEADERS, "ETag": file.etag}
    if file.etag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    body = file.body
    if "gzip" in request.headers.get("accept-encoding", ""):
        body, headers["Content-Encoding"] = file.zipped, "gzip"
    return Response(body, headers=headers, media_type=file.media_type)
