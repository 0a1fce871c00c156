"""Sends a large recording by tus over connections that break, while the web process is killed and started again.

    python -m tests.programs.clients.long_upload [megabytes] [breaks] [kills]

Prints speed, breaks, what the recording's hash is, and by how much the memory of the web processes grew.
"""

import hashlib
import os
import struct
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import httpx
import psutil

from tests.api.test_files import ask
from tests.fixtures.servers import Server, running
from tests.flaky import flaky
from tests.test_up import family
from tests.tus_requests import STREAM, VERSION

PIECE = 1 << 20
RATE = 192_000  # Hz, of sixteen channels: gigabytes are no longer than what may be sent
KNOWN = "query($id: ID!) { upload(id: $id) { media { byteSize sha256 } } }"


def write(file: Path, megabytes: int) -> str:
    """Write a recording of silence with noise in it; its hash."""
    size, digest, noise = megabytes << 20, hashlib.sha256(), os.urandom(PIECE)
    head = (
        b"RIFF"
        + struct.pack("<I", size - 8)
        + b"WAVEfmt "
        + struct.pack("<IHHIIHH", 16, 1, 16, RATE, 32 * RATE, 32, 16)
    )
    head += b"data" + struct.pack("<I", size - 44)
    with file.open("wb") as opened:
        for number in range(megabytes):
            piece = number.to_bytes(4, "little") + noise[4:]
            piece = piece if number else head + piece[len(head) :]
            digest.update(piece)
            opened.write(piece)
    return digest.hexdigest()


class Memory:
    """The largest resident size of the web processes, above what each had when it was seen first."""

    def __init__(self, server: Server) -> None:
        self.growth, self._first = 0, dict[int, int]()
        self._server, self._over = server, threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def _look(self) -> None:
        while not self._over.wait(0.1):
            try:
                process = family(self._server)["api serve"]
                size = process.memory_info().rss
            except (KeyError, psutil.Error):
                continue
            if process.create_time() > time.time() - 3:
                continue  # it still loads
            self.growth = max(self.growth, size - self._first.setdefault(process.pid, size))

    def stop(self) -> int:
        """The growth in megabytes."""
        self._over.set()
        self._thread.join()
        return self.growth >> 20


def chunks(file: Path, start: int) -> Iterator[bytes]:
    """The rest of the file."""
    with file.open("rb") as opened:
        opened.seek(start)
        while chunk := opened.read(PIECE // 4):
            yield chunk


def offset_of(address: str) -> int:
    """Where the upload goes on, once the server says so."""
    while True:
        try:
            answer = httpx.head(address, headers=VERSION, timeout=30)
        except httpx.TransportError:
            time.sleep(0.1)
            continue
        if answer.status_code < 500:
            return int(answer.headers["Upload-Offset"])
        time.sleep(0.1)


def main(megabytes: int = 2048, breaks: int = 50, kills: int = 3) -> int:
    """1 when something else than the file arrived, or when memory grew by more than 32 MB."""
    size = megabytes << 20
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "long.wav"
        digest = write(file, megabytes)
        with running(Path(folder) / "home") as server:
            time.sleep(4)  # memory is counted from here on
            with flaky(urlsplit(server.url).port or 0, size // (breaks + 10), size // (breaks + 1)) as proxy:
                memory, begun, killed = Memory(server), time.monotonic(), 0
                headers = {"Authorization": f"Bearer {server.token}"}
                made = httpx.post(
                    f"{server.url}/uploads", headers=VERSION | headers | {"Upload-Length": str(size)}, timeout=30
                )
                own = urlsplit(made.headers["Location"])
                address = urljoin(f"http://127.0.0.1:{proxy.port}", f"{own.path}?{own.query}")
                while (offset := offset_of(address)) < size:
                    if killed < kills and offset > (killed + 1) * size // (kills + 1):
                        killed += 1
                        family(server)["api serve"].kill()
                        continue
                    try:
                        sent = {**VERSION, **STREAM, "Upload-Offset": str(offset), "Content-Length": str(size - offset)}
                        httpx.patch(address, headers=sent, content=chunks(file, offset), timeout=120)
                    except httpx.TransportError:
                        continue
                seconds, grown = time.monotonic() - begun, memory.stop()
                told, upload_id = None, own.path.rpartition("/")[2]
                while told is None:
                    told = ask(server, KNOWN, id=upload_id)["upload"]["media"]
                    time.sleep(0.2)
        same = told["sha256"] == digest
        print(
            f"{megabytes} MB in {seconds:.0f} s ({megabytes / seconds:.0f} MB/s): {proxy.breaks} connections broken,"
            f" {killed} web processes killed, sha256 {'equal' if same else 'DIFFERS'}, memory grew by {grown} MB"
        )
    return 0 if same and grown <= 32 else 1


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
