"""What the documents draw and list is what the code holds."""

import pytest

from tests.programs.pictures import PICTURES, ROOT, drawn

ROOMS = ("api", "schema", "tasks", "db")


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_in_the_documents_is_what_the_code_says(name: str) -> None:
    document, draw = PICTURES[name]
    text = (ROOT / document).read_text()
    assert drawn(text, name, draw()) == text, "stale: make pictures"


@pytest.mark.parametrize("room", [*ROOMS, "tests"])
def test_each_room_says_in_half_a_page_what_lives_there(room: str) -> None:
    text = (ROOT / room / "README.md").read_text()
    assert text.startswith(f"# `{room}`: ")
    assert len(text.splitlines()) <= 90
