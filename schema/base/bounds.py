"""The bounds of lists that clients send: declared beside the argument, checked before the resolver.

    ids: Annotated[list[strawberry.ID], arg("…", metadata=at_most(100))]

`schema.execution` reads the same declarations and cuts longer lists off before they cost anything.
"""

import inspect
from collections.abc import Callable, Mapping
from typing import Any, get_args, get_origin, get_type_hints

import strawberry
from strawberry.extensions import FieldExtension
from strawberry.types.base import has_object_definition
from strawberry.utils.str_converters import to_camel_case

from db.domain.errors import FieldFault, InvalidInput

MOST, ORDERED = "most", "ordered"


def at_most(most: int, *, ordered: bool = False) -> dict[str, Any]:
    """Return metadata that declares at most so many different values; with `ordered`, so many at all, as they stand."""
    return {MOST: most, ORDERED: ordered}


class BoundedLists(FieldExtension):
    """Refuses a field's lists that are longer than declared, and lets equal values count once."""

    def resolve(self, next_: Callable[..., Any], source: Any, info: strawberry.Info, **kwargs: Any) -> Any:
        """Check the arguments, then go on."""
        return next_(source, info, **self._bounded(info, kwargs))

    async def resolve_async(self, next_: Callable[..., Any], source: Any, info: strawberry.Info, **kwargs: Any) -> Any:
        """Check the arguments, then go on."""
        found = next_(source, info, **self._bounded(info, kwargs))
        return await found if inspect.isawaitable(found) else found

    @staticmethod
    def _bounded(info: strawberry.Info, kwargs: dict[str, Any]) -> dict[str, Any]:
        faults: list[FieldFault] = []
        found = dict(kwargs)
        for argument in info._field.arguments:  # noqa: SLF001  # Strawberry shows it to resolvers by no other name
            name = argument.python_name
            if name in kwargs:
                path = [argument.graphql_name or to_camel_case(name)]
                found[name] = _checked(kwargs[name], argument.metadata, path, faults)
        if faults:
            (path, message), *others = faults
            raise InvalidInput(".".join(path), message, others)
        return found


def _checked(value: Any, declared: Mapping[Any, Any] | None, path: list[str], faults: list[FieldFault]) -> Any:
    """Return the value with its lists checked, in whatever inputs they stand."""
    if isinstance(value, list):
        bound = declared or {}
        value = value if bound.get(ORDERED) else _different(value)
        if len(value) > bound.get(MOST, 0):
            faults.append(FieldFault(path, f"At most {bound.get(MOST, 0)}."))
            return value
        for place, inner in enumerate(value):
            _checked(inner, None, [*path, str(place)], faults)
    elif has_object_definition(value):
        for one in value.__strawberry_definition__.fields:
            inner = getattr(value, one.python_name)
            checked = _checked(inner, one.metadata, [*path, one.graphql_name or to_camel_case(one.python_name)], faults)
            if checked is not inner:
                setattr(value, one.python_name, checked)
    return value


def _different(values: list[Any]) -> list[Any]:
    try:
        return list(dict.fromkeys(values))
    except TypeError:  # inputs: each is another
        return values


def takes_lists(resolver: Callable[..., Any]) -> bool:
    """Tell whether a client can send a list to this resolver."""
    hints = get_type_hints(resolver)
    return any(_holds_list(hint) for name, hint in hints.items() if name != "return")


def _holds_list(hint: Any) -> bool:
    definition = getattr(hint, "__strawberry_definition__", None)
    if getattr(definition, "is_input", False):
        return any(map(_holds_list, get_type_hints(hint).values()))
    return get_origin(hint) is list or any(map(_holds_list, get_args(hint)))
