"""One message on its way: signed after Standard Webhooks 1.0, posted once, its answer judged by the status alone."""

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from http import HTTPStatus
from typing import NamedTuple

import httpx2
from standardwebhooks import Webhook

from db.webhooks.deliveries import Answer
from tasks.system.outbound.client import OutboundClient
from tasks.system.outbound.errors import OutboundError, TooSlow
from tasks.webhooks.schedule import asked_for

EXCERPT = 1024
"""Bytes of an answer that are kept."""


class Sent(NamedTuple):
    """An attempt's result, and for how many seconds the receiver asks to be spared."""

    answer: Answer
    spare_seconds: float = 0.0


def headers(message_id: str, body: str, secrets: Sequence[str]) -> dict[str, str]:
    """Return what identifies and signs a message now; each secret signs it, so that the receiver may have any."""
    at = datetime.now(UTC)
    return {
        "content-type": "application/json",
        "webhook-id": message_id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": " ".join(Webhook(secret).sign(message_id, at, body) for secret in secrets),
    }


async def post(client: OutboundClient, url: str, body: str, fields: dict[str, str], seconds: float) -> Sent:
    """Post a message, and read no more of the answer than an excerpt, within so many seconds in all."""
    message = body.encode()
    try:
        async with client.send("POST", url, content=message, headers=fields, seconds=seconds) as answer:
            spare = asked_for(answer.status_code, answer.headers.get("retry-after"), time.time())
            error = None if answer.is_success else _told(answer.status_code)
            excerpt = await _beginning(answer)
    except TooSlow:
        return Sent(Answer(error=f"There was no whole answer within {seconds:g} seconds."))
    except OutboundError as fault:
        return Sent(Answer(error=_line(str(fault))))
    return Sent(Answer(answer.status_code, excerpt, error), spare)


async def _beginning(answer: httpx2.Response) -> str | None:
    """Return the beginning of an answer. The status counts, also when the rest breaks off."""
    body = b""
    try:
        async for chunk in answer.aiter_raw():
            body += chunk[: EXCERPT - len(body)]
            if len(body) == EXCERPT:
                break
    except httpx2.HTTPError:
        pass
    return body.decode(errors="replace").replace("\0", "\N{REPLACEMENT CHARACTER}") or None


def _told(status: int) -> str:
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = "an unknown status"
    redirect = "; redirects are not followed" if 300 <= status < 400 else ""
    return f"{status} {phrase}{redirect}."


def _line(text: str) -> str:
    return " ".join(text.replace("\0", " ").split())[:500]
