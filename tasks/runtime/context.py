"""The tools that a worker process has at hand while it works."""

import asyncio
import os
import socket
from dataclasses import dataclass, field

from dramatiq.brokers.redis import RedisBroker

from db.accounts.keys import Seals
from db.store.blobs import Blobs
from db.store.session import Database
from tasks.runtime.scratch import Scratch
from tasks.settings import WorkerSettings
from tasks.speech.process import EngineProcess
from tasks.system.outbound.client import OutboundClient
from tasks.wakeups.live import Live


@dataclass(frozen=True, slots=True)
class Runtime:
    """One a process, made in its event loop."""

    db: Database
    blobs: Blobs
    live: Live
    broker: RedisBroker
    engine: EngineProcess
    settings: WorkerSettings
    scratch: Scratch
    seals: Seals
    outbound: OutboundClient
    worker: str
    draining: asyncio.Event = field(default_factory=asyncio.Event)  # take no more work, hand back what is at hand
    force_stop: asyncio.Event = field(default_factory=asyncio.Event)  # at once
    wakeup: asyncio.Event = field(default_factory=asyncio.Event)  # look now, do not wait for the next heartbeat


def worker_name(kind: str) -> str:
    """Return the worker's name, for the operator: kind, host and process."""
    return f"{kind}@{socket.gethostname()}:{os.getpid()}"
