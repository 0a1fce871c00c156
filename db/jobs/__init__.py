"""Jobs as their owners see them; the worker's side is `attempts`, the operator's `admin`."""

from db.jobs.lifecycle import (
    NewJob,
    cancel,
    create,
    delete,
    force_transition,
    get,
    many,
    plan,
    rerun,
    retry,
    update_facts,
)
from db.jobs.room import QueueLimits, check_room
from db.jobs.waiting import audio_ahead, queue_depth, queue_positions

__all__ = [
    "NewJob",
    "QueueLimits",
    "audio_ahead",
    "cancel",
    "check_room",
    "create",
    "delete",
    "force_transition",
    "get",
    "many",
    "plan",
    "queue_depth",
    "queue_positions",
    "rerun",
    "retry",
    "update_facts",
]
