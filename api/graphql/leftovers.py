"""Files of uploads that were broken off."""

import asyncio
import time
from contextlib import suppress
from pathlib import Path

LEFT_SECONDS = 4 * 3600.0
"""Since the last byte was written to a file that no request of a living process has."""
LOOK_SECONDS = 3600.0


def remove_left(folder: Path) -> None:
    """Remove what a process that was killed has left, and nobody has written to for hours."""
    for path in folder.glob("upload-*"):
        with suppress(FileNotFoundError):
            if path.stat().st_mtime < time.time() - LEFT_SECONDS:
                path.unlink()


async def keep_clear(folder: Path) -> None:
    """Remove them now and every hour, until cancelled."""
    while True:
        await asyncio.to_thread(remove_left, folder)
        await asyncio.sleep(LOOK_SECONDS)
