from pathlib import Path

from graphql import GraphQLEnumType, GraphQLInputObjectType, GraphQLInterfaceType, GraphQLObjectType
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
