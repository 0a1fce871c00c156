"""What a foreign server says cannot command the terminal."""

import io

import pytest
from rich.console import Console

from api.client.failures import Failure, failure_of
from api.client.progress import reporter

EVIL = "\x1b]0;title\x07\x1b[2J\u202egone\r\nkept"


def test_a_failure_is_told_without_what_a_terminal_obeys() -> None:
    for failure in (
        failure_of({"code": EVIL, "message": EVIL, "correlationId": EVIL}),
        Failure(f"{EVIL} is not there"),
    ):
        assert not {"\x1b", "\x07", "\u202e", "\r"} & set(str(failure))
        assert "kept" in str(failure)


@pytest.mark.parametrize("terminal", [True, False])
def test_a_note_is_told_without_what_a_terminal_obeys(terminal: bool) -> None:
    output = io.StringIO()
    with reporter(Console(file=output, force_terminal=terminal, color_system=None)) as report:
        report.note(EVIL)
    assert not {"\x07", "\u202e"} & set(output.getvalue())
    assert "]0;title" in output.getvalue()
    assert "\x1b]" not in output.getvalue()
