"""How types and arguments of the graph are declared: each with its description.

What a resolver returns at run time is a row of `db` or a plain struct, not an instance of the declared type: fields
without a resolver are read off it by name, so nothing is copied on the way out.
"""

from collections.abc import Callable
from typing import Annotated, Any

import strawberry

from schema.base.bounds import BoundedLists, takes_lists


def field(description: str, resolver: Callable[..., Any] | None = None, **options: Any) -> Any:
    """Declare a field with its description; without a resolver, it is the attribute of the same name."""
    if resolver is not None and takes_lists(resolver):
        options["extensions"] = [*options.get("extensions", ()), BoundedLists()]
    return strawberry.field(description=description, resolver=resolver, **options)  # type: ignore[arg-type]  # None is its default


def link(name: str, module: str, of: Any = None) -> Any:
    """A type of another module, named so that neither imports the other."""
    type_: Any = Annotated[name, strawberry.lazy(module)]
    return type_ if of is None else of[type_]


def arg(description: str, **options: Any) -> Any:
    """An argument's description, for `Annotated`."""
    return strawberry.argument(description=description, **options)


def subscription(description: str, resolver: Callable[..., Any]) -> Any:
    """A field of the subscription's root with its description."""
    return strawberry.subscription(description=description, resolver=resolver)
