"""Declarations of the graph's types and arguments: each with its description.

At run time, a resolver returns a row of `db` or a plain struct, not an instance of the declared type: fields without
a resolver are read off it by name, so nothing is copied on the way out.
"""

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Annotated, Any

import strawberry

from schema.base.bounds import BoundedLists, takes_lists

SCOPE = "scope"
"""The name under which a field's metadata holds the scope that it needs."""


def field(
    description: str, resolver: Callable[..., Any] | None = None, *, scope: str | None = None, **options: Any
) -> Any:
    """Declare a field with its description and the scope that it needs; without a resolver, the attribute of the same
    name.
    """
    if resolver is not None and takes_lists(resolver):
        options["extensions"] = [*options.get("extensions", ()), BoundedLists()]
    if scope is not None:
        description, resolver, options = _scoped(description, resolver, scope, options)
    return strawberry.field(description=description, resolver=resolver, **options)  # type: ignore[arg-type]  # None is its default


def link(name: str, module: str, of: Any = None) -> Any:
    """Return a type of another module, named so that neither imports the other."""
    type_: Any = Annotated[name, strawberry.lazy(module)]
    return type_ if of is None else of[type_]


def arg(description: str, **options: Any) -> Any:
    """Return an argument's description, for `Annotated`."""
    return strawberry.argument(description=description, **options)


def subscription(description: str, resolver: Callable[..., Any], *, scope: str | None = None) -> Any:
    """Declare a field of the subscription's root with its description and the scope that it needs."""
    options: dict[str, Any] = {}
    if scope is not None:
        description, resolver, options = _scoped(description, resolver, scope, options)
    return strawberry.subscription(description=description, resolver=resolver, **options)


def _scoped(
    description: str, resolver: Callable[..., Any] | None, scope: str, options: dict[str, Any]
) -> tuple[str, Any, dict[str, Any]]:
    if resolver is None or "info" not in inspect.signature(resolver).parameters:
        raise TypeError(f"{description}: a field that needs a scope has a resolver that takes `info`")
    needed = " and ".join(f"`{one}`" for one in scope.split())
    metadata = {**options.pop("metadata", {}), SCOPE: scope}
    return f"{description} Needs {needed}.", _checked(resolver, scope.split()), {**options, "metadata": metadata}


def _checked(resolver: Callable[..., Any], scopes: list[str]) -> Callable[..., Any]:
    """Return the resolver with a check in front of it. Its signature, which Strawberry reads, stays the same."""

    def check(arguments: dict[str, Any]) -> None:
        for scope in scopes:
            arguments["info"].context.require(scope)

    @wraps(resolver)
    def plain(*args: Any, **arguments: Any) -> Any:
        check(arguments)
        return resolver(*args, **arguments)

    @wraps(resolver)
    async def awaited(*args: Any, **arguments: Any) -> Any:
        check(arguments)
        return await resolver(*args, **arguments)

    return awaited if inspect.iscoroutinefunction(resolver) else plain
