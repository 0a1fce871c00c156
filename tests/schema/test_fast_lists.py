"""The quick way for lists gives what graphql-core gives, value for value and error for error."""

import asyncio
import importlib.metadata
import inspect
from enum import Enum
from typing import Any, NewType

import pytest
import strawberry
from graphql import Executor, GraphQLError, execute, parse
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from strawberry.execution import optimized_is_awaitable
from strawberry.permission import BasePermission
from strawberry.schema.config import StrawberryConfig

from schema.execution.fast import FastExecutor, NotVectorizable, _getter


@strawberry.enum
class Colour(Enum):
    RED = "red"
    BLUE = "blue"


Floor = NewType("Floor", int)
"""A scalar that has no value for one of its values: there is no 13th floor."""


class Nobody(BasePermission):
    message = "Nobody may see this."

    def has_permission(self, *_: Any, **__: Any) -> bool:
        return False


class Thing:
    """Holds any value, also of a wrong type."""

    def __init__(self, **values: Any) -> None:
        self.__dict__.update(values)


@strawberry.interface
class Named:
    text: str | None


@strawberry.type
class Leaf(Named):
    number: int | None
    real: float | None
    flag: bool | None
    id: strawberry.ID | None
    colour: Colour | None
    tags: list[str] | None
    grid: list[list[int | None]] | None
    floor: Floor | None
    must: str
    anything: strawberry.scalars.JSON | None

    @strawberry.field
    def shout(self) -> str | None:
        return None if self.text is None else str(self.text).upper()

    @strawberry.field
    def risky(self) -> int | None:
        if self.number is not None and self.number % 5 == 0:
            raise ValueError("five")
        return self.number

    @strawberry.field
    async def later(self) -> str | None:
        await asyncio.sleep(0)
        return self.text

    @strawberry.field
    def repeated(self, times: int = 2) -> str:
        return "x" * times

    @strawberry.field
    def informed(self, info: strawberry.Info) -> str:
        return info.field_name

    @strawberry.field(permission_classes=[Nobody])  # type: ignore[untyped-decorator]  # Strawberry's
    def secret(self) -> str | None:
        return "secret"


@strawberry.type
class Node:
    leaf: Leaf | None
    leaves: list[Leaf | None]
    strict: list[Leaf]
    named: list[Named]


class Data:
    """What the resolvers return."""

    leaves: list[Any]
    nodes: list[Any]
    values: list[Any]


@strawberry.type
class Query:
    @strawberry.field
    def leaves(self) -> list[Leaf | None] | None:
        return Data.leaves

    @strawberry.field
    def strict(self) -> list[Leaf]:
        return Data.leaves

    @strawberry.field
    def nodes(self) -> list[Node]:
        return Data.nodes

    @strawberry.field
    def texts(self) -> list[str | None] | None:
        return Data.values

    @strawberry.field
    def numbers(self) -> list[int] | None:
        return Data.values

    @strawberry.field
    def reals(self) -> list[float | None] | None:
        return Data.values

    @strawberry.field
    def ids(self) -> list[strawberry.ID] | None:
        return Data.values

    @strawberry.field
    def colours(self) -> list[Colour | None] | None:
        return Data.values


FLOOR = strawberry.scalar(name="Floor", serialize=lambda value: None if value == 13 else int(value), parse_value=int)
CONFIG = StrawberryConfig(scalar_map={Floor: FLOOR})
SCHEMA = strawberry.Schema(Query, types=[Leaf], config=CONFIG)._schema


def run(query: str, executor: type[Executor[Any]], variables: dict[str, Any] | None = None) -> Any:
    result = execute(
        SCHEMA,
        parse(query),
        variable_values=variables,
        executor_class=executor,
        is_awaitable=optimized_is_awaitable,  # type: ignore[arg-type]  # not typed as a guard
    )
    if optimized_is_awaitable(result):
        return asyncio.run(finished(result))
    return outcome(result)


async def finished(result: Any) -> Any:
    return outcome(await result)


def outcome(result: Any) -> Any:
    errors = [(e.message, e.path, e.locations) for e in result.errors or []]
    return result.data, sorted(errors, key=repr)


def same(query: str, variables: dict[str, Any] | None = None) -> Any:
    ours = run(query, FastExecutor, variables)
    assert repr(ours) == repr(run(query, Executor, variables))
    return ours


async def coroutine() -> str:
    return "awaited"


TEXTS = st.one_of(st.text(max_size=5), st.none())
ODD: st.SearchStrategy[Any] = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=3), st.just([]), st.just({}),
    st.builds(object), st.just(ValueError("a value")), st.just(Colour.RED), st.just("red"),
)  # fmt: skip
SOUND: dict[str, st.SearchStrategy[Any]] = {
    "text": TEXTS,
    "number": st.one_of(st.none(), st.integers(-(2**31), 2**31 - 1)),
    "real": st.one_of(st.none(), st.floats(allow_nan=False, allow_infinity=False)),
    "flag": st.one_of(st.none(), st.booleans()),
    "id": st.one_of(st.none(), st.text(max_size=3), st.integers()),
    "colour": st.one_of(st.none(), st.sampled_from(Colour)),
    "tags": st.one_of(st.none(), st.lists(st.text(max_size=2), max_size=3)),
    "grid": st.one_of(st.none(), st.lists(st.lists(st.one_of(st.none(), st.integers(0, 9)), max_size=3), max_size=3)),
    "floor": st.sampled_from([None, 12, 13, 14]),
    "must": st.text(max_size=3),
    "anything": st.one_of(st.none(), st.dictionaries(st.text(max_size=2), st.integers(), max_size=2)),
}
FIELDS = [*SOUND, "__typename", "shout", "risky", "repeated", "informed", "secret"]
SELECTIONS = st.lists(st.sampled_from(FIELDS), min_size=1, max_size=6).map(
    lambda names: " ".join(f"{n}" if index % 3 else f"a{index}: {n}" for index, n in enumerate(names))
)


@st.composite
def leaves(draw: st.DrawFn) -> list[Any]:
    found: list[Any] = [Leaf(**draw(st.fixed_dictionaries(SOUND))) for _ in range(draw(st.integers(0, 9)))]
    for _ in range(draw(st.integers(0, 2)) if found else 0):  # something odd somewhere
        index = draw(st.integers(0, len(found) - 1))
        if draw(st.booleans()):
            found[index] = draw(st.one_of(st.none(), st.just(ValueError("a row")), st.just(Thing(text="only"))))
        elif isinstance(found[index], Leaf):
            setattr(found[index], draw(st.sampled_from(list(SOUND))), draw(ODD))
    return found


RELAXED = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@RELAXED
@given(leaves=leaves(), selection=SELECTIONS, field=st.sampled_from(["leaves", "strict"]), flag=st.booleans())
def test_lists_of_objects_are_completed_as_graphql_core_does(
    leaves: list[Any], selection: str, field: str, flag: bool
) -> None:
    Data.leaves = leaves
    same(f"query($f: Boolean!) {{ {field} {{ {selection} ...X ... @include(if: $f) {{ more: text }} }} }}"
         "fragment X on Leaf { inFragment: number @skip(if: $f) }", {"f": flag})  # fmt: skip


@RELAXED
@given(lists=st.lists(leaves(), min_size=1, max_size=6), selection=SELECTIONS)
def test_nested_lists_are_completed_as_graphql_core_does(lists: list[list[Any]], selection: str) -> None:
    Data.nodes = [Node(leaf=rows[0] if rows else None, leaves=rows, strict=rows, named=rows[:1]) for rows in lists]
    for field in ("leaf", "leaves", "strict"):
        same(f"{{ nodes {{ {field} {{ {selection} }} }} }}")


@RELAXED
@given(
    values=st.one_of(
        st.lists(st.text(max_size=3), min_size=4),
        st.lists(st.integers(-(2**33), 2**33), min_size=4),
        st.lists(st.floats(), min_size=4),
        st.lists(st.sampled_from(Colour), min_size=4),
        st.lists(ODD, min_size=4, max_size=9),
    )
)
def test_lists_of_leaves_are_completed_as_graphql_core_does(values: list[Any]) -> None:
    Data.values = values
    for field in ("texts", "numbers", "reals", "ids", "colours"):
        same(f"{{ {field} }}")


def leaf(number: int = 1, **values: Any) -> Leaf:
    plain: dict[str, Any] = dict.fromkeys(SOUND)
    return Leaf(**{**plain, "text": "t", "number": number, "must": "m", **values})


def test_awaitable_values_are_awaited() -> None:
    for field in ("text", "anything", "must"):

        def rows(field: str = field) -> list[Leaf]:
            return [leaf(n, **{field: coroutine()}) for n in range(6)]

        Data.leaves = rows()
        ours = run(f"{{ leaves {{ {field} }} }}", FastExecutor)
        assert ours == ({"leaves": [{field: "awaited"}] * 6}, [])


def test_a_scalar_without_a_value_is_an_error_in_its_place() -> None:
    Data.leaves = [leaf(floor=floor) for floor in (11, 12, 13, 14, None)]
    data, errors = same("{ leaves { floor } }")
    assert data == {"leaves": [{"floor": 11}, {"floor": 12}, {"floor": None}, {"floor": 14}, {"floor": None}]}
    assert [path for _, path, _ in errors] == [["leaves", 2, "floor"]]


def test_interfaces_go_the_ordinary_way() -> None:
    Data.nodes = [Node(leaf=None, leaves=[], strict=[], named=[leaf() for _ in range(5)]) for _ in range(5)]
    assert same("{ nodes { named { text } } }")[0]["nodes"][0]["named"][0] == {"text": "t"}


def test_plain_rows_really_take_the_quick_way(monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(*_: Any) -> Any:
        raise AssertionError("the ordinary way was taken")

    Data.leaves = [leaf(n, tags=["a"]) for n in range(10)]
    monkeypatch.setattr(Executor, "complete_iterable_value", slow)
    query = "{ leaves { text number tags shout __typename } }"
    assert run(query, FastExecutor)[0]["leaves"][1]["shout"] == "T"


@pytest.mark.parametrize("selection", ["later", "repeated", "informed", "secret"])
def test_resolvers_that_do_more_are_not_touched(selection: str) -> None:
    Data.leaves = [leaf(n) for n in range(6)]
    with pytest.raises(NotVectorizable):
        raise_unless_planned(selection)
    same(f"{{ leaves {{ text {selection} }} }}")


def raise_unless_planned(selection: str) -> None:
    _getter(SCHEMA.type_map["Leaf"].fields[selection])  # type: ignore[attr-defined]  # an object type


def test_the_parts_of_graphql_core_that_the_quick_way_stands_on_are_still_there() -> None:
    assert importlib.metadata.version("graphql-core").startswith("3.3.")
    assert list(inspect.signature(Executor.complete_iterable_value).parameters) == [
        "self", "item_type", "field_details_list", "info", "path", "items", "position_context",
    ]  # fmt: skip
    assert list(inspect.signature(Executor.collect_subfields).parameters) == [
        "self",
        "return_type",
        "field_details_list",
    ]
    assert issubclass(GraphQLError, Exception)
    field = SCHEMA.type_map["Leaf"].fields["text"]  # type: ignore[attr-defined]  # an object type
    assert field.resolve.__qualname__ == "GraphQLCoreConverter.from_resolver.<locals>._get_basic_result"
    assert field.extensions["strawberry-definition"].is_basic_field
