"""A short piece of `make chaos`, the same code: real processes, real faults, the history checked."""

import pytest

from tests.programs.chaos.run import run


@pytest.mark.timeout(300)
@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_nothing_is_lost_and_nothing_done_twice_whatever_is_killed(kind: str) -> None:
    assert run(kind, 12.0, seed=7, workers=2, lease=3.0) == []
