"""What the web process has at hand: one of each, made by `api.app` and shared by all requests."""

from dataclasses import dataclass

from api.settings import ServerSettings
from api.signing import Signer
from db.blobs import Blobs
from db.session import Database
from tasks.broker import Doorbell
from tasks.live import Live
from tasks.settings import WorkerSettings


@dataclass(frozen=True, slots=True)
class Edge:
    """Stores, channels and settings."""

    server: ServerSettings
    worker: WorkerSettings
    db: Database
    blobs: Blobs
    live: Live
    doorbell: Doorbell
    signer: Signer
