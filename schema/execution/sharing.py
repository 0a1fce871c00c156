"""One execution and one encoding of an event for all subscribers that asked the same."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import replace
from time import monotonic
from typing import Any, TypeAlias

import orjson

from schema.execution.messages import Answer, Call

EventKey: TypeAlias = Callable[[Any], Hashable | None]
"""What tells an event apart: equal keys mean the same event. None: this event's answer is not shared."""


class SharedAnswers:
    """The newest answers by (document, operation, variables, viewer, event). Answers with errors are not shared.

    They are kept for a moment only: who replays an event later must see what it tells of as it is then.
    """

    def __init__(self, event_key: EventKey, *, seconds: float = 2.0, kept: int = 512) -> None:
        self.event_key = event_key
        self.seconds = seconds
        self.kept = kept
        self.answers: OrderedDict[Hashable, tuple[float, asyncio.Task[Answer]]] = OrderedDict()

    async def answer(self, call: Call, payload: Any, run: Callable[[], Awaitable[Answer]]) -> Answer:
        """The answer to this event, computed by whoever asks first."""
        event = self.event_key(payload)
        if event is None:
            return await run()
        variables = call.request.variables
        given = orjson.dumps(variables, option=orjson.OPT_SORT_KEYS) if variables else b""
        key = (call.operation.source, call.operation.name, given, call.viewer, event)
        until, task = self.answers.get(key, (0.0, None))
        if task is None or until < monotonic():
            task = asyncio.ensure_future(_encoded(run))
            self.answers[key] = (monotonic() + self.seconds, task)
            self.answers.move_to_end(key)
            task.add_done_callback(lambda done: self._forget_failed(key, done))
            self._forget_old()
            return await asyncio.shield(task)
        answer = await asyncio.shield(task)
        return answer if not answer.errors else await run()

    def _forget_old(self) -> None:
        now = monotonic()
        while self.answers:
            key, (until, _) = next(iter(self.answers.items()))
            if len(self.answers) <= self.kept and until >= now:
                return
            del self.answers[key]

    def _forget_failed(self, key: Hashable, task: "asyncio.Task[Answer]") -> None:
        if (task.cancelled() or task.exception() is not None) and self.answers.get(key, (0.0, None))[1] is task:
            del self.answers[key]


async def _encoded(run: Callable[[], Awaitable[Answer]]) -> Answer:
    answer = await run()
    return replace(answer, encoded=answer.json())
