"""What a query may ask for, and that finding out is cheap."""

import sys
from typing import Any

import pytest
import strawberry
from graphql import build_schema, get_introspection_query

from schema.execution import Engine, Limits, Request, RequestRejected
from schema.execution import documents as documents_module
from schema.execution.complexity import CEILING
from schema.execution.documents import Documents
from tests.schema.hostile import INVALID, TOO_COMPLEX, fitted
from tests.toy import SCHEMA


def code_of(query: str, limits: Limits | None = None, variables: dict[str, Any] | None = None) -> str | None:
    engine = Engine(SCHEMA, limits or Limits())
    try:
        engine.operation(Request(query, variables))
    except RequestRejected as refused:
        return str(engine.refusal(refused, "c").errors[0]["extensions"]["code"])  # type: ignore[index]  # there are some
    return None


def cost_of(query: str, variables: dict[str, Any] | None = None) -> int:
    return Engine(SCHEMA, Limits()).operation(Request(query, variables)).cost


@pytest.mark.parametrize("size", [1_024, 8_192])
@pytest.mark.parametrize("name", TOO_COMPLEX)
def test_a_hostile_query_is_too_complex(name: str, size: int) -> None:
    assert code_of(fitted(TOO_COMPLEX[name], size)) == "QUERY_TOO_COMPLEX"


@pytest.mark.parametrize("name", INVALID)
def test_a_broken_query_is_invalid_or_too_complex(name: str) -> None:
    assert code_of(fitted(INVALID[name], 1_024)) in ("INVALID_INPUT", "QUERY_TOO_COMPLEX")


def calls_for(query: str) -> int:
    """How many function calls it takes to refuse a query: a count that no busy machine changes."""
    documents = Documents(SCHEMA._schema, Limits())
    count = 0

    def profile(*_: object) -> None:
        nonlocal count
        count += 1

    sys.setprofile(profile)
    try:
        documents.operation(query, None, None)
    except RequestRejected:
        pass
    finally:
        sys.setprofile(None)
    return count


@pytest.mark.parametrize("name", [*TOO_COMPLEX, *INVALID])
def test_the_work_to_refuse_a_query_is_linear_in_its_size(name: str) -> None:
    make = (TOO_COMPLEX | INVALID)[name]
    calls_for(fitted(make, 300))  # warm up
    small, large = (fitted(make, size) for size in (700, 2_800))
    growth = calls_for(large) / calls_for(small)
    assert growth <= 1.5 * len(large) / len(small)


@pytest.mark.parametrize(
    ("query", "limit"),
    [
        ("{ me { me { hello } } }", {"depth": 3}),
        ("{ a: hello b: hello }", {"aliases": 2}),
        ("{ hello whoami }", {"root_fields": 2}),
        ("{ hello whoami cost }", {"fields": 3}),
        ("{ hello whoami }", {"tokens": 4}),
        ("{ hello }", {"characters": 9}),
        ("{ hello @skip(if: true) whoami @skip(if: true) }", {"directives": 2}),
        ("{ words(first: 10) { text } }", {"cost": 11}),
        ("{ __schema { types { name } } }", {"introspection": 100}),
    ],
)
def test_each_limit_allows_what_it_says_and_no_more(query: str, limit: dict[str, int]) -> None:
    assert code_of(query, Limits(**limit)) is None
    ((name, value),) = limit.items()
    less = 20 if name == "introspection" else value - 1
    assert code_of(query, Limits(**{name: less})) == "QUERY_TOO_COMPLEX"


DEEP = "me { me { me { hello } } }"


@pytest.mark.parametrize(
    "query",
    [
        f"{{ {DEEP} hello }}",
        f"{{ hello {DEEP} }}",
        f"{{ hello {DEEP} whoami }}",
        f"{{ ... {{ {DEEP} }} hello }}",
        f"{{ ...Deep hello }} fragment Deep on Query {{ {DEEP} hello }}",
    ],
)
def test_the_deepest_branch_counts_wherever_it_stands(query: str) -> None:
    assert code_of(query, Limits(depth=4)) is None
    assert code_of(query, Limits(depth=3)) == "QUERY_TOO_COMPLEX"


def test_the_refusal_says_what_is_asked_and_allowed() -> None:
    with pytest.raises(RequestRejected) as refused:
        Engine(SCHEMA, Limits(depth=2)).operation(Request("{ me { me { hello } } }"))
    assert refused.value.errors[0].message == "The query asks for too much: depth 3, the limit is 2."
    assert (refused.value.errors[0].extensions or {})["details"] == {"what": "depth", "actual": 3, "limit": 2}


@pytest.mark.parametrize(
    ("query", "cost"),
    [
        ("{ whoami }", 0),
        ("{ me { whoami } }", 1),
        ("{ words { text } }", 11),  # the default page, and the field
        ("{ words(first: 3) { text } }", 4),
        ("{ words(first: 3) { speaker { label } } }", 7),
        ("{ words(first: 0) { text } }", 1),
        ("{ words(first: -5) { text } }", 1),
        ("{ words(first: 100000) { text } }", 1_001),  # the resolver refuses it
        ("{ connection(first: 5) { edges { node { text speaker { id } } } } }", 1 + 5 * (1 + 1 + 1)),
        ("{ connection(first: 5) { ...C } } fragment C on Connection { edges { node { text } } }", 1 + 5 * 2),
        ("{ mes(first: 5) { words(first: 10) { text } } }", 1 + 5 * (1 + 11)),
        ("{ me { ...M me { ...M } } } fragment M on Query { words(first: 2) { text } }", 1 + 3 + 1 + 3),
    ],
)
def test_the_cost_counts_what_the_pages_can_hold(query: str, cost: int) -> None:
    assert cost_of(query) == cost


def test_the_cost_follows_the_variables_also_from_the_cache() -> None:
    engine = Engine(SCHEMA, Limits(cost=500))
    query = "query($n: Int! = 3) { words(first: $n) { text } }"
    assert [engine.operation(Request(query, {"n": n})).cost for n in (2, 400, 2)] == [3, 401, 3]
    with pytest.raises(RequestRejected):
        engine.operation(Request(query, {"n": 501}))
    for odd in ({"n": "x"}, {"n": None}, {"n": True}, {"n": 1e9}, {"n": [1]}, None):
        engine.operation(Request(query, odd))


def test_a_weight_is_declared_on_the_field() -> None:
    @strawberry.type
    class Query:
        @strawberry.field(metadata={"cost": 50})  # type: ignore[untyped-decorator]  # Strawberry's
        def heavy(self) -> int:
            return 1

    assert Engine(strawberry.Schema(Query), Limits()).operation(Request("{ heavy a: heavy }")).cost == 100


def test_counts_do_not_grow_without_bound() -> None:
    with pytest.raises(RequestRejected) as refused:
        Engine(SCHEMA, Limits(depth=200)).operation(Request("{" + "mes(first:1000){" * 60 + "cost" + "}" * 60 + "}"))
    assert (refused.value.errors[0].extensions or {})["details"]["actual"] == CEILING


def test_the_usual_introspection_passes_for_a_large_schema() -> None:
    types = "".join(f"type T{n} {{ {' '.join(f'f{m}(a: Int): Int' for m in range(10))} }}" for n in range(200))
    schema = build_schema(f"type Query {{ {' '.join(f't{n}: T{n}' for n in range(200))} }} {types}")
    query = get_introspection_query(input_value_deprecation=True, specified_by_url=True, directive_is_repeatable=True)
    assert Documents(schema, Limits()).operation(query, None, None).introspection


# ---------------------------------------------------------------- remembering


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Notes every parse and every validation."""
    done: list[str] = []
    for name in ("parse", "validate"):
        original = getattr(documents_module, name)

        def counted(*args: Any, original: Any = original, name: str = name, **kwargs: Any) -> Any:
            done.append(name)
            return original(*args, **kwargs)

        monkeypatch.setattr(documents_module, name, counted)
    return done


def test_a_text_is_parsed_and_validated_once_with_all_limits_on(work: list[str]) -> None:
    engine = Engine(SCHEMA, Limits())
    for n in range(5):
        engine.operation(Request("query($n: Int!) { words(first: $n) { text } }", {"n": n}))
    assert work == ["parse", "validate"]


def test_a_broken_text_is_remembered_too(work: list[str]) -> None:
    engine = Engine(SCHEMA, Limits())
    for _ in range(3):
        for query in ("{", "{ nope }"):
            with pytest.raises(RequestRejected):
                engine.operation(Request(query))
    assert work == ["parse", "parse", "validate"]


def test_the_memory_is_bounded_and_forgets_what_was_not_asked_for_longest(work: list[str]) -> None:
    engine = Engine(SCHEMA, Limits(cached_characters=1_000))
    often = "{ hello }"
    for n in range(200):
        engine.operation(Request(often))
        engine.operation(Request(f"{{ a{n}: hello }}"))
    assert sum(map(len, engine.documents.remembered)) == engine.documents.characters <= 1_000
    assert work.count("parse") == 201
    engine.operation(Request("{ hello }" + " " * 300))  # more than a quarter of it is not kept
    assert engine.documents.characters <= 1_000
