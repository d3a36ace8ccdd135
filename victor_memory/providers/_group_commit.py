"""Writes that arrive together are committed together, and acknowledged only then."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Final, Generic, TypeVar
from weakref import WeakKeyDictionary

T = TypeVar("T")
MAX_BATCH: Final = 10_000
"""No further caller joins a group that has this many items."""


class GroupCommit(Generic[T]):
    """Collects items from concurrent callers and hands them to *commit* in one list.

    Stores whose every commit has a fixed cost (a new version, an fsync) turn a thousand concurrent
    single writes into a few large ones. Order is kept; the caller returns when its items are
    committed, and gets the commit's exception if it fails.
    """

    def __init__(self, commit: Callable[[list[T]], Awaitable[None]]) -> None:
        self._commit = commit
        self._queues: WeakKeyDictionary[asyncio.AbstractEventLoop, _Queue[T]] = WeakKeyDictionary()

    async def submit(self, items: list[T]) -> None:
        """Return once *items* are committed.

        Cancelling the caller does not undo its items: they are committed with their group.
        """
        loop = asyncio.get_running_loop()
        queue = self._queues.setdefault(loop, _Queue())
        done: asyncio.Future[None] = loop.create_future()
        queue.waiting.append((items, done))
        if queue.drain is None or queue.drain.done():
            queue.drain = loop.create_task(self._drain(queue))
        await asyncio.shield(done)

    async def finish(self) -> None:
        """Return when nothing submitted from this event loop is waiting any more."""
        queue = self._queues.get(asyncio.get_running_loop())
        if queue is not None and queue.drain is not None:
            await asyncio.wait([queue.drain])

    async def _drain(self, queue: _Queue[T]) -> None:
        # One turn of the loop lets callers that are already runnable join the group.
        await asyncio.sleep(0)
        while queue.waiting:
            items: list[T] = []
            futures: list[asyncio.Future[None]] = []
            while queue.waiting and len(items) < MAX_BATCH:
                batch, done = queue.waiting.popleft()
                items += batch
                futures.append(done)
            try:
                await self._commit(items)
            except BaseException as exc:
                for done in futures:
                    if not done.done():
                        done.set_exception(_for_caller(exc))
                        done.exception()  # a caller that was cancelled never asks for it
                if not isinstance(exc, Exception):
                    raise
            else:
                for done in futures:
                    if not done.done():
                        done.set_result(None)


class _Queue(Generic[T]):
    """What one event loop is waiting for."""

    def __init__(self) -> None:
        self.waiting: deque[tuple[list[T], asyncio.Future[None]]] = deque()
        self.drain: asyncio.Task[None] | None = None


def _for_caller(exc: BaseException) -> BaseException:
    """A cancelled commit must not cancel the tasks that only waited for it."""
    if isinstance(exc, asyncio.CancelledError):
        return OSError("the event loop stopped before the write was committed")
    return exc
