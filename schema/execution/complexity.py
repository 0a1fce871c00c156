"""The cost of a query, measured before it runs, in one walk that visits every fragment once.

A field with sub-fields costs its weight (1, or `metadata={"cost": n}` on the Strawberry field), a leaf with arguments
too, other leaves nothing. Fields within a list are multiplied by the list's length: the `first` or `last` of the field,
or of the connection that the list belongs to; else an assumed length. So the cost of a selection set is a linear
function of the page size around it, `fixed + per_item * size`, and a fragment needs to be measured only once.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    GraphQLField,
    GraphQLNamedType,
    GraphQLOutputType,
    GraphQLSchema,
    InlineFragmentNode,
    IntValueNode,
    Node,
    NullValueNode,
    OperationDefinitionNode,
    SchemaMetaFieldDef,
    SelectionSetNode,
    TypeMetaFieldDef,
    VariableNode,
    get_named_type,
    get_nullable_type,
    is_composite_type,
    is_interface_type,
    is_list_type,
    is_object_type,
)

from schema.execution.bounds import Bound, note_uses
from schema.execution.limits import Limits

PAGE_ARGUMENTS = ("first", "last")
META_FIELDS = {"__schema": SchemaMetaFieldDef, "__type": TypeMetaFieldDef}
DIGITS = 10
"""A longer page size is not a number that anybody meant."""
CEILING = 10**12
"""Counts stop growing here: a doubling query stays a small number."""


INTROSPECTION_LENGTHS = {
    "__Schema.directives": 8,
    "__Type.fields": 10,
    "__Type.inputFields": 8,
    "__Type.interfaces": 2,
    "__Type.enumValues": 8,
    "__Type.possibleTypes": 5,
    "__Field.args": 3,
}
"""Typical lengths of the lists that describe a schema; the number of types is known."""


class TooComplex(Exception):
    """The query passes a limit: which one, what it asks for, what is allowed."""

    def __init__(self, what: str, actual: int, limit: int) -> None:
        super().__init__(f"The query asks for too much: {what} {actual}, the limit is {limit}.")
        self.details = {"what": what, "actual": actual, "limit": limit}


class Measure(NamedTuple):
    """A selection set, fragments counted at every spread."""

    fields: int = 0
    aliases: int = 0
    depth: int = 0
    fixed: int = 0
    per_item: int = 0
    parts: int = 0
    parts_per_item: int = 0


@dataclass(frozen=True)
class Cost:
    """The estimate for one operation, and whether it depends on the values of variables."""

    points: int
    variable: bool
    introspection: bool
    """True if it asks for nothing but the schema: an answer that is made once, for a point."""


class CostVisitor:
    """Measures the operations of one document."""

    def __init__(
        self, schema: GraphQLSchema, document: DocumentNode, limits: Limits, variables: Mapping[str, Any] | None = None
    ) -> None:
        self.schema = schema
        self.limits = limits
        self.variables = variables or {}
        self.fragments = {d.name.value: d for d in document.definitions if isinstance(d, FragmentDefinitionNode)}
        self.measured: dict[str, Measure] = {}
        self.variable = False
        self.bounds: dict[str, Bound] = {}
        self.lengths = {"__Schema.types": len(schema.type_map), **INTROSPECTION_LENGTHS}

    def measure(self, operation: OperationDefinitionNode) -> Cost:
        """Return the operation's cost; raises `TooComplex` when a limit is passed."""
        root = self.schema.get_root_type(operation.operation)
        roots = self._root_fields(operation.selection_set, set())
        self._check("root fields", roots, self.limits.root_fields)
        whole = self._selection(operation.selection_set, root, 0)
        self._check("fields", whole.fields, self.limits.fields)
        self._check("aliases", whole.aliases, self.limits.aliases)
        self._check("depth", whole.depth, self.limits.depth)
        self._check("parts", whole.parts + whole.parts_per_item * self.limits.assumed_page, self.limits.parts)
        points = min(whole.fixed + whole.per_item * self.limits.assumed_page, CEILING)
        introspection = self._is_introspection(operation.selection_set)
        self._check("cost", points, (introspection and self.limits.introspection) or self.limits.cost)
        return Cost(1 if introspection else points, self.variable, introspection)

    @staticmethod
    def _is_introspection(selection: SelectionSetNode) -> bool:
        return all(isinstance(node, FieldNode) and node.name.value.startswith("__") for node in selection.selections)

    @staticmethod
    def _check(what: str, actual: int, limit: int) -> None:
        if actual > limit:
            raise TooComplex(what, actual, limit)

    def _root_fields(self, selection: SelectionSetNode, seen: set[str]) -> int:
        count = 0
        for node in selection.selections:
            if isinstance(node, FieldNode):
                count += 1
            elif isinstance(node, InlineFragmentNode):
                count += self._root_fields(node.selection_set, seen)
            elif (name := node.name.value) not in seen:  # type: ignore[attr-defined]  # the third kind is a spread
                seen.add(name)
                if fragment := self.fragments.get(name):
                    count += self._root_fields(fragment.selection_set, seen)
        return count

    def _selection(self, selection: SelectionSetNode, parent: GraphQLNamedType | None, nesting: int) -> Measure:
        if nesting > 4 * self.limits.depth:  # inline fragments and chains of fragments nest without a field
            raise TooComplex("depth", nesting, self.limits.depth)
        fields = aliases = depth = fixed = per_item = parts = parts_per_item = 0
        for node in selection.selections:
            if isinstance(node, FieldNode):
                part = self._field(node, parent, nesting)
            elif isinstance(node, InlineFragmentNode):
                condition = node.type_condition
                inner = self.schema.get_type(condition.name.value) if condition else parent
                part = self._selection(node.selection_set, inner, nesting + 1)
            else:
                part = self._fragment(node.name.value, nesting)  # type: ignore[attr-defined]  # as above
            fields, aliases = fields + part.fields, aliases + part.aliases
            depth = max(depth, part.depth)
            fixed, per_item = fixed + part.fixed, per_item + part.per_item
            parts, parts_per_item = parts + part.parts, parts_per_item + part.parts_per_item
            if not isinstance(node, FieldNode):
                parts += _has(node, "defer")
        sums = (fixed, per_item, parts, parts_per_item)
        return Measure(min(fields, CEILING), min(aliases, CEILING), depth, *(min(one, CEILING) for one in sums))

    def _fragment(self, name: str, nesting: int) -> Measure:
        if (known := self.measured.get(name)) is not None:
            return known
        fragment = self.fragments.get(name)
        if fragment is None:
            return Measure()  # the validation will say so
        self.measured[name] = Measure()  # a cycle ends here; the validation will name it
        condition = self.schema.get_type(fragment.type_condition.name.value)
        measured = self._selection(fragment.selection_set, condition, nesting + 1)
        self.measured[name] = measured
        return measured

    def _field(self, node: FieldNode, parent: GraphQLNamedType | None, nesting: int) -> Measure:
        aliases = 1 if node.alias else 0
        name = node.name.value
        field = META_FIELDS.get(name)
        if field is None and (is_object_type(parent) or is_interface_type(parent)):
            field = parent.fields.get(name)
        for argument in node.arguments or ():
            if field is not None and (declared := field.args.get(argument.name.value)) is not None:
                note_uses(argument.value, declared, self.bounds)
        if node.selection_set is None:
            return Measure(1, aliases, 1, self._weight(field) if field else 0, 0)
        named = get_named_type(field.type) if field else None
        inner = self._selection(node.selection_set, named, nesting + 1)
        page = self._page(node, field, parent)
        size = page if page is not None else self.limits.assumed_page
        below = inner.fixed + inner.per_item * size
        weight = self._weight(field) if field else 1
        fields, aliases, depth = inner.fields + 1, inner.aliases + aliases, inner.depth + 1
        if name in META_FIELDS:
            depth = 1  # the depth of introspection has a rule of its own
        parts = inner.parts + inner.parts_per_item * size
        if field is None or not _is_list(field.type):
            return Measure(fields, aliases, depth, weight + below, 0, parts)
        streams = _has(node, "stream")
        if page is not None:  # a list with a page size of its own
            return Measure(fields, aliases, depth, weight + size * (1 + below), 0, streams + size * parts)
        return Measure(fields, aliases, depth, 0, weight + below, streams, parts)

    def _page(self, node: FieldNode, field: GraphQLField | None, parent: GraphQLNamedType | None) -> int | None:
        """Return the page size that the field asks for; None when it has no such argument."""
        if (size := self.lengths.get(f"{parent}.{node.name.value}")) is not None:
            return size
        if field is None or not any(name in field.args for name in PAGE_ARGUMENTS):
            return None
        given: dict[str, Any] = {}
        for argument in node.arguments or ():
            if (name := argument.name.value) in PAGE_ARGUMENTS:
                value = argument.value
                if isinstance(value, VariableNode):
                    self.variable = True
                    given[name] = self.variables.get(value.name.value)
                elif isinstance(value, IntValueNode):
                    given[name] = int(value.value) if len(value.value) < DIGITS else self.limits.page
                elif isinstance(value, NullValueNode):
                    given[name] = None
        sizes = [size for size in given.values() if isinstance(size, int) and not isinstance(size, bool)]
        if not sizes:
            defaults = (getattr(field.args.get(name), "default_value", None) for name in PAGE_ARGUMENTS)
            sizes = [size for size in defaults if isinstance(size, int)]
        return min(max([0, *sizes]), self.limits.page) if sizes else self.limits.assumed_page

    def _weight(self, field: GraphQLField) -> int:
        declared = getattr(field.extensions.get("strawberry-definition"), "metadata", None) or {}
        if (weight := declared.get("cost")) is not None:
            return int(weight)
        return 1 if field.args or is_composite_type(get_named_type(field.type)) else 0


def _has(node: Node, directive: str) -> bool:
    return any(one.name.value == directive for one in getattr(node, "directives", None) or ())


def _is_list(type_: GraphQLOutputType) -> bool:
    return is_list_type(get_nullable_type(type_))
