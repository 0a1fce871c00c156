"""The state of the web process: one of each part, made by `api.app` and shared by all requests."""

from dataclasses import dataclass

from api.http.settings import ServerSettings
from api.http.signing import Signer
from db.store.blobs import Blobs
from db.store.session import Database
from schema.settings import IntakeSettings
from tasks.settings import WorkerSettings
from tasks.wakeups.broker import Notifier
from tasks.wakeups.live import Live


@dataclass(frozen=True, slots=True)
class AppState:
    """Stores, channels and settings."""

    server: ServerSettings
    intake: IntakeSettings
    worker: WorkerSettings
    db: Database
    blobs: Blobs
    live: Live
    notifier: Notifier
    signer: Signer
