"""Lists at the speed of a loop: columns are read and checked whole instead of value by value.

graphql-core completes every leaf of every row by itself, which for 10,000 words of five fields costs 170 ms. If all
the selected fields are plain attributes (or methods that take nothing), the same answer comes from reading one column
after the other. Anything out of the ordinary (an awaitable, an exception, a missing attribute, a null that is not
allowed, a value that its scalar refuses) raises `NotVectorizable`, and the whole list goes the ordinary way, errors
and all.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import chain
from math import isfinite
from operator import attrgetter
from typing import Any

from graphql import (
    Executor,
    GraphQLBoolean,
    GraphQLError,
    GraphQLField,
    GraphQLFloat,
    GraphQLID,
    GraphQLInt,
    GraphQLLeafType,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLResolveInfo,
    GraphQLString,
    is_leaf_type,
    is_list_type,
    is_non_null_type,
    is_object_type,
)
from graphql.execution.collect_fields import FieldDetailsList
from graphql.execution.executor import StreamUsage
from graphql.pyutils import Path, Undefined
from strawberry.types.field import StrawberryField

Column = Sequence[Any]
Plan = Callable[[Column], list[Any]]
FEW = 4
"""Shorter lists are not worth a plan."""
BUILT_IN = {"String": GraphQLString, "ID": GraphQLID, "Boolean": GraphQLBoolean}
LEAF_TYPES: Mapping[str, type] = {"String": str, "ID": str, "Boolean": bool, "Int": int, "Float": float}
INT_LIMIT = 2**31


class NotVectorizable(Exception):
    """The list must go the ordinary way."""


class FastExecutor(Executor[Any]):
    """graphql-core's executor with a quick way for lists."""

    def complete_iterable_value(  # graphql-core's own signature
        self,
        item_type: GraphQLOutputType,
        field_details_list: FieldDetailsList,
        info: GraphQLResolveInfo[Any],
        path: Path,
        items: Iterable[Any],
        position_context: Any,
    ) -> Any:
        """Return the list's values, completed column by column where that is possible."""
        if (
            isinstance(items, (list, tuple))
            and len(items) >= FEW
            and self.middleware_manager is None
            and self.get_stream_usage(field_details_list, path) is None
        ):
            try:
                return self.plan(item_type, field_details_list, info)(items)
            except NotVectorizable:
                pass
        return super().complete_iterable_value(item_type, field_details_list, info, path, items, position_context)

    def get_stream_usage(self, field_details_list: FieldDetailsList, path: Path) -> StreamUsage | None:  # noqa: ARG002  # graphql-core's own signature
        """None: an answer in one part streams nothing, whatever the directive says."""
        return None

    def plan(self, type_: GraphQLOutputType, fields: FieldDetailsList, info: GraphQLResolveInfo[Any]) -> Plan:
        """Return the plan to complete a column of this type with this selection, made once for an operation."""
        plans: dict[tuple[int, int], Plan | None] = self.__dict__.setdefault("_plans", {})
        key = (id(type_), id(fields))
        if key not in plans:
            try:
                if len({id(field.defer_usage) for field in fields}) > 1:
                    raise NotVectorizable  # parts of the rows come at different times
                plans[key] = self._column(type_, fields, info)
            except NotVectorizable:
                plans[key] = None
        if (plan := plans[key]) is None:
            raise NotVectorizable
        return plan

    def _column(self, type_: GraphQLOutputType, fields: FieldDetailsList, info: GraphQLResolveInfo[Any]) -> Plan:
        if is_non_null_type(type_):
            return self._values(type_.of_type, fields, info)
        values = self._values(type_, fields, info)

        def nullable(column: Column) -> list[Any]:
            if type(None) not in set(map(type, column)):
                return values(column)
            present = iter(values([value for value in column if value is not None]))
            return [None if value is None else next(present) for value in column]

        return nullable

    def _values(self, type_: GraphQLOutputType, fields: FieldDetailsList, info: GraphQLResolveInfo[Any]) -> Plan:
        if is_leaf_type(type_):
            return _leaf(type_)
        if is_list_type(type_):
            return _lists(self._column(type_.of_type, fields, info))
        if is_object_type(type_):
            return self._objects(type_, fields, info)
        raise NotVectorizable  # interfaces and unions: the type differs from row to row

    def _objects(self, type_: GraphQLObjectType, fields: FieldDetailsList, info: GraphQLResolveInfo[Any]) -> Plan:
        collected = self.collect_subfields(type_, fields)
        if collected.new_defer_usages:
            raise NotVectorizable
        readers: list[Callable[[Column], Iterable[Any]]] = []
        names: list[str] = []
        for name, details in collected.grouped_field_set.items():
            names.append(name)
            node = details[0].node
            if node.name.value == "__typename":
                readers.append(_constant(type_.name))
                continue
            field = self.schema.get_field(type_, node.name.value)
            if field is None or field.args or _has_odd_directives(details):
                raise NotVectorizable
            readers.append(_reader(_getter(field), self._column(field.type, details, info)))
        rows = row_maker(tuple(names))
        is_type_of = type_.is_type_of

        def objects(column: Column) -> list[Any]:
            _ordinary(set(map(type, column)))
            if is_type_of is not None and not all(is_type_of(item, info) is True for item in column):
                raise NotVectorizable
            return rows(*[reader(column) for reader in readers])

        return objects


def _has_odd_directives(fields: FieldDetailsList) -> bool:
    """Return True if the field has directives other than @skip and @include, which its collection has dealt with."""
    return any(d.name.value not in ("skip", "include") for field in fields for d in field.node.directives or ())


def _getter(field: GraphQLField) -> Callable[[Any], Any]:
    """Return the function that reads the field from its object; `NotVectorizable` if the resolver does more."""
    if field.resolve is None or not (definition := field.extensions.get("strawberry-definition")):
        raise NotVectorizable
    if not getattr(field.resolve, "__qualname__", "").startswith("GraphQLCoreConverter.from_resolver.<locals>."):
        raise NotVectorizable  # not Strawberry's own resolver: something was wrapped around it
    if definition.is_basic_field:
        if definition.default_resolver is not getattr:
            raise NotVectorizable
        return attrgetter(definition.python_name)
    resolver = definition.base_resolver
    if resolver is None or definition.extensions or definition.is_async or resolver.arguments:
        raise NotVectorizable
    if type(definition).get_result is not StrawberryField.get_result:
        raise NotVectorizable
    if len(resolver.signature.parameters) != 1 or not (resolver.self_parameter or resolver.parent_parameter):
        raise NotVectorizable
    return resolver.wrapped_func  # type: ignore[no-any-return]  # a plain method of the type


def _reader(get: Callable[[Any], Any], complete: Plan) -> Callable[[Column], list[Any]]:
    def read(column: Column) -> list[Any]:
        try:
            values = list(map(get, column))
        except Exception:  # noqa: BLE001  # the ordinary way will meet it again, in its place
            raise NotVectorizable from None
        return complete(values)

    return read


def _constant(value: str) -> Callable[[Column], list[Any]]:
    return lambda column: [value] * len(column)


def _lists(complete: Plan) -> Plan:
    def lists(column: Column) -> list[Any]:
        if not set(map(type, column)) <= {list, tuple}:
            raise NotVectorizable
        flat = complete(list(chain.from_iterable(column)))
        done, start = [], 0
        for value in column:
            done.append(flat[start : start + len(value)])
            start += len(value)
        return done

    return lists


def _leaf(type_: GraphQLLeafType) -> Plan:
    plain = LEAF_TYPES.get(type_.name) if _is_built_in(type_) else None
    convert = type_.coerce_output_value

    def leaves(column: Column) -> list[Any]:
        types = set(map(type, column))
        if types == {plain}:
            if plain is str or plain is bool:
                return list(column)
            if plain is float and isfinite(sum(column)):
                return list(column)
            if plain is int and min(column) >= -INT_LIMIT and max(column) < INT_LIMIT:
                return list(column)
        _ordinary(types)
        try:
            done = [convert(value) for value in column]
        except Exception:  # noqa: BLE001  # the ordinary way will report it in its place
            raise NotVectorizable from None
        if any(value is None or value is Undefined for value in done):
            raise NotVectorizable
        return done

    return leaves


def _is_built_in(type_: GraphQLLeafType) -> bool:
    """Return True if the scalar is GraphQL's own and not one of ours with the same name."""
    known = {"Int": GraphQLInt, "Float": GraphQLFloat, **BUILT_IN}.get(type_.name)
    return known is not None and type_.coerce_output_value == known.coerce_output_value


def _ordinary(types: Iterable[type]) -> None:
    """Values that the executor would await, raise or skip are `NotVectorizable`."""
    for type_ in types:
        if (
            type_ is type(None)
            or issubclass(type_, BaseException)
            or hasattr(type_, "__await__")
            or type_ is type(Undefined)
        ):
            raise NotVectorizable
        if type_.__name__ == "generator":
            raise NotVectorizable


@lru_cache(maxsize=512)
def row_maker(names: tuple[str, ...]) -> Callable[..., list[dict[str, Any]]]:
    """Build a function from columns to rows with these keys, which are GraphQL names (letters, digits, underscores)."""
    if not all(name.isidentifier() for name in names):
        raise GraphQLError("A response name is not a name.")
    if not names:
        raise NotVectorizable
    columns = ", ".join(f"c{index}" for index in range(len(names)))
    values = ", ".join(f"v{index}" for index in range(len(names)))
    row = ", ".join(f"{name!r}: v{index}" for index, name in enumerate(names))
    loop = f"[{{{row}}} for {values} in zip({columns})]" if len(names) > 1 else f"[{{{row}}} for v0 in c0]"
    made: Callable[..., list[dict[str, Any]]] = eval(f"lambda {columns}: {loop}")  # noqa: S307  # checked names only
    return made
