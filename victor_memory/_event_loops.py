"""What a host may do with event loops: a new one for each call, or several at once in threads."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any, Final, Self, TypeAlias, TypeVar
from weakref import WeakKeyDictionary

T = TypeVar("T")
PAUSE: Final = 0.002
"""Seconds between two looks at what another event loop is doing."""
Work: TypeAlias = Callable[[], Coroutine[Any, Any, object]]


class Turn:
    """A lock for coroutines of any event loop, in any thread: `async with turn`."""

    def __init__(self) -> None:
        self._held = threading.Lock()
        self._queues: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = (
            WeakKeyDictionary()
        )

    async def __aenter__(self) -> Self:
        queue = self._queue
        await queue.acquire()
        try:
            while not self._held.acquire(blocking=False):  # noqa: ASYNC110 - of another event loop
                await asyncio.sleep(PAUSE)
        except BaseException:
            queue.release()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        self._held.release()
        self._queue.release()

    @property
    def _queue(self) -> asyncio.Lock:
        """Where the coroutines of this event loop wait, in order, and one of them for others."""
        return self._queues.setdefault(asyncio.get_running_loop(), asyncio.Lock())


class Background:
    """Work that goes on behind the call that began it, for as long as that call's event loop does.

    `asyncio.run` ends with its call, and whatever the call has left behind with it.
    """

    def __init__(self) -> None:
        self._task: asyncio.Task[object] | None = None

    @property
    def under_way(self) -> bool:
        """Whether work was begun that still goes on."""
        return self._task is not None and not _ended(self._task)

    async def go_on(self, work: Work) -> None:
        """See that *work* is under way; if it was cut off before, it is waited for this time.

        Only then it raises what *work* raises.
        """
        before = self._task
        if before is None or _ended(before):
            self._task = asyncio.create_task(work())
            if before is not None and _cut_off(before):
                await self._task

    async def finish(self, work: Work) -> None:
        """See that *work* is under way, and wait until it has ended, however it does."""
        if not self.under_way:
            self._task = asyncio.create_task(work())
        task = self._task
        assert task is not None
        if task.get_loop() is asyncio.get_running_loop():
            await asyncio.wait({task})
        while not _ended(task):  # noqa: ASYNC110 - it belongs to another event loop
            await asyncio.sleep(PAUSE)

    async def stop(self) -> None:
        """Stop what is under way."""
        task, self._task = self._task, None
        if task is None or _ended(task):
            return
        if task.get_loop() is asyncio.get_running_loop():
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        else:
            task.get_loop().call_soon_threadsafe(task.cancel)


def _ended(task: asyncio.Task[object]) -> bool:
    return task.done() or task.get_loop().is_closed()


def _cut_off(task: asyncio.Task[object]) -> bool:
    """Whether *task*, which has ended, did so without doing its work."""
    return not task.done() or task.cancelled() or task.exception() is not None


async def in_thread(work: Callable[[], T]) -> T:
    """Return what *work* returns; a thread cannot be interrupted, so it is waited for."""
    task = asyncio.create_task(asyncio.to_thread(work))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.gather(task, return_exceptions=True)
        raise
