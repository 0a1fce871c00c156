"""The table of allowed moves between states; no other code decides."""

from enum import Enum

from db.values import JobState

_S = JobState


class Move(Enum):
    """A named move: from which states, to which."""

    CLAIM = ({_S.QUEUED}, _S.RUNNING)  # a worker takes the work, under a lease
    RESCUE = ({_S.RUNNING}, _S.QUEUED)  # the lease ended without a word from its worker
    RETRY_LATER = ({_S.RUNNING}, _S.QUEUED)  # a passing fault: again, after a while
    HAND_BACK = ({_S.RUNNING}, _S.QUEUED)  # the worker is going down: again, at once, no attempt charged
    SUCCEED = ({_S.RUNNING}, _S.SUCCEEDED)
    END_PARTIAL = ({_S.RUNNING}, _S.PARTIAL)  # an optional stage failed
    FAIL = ({_S.RUNNING}, _S.FAILED)
    CANCEL_QUEUED = ({_S.QUEUED}, _S.CANCELED)  # by the client, nobody works on it
    CANCEL_RUNNING = ({_S.RUNNING}, _S.CANCELED)  # by its worker, which the client's wish has reached
    RETRY = ({_S.FAILED, _S.CANCELED, _S.PARTIAL}, _S.QUEUED)  # by the client
    RERUN = ({_S.SUCCEEDED, _S.PARTIAL}, _S.QUEUED)  # one stage again, by the client

    @property
    def sources(self) -> frozenset[JobState]:
        """The states that the move may start from."""
        return frozenset(self.value[0])

    @property
    def target(self) -> JobState:
        """The state that it ends in."""
        return self.value[1]


TERMINAL = frozenset({_S.SUCCEEDED, _S.PARTIAL, _S.FAILED, _S.CANCELED})
"""Nothing happens by itself any more."""
