"""What the documents draw and list is what the code holds."""

import re
import tomllib
from pathlib import Path

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


def test_the_readme_names_the_pythons_that_the_project_allows_where_ci_looks_for_them() -> None:
    allowed = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"]
    first, after = (int(number) for number in re.findall(r"3\.(\d+)", allowed))
    [line] = [line for line in (ROOT / "README.md").read_text().splitlines() if line.startswith("They need Python")]
    named = re.findall(r"3\.(\d+)", line.partition(" and make")[0])
    assert [int(number) for number in named] == list(range(first, after))


DOCUMENTS = [*sorted(ROOT.glob("*.md")), *sorted(ROOT.glob("*/README.md")), ROOT / "schema/execution/README.md"]


@pytest.mark.parametrize("file", DOCUMENTS, ids=lambda file: str(file.relative_to(ROOT)))
def test_the_files_and_folders_that_a_document_names_are_there(file: Path) -> None:
    named = re.findall(r"`((?:api|schema|tasks|db|tests|docker|requirements)/[\w./-]+)`", file.read_text())
    assert [name for name in named if not (ROOT / name).exists()] == []
