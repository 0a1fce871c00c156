"""What the workers and their models need to know."""

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings

from db.settings import SETTINGS, StoreSettings
from tasks import valkey


class WorkerSettings(BaseSettings):
    """Broker, engine and how much runs at once."""

    model_config = SETTINGS

    redis_url: str = Field(
        default="", description="`redis://…`, `rediss://…` or `unix://…`; empty: a Valkey server of our own."
    )
    model: str = Field(default="base", description="The Whisper model that is used when a job names none.")
    engine: str = Field(
        default="tasks.pipeline.engine:open_engine",
        description="What makes the engine that recognises speech, as `module:name`; it implements `SpeechEngine`.",
    )
    stage_timeout: float = Field(
        default=900.0, gt=0, description="Seconds a stage may take without any progress before it is stopped."
    )
    max_attempts: int = Field(default=5, ge=1, description="How often a job is tried when passing faults hit it.")
    jobs_per_owner: int = Field(default=4, ge=1, description="How many jobs of one owner run at the same time.")
    io_threads: int = Field(default=4, ge=1, le=64, description="How many documents one io worker renders at once.")
    max_duration: float = Field(default=36_000.0, gt=0, description="The longest recording, in seconds.")

    def resolved_redis_url(self, store: StoreSettings) -> str:
        """The address of the broker: the configured one, or that of the data folder's own Valkey."""
        return self.redis_url or valkey.url(store.home)


def scratch_folder(store: StoreSettings) -> Path:
    """Where workers keep decoded audio while they need it; may be lost at any time."""
    folder = (store.home / "scratch").absolute()
    folder.mkdir(parents=True, exist_ok=True)
    return folder
