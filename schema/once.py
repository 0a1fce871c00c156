"""One answer for all who ask the same at the same time."""

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from typing import Any, TypeVar, cast

T = TypeVar("T")


class Once:
    """Joins equal questions while the first of them is being answered; nothing is kept after that."""

    def __init__(self) -> None:
        self._asked: dict[Hashable, asyncio.Task[Any]] = {}

    async def __call__(self, question: Hashable, ask: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """The answer. It goes on for the others when one who asked is cancelled."""
        task = self._asked.get(question)
        if task is None:
            task = self._asked[question] = asyncio.create_task(ask())
            task.add_done_callback(lambda done: self._answered(question, done))
        return cast("T", await asyncio.shield(task))

    def _answered(self, question: Hashable, task: asyncio.Task[Any]) -> None:
        del self._asked[question]
        if not task.cancelled():
            task.exception()  # whoever asked has it; nobody may be left
