"""The four rooms, and nothing else, at the top."""

import ast
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ROOMS = ("api", "schema", "tasks", "db")
SOURCES = sorted(file for room in ROOMS for file in (ROOT / room).rglob("*.py") if "migrations" not in file.parts)


def test_the_top_level_holds_the_four_rooms_and_no_other_package() -> None:
    packages = {folder.parent.name for folder in ROOT.glob("*/__init__.py")}
    assert packages == set(ROOMS)


@pytest.mark.parametrize("name", [*ROOMS, "tests"])
def test_no_installed_package_takes_a_top_level_name(name: str) -> None:
    assert name not in packages_distributions(), "an installed package of this name would be imported instead, or too"
    assert name not in sys.stdlib_module_names


def test_tests_are_no_package_so_that_nothing_imports_them_by_accident() -> None:
    assert not list((ROOT / "tests").rglob("__init__.py"))
    for file in SOURCES:
        for node in ast.walk(ast.parse(file.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not [name for name in names if name.split(".")[0] == "tests"], file


@pytest.mark.parametrize("file", SOURCES, ids=lambda file: str(file.relative_to(ROOT)))
def test_a_file_has_at_most_300_lines(file: Path) -> None:
    assert len(file.read_text().splitlines()) <= 300
