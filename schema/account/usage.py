"""A viewer's usage, and the bounds of it."""

from datetime import UTC, datetime

import msgspec
import strawberry

from db.domain.errors import LimitExceeded
from db.jobs import usage
from schema.base.context import Context, Info
from schema.base.fields import field


class UsageView(msgspec.Struct, frozen=True):
    """Usage at run time."""

    running_jobs: int
    queued_jobs: int
    audio_seconds_this_month: float
    max_concurrent_jobs: int
    max_queued_jobs: int
    max_audio_seconds_per_month: float | None


@strawberry.type(description="The viewer's use, and what is allowed.")
class Usage:
    """UsageView in the graph."""

    running_jobs: int = field("Jobs that run now.")
    queued_jobs: int = field("Jobs that wait.")
    audio_seconds_this_month: float = field("Length of the recordings whose jobs began this month (UTC), in seconds.")
    max_concurrent_jobs: int = field("The number of jobs that may run at once; 0: as many as there are workers.")
    max_queued_jobs: int = field("The number of jobs that may wait.")
    max_audio_seconds_per_month: float | None = field("The seconds that may be transcribed in a month; null: no limit.")


async def of_viewer(info: Info) -> UsageView:
    """One statement."""
    settings = info.context.settings
    async with info.context.db.read() as session:
        used = await usage.of(session, info.context.owner_id, since=_month())
    return UsageView(
        used.running,
        used.queued,
        used.audio_ms / 1000,
        settings.worker.jobs_per_owner,
        info.context.queue_limits.max_queued_per_owner,
        info.context.viewer.quota.audio_seconds_per_month,
    )


async def check_audio(context: Context, duration_ms: int) -> None:
    """Raise LimitExceeded when a job on so long a recording would be more than the account may have transcribed in a
    month.
    """
    limit = context.viewer.quota.audio_seconds_per_month
    if limit is None:
        return
    async with context.db.read() as session:
        asked = await usage.asked_ms(session, context.owner_id, since=_month())
    seconds = (asked + duration_ms) / 1000
    if seconds > limit:
        message = "This month's audio is used up; an administrator can allow more."
        raise LimitExceeded(message, limit=limit, actual=seconds, unit="seconds")


def _month() -> int:
    """Return the beginning of this month (UTC), in epoch milliseconds."""
    month = datetime.now(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return round(month.timestamp() * 1000)
