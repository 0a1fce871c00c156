"""The settings of what is accepted from clients."""

from pydantic import Field
from pydantic_settings import BaseSettings

from db.jobs import QueueLimits
from db.settings import SETTINGS


class IntakeSettings(BaseSettings):
    """The bounds of what a client may send and have waiting."""

    model_config = SETTINGS

    max_upload_bytes: int = Field(default=4 << 30, ge=1, description="The largest recording that is accepted, bytes.")
    max_queued: int = Field(default=10_000, ge=1, description="The number of jobs that may wait, in all.")
    max_queued_per_owner: int = Field(default=1_000, ge=1, description="The number of jobs of one owner that may wait.")

    @property
    def queue(self) -> QueueLimits:
        """The limits on what waits, for the statements that hold them."""
        return QueueLimits(max_queued=self.max_queued, max_queued_per_owner=self.max_queued_per_owner)
