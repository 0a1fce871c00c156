"""Subscriptions that go on behind the last event a client saw, as a browser's EventSource asks for."""

from dataclasses import replace
from typing import Any, TypeVar

from graphql import (
    ArgumentNode,
    DocumentNode,
    FieldNode,
    GraphQLSchema,
    NameNode,
    Node,
    SelectionSetNode,
    StringValueNode,
)

from schema.execution.documents import Operation

N = TypeVar("N", bound=Node)


def resumed(operation: Operation, schema: GraphQLSchema, after: str) -> Operation:
    """The operation with `after` as the root field's argument of that name, where the field has one."""
    root = schema.subscription_type
    selections = operation.node.selection_set.selections
    field = next((node for node in selections if isinstance(node, FieldNode)), None)
    definition = root.fields.get(field.name.value) if root and field else None
    if field is None or definition is None or "after" not in definition.args:
        return operation
    argument = ArgumentNode(name=NameNode(value="after"), value=StringValueNode(value=after))
    kept = tuple(node for node in field.arguments or () if node.name.value != "after")
    changed = _with(field, arguments=(*kept, argument))
    selection = SelectionSetNode(selections=tuple(changed if s is field else s for s in selections))
    node = _with(operation.node, selection_set=selection)
    definitions = tuple(node if d is operation.node else d for d in operation.document.definitions)
    return replace(operation, node=node, document=DocumentNode(definitions=definitions))


def _with(node: N, **changes: Any) -> N:
    """A copy of a node, which is immutable, with other children."""
    return type(node)(**{key: getattr(node, key) for key in node.keys} | changes)
