"""Subscriptions that go on behind the last event a client saw, as a browser's EventSource asks for."""

from copy import copy
from dataclasses import replace

from graphql import (
    ArgumentNode,
    DocumentNode,
    FieldNode,
    GraphQLSchema,
    NameNode,
    OperationDefinitionNode,
    SelectionSetNode,
    StringValueNode,
)

from schema.execution.documents import Operation


def resumed(operation: Operation, schema: GraphQLSchema, after: str) -> Operation:
    """The operation with `after` as the root field's argument of that name, where the field has one."""
    root = schema.subscription_type
    selections = operation.node.selection_set.selections
    field = next((node for node in selections if isinstance(node, FieldNode)), None)
    definition = root.fields.get(field.name.value) if root and field else None
    if field is None or definition is None or "after" not in definition.args:
        return operation
    argument = ArgumentNode(name=NameNode(value="after"), value=StringValueNode(value=after))
    kept = tuple(node for node in field.arguments if node.name.value != "after")
    changed: FieldNode = copy(field)
    changed.arguments = (*kept, argument)
    node: OperationDefinitionNode = copy(operation.node)
    node.selection_set = SelectionSetNode(selections=tuple(changed if s is field else s for s in selections))
    definitions = tuple(node if d is operation.node else d for d in operation.document.definitions)
    return replace(operation, node=node, document=DocumentNode(definitions=definitions))
