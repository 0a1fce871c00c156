"""What a worker process has at hand while it works."""

import asyncio
import os
import socket
from dataclasses import dataclass, field
from pathlib import Path

from dramatiq.brokers.redis import RedisBroker

from db.blobs import Blobs
from db.session import Database
from tasks.engine import EngineProcess
from tasks.live import Live
from tasks.settings import WorkerSettings


@dataclass(frozen=True, slots=True)
class Runtime:
    """One a process, made in its event loop."""

    db: Database
    blobs: Blobs
    live: Live
    broker: RedisBroker
    engine: EngineProcess
    settings: WorkerSettings
    scratch: Path
    worker: str
    draining: asyncio.Event = field(default_factory=asyncio.Event)


def worker_name(kind: str) -> str:
    """Who works, for the operator: kind, host and process."""
    return f"{kind}@{socket.gethostname()}:{os.getpid()}"
