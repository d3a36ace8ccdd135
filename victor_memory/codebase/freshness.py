"""How a search finds the index up to date, or says how far it is behind: never stale in silence.

A plan says what separates the index from the files. Whatever it takes to close the gap is done by
one process at a time, in a task of its own: a search waits for it a few seconds at most, and then
answers from what is there.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any, Final
from weakref import WeakKeyDictionary

from victor_memory._logging import get_logger
from victor_memory.codebase.build_lock import BuildLock
from victor_memory.codebase.indexer import Indexer
from victor_memory.codebase.progress import IndexProgress, IndexReport, Plan, Progress
from victor_memory.errors import ProviderUnavailableError, VictorMemoryError

log = get_logger(__name__)
MUCH_CHUNKS: Final = 2048
"""After so many were written for a search, the store is compacted, as after each run."""
BUSY_SECONDS: Final = 0.5
"""How long a refresh waits for another process's: as long as that usually takes for a few files."""


@dataclass(frozen=True, slots=True)
class Freshness:
    """How far the index is behind the files after a search has tried to bring it up to date."""

    report: IndexReport | None = None
    """What was indexed for this search."""
    stale: int = 0
    """Files whose present content is not indexed."""
    files: int = 0
    """Files that belong into the index."""
    problem: str | None = None
    """Why the index could not be brought up to date."""
    building: bool = False
    """Whether this process is still at work on it."""
    elsewhere: bool = False
    """Whether another process is."""

    def notice(self) -> str | None:
        """Return what a person should know about an answer given now, with the next step."""
        if self.problem:
            return f"The index could not be brought up to date: {self.problem}"
        if not self.stale:
            return None
        done = f"{max(0, self.files - self.stale)} of {self.files} files are up to date"
        if self.elsewhere:
            return (
                f"Another process is indexing: {done}. This answer may miss the others; ask again "
                "in a moment."
            )
        if self.building:
            return (
                f"Indexing: {done}. Of the others this answer knows at most the words; ask again, "
                "or wait for all of them with: victor-memory index"
            )
        return (
            f"{self.stale} files changed since they were indexed: they are searched as they were. "
            "Bring them up to date with: victor-memory index"
        )


@dataclass(slots=True)
class _Build:
    """A run of the indexer that is under way in this event loop."""

    task: asyncio.Task[IndexReport | None]
    started: float
    plan: Plan | None = None
    progress: IndexProgress | None = None

    @property
    def left(self) -> int:
        """How many files are still to be done."""
        if self.plan is None:
            return 0
        indexing = self.progress is not None and self.progress.phase != "scan"
        return max(0, self.plan.pending - (self.progress.files_done if indexing else 0))  # type: ignore[union-attr]  # as `indexing` says


class _State:
    """What one event loop knows; two loops are like two processes."""

    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.build: _Build | None = None
        self.planned = 0.0
        """When the last plan that found nothing to do was begun."""


class Refresher:
    """Keeps *indexer* up to date for searches, under the lock that its processes share."""

    def __init__(self, indexer: Indexer, lock: BuildLock) -> None:
        self._indexer = indexer
        self._lock = lock
        self._states: WeakKeyDictionary[asyncio.AbstractEventLoop, _State] = WeakKeyDictionary()

    @property
    def _state(self) -> _State:
        return self._states.setdefault(asyncio.get_running_loop(), _State())

    @property
    def progress(self) -> IndexProgress | None:
        """How far the run is that is under way in this event loop, if one is."""
        build = self._state.build
        return None if build is None or build.task.done() else build.progress

    async def run(self, *, rebuild: bool, progress: Progress | None) -> IndexReport:
        """Index everything, after whatever is under way here or in another process."""
        build = await self._begin(self._run(rebuild=rebuild, progress=progress))
        try:
            report = await build.task  # cancelled with its caller
        finally:
            await asyncio.gather(build.task, return_exceptions=True)
        assert report is not None
        return report

    async def ensure(self, wait: float | None) -> Freshness:
        """Bring the index up to date, in up to *wait* seconds; say how far that got.

        Raises:
            VictorMemoryError: it could not be done, and nothing is indexed at all.

        """
        while True:
            arrived = time.monotonic()
            build, plan = await self._build_for(arrived)
            if build is None:
                return Freshness()
            await asyncio.wait(
                {build.task},
                timeout=None if wait is None else max(0.0, build.started + wait - arrived),
            )
            if not build.task.done():
                return self._partial(build)
            if plan is not None:
                return await self._result(build, plan)
            # It was begun for somebody else, before this search was asked for: look again.

    async def plan(self) -> Plan:
        """Return what separates the index from the files; nothing is changed."""
        async with self._state.lock:
            return await self._indexer.plan()

    async def close(self) -> None:
        """Stop what is under way, keeping what is done."""
        for state in list(self._states.values()):
            build = state.build
            if build is None or build.task.done():
                continue
            loop = build.task.get_loop()
            if loop is asyncio.get_running_loop():
                build.task.cancel()
                await asyncio.gather(build.task, return_exceptions=True)
            elif not loop.is_closed():
                loop.call_soon_threadsafe(build.task.cancel)

    # -- one build at a time ----------------------------------------------------------------------

    async def _begin(self, work: Coroutine[Any, Any, IndexReport | None]) -> _Build:
        state = self._state
        try:
            async with state.lock:
                while state.build is not None and not state.build.task.done():
                    await asyncio.wait({state.build.task})
                state.build = _Build(asyncio.create_task(work), time.monotonic())
                return state.build
        except BaseException:
            work.close()
            raise

    async def _build_for(self, arrived: float) -> tuple[_Build | None, Plan | None]:
        """Return the build to wait for, if any is needed, and its plan if it is of this search."""
        state = self._state
        if state.build is not None and not state.build.task.done():
            return state.build, None
        async with state.lock:
            if state.build is not None and not state.build.task.done():
                return state.build, None
            if state.planned >= arrived:
                return None, None  # somebody has looked since, and found nothing to do
            began = time.monotonic()
            plan = await self._indexer.plan()
            if plan.clean:
                state.planned = began
                return None, None
            build = _Build(asyncio.create_task(self._refresh(plan)), time.monotonic(), plan)
            # Who waits asks for the result; if nobody does, the next search meets the same problem.
            build.task.add_done_callback(lambda task: task.cancelled() or task.exception())
            state.build = build
            return build, plan

    async def _refresh(self, plan: Plan) -> IndexReport | None:
        """Apply *plan*; `None` if another process is at it."""
        async with self._lock.turn(BUSY_SECONDS) as ours:
            if not ours:
                return None
            if self._indexer.outdated(plan):
                plan = await self._indexer.plan()
            report = await self._indexer.apply(plan, self._advance)
            if report.chunks_written >= MUCH_CHUNKS:
                await self._indexer.compact()
            return report

    async def _run(self, *, rebuild: bool, progress: Progress | None) -> IndexReport:
        def advance(state: IndexProgress) -> None:
            self._advance(state)
            if progress is not None:
                progress(state)

        def wait() -> None:
            advance(IndexProgress("wait", 0, None))

        try:
            async with self._lock.turn(None, wait):
                return await self._indexer.run(rebuild=rebuild, progress=advance)
        except ProviderUnavailableError:
            # A place that is only for reading, perhaps: fine, if there is nothing to write.
            if rebuild:
                raise
            plan = await self._indexer.plan(advance)
            if plan.pending:
                raise
            return plan.report()

    def _advance(self, progress: IndexProgress) -> None:
        build = self._state.build
        if build is not None:
            build.progress = progress

    # -- what to say ------------------------------------------------------------------------------

    def _partial(self, build: _Build) -> Freshness:
        if build.plan is None:
            # A run that was asked for as such: it knows its own figures.
            files = build.progress.files_total if build.progress else None
            done = build.progress.files_done if build.progress else 0
            return Freshness(stale=max(1, (files or 1) - done), files=files or 1, building=True)
        return Freshness(stale=max(1, build.left), files=len(build.plan.found), building=True)

    async def _result(self, build: _Build, plan: Plan) -> Freshness:
        try:
            report = build.task.result()
        except asyncio.CancelledError:
            return Freshness(stale=build.left, files=len(plan.found))
        except VictorMemoryError as exc:
            # A full disk, or a model that does not answer: what is there is still good.
            await self._indexer.sync()
            if not len(self._indexer.view):
                raise
            return Freshness(stale=plan.pending, files=len(plan.found), problem=str(exc))
        if report is not None:
            return Freshness(report=report)
        await self._indexer.sync()
        stale = sum(self._indexer.view.digest(path) != one for path, one in plan.found.items())
        stale += sum(path not in plan.found for path in self._indexer.view)
        return Freshness(stale=stale, files=len(plan.found), elsewhere=True)
