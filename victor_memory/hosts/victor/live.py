"""The runtimes of this process, on an event loop of their own.

A host may run one `asyncio.run` a turn, or several loops in several threads. Stores, models and
indexing under way must outlive each of them, so they live on one loop in one daemon thread, which
is started by the first call.
"""

from __future__ import annotations

import asyncio
import functools
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

from victor_memory._logging import get_logger

if TYPE_CHECKING:
    from victor_memory.runtime import MemoryRuntime

log = get_logger(__name__)
T = TypeVar("T")
CLOSE_SECONDS: Final = 5.0


class _Thread:
    """An event loop in a thread, and the runtimes that live there."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._runtimes: dict[Path, MemoryRuntime] = {}
        threading.Thread(target=self._run, name="victor-memory", daemon=True).start()

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        try:
            self.loop.run_forever()
        finally:
            self.loop.close()

    async def use(self, root: Path, action: Callable[[MemoryRuntime], Awaitable[T]]) -> T:
        if root not in self._runtimes:
            from victor_memory.runtime import open_runtime

            self._runtimes[root] = open_runtime(project=root)
        return await action(self._runtimes[root])

    async def close(self) -> None:
        for runtime in self._runtimes.values():
            await runtime.close()


class Live:
    """One open runtime a project, shared by everything that the host calls."""

    def __init__(self) -> None:
        """Start nothing yet."""
        self._lock = threading.Lock()
        self._thread: _Thread | None = None

    async def use(self, root: Path, action: Callable[[MemoryRuntime], Awaitable[T]]) -> T:
        """Await *action* on the runtime of the project around *root*, on the loop of this object.

        Cancelling the caller cancels *action*.

        Raises:
            VictorMemoryError: the runtime cannot be put together, or what *action* raises.

        """
        with self._lock:
            if self._thread is None:
                self._thread = _Thread()
            thread = self._thread
        future = asyncio.run_coroutine_threadsafe(thread.use(root, action), thread.loop)
        return await asyncio.wrap_future(future)

    def close(self) -> None:
        """Close every runtime that was opened; the next `use` opens a new one."""
        with self._lock:
            thread, self._thread = self._thread, None
        if thread is None:
            return
        try:
            future = asyncio.run_coroutine_threadsafe(thread.close(), thread.loop)
            future.result(CLOSE_SECONDS)
        except Exception as exc:  # noqa: BLE001 - the host is going away: nothing is left to be done
            log.warning("host_close_failed", error_type=type(exc).__name__)
        thread.loop.call_soon_threadsafe(thread.loop.stop)


@functools.cache
def live() -> Live:
    """Return the one of this process: the host makes plugin objects as often as it likes."""
    return Live()


def project_root() -> Path:
    """Return the directory of the host's current project."""
    try:
        from victor.config.settings import get_project_paths

        return Path(get_project_paths().project_root).resolve()
    except Exception:  # noqa: BLE001 - a host that does not know its project works where it is
        return Path.cwd()
