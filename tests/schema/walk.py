"""Operations made from the schema itself: every field, every argument, without a list that somebody has to keep."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from graphql import (
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLUnionType,
    get_named_type,
    is_leaf_type,
    is_list_type,
    is_non_null_type,
    is_required_argument,
    is_required_input_field,
)

from schema.execution import Request, RequestRejected
from tests.fixtures.graph import engine

KINDS = (
    "WebhookEndpoint",
    "WebhookDelivery",
    "Transcript",
    "Segment",
    "Speaker",
    "Export",
    "AccessToken",
    "Upload",
    "Media",
    "Job",
)
"""Nouns of ids, as they stand in the names of fields and arguments."""

ELSE = {"WebhookSecret": "WebhookEndpoint",
        "Stage": "Job", "into": "Speaker", "media": "Media", "upload": "Upload", "export": "Export", "job": "Job",
        "transcript": "Transcript", "segment": "Segment", "speaker": "Speaker", "node": "Job"}  # fmt: skip
VALUES: Mapping[str, Any] = {"Int": 1, "BigInt": 1, "String": "x", "Boolean": True, "Float": 1.0, "JSON": {}}
SPECIAL: Mapping[str, Any] = {"start": 0.0, "end": 9.0, "filename": "x.wav", "scopes": ["account"], "language": "en",
                              "sha256": "0" * 64, "url": "https://example.org",
                              "model": "base", "expectedRevision": 2}  # fmt: skip

ALWAYS = {"text", "priority", "title"}
"""Fields that are given although they need not be: without any, there is nothing to do."""


class Place(NamedTuple):
    """Where an operation takes an id: a root field, and the way to the id through its arguments."""

    operation: str
    root: str
    path: tuple[str, ...]

    @property
    def kind(self) -> str:
        """The noun of the id that belongs there."""
        return kind_of(self.path[-1] if self.path[-1] not in {"id", "ids"} else self.root)


def kind_of(name: str) -> str:
    """The noun that a name is about."""
    found = [kind for kind in KINDS if kind in name] or [kind for part, kind in ELSE.items() if part in name]
    return found[0] if found else "Job"


def roots() -> Iterator[tuple[str, str, GraphQLField]]:
    """The operation, the name and the field of each root."""
    for operation, type_ in (
        ("query", engine().schema.query_type),
        ("mutation", engine().schema.mutation_type),
        ("subscription", engine().schema.subscription_type),
    ):
        assert type_
        for name, field in type_.fields.items():
            yield operation, name, field


def places() -> Iterator[Place]:
    """Every place that takes an id."""
    for operation, name, field in roots():
        for argument, about in field.args.items():
            for path in _ids(about.type, (argument,)):
                yield Place(operation, name, path)


def _ids(type_: Any, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    named = get_named_type(type_)
    if named.name == "ID":
        yield path
    elif isinstance(named, GraphQLInputObjectType) and len(path) < 4:
        for name, field in named.fields.items():
            yield from _ids(field.type, (*path, name))


def variables(field: GraphQLField, own: Mapping[str, str], place: Place | None = None, id_: str = "") -> dict[str, Any]:
    """A value for each required argument, and for the id at a place."""
    root = place.root if place else ""
    return {
        name: _value(name, about.type, own, root, place.path[1:] if place and place.path[0] == name else None, id_)
        for name, about in field.args.items()
        if is_required_argument(about) or (place and place.path[0] == name)
    }


def _value(name: str, type_: Any, own: Mapping[str, str], root: str, path: tuple[str, ...] | None, id_: str) -> Any:  # noqa: PLR0917 - a recursion's state
    if is_non_null_type(type_):
        type_ = type_.of_type
    if is_list_type(type_):
        first = _value(name, type_.of_type, own, root, path, id_)
        another = own.get(f"another {kind_of(name)}") if get_named_type(type_).name == "ID" else None
        return SPECIAL.get(name) or [first, *([another] if another else [])]
    if isinstance(type_, GraphQLInputObjectType):
        if type_.is_one_of:
            chosen = path[0] if path else next(iter(type_.fields))
            inner = path[1:] if path else None
            return {chosen: _value(chosen, type_.fields[chosen].type, own, root, inner, id_)}
        return {
            key: _value(key, field.type, own, root, path[1:] if path and path[0] == key else None, id_)
            for key, field in type_.fields.items()
            if is_required_input_field(field) or key in ALWAYS or (path and path[0] == key)
        }
    if type_.name == "ID":
        return (
            id_
            if path is not None
            else own["another Speaker" if name == "intoId" else kind_of(name if name not in {"id", "ids"} else root)]
        )
    if isinstance(type_, GraphQLEnumType):
        return "DIARIZE" if "DIARIZE" in type_.values else next(iter(type_.values))
    return SPECIAL.get(name, VALUES[type_.name])


def document(operation: str, name: str, field: GraphQLField, given: Mapping[str, Any], depth: int) -> str:
    """The operation, with a selection as deep as asked, or as deep as the limits allow."""
    declared = ", ".join(f"${key}: {field.args[key].type}" for key in given)
    passed = ", ".join(f"{key}: ${key}" for key in given)
    while True:
        selection = select(field.type, depth)
        text = (
            f"{operation}{f'({declared})' if declared else ''} {{ {name}{f'({passed})' if passed else ''}{selection} }}"
        )
        try:
            engine().operation(Request(text, dict(given)))
        except RequestRejected:
            if depth == 0:
                raise
            depth -= 1
        else:
            return text


def select(type_: Any, depth: int) -> str:
    """All that a type shows without required arguments, so many levels deep."""
    named: Any = get_named_type(type_)
    if is_leaf_type(named):
        return ""
    if isinstance(named, GraphQLUnionType | GraphQLInterfaceType):
        taken: dict[str, str] = {}
        members = engine().schema.get_possible_types(named)
        return " { __typename " + " ".join(f"... on {one.name}{_fields(one, depth, taken)}" for one in members) + " }"
    return _fields(named, depth, {})


def _fields(type_: GraphQLObjectType, depth: int, taken: dict[str, str]) -> str:
    """`taken` holds what stands under each name already, where several types are shown in one place."""
    shown = ["__typename"]
    for name, field in type_.fields.items():
        if any(is_required_argument(argument) for argument in field.args.values()):
            continue
        leaf = is_leaf_type(get_named_type(field.type))
        if leaf or depth > 0:
            alias = "" if taken.setdefault(name, str(field.type)) == str(field.type) else f"{type_.name}_{name}: "
            shown.append(f"{alias}{name}{'' if leaf else select(field.type, depth - 1)}")
    return " { " + " ".join(shown) + " }"
