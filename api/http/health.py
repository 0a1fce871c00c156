"""The health of this process (`/healthz`) and of everything that it needs (`/readyz`)."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

from sqlalchemy import text
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from api.http.state import AppState

Part: TypeAlias = Callable[[], Awaitable[Any]]
"""Asks a part of the installation whether it is there; raises when it is not."""
SECONDS = 2.0
"""A part that does not answer in this time is away."""


async def healthz(_request: Request) -> Response:
    """Say that this process answers; what is behind it is no reason to start it again."""
    return JSONResponse({"status": "ok"}, headers={"Cache-Control": "no-store"})


class Readiness:
    """`GET /readyz`: 200 when database, file store and broker answer, else 503; each by name."""

    def __init__(self, state: AppState, ping: Part) -> None:
        self._parts: dict[str, Part] = {"database": _database(state), "storage": state.blobs.check, "broker": ping}

    async def get(self, _request: Request) -> Response:
        """Ask all of them at once."""
        found = dict(zip(self._parts, await asyncio.gather(*map(_answer, self._parts.values())), strict=True))
        away = [name for name, answer in found.items() if answer != "ok"]
        body = {"status": "unavailable" if away else "ok", "parts": found}
        return JSONResponse(body, 503 if away else 200, {"Cache-Control": "no-store"})


def _database(state: AppState) -> Part:
    async def look() -> None:
        async with state.db.read() as session:
            await session.execute(text("SELECT 1"))

    return look


async def _answer(part: Part) -> str:
    try:
        await asyncio.wait_for(part(), SECONDS)
    except Exception as error:  # noqa: BLE001  whatever it is, the part is not there
        return "does not answer" if isinstance(error, TimeoutError) else type(error).__name__
    return "ok"
