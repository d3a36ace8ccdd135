"""Keeping an index up to date while files change, without watching what is not indexed.

A recursive watch would cover every directory, ignored ones first of all, and use up the system's
watches. So each directory that may hold indexed files is watched by itself; when directories come
or go, the set is found out anew. What is said to have changed is only the occasion to look: files
are compared by content, as ever, so nothing is missed however a change was made.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable
from contextlib import aclosing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from victor_memory._logging import get_logger
from victor_memory.codebase.exclusions import (
    CONTROL_DIRECTORIES,
    IgnoreFiles,
    is_vendored,
    refused_name,
)
from victor_memory.codebase.files import SourceTree, repository_of
from victor_memory.codebase.progress import IndexReport
from victor_memory.errors import InvalidRequestError, VictorMemoryError

if TYPE_CHECKING:
    from victor_memory.codebase.freshness import Refresher

log = get_logger(__name__)
QUIET_MS: Final = 50
"""Changes are gathered until there was none for so long."""
LONGEST_MS: Final = 1600
"""Changes are gathered for so long at most."""
RETRY_SECONDS: Final = 1.0
"""Between two looks for a root that is gone, or at an index that another process is building."""
POLL_SECONDS: Final = 5.0
"""Between two looks at the files where they cannot be watched."""
_RULES: Final = (".gitignore", ".victorignore")


@dataclass(frozen=True, slots=True)
class Update:
    """What a watch did at once, or why it could not."""

    report: IndexReport | None = None
    problem: str | None = None


def kept_directories(tree: SourceTree) -> set[str]:
    """Return the directories of *tree* that hold indexed files or may come to, as POSIX paths.

    The root is the empty string. A directory counts even while it is empty.

    Raises:
        InvalidRequestError: the root is not there any more.

    """
    kept = {""}
    for path in tree.listing():
        while path := path.rpartition("/")[0]:
            if path in kept:
                break
            kept.add(path)
    rules = (
        IgnoreFiles(tree.root, ".victorignore"),
        IgnoreFiles(tree.root, ".gitignore", repository_of(tree.root)),
    )
    waiting = [""]
    while waiting:
        above = waiting.pop()
        for name in _subdirectories(tree.root / above):
            path = f"{above}/{name}" if above else name
            if path in kept or not _pruned(tree.root, path, rules):
                kept.add(path)
                waiting.append(path)
    return kept


def _subdirectories(directory: Path) -> list[str]:
    try:
        with os.scandir(directory) as found:
            return [one.name for one in found if one.is_dir(follow_symlinks=False)]
    except OSError:
        return []


def _pruned(root: Path, path: str, rules: Iterable[IgnoreFiles]) -> bool:
    name = path.rpartition("/")[2]
    directory = root / path
    return (
        name in CONTROL_DIRECTORIES
        or is_vendored(directory, tracked=False, top="/" not in path)
        or (directory / ".git").exists()
        or any(one.ignores(path + "/") for one in rules)
    )


class Watch:
    """Brings the index of *tree* up to date through *refresher* whenever a file changes."""

    def __init__(self, tree: SourceTree, refresher: Refresher, stop: asyncio.Event) -> None:
        self._tree = tree
        self._refresher = refresher
        self._stop = stop
        self._problem: str | None = None
        """The last one that was told, so that each is told once."""

    async def updates(self) -> AsyncIterator[Update]:
        """Yield what was done, until *stop* is set; the first look is at all files.

        A root that is removed is waited for. What goes wrong is yielded, and tried again with the
        next change.
        """
        while not self._stop.is_set():
            try:
                directories = await asyncio.to_thread(kept_directories, self._tree)
                async with aclosing(self._round(directories)) as updates:
                    async for update in updates:
                        yield update
            except InvalidRequestError as exc:
                if failed := self._failed(exc):
                    yield failed
                await self._sleep(RETRY_SECONDS)

    async def _round(self, directories: set[str]) -> AsyncGenerator[Update, None]:
        """Yield updates until the directories are others."""
        # Not `stop` itself, because a watch that ends for another reason sets its event.
        ended = asyncio.Event()
        stopping = asyncio.ensure_future(self._stop.wait())
        stopping.add_done_callback(lambda _: ended.set())
        changes = self._changes(directories, ended)
        async with aclosing(changes):
            following = asyncio.ensure_future(anext(changes, None))
            try:
                # The watches are set by now: what changes from here on is not missed.
                await asyncio.sleep(0)
                while True:
                    async for update in self._update():
                        yield update
                    changed = await following
                    if changed is None or changed:
                        return
                    following = asyncio.ensure_future(anext(changes, None))
            finally:
                stopping.cancel()
                ended.set()
                await asyncio.gather(following, stopping, return_exceptions=True)

    async def _changes(
        self, directories: set[str], ended: asyncio.Event
    ) -> AsyncGenerator[bool, None]:
        """Yield at each change whether it may concern the set of directories itself."""
        from watchfiles import Change, awatch

        root = self._tree.root
        watched = {str(root / one) if one else str(root) for one in directories}

        def concerns_directories(change: Change, path: str) -> bool:
            if path in watched:
                return change is not Change.modified
            return os.path.basename(path) in _RULES or os.path.isdir(path)  # noqa: PTH112, PTH119 - strings come in thousands

        try:
            changes = awatch(
                *sorted(watched),
                watch_filter=_filter(root),
                debounce=LONGEST_MS,
                step=QUIET_MS,
                stop_event=ended,
                recursive=False,
                ignore_permission_denied=True,
            )
            async for some in changes:
                yield any(concerns_directories(*one) for one in some)
        except FileNotFoundError:
            yield True  # a directory went before it was watched
        except OSError as exc:
            log.warning("watching_impossible", error=str(exc), count=len(watched))
            while not ended.is_set():
                await self._sleep(POLL_SECONDS)
                yield False

    async def _update(self) -> AsyncIterator[Update]:
        while not self._stop.is_set():
            try:
                fresh = await self._refresher.ensure(None)
            except InvalidRequestError:
                raise  # the root is gone
            except VictorMemoryError as exc:
                if failed := self._failed(exc):
                    yield failed
                return
            if fresh.problem and fresh.problem != self._problem:
                self._problem = fresh.problem
                yield Update(problem=fresh.problem)
            elif fresh.report is not None:
                self._problem = None
                if fresh.report.changed:
                    yield Update(report=fresh.report)
            if not fresh.elsewhere:
                return
            await self._sleep(RETRY_SECONDS)

    def _failed(self, exc: VictorMemoryError) -> Update | None:
        """Return what to say about *exc*, unless it was said."""
        told, self._problem = self._problem, str(exc)
        return None if told == self._problem else Update(problem=self._problem)

    async def _sleep(self, seconds: float) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stop.wait(), seconds)


def _filter(root: Path) -> Callable[[object, str], bool]:
    """Return what leaves out changes of files that are never indexed, by their names."""

    def matters(_change: object, path: str) -> bool:
        try:
            relative = Path(path).relative_to(root).as_posix()
        except ValueError:
            return True
        return refused_name(relative) is None

    return matters
