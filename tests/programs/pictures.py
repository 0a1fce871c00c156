"""Draws the pictures and tables in the documents from the code, and brings the documents up to date.

A test fails while one of them is stale.
"""

import ast
import re
from collections.abc import Callable
from pathlib import Path

from db.domain.states import TERMINAL, Transition
from db.domain.values import JobState

ROOT = Path(__file__).parents[2]
ROOMS = {"api": "how it is reached", "schema": "what can be asked", "tasks": "what takes time", "db": "what is kept"}


def states() -> str:
    """Return the state machine of jobs, and what each transition means."""
    arrows = [
        f"    {source} --> {transition.target}: {transition.name}"
        for transition in Transition
        for source in JobState
        if source in transition.sources
    ]
    ends = [f"    {state} --> [*]" for state in JobState if state in TERMINAL]
    picture = ["```mermaid", "stateDiagram-v2", f"    [*] --> {JobState.QUEUED}", *arrows, *ends, "```"]
    rows = [
        f"| `{transition.name}` | {', '.join(s for s in JobState if s in transition.sources)} | {transition.target} "
        f"| {transition.value[2]} |"
        for transition in Transition
    ]
    return "\n".join([*picture, "", "| transition | from | to | |", "|---|---|---|---|", *rows])


def rooms() -> str:
    """Return the rooms with their folders, and which room imports which."""
    lines = ["```mermaid", "flowchart LR"]
    for room, what in ROOMS.items():
        folders = sorted(file.parent.name for file in (ROOT / room).glob("*/__init__.py"))
        lines.append(f'    subgraph {room}["{room}: {what}"]')
        lines += [f"        {room}_{folder}[{folder}]" for folder in folders]
        lines.append("    end")
    lines += [f"    {room} --> {other}" for room in ROOMS for other in ROOMS if other in imported(room) - {room}]
    return "\n".join([*lines, "```"])


def imported(room: str) -> set[str]:
    """Return the rooms that a room imports."""
    found: set[str] = set()
    for file in (ROOT / room).rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                found.update(name.name.split(".")[0] for name in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module:
                found.add(node.module.split(".")[0])
    return found & set(ROOMS)


PICTURES: dict[str, tuple[str, Callable[[], str]]] = {
    "states": ("db/README.md", states),
    "rooms": ("CONTRIBUTING.md", rooms),
}
"""The document that holds each, and what draws it."""


def drawn(text: str, name: str, picture: str) -> str:
    """Return the document with this picture in the place that is marked for it."""
    begin, end = f"<!-- {name}: drawn by `make pictures` -->\n", f"\n<!-- /{name} -->"
    found = re.subn(
        f"({re.escape(begin)}).*?({re.escape(end)})", lambda m: m[1] + picture + m[2], text, flags=re.DOTALL
    )
    if found[1] != 1:
        raise SystemExit(f"There is no one place for the picture {name!r}.")
    return found[0]


def main() -> None:
    """Bring every document up to date."""
    for name, (document, draw) in PICTURES.items():
        file = ROOT / document
        file.write_text(drawn(file.read_text(), name, draw()))


if __name__ == "__main__":
    main()
