"""A proxy before Valkey that now and then swallows a reply and hangs up: the request was done, nobody heard of it."""

import asyncio
import random
from contextlib import suppress
from pathlib import Path


class Proxy:
    """Listens on a socket of its own; `dropped` counts the replies that it swallowed."""

    def __init__(self, socket: Path, target: Path, rng: random.Random, share: float = 0.002) -> None:
        self.socket, self.dropped = socket, 0
        self._target, self._rng, self._share = target, rng, share
        self._open: set[asyncio.StreamWriter] = set()

    async def start(self) -> None:
        """Begins to listen."""
        self._server = await asyncio.start_unix_server(self._serve, self.socket)

    async def close(self) -> None:
        """Hangs up on everybody."""
        self._server.close()
        for writer in list(self._open):
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            upstream, downstream = await asyncio.open_unix_connection(self._target)
        except OSError:
            writer.close()
            return
        self._open |= {writer, downstream}
        tasks = [
            asyncio.create_task(self._copy(reader, downstream, share=0.0)),
            asyncio.create_task(self._copy(upstream, writer, share=self._share)),
        ]
        with suppress(asyncio.CancelledError):  # the run is over
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()
        for end in (writer, downstream):
            end.close()
        self._open -= {writer, downstream}

    async def _copy(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, *, share: float) -> None:
        with suppress(OSError):
            while data := await source.read(1 << 16):
                if share and self._rng.random() < share:
                    self.dropped += 1
                    return
                sink.write(data)
                await sink.drain()
