"""Python's gql: HTTP, WebSocket, upload."""

import asyncio
import io
import os

from gql import Client, FileVar, gql
from gql.transport.exceptions import TransportQueryError
from gql.transport.httpx import HTTPXAsyncTransport
from gql.transport.websockets import WebsocketsTransport

URL = os.environ["GRAPHQL_URL"]
TOKEN = {"Authorization": f"Bearer {os.environ['GRAPHQL_TOKEN']}"}
QUERY = "query Hello($name: String!) { hello(name: $name) }"
TICKS = "subscription Ticks($upto: Int!) { ticks(upto: $upto) { cursor ... on Ticked { number } } }"
UPLOAD = "mutation Upload($file: Upload!) { upload(file: $file) }"


async def main() -> None:
    """Every kind of operation once."""
    http = HTTPXAsyncTransport(url=URL, headers={**TOKEN, "GraphQL-Preflight": "1"})
    async with Client(transport=http, fetch_schema_from_transport=True) as session:
        query = gql(QUERY)
        query.variable_values = {"name": "client"}
        assert await session.execute(query) == {"hello": "Hello, client!"}
        assert await session.execute(gql("mutation { ping }")) == {"ping": "pong"}
        upload = gql(UPLOAD)
        upload.variable_values = {"file": FileVar(io.BytesIO(b"RIFF" * 1000), filename="call.wav")}
        answer = await session.execute(upload, upload_files=True)
        assert answer["upload"].startswith("call.wav|"), answer
        assert "|4000|" in answer["upload"], answer
        try:
            await session.execute(gql("{ conflict }"))
        except TransportQueryError as error:
            assert error.errors is not None
            assert error.errors[0]["extensions"]["code"] == "CONFLICT"
        else:
            raise AssertionError("an error was expected")
    socket = WebsocketsTransport(url=URL.replace("http", "ws", 1), init_payload=TOKEN)
    async with Client(transport=socket, fetch_schema_from_transport=True) as session:
        ticks = gql(TICKS)
        ticks.variable_values = {"upto": 3}
        assert [event["ticks"]["number"] async for event in session.subscribe(ticks)] == [1, 2, 3]
        assert await session.execute(gql("mutation { ping }")) == {"ping": "pong"}
    print("gql: query, mutation, upload, errors, subscription ok")


if __name__ == "__main__":
    asyncio.run(main())
