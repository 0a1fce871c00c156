"""A recording through the API: upload, job, events, document."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from api.client.connection import Connection
from api.client.documents import CANCEL_JOB, CREATE_EXPORT, CREATE_JOB, EXPORT, SEGMENTS
from api.client.failures import Canceled, Failure, JobFailed, failure_of
from api.client.progress import Reporter

LONGEST_WAIT = 60.0
"""Seconds between two looks at an export, at most."""


async def transcribe(
    connection: Connection,
    file: Path,
    options: dict[str, Any],
    report: Reporter,
    told: Callable[[dict[str, Any]], None] = lambda _: None,
) -> str:
    """Send a recording and follow its job to the end; the transcript's id. Cancelled, it cancels the job, too."""
    media_id = await connection.upload(file, report.uploaded)
    job_id = await _accepted(connection, {"source": {"mediaId": media_id}} | options, report)
    try:
        return await _followed(connection, job_id, report, told)
    except asyncio.CancelledError:
        report.note("Cancelling the job; once more Ctrl-C does not wait for that.")
        with suppress(Failure):
            await connection.execute(CANCEL_JOB, id=job_id)
        raise


async def document(connection: Connection, transcript_id: str, file_format: str) -> AsyncGenerator[bytes]:
    """Return the transcript in one of the API's formats, as it comes."""
    wanted = {"transcriptId": transcript_id, "format": file_format}
    export_id = (await connection.execute(CREATE_EXPORT, input=wanted))["export"]["id"]
    pause = 0.05
    while (export := await connection.execute(EXPORT, id=export_id))["state"] == "PENDING":
        await asyncio.sleep(pause)
        pause = min(pause * 1.5, LONGEST_WAIT)
    if export["state"] != "READY":
        raise failure_of(export["problem"] or {"message": f"the document is {export['state'].lower()}"})
    async for chunk in connection.download(export["downloadUrl"]):
        yield chunk


async def transcript(connection: Connection, transcript_id: str) -> dict[str, Any]:
    """Return a transcript with all of its segments, a page at a time."""
    segments: list[dict[str, Any]] = []
    after: str | None = None
    while True:
        found: dict[str, Any] = await connection.execute(SEGMENTS, id=transcript_id, after=after)
        page = found["segments"]
        segments += [edge["node"] for edge in page["edges"]]
        if not page["pageInfo"]["hasNextPage"]:
            return found | {"segments": segments}
        after = page["pageInfo"]["endCursor"]


async def _accepted(connection: Connection, wanted: dict[str, Any], report: Reporter) -> str:
    """Return the id of the job, once the queue has room for it."""
    while True:
        try:
            created = await connection.execute(CREATE_JOB, input=wanted)
        except JobFailed as failure:
            if failure.retry_after is None:
                raise
            report.note(f"The queue is full; trying again in {failure.retry_after:.0f} s.")
            await asyncio.sleep(failure.retry_after)
        else:
            job_id: str = created["job"]["id"]
            return job_id


async def _followed(
    connection: Connection, job_id: str, report: Reporter, told: Callable[[dict[str, Any]], None]
) -> str:
    job: dict[str, Any] = {}
    lost = lambda: report.note("The connection broke; taking it up again.")  # noqa: E731 - said in one place
    async for event in connection.job_events(job_id, lost):
        job = event["job"]
        report.told(event)
        told(event)
    problems = job.get("problems", [])
    match job.get("state"):
        case "SUCCEEDED" | "PARTIAL":
            for problem in problems:
                report.note(f"Note: {problem['message']} {problem['remedy'] or ''}".rstrip())
            transcript_id: str = job["transcript"]["id"]
            return transcript_id
        case "CANCELED":
            raise Canceled("The job was cancelled.")
        case _:
            raise failure_of(problems[0] if problems else {"message": "The job's events ended before it did."})
