"""One operation from text to answer, for every transport: HTTP, WebSocket and server-sent events."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeAlias

import structlog
from graphql import ExecutionResult, GraphQLError, OperationType
from graphql.execution import create_source_event_stream
from strawberry import Schema
from strawberry.execution import optimized_is_awaitable

from db.values import ErrorCode
from schema.execution import errors
from schema.execution.documents import Documents, Operation, Refused
from schema.execution.fast import FastExecutor
from schema.execution.limits import Limits
from schema.execution.messages import Answer, Request
from schema.execution.resume import resumed
from schema.execution.sharing import SharedAnswers

log = structlog.get_logger("graphophone.graphql")

NewContext: TypeAlias = Callable[[], Any]
"""Makes the context of one operation or one event. If it has `aclose()`, that is awaited when it is over."""


class Engine:
    """Executes operations of one schema within limits. Strawberry's schema extensions are not run: see `Limits`."""

    def __init__(self, schema: Schema, limits: Limits, shared: SharedAnswers | None = None) -> None:
        self.schema = schema._schema  # Strawberry offers no other way to the graphql-core schema
        self.limits = limits
        self.documents = Documents(self.schema, limits)
        self.shared = shared

    def operation(self, request: Request) -> Operation:
        """The operation that the request names; raises `Refused`."""
        return self.documents.operation(request.query, request.operation_name, request.variables)

    def refusal(self, refused: Refused, correlation_id: str) -> Answer:
        """The answer to a request that is not executed."""
        return self._not_executed(refused.errors, correlation_id)

    async def execute(
        self, operation: Operation, request: Request, new_context: NewContext, correlation_id: str
    ) -> Answer:
        """Runs a query or a mutation."""
        async with _opened(new_context, operation) as context:
            executor = self._executor(operation, request, context)
            if isinstance(executor, list):
                return self._not_executed(executor, correlation_id)
            answer = await self._run(executor, correlation_id)
        cost = {"requested": operation.cost, "limit": self.limits.cost}
        return Answer(answer.executed, answer.data, answer.errors, {"cost": cost})

    async def subscribe(
        self,
        operation: Operation,
        request: Request,
        new_context: NewContext,
        correlation_id: str,
        *,
        viewer: Any = None,
        after: str | None = None,
    ) -> AsyncGenerator[Answer, None]:
        """Runs a subscription. An answer that was not executed is the last one.

        `after` resumes behind an event: it takes the place of the root field's argument `after`.
        """
        if after is not None:
            operation = resumed(operation, self.schema, after)
        async with _opened(new_context, operation) as context:
            executor = self._executor(operation, request, context)
            if isinstance(executor, list):
                yield self._not_executed(executor, correlation_id)
                return
            source = create_source_event_stream(executor)
            if not isinstance(source, ExecutionResult) and optimized_is_awaitable(source):
                source = await source
            if isinstance(source, ExecutionResult):
                yield self._not_executed(source.errors or [], correlation_id, executing=True)
                return
            events: AsyncIterator[Any] = aiter(source)  # type: ignore[arg-type]  # no longer awaitable
            try:
                async for payload in events:
                    yield await self._event(executor, operation, request, payload, new_context, correlation_id, viewer)
            except Exception as fault:  # noqa: BLE001  # whatever ended the source ends the operation, not the socket
                error = GraphQLError(str(fault), original_error=fault)
                yield self._not_executed([error], correlation_id, executing=True)
            finally:
                if (aclose := getattr(events, "aclose", None)) is not None:
                    await aclose()

    async def _event(
        self,
        executor: FastExecutor,
        operation: Operation,
        request: Request,
        payload: Any,
        new_context: NewContext,
        correlation_id: str,
        viewer: Any,
    ) -> Answer:
        async def run() -> Answer:
            async with _opened(new_context, operation) as context:
                event = executor.build_per_event_executor(payload)
                event.context_value = context
                answer = await self._run(event, correlation_id, serially=False)
            cursor = getattr(payload, "cursor", None)
            return Answer(True, answer.data, answer.errors, event_id=cursor if isinstance(cursor, str) else None)

        if self.shared is None:
            return await run()
        return await self.shared.answer(operation, request, viewer, payload, run)

    def _executor(self, operation: Operation, request: Request, context: Any) -> "FastExecutor | list[GraphQLError]":
        built = FastExecutor.build(
            self.schema,
            operation.document,
            context_value=context,
            raw_variable_values=dict(request.variables or {}),
            operation_name=operation.name,
            max_coercion_errors=self.limits.errors,
            is_awaitable=optimized_is_awaitable,
            hide_suggestions=True,
        )
        return built  # type: ignore[return-value]  # build() returns an instance of the class it is called on

    async def _run(self, executor: FastExecutor, correlation_id: str, serially: bool | None = None) -> Answer:
        try:
            result: Any = executor.execute_operation(serially)
            if optimized_is_awaitable(result):
                async with asyncio.timeout(self.limits.seconds):
                    result = await result
        except TimeoutError:
            message = f"The operation took longer than {self.limits.seconds:g} seconds and was stopped."
            late = errors.facts(ErrorCode.TIMED_OUT, message, {"seconds": self.limits.seconds}, correlation_id)
            return Answer(True, None, [late])
        except Exception as fault:  # noqa: BLE001  # a fault of the executor itself is a fault of the server
            error = GraphQLError(str(fault), original_error=fault)
            return Answer(True, None, self._present([error], correlation_id, executing=True))
        shown = self._present(result.errors, correlation_id, executing=True) if result.errors else None
        return Answer(True, result.data, shown)

    def _present(self, found: list[GraphQLError], correlation_id: str, *, executing: bool) -> list[dict[str, Any]]:
        return errors.present_all(found, correlation_id, executing=executing, limit=self.limits.errors)

    def _not_executed(self, found: list[GraphQLError], correlation_id: str, *, executing: bool = False) -> Answer:
        return Answer(False, errors=self._present(found, correlation_id, executing=executing))


@asynccontextmanager
async def _opened(new_context: NewContext, operation: Operation) -> AsyncIterator[Any]:
    """A fresh context, told what the operation costs if it has a `cost`, and closed afterwards."""
    context = new_context()
    if hasattr(context, "cost"):
        context.cost = operation.cost
    try:
        yield context
    finally:
        if (aclose := getattr(context, "aclose", None)) is not None:
            await aclose()


def is_subscription(operation: Operation) -> bool:
    """Whether the operation answers more than once."""
    return operation.type is OperationType.SUBSCRIPTION
