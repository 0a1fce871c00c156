"""Work that takes long: a few pieces at a time, in threads that stop when nobody waits any more, and remembered."""

import asyncio
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import Any, TypeVar

T = TypeVar("T")

AT_ONCE = 2
KEPT = 100_000
"""So many entries of results are remembered in all."""


class Abandoned(Exception):
    """Nobody waits for this work any more."""


class HeavyWork:
    """The results of long computations; one for a process."""

    def __init__(self) -> None:
        self._places = asyncio.Semaphore(AT_ONCE)
        self._known: OrderedDict[Hashable, Sequence[Any]] = OrderedDict()
        self._entries = 0

    def remembered(self, key: Hashable) -> Sequence[Any] | None:
        """Return a result that was made before."""
        if (known := self._known.get(key)) is not None:
            self._known.move_to_end(key)
        return known

    async def result(self, key: Hashable, items: Sequence[T], make: Callable[[Sequence[T]], Sequence[Any]]) -> Any:
        """Return what `make` makes of the items, from memory if it was made before. A time limit ends it at the next
        item that it looks at.
        """
        async with self._places:
            if (known := self.remembered(key)) is not None:
                return known
            abandoned = threading.Event()
            try:
                made = await asyncio.to_thread(make, _Watched(items, abandoned))
            finally:
                abandoned.set()
        if key not in self._known:
            self._known[key] = made
            self._entries += len(made) + 1
        while self._entries > KEPT and len(self._known) > 1:
            _, forgotten = self._known.popitem(last=False)
            self._entries -= len(forgotten) + 1
        return made


class _Watched(Sequence[T]):
    """Items that can no longer be had once the work on them is abandoned."""

    def __init__(self, items: Sequence[T], abandoned: threading.Event) -> None:
        self._items, self._abandoned = items, abandoned

    def __len__(self) -> int:
        return len(self._items)

    def __getitem__(self, place: Any) -> Any:
        self._check()
        return self._items[place]

    def __iter__(self) -> Iterator[T]:
        for item in self._items:
            self._check()
            yield item

    def _check(self) -> None:
        if self._abandoned.is_set():
            raise Abandoned
