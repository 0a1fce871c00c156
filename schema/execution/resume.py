"""Subscriptions that go on behind the last event a client saw, as a browser's EventSource asks for."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, TypeVar

from graphql import (
    ArgumentNode,
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    NameNode,
    Node,
    SelectionNode,
    SelectionSetNode,
    StringValueNode,
)

from schema.execution.documents import Operation

N = TypeVar("N", bound=Node)


def resumed(operation: Operation, schema: GraphQLSchema, after: str) -> Operation:
    """Return the operation with `after` as the root field's argument of that name, where the field has one."""
    if schema.subscription_type is None:
        return operation
    fragments = {d.name.value: d for d in operation.document.definitions if isinstance(d, FragmentDefinitionNode)}
    argument = ArgumentNode(name=NameNode(value="after"), value=StringValueNode(value=after))
    changed = _selections(operation.node.selection_set, schema.subscription_type, fragments, argument)
    node = _with(operation.node, selection_set=changed)
    definitions = tuple(node if d is operation.node else d for d in operation.document.definitions)
    return replace(operation, node=node, document=DocumentNode(definitions=definitions))


def _selections(
    selection_set: SelectionSetNode,
    root: GraphQLObjectType,
    fragments: Mapping[str, FragmentDefinitionNode],
    argument: ArgumentNode,
) -> SelectionSetNode:
    """Return the same selections, the root field with the argument; fragments stand in place, with their condition."""

    def changed(node: SelectionNode) -> SelectionNode:
        if isinstance(node, FieldNode):
            definition = root.fields.get(node.name.value)
            if definition is None or argument.name.value not in definition.args:
                return node
            kept = tuple(other for other in node.arguments or () if other.name.value != argument.name.value)
            return _with(node, arguments=(*kept, argument))
        inner: Any = node if isinstance(node, InlineFragmentNode) else fragments[node.name.value]  # type: ignore[attr-defined]  # the third kind is a spread
        return InlineFragmentNode(
            type_condition=inner.type_condition,
            directives=node.directives,
            selection_set=_selections(inner.selection_set, root, fragments, argument),
        )

    return SelectionSetNode(selections=tuple(changed(node) for node in selection_set.selections))


def _with(node: N, **changes: Any) -> N:
    """Return a copy of a node, which is immutable, with other children."""
    return type(node)(**{key: getattr(node, key) for key in node.keys} | changes)
