"""Answers in parts: what `@defer` and `@stream` put off comes after the rest, as graphql-core delivers it."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from graphql import GraphQLError
from graphql.execution import Executor, SubsequentIncrementalExecutionResult
from graphql.execution.collect_fields import FieldDetailsList
from graphql.execution.executor import StreamUsage
from graphql.execution.incremental import IncrementalExecutor
from graphql.pyutils import Path

from schema.execution.fast import FastExecutor
from schema.execution.messages import GraphQLResponse

Present: TypeAlias = Callable[[Sequence[GraphQLError]], list[dict[str, Any]]]
"""Errors as clients see them."""


class PartsExecutor(FastExecutor, IncrementalExecutor):
    """The executor with both: the quick way for lists, and parts that come later."""

    def get_stream_usage(self, field_details_list: FieldDetailsList, path: Path) -> StreamUsage | None:
        """Return the stream usage of the list at this place, if it is streamed."""
        return Executor.get_stream_usage(self, field_details_list, path)


@dataclass(frozen=True, kw_only=True)
class Part(GraphQLResponse):
    """One part of an answer: the first has the data that was not put off, the others are patches to it."""

    pending: Sequence[Mapping[str, Any]] = ()
    incremental: Sequence[dict[str, Any]] = ()
    completed: Sequence[dict[str, Any]] = ()
    has_next: bool = True
    first: bool = False

    def body(self) -> dict[str, Any]:
        """Return the part, as the draft of incremental delivery shapes it."""
        body = super().body() if self.first else {}
        for name in ("pending", "incremental", "completed"):
            if value := getattr(self, name):
                body[name] = value
        return body | {"hasNext": self.has_next}


async def later_parts(
    results: AsyncGenerator[SubsequentIncrementalExecutionResult, None],
    pending: Sequence[Mapping[str, Any]],
    deadline: float,
    present: Present,
    blame: Callable[[Exception], GraphQLError],
) -> AsyncGenerator[Part, None]:
    """Yield the parts after the first. Too late, or when they fail, the last completes what is pending with an error.

    `deadline` is in the event loop's time.
    """
    waiting = [one["id"] for one in pending]
    try:
        while True:
            try:
                async with asyncio.timeout_at(deadline):
                    result = await anext(results)
            except StopAsyncIteration:
                return
            except Exception as fault:  # noqa: BLE001  # a fault of the executor itself is a fault of the server
                errors = present([blame(fault)])
                yield Part(executed=True, completed=[{"id": i, "errors": errors} for i in waiting], has_next=False)
                return
            notifications = [one.formatted for one in result.pending or ()]
            completed = [_shown(one, present) for one in result.completed or ()]
            done = {one["id"] for one in completed}
            waiting = [i for i in (*waiting, *(one["id"] for one in notifications)) if i not in done]
            incremental = [_shown(one, present) for one in result.incremental or ()]
            yield Part(
                executed=True,
                pending=notifications,
                incremental=incremental,
                completed=completed,
                has_next=result.has_next,
            )
    finally:
        await results.aclose()


def _shown(result: Any, present: Present) -> dict[str, Any]:
    shown: dict[str, Any] = result.formatted
    return shown | {"errors": present(result.errors)} if result.errors else shown
