"""The `RateLimit` headers (draft-ietf-httpapi-ratelimit-headers): what is left of the viewer's points."""

import time
from math import ceil

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from schema.base.rates import COUNTED, MINUTE, Left


class RateLimitHeaders:
    """ASGI middleware: adds the headers to answers of requests whose cost was taken."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and look what was counted on the way."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        counted: list[Left] = []
        COUNTED.set(counted)

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start" and counted:
                left = counted[-1]
                headers = MutableHeaders(scope=message)
                headers["RateLimit-Policy"] = f'"points";q={left.limit};w={MINUTE}'
                headers["RateLimit"] = (
                    f'"points";r={left.remaining};t={max(0, ceil(left.reset_at / 1000 - time.time()))}'
                )
            await send(message)

        await self.app(scope, receive, send_with_headers)
