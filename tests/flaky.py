"""A TCP proxy that breaks connections: each one after so many bytes of the client's."""

import asyncio
import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress


class Flaky:
    """Stands before a server on this machine, in a thread of its own."""

    def __init__(self, port: int, least: int, most: int) -> None:
        self.server_port, self.port, self.breaks = port, 0, 0
        self._least, self._most = least, most
        self._random = random.Random(port)
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._serve(),), daemon=True)

    async def _serve(self) -> None:
        self._over = asyncio.Event()
        server = await asyncio.start_server(self._pass_on, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._over.wait()
        server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            to = await asyncio.open_connection("127.0.0.1", self.server_port)
        except OSError:
            writer.transport.abort()
            return
        pumps = [self._pump(reader, to[1], writer), self._pump(to[0], writer, None)]
        try:
            await asyncio.gather(*pumps)
        except asyncio.CancelledError:  # the proxy ends
            return
        finally:
            for end in (writer, to[1]):
                end.transport.abort()
                with suppress(OSError):
                    await end.wait_closed()

    async def _pump(
        self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, client: asyncio.StreamWriter | None
    ) -> None:
        left = self._random.randint(self._least, self._most)
        with suppress(OSError):
            while data := await source.read(65_536):
                sink.write(data)
                await sink.drain()
                left -= len(data)
                if client is not None and left < 0:
                    self.breaks += 1
                    client.transport.abort()
                    sink.transport.abort()
                    return
            sink.write_eof()

    def start(self) -> None:
        """Listen."""
        self._thread.start()
        self._ready.wait()

    def stop(self) -> None:
        """Break what is open, and end."""
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join()
        self._loop.close()


@contextmanager
def flaky(port: int, least: int, most: int) -> Iterator[Flaky]:
    """A proxy before this port, whose connections break after at least and at most so many bytes."""
    proxy = Flaky(port, least, most)
    proxy.start()
    try:
        yield proxy
    finally:
        proxy.stop()
