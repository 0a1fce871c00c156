"""The settings of the workers and their models."""

from typing import Annotated, Self

from pydantic import Field, field_validator, model_validator

from db.domain.values import Stage
from db.settings import Settings, StoreSettings
from tasks.system.outbound.destination import Destinations
from tasks.wakeups import valkey

STOP_GRACE = 2.0
"""Seconds until an engine that does not leave off by itself is ended."""

HAND_BACK_SECONDS = 5.0
"""The seconds that the hand-back itself may take, after the engine was given its time to finish."""


class WorkerSettings(Settings):
    """Broker, engine and how much runs at once."""

    redis_url: str = Field(
        default="", description="`redis://…`, `rediss://…` or `unix://…`; empty: a Valkey server of our own."
    )
    model: str = Field(default="base", description="The Whisper model that is used when a job names none.")
    engine: str = Field(
        default="tasks.pipeline.engine:open_engine",
        description="The function that opens the speech engine, as `module:name`; it implements `SpeechEngine`.",
    )
    preload: bool = Field(
        default=True, description="Load a speech worker's models at the start, so that no job waits for it."
    )
    unload_seconds: float = Field(
        default=900.0, ge=0, description="Seconds without work after which the models' memory is given back; 0: never."
    )
    stage_timeout: float = Field(
        default=900.0, gt=0, description="Seconds a stage may take without any progress before it is stopped."
    )
    stage_timeouts: dict[Stage, float] = Field(
        default={"DECODE": 300.0},
        validate_default=True,
        description='The same for single stages, as JSON: `{"DIARIZE": 3600}`.',
    )
    lease_seconds: float = Field(
        default=15.0, gt=0, description="Seconds that a worker may be silent before its work is given to another."
    )
    heartbeat_seconds: float = Field(
        default=1.0, gt=0, description="Seconds between a worker's heartbeats; at most a third of the lease."
    )
    sweep_seconds: float = Field(
        default=1.0,
        gt=0,
        description="Seconds between two looks of each worker for work that silent ones hold or nobody heard of.",
    )
    drain_seconds: float = Field(
        default=10.0, ge=0, description="Seconds that a worker that is asked to stop may take to finish its window."
    )
    export_timeout: float = Field(default=600.0, gt=0, description="Seconds that rendering a document may take.")
    export_max_bytes: int = Field(default=268_435_456, gt=0, description="The largest document, in bytes.")
    export_max_pages: int = Field(default=5_000, gt=0, description="The longest document, in pages.")
    keep_events_days: float = Field(
        default=30.0, gt=0, description="Days after which a job's recorded events are forgotten."
    )
    keep_audio_days: float = Field(
        default=0.0,
        ge=0,
        le=36_500,
        description="Days after which the audio of a recording that arrives from now on is deleted, once no job needs "
        "it; the transcript stays. 0: it is kept.",
    )
    max_attempts: int = Field(default=5, ge=1, description="Attempts at a job that passing faults hit.")
    webhook_timeout: float = Field(default=15.0, gt=0, description="Seconds that a receiver of webhooks may take.")
    webhook_schedule: tuple[Annotated[float, Field(ge=0)], ...] = Field(
        default=(5, 300, 1800, 7200, 18000, 36000, 36000),
        description="Seconds to the second and each further attempt at a webhook, as JSON; a fifth more or less.",
    )
    webhook_pause_days: float = Field(
        default=5.0, gt=0, description="Days of nothing but failures after which a receiver of webhooks is paused."
    )
    outgoing_networks: str = Field(
        default="",
        description="Networks and hosts that are not public and that webhooks may be sent to all the same, with"
        " commas.",
    )
    jobs_per_owner: int = Field(
        default=0,
        ge=0,
        description="Jobs of one owner that run at the same time; 0: as many as there are workers, which go in "
        "turn to the owner with the fewest running.",
    )
    io_threads: int = Field(default=4, ge=1, le=64, description="Documents that one io worker renders at once.")
    status_host: str = Field(default="127.0.0.1", description="The address at which a worker tells how it is.")
    status_port: int = Field(
        default=0,
        ge=0,
        le=65_534,
        description="The port of a worker's `/healthz`, `/readyz` and `/metrics`, the io worker's is the next one; "
        "0: none.",
    )
    max_duration: float = Field(default=36_000.0, gt=0, description="The longest recording, in seconds.")

    @field_validator("outgoing_networks")
    @classmethod
    def _are_destinations(cls, text: str) -> str:
        try:
            Destinations.parse(text)
        except ValueError:
            raise ValueError("networks or host names, `10.0.0.0/8, hooks.intern.example`") from None
        return text

    @model_validator(mode="after")
    def _heartbeats_fit_the_lease(self) -> Self:
        """Check that two heartbeats may be lost."""
        if self.heartbeat_seconds * 3 > self.lease_seconds:
            raise ValueError("GRAPHOPHONE_HEARTBEAT_SECONDS is at most a third of GRAPHOPHONE_LEASE_SECONDS")
        return self

    @property
    def lease_ms(self) -> int:
        """Return how long a lease lasts, in milliseconds."""
        return round(self.lease_seconds * 1000)

    @property
    def keep_audio_ms(self) -> int | None:
        """Return how long a new recording's audio is kept, in milliseconds; None: for ever."""
        return round(self.keep_audio_days * 86_400_000) or None

    @property
    def drain_limit(self) -> float:
        """Return the seconds after which a worker that was asked to stop has handed back its work."""
        return self.drain_seconds + STOP_GRACE + HAND_BACK_SECONDS

    def budget(self, stage: Stage | None) -> float:
        """Return the seconds that a stage may take without any progress."""
        return self.stage_timeout if stage is None else self.stage_timeouts.get(stage, self.stage_timeout)

    def resolved_redis_url(self, store: StoreSettings) -> str:
        """Return the address of the broker: the configured one, or that of the data folder's own Valkey."""
        return self.redis_url or valkey.url(store.home)
