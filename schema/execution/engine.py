"""One operation from text to answer, for every transport: HTTP, WebSocket and server-sent events."""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from typing import Any

from graphql import ExecutionResult, GraphQLError, OperationType
from graphql.execution import create_source_event_stream
from strawberry import Schema
from strawberry.execution import optimized_is_awaitable

from schema.execution import bounds, errors
from schema.execution.coalescing import CoalescedResponses
from schema.execution.documents import Documents, Operation, RequestRejected
from schema.execution.errors import Explain, ExtensionsNotRun, no_facts
from schema.execution.fast import FastExecutor
from schema.execution.limits import Limits
from schema.execution.messages import Execution, GraphQLResponse, Request
from schema.execution.parts import Part, PartsExecutor, later_parts
from schema.execution.resume import resumed

INTROSPECTIONS, INTROSPECTION_CHARACTERS = 32, 20_000
"""So many answers about the schema are remembered, for documents of at most this length."""


class Engine:
    """Executes operations of one schema within limits.

    `explain` says which exceptions are meant for clients, and what is shown of them. Raises `ExtensionsNotRun` for a
    schema with Strawberry extensions: they hook into an executor that is not used here.
    """

    def __init__(
        self,
        schema: Schema,
        limits: Limits,
        shared: CoalescedResponses | None = None,
        *,
        explain: Explain = no_facts,
    ) -> None:
        if schema.extensions or schema.directives:
            raise ExtensionsNotRun(schema)
        self.schema = schema._schema  # noqa: SLF001  # Strawberry offers no other way to the graphql-core schema
        self.limits = limits
        self.documents = Documents(self.schema, limits)
        self.shared = shared
        self._introspections: OrderedDict[tuple[str, str | None, str], GraphQLResponse] = OrderedDict()
        self._introspecting = asyncio.Lock()
        self._explain = explain

    def operation(self, request: Request) -> Operation:
        """Return the operation that the request names; raises `RequestRejected`."""
        return self.documents.operation(request.query, request.operation_name, request.variables)

    def refusal(self, refused: RequestRejected, correlation_id: str) -> GraphQLResponse:
        """Return the answer to a request that is not executed."""
        return self._not_executed(refused.errors, correlation_id)

    async def execute(self, call: Execution) -> GraphQLResponse:
        """Run a query or a mutation."""
        async with self._ready(call) as ready:
            if isinstance(ready, GraphQLResponse):
                return ready
            if call.operation.introspection:
                return await self._introspection(ready, call)
            result = await self._run(ready, call)
        return GraphQLResponse(**self._executed(result, call), extensions=self._cost(call, ready))

    async def _introspection(self, executor: FastExecutor, call: Execution) -> GraphQLResponse:
        """Return what the schema says of itself: made once for a document, then sent from memory. One is made at a
        time, for it is nothing but work.
        """
        key = (call.operation.source, call.operation.name, repr(call.request.variables))
        if (known := self._introspections.get(key)) is not None:
            self._introspections.move_to_end(key)
            return known
        async with self._introspecting:
            result = await self._run(executor, call)
        known = GraphQLResponse(**self._executed(result, call), extensions=self._cost(call, executor))
        if not known.errors and len(call.operation.source) <= INTROSPECTION_CHARACTERS:
            known = self._introspections[key] = replace(known, encoded=known.json())
        while len(self._introspections) > INTROSPECTIONS:
            self._introspections.popitem(last=False)
        return known

    async def deliver(self, call: Execution) -> AsyncGenerator[GraphQLResponse, None]:
        """Run a query or a mutation whose answer may come in parts (`@defer`, `@stream`): a response, or `Part`s."""
        deadline = asyncio.get_running_loop().time() + self.limits.seconds
        async with self._ready(call, PartsExecutor) as ready:
            if isinstance(ready, GraphQLResponse):
                yield ready
                return
            if call.operation.introspection and not call.operation.in_parts:
                yield await self._introspection(ready, call)
                return
            result = await self._run(ready, call)
            if isinstance(result, ExecutionResult):
                yield GraphQLResponse(**self._executed(result, call), extensions=self._cost(call, ready))
                return
            first, later = result
            pending = [one.formatted for one in first.pending]
            shown = self._executed(first, call)
            yield Part(**shown, extensions=self._cost(call, ready), pending=pending, first=True)

            def present(found: Sequence[GraphQLError]) -> list[dict[str, Any]]:
                return self._present(found, call.correlation_id, executing=True)

            async with aclosing(later_parts(later, pending, deadline, present, self._blame)) as parts:
                async for part in parts:
                    yield part

    async def subscribe(self, call: Execution, after: str | None = None) -> AsyncGenerator[GraphQLResponse, None]:
        """Run a subscription. An answer that was not executed is the last one.

        `after` resumes behind an event: it takes the place of the root field's argument `after`.
        """
        if after is not None:
            call = call.of(resumed(call.operation, self.schema, after))
        async with self._ready(call) as ready:
            if isinstance(ready, GraphQLResponse):
                yield ready
                return
            source = await self._source(ready, call)
            if isinstance(source, GraphQLResponse):
                yield source
                return
            if isinstance(source, ExecutionResult):
                yield self._not_executed(source.errors or [], call.correlation_id, executing=True)
                return
            events = aiter(source)
            try:
                async for payload in events:
                    yield await self._event(ready, call, payload)
            except Exception as fault:  # noqa: BLE001  # whatever ended the source ends the operation, not the socket
                yield self._not_executed([_wrapped(fault)], call.correlation_id, executing=True)
            finally:
                if (aclose := getattr(events, "aclose", None)) is not None:
                    await aclose()

    async def _source(self, executor: FastExecutor, call: Execution) -> Any:
        """Return the subscription's events, or why there are none."""
        source: Any = create_source_event_stream(executor)
        if not optimized_is_awaitable(source):
            return source
        try:
            async with asyncio.timeout(self.limits.seconds):
                return await source
        except TimeoutError as late:
            return self._not_executed([self._blame(late)], call.correlation_id, executing=True)

    def _blame(self, fault: Exception) -> GraphQLError:
        """Return the error of an operation that did not run to its end: it was stopped, or the server is at fault."""
        if not isinstance(fault, TimeoutError):
            return _wrapped(fault)
        message = f"The operation took longer than {self.limits.seconds:g} seconds and was stopped."
        extensions = {"code": errors.Code.TIMED_OUT.value, "details": {"seconds": self.limits.seconds}}
        return GraphQLError(message, extensions=extensions)

    async def _event(self, executor: FastExecutor, call: Execution, payload: Any) -> GraphQLResponse:
        async def run() -> GraphQLResponse:
            async with _opened(call, self.limits.cost) as context:
                event = executor.build_per_event_executor(payload)
                event.context_value = context
                result = await self._run(event, call)
            cursor = getattr(payload, "cursor", None)
            return GraphQLResponse(**self._executed(result, call), event_id=cursor if isinstance(cursor, str) else None)

        if self.shared is None:
            return await run()
        return await self.shared.answer(call, payload, run)

    @asynccontextmanager
    async def _ready(
        self, call: Execution, kind: type[FastExecutor] = FastExecutor
    ) -> AsyncIterator[FastExecutor | GraphQLResponse]:
        """Return the operation's executor, or why it is not executed: for its variables, or for the viewer's budget."""
        async with _opened(call, self.limits.cost) as context:
            executor: FastExecutor | list[GraphQLError] = kind.build(  # type: ignore[assignment]  # of the class it is called on
                self.schema,
                call.operation.document,
                context_value=context,
                raw_variable_values=bounds.cut_variables(
                    self.schema, call.operation.node, call.request.variables or {}, call.operation.bounds
                ),
                operation_name=call.operation.name,
                max_coercion_errors=self.limits.errors,
                is_awaitable=optimized_is_awaitable,  # type: ignore[arg-type]  # Strawberry's is not typed as a guard
                hide_suggestions=True,
            )
            if isinstance(executor, list):
                yield self._not_executed(executor, call.correlation_id)
            elif over := await self._over_budget(context):
                yield self._not_executed([over], call.correlation_id, executing=True)
            else:
                yield executor

    async def _over_budget(self, context: Any) -> GraphQLError | None:
        """Take the operation's cost from the viewer's budget, if the context keeps one with `charge()`."""
        charge = getattr(context, "charge", None)
        try:
            if charge is not None:
                await charge()
        except Exception as refusal:
            if self._explain(refusal) is None:
                raise
            return _wrapped(refusal)
        return None

    async def _run(self, executor: Any, call: Execution) -> Any:
        """Return the result of one execution, which is stopped when it takes too long."""
        try:
            if call.operation.introspection:  # pure CPU, up to a tenth of a second
                result = await asyncio.to_thread(executor.execute_operation)
            else:
                result = executor.execute_operation(call.operation.type is OperationType.MUTATION)
            if optimized_is_awaitable(result):
                async with asyncio.timeout(self.limits.seconds):
                    result = await result
        except Exception as fault:  # noqa: BLE001  # a fault of the executor itself is a fault of the server
            return ExecutionResult(None, [self._blame(fault)])
        return result

    def _executed(self, result: Any, call: Execution) -> dict[str, Any]:
        """Return the data and the errors of an answer."""
        found = result.errors
        shown = self._present(found, call.correlation_id, executing=True) if found else None
        return {"executed": True, "data": result.data, "errors": shown}

    def _cost(self, call: Execution, executor: FastExecutor) -> dict[str, Any]:
        """Return what the operation cost: as estimated, or as its context knows better."""
        requested = getattr(executor.context_value, "cost", call.operation.cost)
        return {"cost": {"requested": requested, "limit": self.limits.cost}}

    def _present(self, found: Sequence[GraphQLError], correlation_id: str, *, executing: bool) -> list[dict[str, Any]]:
        return errors.present_all(
            found, correlation_id, executing=executing, limit=self.limits.errors, explain=self._explain
        )

    def _not_executed(
        self, found: list[GraphQLError], correlation_id: str, *, executing: bool = False
    ) -> GraphQLResponse:
        return GraphQLResponse(executed=False, errors=self._present(found, correlation_id, executing=executing))


def _wrapped(fault: Exception) -> GraphQLError:
    return GraphQLError(str(fault), original_error=fault)


@asynccontextmanager
async def _opened(call: Execution, limit: int) -> AsyncIterator[Any]:
    """Open a fresh context, told what the operation costs if it has a `cost`, and closed afterwards."""
    context = call.new_context()
    if hasattr(context, "cost"):
        context.cost, context.cost_limit = call.operation.cost, limit
    try:
        yield context
    finally:
        if (aclose := getattr(context, "aclose", None)) is not None:
            await aclose()


def is_subscription(operation: Operation) -> bool:
    """Return True if the operation answers more than once."""
    return operation.type is OperationType.SUBSCRIPTION
