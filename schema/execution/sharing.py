"""One execution and one encoding of an event for all subscribers that asked the same."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import replace
from typing import Any, TypeAlias

import orjson

from schema.execution.messages import Answer, Call

EventKey: TypeAlias = Callable[[Any], Hashable | None]
"""What tells an event apart: equal keys mean the same event. None: this event's answer is not shared."""


class SharedAnswers:
    """The newest answers by (document, operation, variables, viewer, event). Answers with errors are not shared."""

    def __init__(self, event_key: EventKey, *, kept: int = 512) -> None:
        self.event_key = event_key
        self.kept = kept
        self.answers: OrderedDict[Hashable, asyncio.Task[Answer]] = OrderedDict()

    async def answer(self, call: Call, payload: Any, run: Callable[[], Awaitable[Answer]]) -> Answer:
        """The answer to this event, computed by whoever asks first."""
        event = self.event_key(payload)
        if event is None:
            return await run()
        variables = call.request.variables
        given = orjson.dumps(variables, option=orjson.OPT_SORT_KEYS) if variables else b""
        key = (call.operation.source, call.operation.name, given, call.viewer, event)
        task = self.answers.get(key)
        if task is None:
            task = asyncio.ensure_future(_encoded(run))
            self.answers[key] = task
            task.add_done_callback(lambda done: self._forget_failed(key, done))
            while len(self.answers) > self.kept:
                self.answers.popitem(last=False)
            return await asyncio.shield(task)
        answer = await asyncio.shield(task)
        return answer if not answer.errors else await run()

    def _forget_failed(self, key: Hashable, task: "asyncio.Task[Answer]") -> None:
        if task.cancelled() or task.exception() is not None:
            self.answers.pop(key, None)


async def _encoded(run: Callable[[], Awaitable[Answer]]) -> Answer:
    answer = await run()
    return replace(answer, encoded=answer.json())
