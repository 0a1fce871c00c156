"""One execution and one encoding of an event for all subscribers that asked the same."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import replace
from time import monotonic
from typing import Any, TypeAlias

import orjson

from schema.execution.messages import Execution, GraphQLResponse

EventKey: TypeAlias = Callable[[Any], Hashable | None]
"""The identity of an event: equal keys mean the same event. None: this event's answer is not shared."""


class CoalescedResponses:
    """The newest answers by (document, operation, variables, viewer, event). Answers with errors are not shared.

    They are stored for a moment only: a later replay of an event must show what it tells of as it is then.
    """

    def __init__(self, event_key: EventKey, *, seconds: float = 2.0, kept: int = 512) -> None:
        self.event_key = event_key
        self.seconds = seconds
        self.kept = kept
        self.answers: OrderedDict[Hashable, tuple[float, asyncio.Future[GraphQLResponse]]] = OrderedDict()

    async def answer(
        self, call: Execution, payload: Any, run: Callable[[], Awaitable[GraphQLResponse]]
    ) -> GraphQLResponse:
        """Return the answer to this event, computed by the first that asks."""
        event = self.event_key(payload)
        if event is None:
            return await run()
        variables = call.request.variables
        given = orjson.dumps(variables, option=orjson.OPT_SORT_KEYS) if variables else b""
        key = (call.operation.source, call.operation.name, given, call.viewer, event)
        while True:
            until, shared = self.answers.get(key, (0.0, None))
            if shared is None or until < monotonic():
                return await self._first(key, run)
            if not shared.done():
                await asyncio.wait((shared,))
            if not shared.cancelled():
                return shared.result() if not shared.result().errors else await run()

    async def _first(self, key: Hashable, run: Callable[[], Awaitable[GraphQLResponse]]) -> GraphQLResponse:
        """Run it here and now: what needs no waiting is there before the next one asks. If it fails, or whoever asked
        is gone, one of those who wait is the first.
        """
        shared: asyncio.Future[GraphQLResponse] = asyncio.get_running_loop().create_future()
        self.answers[key] = (monotonic() + self.seconds, shared)
        self.answers.move_to_end(key)
        self._forget_old()
        try:
            answer = await run()
            shared.set_result(replace(answer, encoded=answer.json()))
        finally:
            if not shared.done():
                shared.cancel()
                if self.answers.get(key, (0.0, None))[1] is shared:
                    del self.answers[key]
        return shared.result()

    def _forget_old(self) -> None:
        now = monotonic()
        while self.answers:
            key, (until, _) = next(iter(self.answers.items()))
            if len(self.answers) <= self.kept and until >= now:
                return
            del self.answers[key]
