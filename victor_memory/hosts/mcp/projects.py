"""Which project a client means, and the open memories of each.

Several clients of one process may work on one project: they share its memories. A project that
nobody has used for a while is closed, so that an idle server holds no index in memory.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote, urlsplit

from victor_memory._logging import get_logger
from victor_memory.errors import VictorMemoryError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from victor_memory.runtime import MemoryRuntime
    from victor_memory.settings import MemorySettings

log = get_logger(__name__)
IDLE_SECONDS: Final = 1800.0
DRAIN_AFTER_SECONDS: Final = 5.0
"""What hooks have queued is stored when the first questions are answered."""
MOST_OPEN: Final = 8
"""Projects open at once; of more, the one that was used longest ago is closed."""


@dataclass(slots=True)
class _Open:
    opening: asyncio.Task[MemoryRuntime]
    used: float = field(default_factory=time.monotonic)
    users: int = 0
    warming: asyncio.Task[None] | None = None
    draining: asyncio.Task[None] | None = None


class Projects:
    """The open projects of one server."""

    def __init__(self, settings: MemorySettings, default: Path) -> None:
        """Open projects with *settings*; *default* is meant by a client that names none."""
        self.default = default
        self._settings = settings
        self._open: dict[Path, _Open] = {}
        self._closing: set[asyncio.Task[None]] = set()
        self._sweeping: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def use(self, root: Path) -> AsyncIterator[MemoryRuntime]:
        """Yield the memories of the project around *root*; they stay open while they are used.

        Raises:
            VictorMemoryError: the project cannot be opened.

        """
        project = self._opened(root)
        project.users += 1
        try:
            try:
                memory = await asyncio.shield(project.opening)
            except Exception:
                self._open.pop(root, None)  # the next call tries again
                raise
            yield memory
        finally:
            project.users -= 1
            project.used = time.monotonic()

    def warm(self, root: Path) -> None:
        """Load in the background what the first question about the project *root* will need."""
        project = self._opened(root)
        if project.warming is None:
            project.warming = asyncio.create_task(self._warm(root))

    async def drain(self, root: Path, wait: float | None = None) -> None:
        """Store what hooks have queued; after *wait* seconds that goes on in the background.

        Raises:
            VictorMemoryError: the project cannot be opened.

        """
        project = self._opened(root)
        async with self.use(root) as memory:
            if project.draining is None or project.draining.done():
                if not await asyncio.to_thread(memory.transfer.queue.waiting):
                    return
                project.draining = asyncio.create_task(_drained(memory))
            await asyncio.wait({project.draining}, timeout=wait)

    async def close(self) -> None:
        """Close every project."""
        if self._sweeping is not None:
            self._sweeping.cancel()
        for root in list(self._open):
            self._close(root)
        await asyncio.gather(*self._closing, return_exceptions=True)

    def _opened(self, root: Path) -> _Open:
        project = self._open.get(root)
        if project is None:
            project = self._open[root] = _Open(asyncio.create_task(self._runtime(root)))
            idle = [one for one, other in self._open.items() if not other.users and one != root]
            if len(self._open) > MOST_OPEN and idle:
                self._close(min(idle, key=lambda one: self._open[one].used))
            if self._sweeping is None:
                self._sweeping = asyncio.create_task(self._sweep())
        project.used = time.monotonic()
        return project

    async def _runtime(self, root: Path) -> MemoryRuntime:
        def load() -> MemoryRuntime:
            from victor_memory.runtime import open_runtime

            return open_runtime(self._settings, project=root)

        return await asyncio.to_thread(load)

    async def _warm(self, root: Path) -> None:
        try:
            async with self.use(root) as memory:
                await warm(memory)
            await asyncio.sleep(DRAIN_AFTER_SECONDS)
            await self.drain(root)
        except VictorMemoryError as exc:
            # Whoever asks is told; here nobody does.
            log.info("not_warmed", error_type=type(exc).__name__)

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(IDLE_SECONDS / 4)
            self.close_idle(time.monotonic() - IDLE_SECONDS)

    def close_idle(self, before: float) -> None:
        """Close what was used last *before* a time of `time.monotonic`, and is not in use."""
        for root, project in list(self._open.items()):
            if not project.users and project.used < before:
                self._close(root)

    def _close(self, root: Path) -> None:
        task = asyncio.create_task(_closed(self._open.pop(root)))
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)


async def _drained(memory: MemoryRuntime) -> None:
    try:
        await memory.transfer.drain()
    except VictorMemoryError as exc:
        # What was not stored stays queued.
        log.warning("queue_not_drained", error_type=type(exc).__name__)


async def _closed(project: _Open) -> None:
    for task in (project.warming, project.draining):
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
    (memory,) = await asyncio.gather(project.opening, return_exceptions=True)
    if not isinstance(memory, BaseException):
        try:
            await memory.close()
        except VictorMemoryError as exc:
            log.warning("project_not_closed", error_type=type(exc).__name__)


async def warm(memory: MemoryRuntime) -> None:
    """Load the model, and open what there is of the project; nothing is indexed or created.

    Raises:
        VictorMemoryError: the model or a store cannot be used.

    """
    await memory.embedders.get(memory.settings.config("codebase", "")).load()
    await memory.codebase.open()
    if await memory.conversation.provider.exists():
        await memory.conversation.provider.initialize()


def from_roots(uris: Iterable[str]) -> Path | None:
    """Return the first of the roots *uris* of a client that is a directory here.

    >>> from_roots(["https://example.org/", "file:///no/such/directory"]) is None
    True
    """
    for uri in uris:
        parts = urlsplit(uri)
        if parts.scheme != "file" or parts.netloc not in {"", "localhost"}:
            continue
        text = unquote(parts.path)
        if len(text) > 2 and text[0] == "/" and text[2] == ":":  # noqa: PLR2004 - /C:/...
            text = text[1:]
        try:
            path = Path(text).resolve()
            if path.is_dir():
                return path
        except (OSError, ValueError):
            continue
    return None
