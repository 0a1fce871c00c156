"""The lists of the real graph that can be long take the quick way, whatever is selected of them."""

import pytest
from graphql import GraphQLObjectType

from schema import build_schema
from schema.execution.fast import _getter

GRAPH = build_schema()._schema


@pytest.mark.parametrize("name", ["Word", "Segment", "Speaker", "WordEdge", "SegmentEdge"])
def test_each_field_of_a_long_list_can_be_read_without_the_executor(name: str) -> None:
    type_ = GRAPH.type_map[name]
    assert isinstance(type_, GraphQLObjectType)
    for field_name, field in type_.fields.items():
        assert field_name == "transcript" or callable(_getter(field))  # the link back is loaded
