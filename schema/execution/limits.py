"""The limits of one operation."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Bounds on a query, each checked in time linear in the query's size. Passing one is `QUERY_TOO_COMPLEX`.

    Counts are of the query as it will be executed: a fragment counts at every place where it is spread.
    """

    characters: int = 32_000
    """Of the query text."""
    tokens: int = 2_000
    """Lexical tokens; comments count apart, up to the same number."""
    depth: int = 15
    """Fields nested in fields. Introspection has its own bound (three nested lists)."""
    fields: int = 2_000
    """Selected fields, leaves included."""
    root_fields: int = 20
    """Fields of the operation itself."""
    aliases: int = 30
    """Aliased fields."""
    directives: int = 50
    """Directives in the whole document; at most four in one place."""
    parts: int = 150
    """Pieces that `@defer` and `@stream` put off, counted in every item of a list."""
    merging: int = 3_000
    """Units of work to check that fields of the same response name can be merged."""
    cost: int = 20_000
    """Points, estimated from page sizes before the execution (`schema.execution.complexity`)."""
    introspection: int = 200_000
    """Points for an operation that asks for nothing but the schema; it runs in a thread. 0 forbids introspection."""
    page: int = 1_000
    """The largest page that the estimate counts; larger ones are refused by the resolvers."""
    assumed_page: int = 10
    """The length of a list that has no page size."""
    errors: int = 8
    """Errors in one answer; the rest is counted."""
    seconds: float = 30.0
    """For a whole operation (for each event of a subscription); then it is cancelled, with its SQL: `TIMED_OUT`."""
    cached_characters: int = 200_000
    """Query text for which the parsed and validated document is kept, least recently used first out."""
