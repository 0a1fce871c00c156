"""One operation, as traces and metrics show it: its type and name, never its text or its variables."""

import time
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing, contextmanager

from schema.execution import Execution, GraphQLResponse
from tasks.telemetry import metrics, traces


@contextmanager
def observed(call: Execution) -> Iterator[Callable[[GraphQLResponse], None]]:
    """Trace and measure a block that executes an operation; call what is given with the answer."""
    kind, name = call.operation.type.value, call.operation.name
    began, outcome = time.perf_counter(), "ok"
    with traces.span(f"graphql {kind}", graphql__operation__type=kind, graphql__operation__name=name) as span:

        def tell(answer: GraphQLResponse) -> None:
            nonlocal outcome
            for error in answer.errors or ():
                code = str(error["extensions"]["code"])
                outcome = code
                metrics.add("graphophone.graphql.errors", code=code)
                span.fail(code)

        try:
            yield tell
        except BaseException:
            outcome = "fault"
            raise
        finally:
            known = "ok" if outcome == "ok" else "failed"
            took = time.perf_counter() - began
            metrics.record("graphophone.graphql.duration", took, graphql__operation__type=kind, outcome=known)
            metrics.add("graphophone.graphql.cost", call.operation.cost, graphql__operation__type=kind)


async def counted(answers: AsyncGenerator[GraphQLResponse, None]) -> AsyncGenerator[GraphQLResponse, None]:
    """Count a subscription for as long as it lasts, and each event that it sends."""
    outcome = "ok"
    metrics.add("graphophone.subscriptions.active")
    try:
        async with aclosing(answers):
            async for answer in answers:
                outcome = "ok" if answer.executed else "failed"
                metrics.add("graphophone.subscription.events")
                yield answer
    finally:
        metrics.add("graphophone.subscriptions.active", -1)
        metrics.add("graphophone.subscriptions.ended", outcome=outcome)
