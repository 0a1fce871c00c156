"""Python's gql: everything over HTTP, the recording in the mutation, the events over WebSocket."""

import asyncio
import os
from pathlib import Path
from typing import Any

import httpx
from gql import Client, FileVar, GraphQLRequest
from gql.client import AsyncClientSession
from gql.transport.exceptions import TransportQueryError
from gql.transport.httpx import HTTPXAsyncTransport
from gql.transport.websockets import WebsocketsTransport

URL = os.environ["GRAPHQL_URL"]
TOKEN = {"Authorization": f"Bearer {os.environ['GRAPHQL_TOKEN']}"}
DOCUMENTS = Path(__file__).parent / "documents"


def request(name: str, **variables: Any) -> GraphQLRequest:
    """A document with its variables."""
    return GraphQLRequest((DOCUMENTS / f"{name}.graphql").read_text(), variable_values=variables)


async def follow(job: dict[str, Any]) -> list[dict[str, Any]]:
    """The events of a job, from its first to its end."""
    socket = WebsocketsTransport(url=URL.replace("http", "ws", 1), init_payload=TOKEN)
    cursor = job["events"]["edges"][0]["cursor"]  # nothing is missed between start and watch
    async with Client(transport=socket, fetch_schema_from_transport=True) as session:
        events = session.subscribe(request("watch", id=job["id"], after=cursor))
        return [event["jobEvents"] async for event in events]


async def subtitles(session: AsyncClientSession, transcript: str) -> str:
    """The transcript as SubRip."""
    file = (await session.execute(request("export", id=transcript)))["createExport"]["export"]
    while not (ready := (await session.execute(request("exported", id=file["id"])))["export"])["downloadUrl"]:
        assert ready["state"] == "PENDING", ready
        await asyncio.sleep(0.1)
    async with httpx.AsyncClient() as client:
        return (await client.get(httpx.URL(URL).join(ready["downloadUrl"]))).text


async def main() -> None:
    """Send a recording, watch the job, read the transcript, fetch subtitles."""
    http = HTTPXAsyncTransport(url=URL, headers={**TOKEN, "GraphQL-Preflight": "1"})
    async with Client(transport=http, fetch_schema_from_transport=True) as session:
        start = request("start", source={"file": FileVar(os.environ["RECORDING"])})
        job = (await session.execute(start, upload_files=True))["createJob"]["job"]
        events = await follow(job)
        assert events[-1]["job"]["state"] == "SUCCEEDED", events[-1]
        assert any("segments" in event for event in events)
        transcript = (await session.execute(request("read", id=job["id"])))["job"]["transcript"]
        assert "number 1." in transcript["text"], transcript
        srt = await subtitles(session, transcript["id"])
        assert srt.startswith("1\n00:00:0"), srt
        try:
            await session.execute(request("read", id=None))
        except TransportQueryError as error:
            assert error.errors is not None
            assert error.errors[0]["extensions"]["code"] == "INVALID_INPUT"
        else:
            raise AssertionError("an error was expected")
    print(f"gql: sent, {len(events)} events watched, read, {len(srt)} bytes of subtitles")


if __name__ == "__main__":
    asyncio.run(main())
