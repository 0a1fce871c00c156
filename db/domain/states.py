"""The table of allowed transitions between states; no other code decides."""

from enum import Enum

from db.domain.values import JobState as State


class Transition(Enum):
    """A named transition: from which states, to which, and what it means."""

    CLAIM = ({State.QUEUED}, State.RUNNING, "a worker takes the work, under a lease")
    RESCUE = ({State.RUNNING}, State.QUEUED, "the lease ended without a word from its worker")
    RETRY_LATER = ({State.RUNNING}, State.QUEUED, "a passing fault: again, after a while")
    HAND_BACK = ({State.RUNNING}, State.QUEUED, "the worker is going down: again at once, no attempt charged")
    SUCCEED = ({State.RUNNING}, State.SUCCEEDED, "everything that was asked is done")
    END_PARTIAL = ({State.RUNNING}, State.PARTIAL, "done, but for an optional stage")
    FAIL = ({State.RUNNING}, State.FAILED, "it cannot be done, or was tried too often")
    CANCEL_QUEUED = ({State.QUEUED}, State.CANCELED, "by the client, while nobody works on it")
    CANCEL_RUNNING = ({State.RUNNING}, State.CANCELED, "by the worker, which heard of the client's request")
    RETRY = ({State.FAILED, State.CANCELED, State.PARTIAL}, State.QUEUED, "by the client: what failed, again")
    RERUN = ({State.SUCCEEDED, State.PARTIAL}, State.QUEUED, "by the client: one stage again")

    @property
    def sources(self) -> frozenset[State]:
        """Return the states that it may start from."""
        return frozenset(self.value[0])

    @property
    def target(self) -> State:
        """Return the state that it ends in."""
        return self.value[1]


TERMINAL = frozenset({State.SUCCEEDED, State.PARTIAL, State.FAILED, State.CANCELED})
"""Nothing happens by itself any more."""
