"""The table of moves, against the diagram that people read."""

import pytest

from db.domain.states import TERMINAL, Transition
from db.domain.values import JobState as S

ALLOWED = {
    (S.QUEUED, S.RUNNING), (S.QUEUED, S.CANCELED),
    (S.RUNNING, S.QUEUED), (S.RUNNING, S.SUCCEEDED), (S.RUNNING, S.PARTIAL), (S.RUNNING, S.FAILED),
    (S.RUNNING, S.CANCELED),
    (S.FAILED, S.QUEUED), (S.CANCELED, S.QUEUED), (S.PARTIAL, S.QUEUED), (S.SUCCEEDED, S.QUEUED),
}  # fmt: skip


@pytest.mark.parametrize("before", list(S))
@pytest.mark.parametrize("after", list(S))
def test_every_pair_of_states_is_allowed_or_not_as_the_diagram_says(before: S, after: S) -> None:
    moves = [move for move in Transition if before in move.sources and move.target is after]
    assert bool(moves) == ((before, after) in ALLOWED)


def test_each_move_is_one_of_its_own() -> None:
    assert len(list(Transition)) == len(Transition.__members__) == 11


def test_nothing_leaves_a_terminal_state_but_what_a_client_asks_for() -> None:
    assert {move for move in Transition if move.sources & TERMINAL} == {Transition.RETRY, Transition.RERUN}
