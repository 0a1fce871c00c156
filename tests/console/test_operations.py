"""What the console asks of the graph, against the schema that is promised."""

import re
from pathlib import Path

from graphql import OperationDefinitionNode, build_schema, parse, validate

from api.console.page import FOLDER, files

ROOT = Path(__file__).parent.parent.parent
SCHEMA = build_schema((ROOT / "schema" / "schema.graphql").read_text(encoding="utf-8"))
TEXT = (FOLDER / "operations.graphql").read_text(encoding="utf-8")
DOCUMENT = parse(TEXT)
OPERATIONS = {
    node.name.value: node for node in DOCUMENT.definitions if isinstance(node, OperationDefinitionNode) and node.name
}
CODE = "\n".join(file.body.decode() for name, file in files().items() if name.endswith(".js"))
USED = set(re.findall(r"(?:\b(?:ask|act|watch|done)|#send)\(\s*'(\w+)'", CODE))


def test_every_operation_is_one_that_the_schema_answers() -> None:
    assert [error.message for error in validate(SCHEMA, DOCUMENT)] == []


def test_every_operation_that_is_sent_stands_there_and_the_other_way_round() -> None:
    assert set(OPERATIONS) == USED
