"""A worker's scratch folder, for decoded audio: its own, and removed when the worker is gone."""

import fcntl
import os
import shutil
import uuid
from pathlib import Path

_HELD = "held"


class Scratch:
    """A worker's folder. A lock in it, which the kernel lets go of however the worker ends, tells that it is in use."""

    def __init__(self, home: Path) -> None:
        root = (home / "scratch").absolute()
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        fresh = root / f".{uuid.uuid4().hex}"  # nobody looks for it before it is locked
        fresh.mkdir()
        self._lock = os.open(fresh / _HELD, os.O_CREAT | os.O_RDWR, 0o600)
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        self.folder = fresh.rename(root / fresh.name[1:])
        for other in root.iterdir():
            if other != self.folder and not other.name.startswith("."):
                _remove_if_left(other)

    def make(self, name: str) -> Path:
        """Make a folder for one attempt at one job: whoever comes after a worker that froze does not meet it there."""
        folder = self.folder / name
        folder.mkdir()
        return folder

    def close(self) -> None:
        """Remove the folder."""
        shutil.rmtree(self.folder, ignore_errors=True)
        os.close(self._lock)


def _remove_if_left(folder: Path) -> None:
    try:
        lock = os.open(folder / _HELD, os.O_RDWR)
    except OSError:  # from before there were locks, or just removed by another
        shutil.rmtree(folder, ignore_errors=True)
        return
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return
    else:
        shutil.rmtree(folder, ignore_errors=True)
    finally:
        os.close(lock)
