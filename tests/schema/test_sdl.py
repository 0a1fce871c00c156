import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from graphql import (
    DocumentNode,
    GraphQLArgument,
    GraphQLEnumType,
    GraphQLInputField,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    get_nullable_type,
    is_list_type,
    parse,
)
from graphql import build_schema as from_sdl

import schema

SNAPSHOT = Path(schema.__file__).with_name("schema.graphql")


def test_the_printed_schema_is_the_committed_one() -> None:
    assert SNAPSHOT.read_text() == schema.sdl() + "\n", (
        "python -m api schema > schema/schema.graphql, and look at the change"
    )


def test_every_type_field_argument_and_enum_value_is_described() -> None:
    bare = []
    for name, type_ in from_sdl(schema.sdl()).type_map.items():
        if name.startswith("__"):
            continue
        if not type_.description:
            bare.append(name)
        if isinstance(type_, GraphQLEnumType):
            bare += [f"{name}.{value}" for value, facts in type_.values.items() if not facts.description]
        if isinstance(type_, GraphQLObjectType | GraphQLInterfaceType | GraphQLInputObjectType):
            bare += [f"{name}.{field}" for field, facts in type_.fields.items() if not facts.description]
        if isinstance(type_, GraphQLObjectType | GraphQLInterfaceType):
            bare += [
                f"{name}.{field}({argument}:)"
                for field, facts in type_.fields.items()
                for argument, about in facts.args.items()
                if not about.description
            ]
    assert bare == []


def test_every_list_that_a_client_can_send_has_a_bound_beside_its_declaration() -> None:
    bare = []
    for name, type_ in schema.build_schema()._schema.type_map.items():
        if name.startswith("__"):
            continue
        if isinstance(type_, GraphQLInputObjectType):
            bare += [f"{name}.{field}" for field, facts in type_.fields.items() if not _is_bounded(facts)]
        if isinstance(type_, GraphQLObjectType | GraphQLInterfaceType):
            for field, facts in type_.fields.items():
                bare += [f"{name}.{field}({one}:)" for one, about in facts.args.items() if not _is_bounded(about)]
    assert bare == []


def _is_bounded(sent: GraphQLArgument | GraphQLInputField) -> bool:
    """Whether this holds no list, or one whose length is declared; lists in lists are nobody's wish."""
    if not is_list_type(get_nullable_type(sent.type)):
        return True
    item = get_nullable_type(get_nullable_type(sent.type).of_type)  # type: ignore[union-attr]  # a list has items
    declared = getattr(sent.extensions.get("strawberry-definition"), "metadata", None) or {}
    return isinstance(declared.get("most"), int) and not is_list_type(item)


def test_a_description_begins_with_its_subject_or_its_verb() -> None:
    odd = re.compile(r"(Who|What|Whose|Whether|Where|When|How|Which|Why|There)\b")
    document = parse(schema.sdl())
    found = [node.description.value for node in _described(document) if odd.match(node.description.value)]
    assert found == []


def _described(document: DocumentNode) -> Iterator[Any]:
    """Everything in a document that has a description."""
    todo: list[Any] = list(document.definitions)
    while todo:
        node = todo.pop()
        for name in ("fields", "arguments", "values"):
            todo.extend(getattr(node, name, None) or ())
        if getattr(node, "description", None):
            yield node
