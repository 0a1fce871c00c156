"""Lists in variables, cut off before they cost anything.

A field's resolver refuses a list that is longer than declared (`metadata={"most": n}` on the argument or the input's
field). But graphql-core first coerces every value of it, which for a megabyte takes half a second. So whatever lies
beyond the first `n + 1` different values is dropped: one too many is all that it takes to be refused.
"""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any, NamedTuple

from graphql import (
    GraphQLArgument,
    GraphQLInputField,
    GraphQLInputType,
    GraphQLSchema,
    ListValueNode,
    ObjectValueNode,
    OperationDefinitionNode,
    ValueNode,
    VariableNode,
    get_named_type,
    get_nullable_type,
    is_input_object_type,
    is_list_type,
    type_from_ast,
)


class Bound(NamedTuple):
    """The number of values that a list may have: different ones, or, where their order counts, any."""

    most: int
    ordered: bool


def bound_of(declared: GraphQLArgument | GraphQLInputField) -> Bound | None:
    """Return the bound that is declared for a list."""
    metadata = getattr(declared.extensions.get("strawberry-definition"), "metadata", None) or {}
    return Bound(metadata["most"], metadata.get("ordered", False)) if "most" in metadata else None


def note_uses(value: ValueNode, declared: GraphQLArgument | GraphQLInputField, bounds: dict[str, Bound]) -> None:
    """Note the bounds of the places where variables stand in an argument's value."""
    if isinstance(value, VariableNode):
        if (bound := bound_of(declared)) is not None:
            other = bounds.get(value.name.value, bound)
            bounds[value.name.value] = Bound(max(bound.most, other.most), bound.ordered or other.ordered)
    elif isinstance(value, ListValueNode):
        for item in value.values:
            if isinstance(item, ObjectValueNode):
                note_uses(item, declared, bounds)
    elif isinstance(value, ObjectValueNode) and is_input_object_type(type_ := get_named_type(declared.type)):
        for node in value.fields:
            if (inner := type_.fields.get(node.name.value)) is not None:
                note_uses(node.value, inner, bounds)


def cut_variables(
    schema: GraphQLSchema, operation: OperationDefinitionNode, given: Mapping[str, Any], bounds: Mapping[str, Bound]
) -> dict[str, Any]:
    """Return the variables' raw values with no list longer than it takes to be refused."""
    found = dict(given)
    for definition in operation.variable_definitions or ():
        name = definition.variable.name.value
        type_ = type_from_ast(schema, definition.type)
        if name in found and type_ is not None:
            found[name] = _cut(found[name], type_, bounds.get(name))  # type: ignore[arg-type]  # variables have input types
    return found


def _cut(value: Any, type_: GraphQLInputType, bound: Bound | None) -> Any:
    bare = get_nullable_type(type_)
    if is_list_type(bare) and isinstance(value, list):
        kept = value if bound is None or len(value) <= bound.most else _first(value, bound)
        inner: Any = bare.of_type
        return [_cut(item, inner, None) for item in kept] if is_input_object_type(get_named_type(inner)) else kept
    if is_input_object_type(bare) and isinstance(value, dict):
        fields = bare.fields
        return {
            name: _cut(inner, fields[name].type, bound_of(fields[name])) if name in fields else inner
            for name, inner in value.items()
        }
    return value


def _first(values: list[Any], bound: Bound) -> list[Any]:
    """Return as many values as it takes to be refused, if there are so many."""
    if not bound.ordered:
        with suppress(TypeError):  # objects and lists: each is another
            values = list(dict.fromkeys(values))
    return values[: bound.most + 1]
