"""A subscriber of one job, as a client is: it comes back with its last cursor whenever the web process goes away."""

import asyncio
import json
from dataclasses import dataclass, field

from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException
from websockets.typing import Subprotocol

QUERY = """subscription ($id: ID!, $after: String) { jobEvents(jobId: $id, after: $after) {
  __typename cursor job { state } ... on JobStateChanged { previousState state } } }"""


@dataclass
class Watcher:
    """What was heard of a job: its state at first sight, and the states after that."""

    port: int
    token: str
    job_id: str
    first: str | None = None
    states: list[str] = field(default_factory=list)
    connections: int = 0
    outages: int = 0
    errors: list[str] = field(default_factory=list)
    _cursor: str | None = None

    async def watch(self) -> None:
        """Until the server says that nothing more will come."""
        while True:
            try:
                if await self._listen():
                    return
            except (OSError, WebSocketException, TimeoutError):
                pass
            await asyncio.sleep(0.2)

    async def _listen(self) -> bool:
        address = f"ws://127.0.0.1:{self.port}/graphql"
        async with connect(address, subprotocols=[Subprotocol("graphql-transport-ws")], open_timeout=10) as socket:
            hello = {"type": "connection_init", "payload": {"Authorization": f"Bearer {self.token}"}}
            await socket.send(json.dumps(hello))
            variables = {"id": self.job_id, "after": self._cursor}
            payload = {"query": QUERY, "variables": variables}
            self.connections += 1
            async for text in socket:
                message = json.loads(text)
                match message["type"]:
                    case "connection_ack":
                        await socket.send(json.dumps({"type": "subscribe", "id": "1", "payload": payload}))
                    case "ping":
                        await socket.send(json.dumps({"type": "pong"}))
                    case "next":
                        self._hear(message["payload"])
                    case "error" if '"INTERNAL"' in str(text):
                        self.outages += 1  # the database was away; a client comes back with its cursor
                        return False
                    case "error":
                        self.errors.append(str(text))
                        return True
                    case "complete":
                        return True
        return False

    def _hear(self, payload: dict[str, object]) -> None:
        data = payload.get("data")
        if data is None and "INTERNAL" in json.dumps(payload):
            self.outages += 1
            return
        if not isinstance(data, dict) or not data.get("jobEvents"):
            self.errors.append(json.dumps(payload))
            return
        event = data["jobEvents"]
        if self.first is None:
            self.first = event["job"]["state"]
        if event["__typename"] == "JobStateChanged":
            self.states.append(event["state"])
        self._cursor = event["cursor"]
