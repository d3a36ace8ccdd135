"""`HistoryMemory`: why the code is as it is, found in what its commits say and touch.

A commit's hash is its record's id, and a commit never changes: whatever is stored is right, whoever
stored it. A run stores what is missing, newest first, removes what no branch or tag leads to any
more, and last of all writes down which tips it has seen; one that was killed is completed by the
next.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from victor_memory._event_loops import in_thread
from victor_memory._logging import get_logger
from victor_memory.codebase.build_lock import BuildLock
from victor_memory.codebase.commit_search import (
    FORMAT,
    KIND,
    CommitHit,
    HistoryMode,
    HistoryRequest,
    Prepared,
    dense_share_of,
    prepared,
    ranked,
)
from victor_memory.codebase.commits import Commit, Repository
from victor_memory.codebase.indexer import shared_directory
from victor_memory.errors import InvalidRequestError, VictorMemoryError
from victor_memory.filters import where
from victor_memory.redaction import Redactor, redact_secrets
from victor_memory.retrieval.fusion import fuse
from victor_memory.types import Hit, Record, StoreStats

if TYPE_CHECKING:
    from victor_memory.providers.base import BaseEmbeddingProvider

log = get_logger(__name__)
MAX_COMMITS: Final = 20_000
"""Commits that are searched, the newest, unless more are asked for."""
WAIT: Final = 5.0
"""Seconds for which a search waits while the history is read, if nothing else is said."""
POOL: Final = 300
"""Commits taken from each search before ranking, at least; ten are taken for each result."""
MAX_POOL: Final = 10_000
_STATE: Final = "history-state"
_COMMITS_PER_READ: Final = 512
_COMMITS_PER_WRITE: Final = 2048
_IDS_PER_DELETE: Final = 5000

T = TypeVar("T")
Progress = Callable[[int, int], None]
"""Told how many of how many commits are stored."""


@dataclass(frozen=True, slots=True)
class HistoryReport:
    """What one run did."""

    commits_written: int = 0
    commits_removed: int = 0
    commits: int = 0
    """Commits that can be searched now."""
    notes: tuple[str, ...] = ()
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class HistoryAnswer:
    """What a search of the history found."""

    query: str
    mode: HistoryMode
    hits: tuple[CommitHit, ...]
    notice: str | None = None
    """What a person should know about this answer, with the next step."""


@dataclass(frozen=True, slots=True)
class HistoryStatus:
    """What of the history can be searched."""

    root: str
    commits: int
    up_to_date: bool
    """Whether every commit that should be there is."""
    notes: tuple[str, ...]
    store: StoreStats


@dataclass(slots=True)
class _State:
    """What the last complete run saw: a digest of the tips, and what it had to say."""

    seen: str = ""
    notes: tuple[str, ...] = ()


class HistoryMemory:
    """Finds commits of the repository around *root*, which it keeps in *provider*.

    The collection is shared by all worktrees. The newest *max_commits* that a branch, a tag or a
    worktree leads to are searched. Messages are stored after `redact_secrets` and *redactors* have
    seen them. The provider is opened when it is needed; closing it is its owner's business, after
    `close`.
    """

    def __init__(
        self,
        provider: BaseEmbeddingProvider,
        root: str | os.PathLike[str],
        *,
        redactors: Sequence[Redactor] = (),
        max_commits: int = MAX_COMMITS,
    ) -> None:
        if max_commits < 1:
            msg = f"max_commits is {max_commits!r}; read at least one."
            raise InvalidRequestError(msg)
        self.root = Path(root)
        self._provider = provider
        self._redactors = (redact_secrets, *redactors)
        self._max_commits = max_commits
        self._lock = BuildLock(shared_directory(provider))
        self._running: asyncio.Task[HistoryReport] | None = None

    # -- keeping up -------------------------------------------------------------------------------

    async def update(self, progress: Progress | None = None) -> HistoryReport:
        """Store the commits that are not stored yet, and remove those that are gone.

        It may be interrupted at any moment: what is written stays, and the next run does the rest.

        Raises:
            InvalidRequestError: there is no repository.
            ProviderUnavailableError: git or the store cannot be used.
            PluginError: a redactor failed; the commits it was given are not stored.

        """
        started = time.perf_counter()
        repository = await asyncio.to_thread(Repository, self.root)
        tips = await asyncio.to_thread(repository.tips)
        await self._provider.initialize()
        if (report := await self._unchanged(tips)) is None:
            async with self._lock.turn():
                # Another process may have done it while this one waited.
                report = await self._unchanged(tips) or await self._update(
                    repository, tips, progress
                )
        return replace(report, seconds=time.perf_counter() - started)

    async def _unchanged(self, tips: str) -> HistoryReport | None:
        state = await self._state()
        if state.seen != self._seen(tips):
            return None
        return HistoryReport(commits=await self._count(), notes=state.notes)

    async def _update(
        self, repository: Repository, tips: str, progress: Progress | None
    ) -> HistoryReport:
        newest = await asyncio.to_thread(repository.newest, self._max_commits + 1)
        wanted, more = newest[: self._max_commits], len(newest) > self._max_commits
        cut_off = await asyncio.to_thread(repository.cut_off)
        stored = await self._stored()
        # A commit at the end of a shallow clone is read again once its parents are there.
        known = {sha for sha, whole in stored.items() if whole or sha in cut_off}
        gone = set(stored).difference(newest)
        if gone and more:
            gone.difference_update(await asyncio.to_thread(repository.newest, None))
        missing = [sha for sha in wanted if sha not in known]
        await self._remove(sorted(gone))
        written = 0
        async for batch in self._batches(repository.read(missing)):
            await self._write(batch)
            written += len(batch)
            if progress is not None:
                progress(written, len(missing))
        notes = _notes(self._max_commits if more else None, cut_off)
        if written or gone:
            await self._provider.compact()
        await self._put_state(_State(self._seen(tips), notes))
        log.info("history_indexed", records=written, count=len(gone))
        return HistoryReport(written, len(gone), await self._count(), notes)

    async def _batches(self, commits: Iterator[Commit]) -> AsyncIterator[list[Prepared]]:
        """Yield *commits* ready to be embedded; they are read and analysed in a thread."""
        ready: list[Prepared] = []

        def some() -> list[Prepared]:
            return [prepared(one, self._redactors) for one in islice(commits, _COMMITS_PER_READ)]

        try:
            while more := await in_thread(some):
                ready += more
                if len(ready) >= _COMMITS_PER_WRITE:
                    yield ready
                    ready = []
        finally:
            commits.close()  # type: ignore[attr-defined]  # a generator: it ends git
        if ready:
            yield ready

    async def _write(self, batch: Sequence[Prepared]) -> None:
        vectors = await self._provider.embedder.embed([one.embedded for one in batch])
        await self._provider.upsert(
            replace(one.record, vector=vector) for one, vector in zip(batch, vectors, strict=True)
        )

    async def _remove(self, shas: Sequence[str]) -> None:
        for start in range(0, len(shas), _IDS_PER_DELETE):
            await self._provider.delete(shas[start : start + _IDS_PER_DELETE])

    async def _stored(self) -> dict[str, bool]:
        """Return the hashes that are stored, and whether what each touches is known."""
        found: dict[str, bool] = {}
        async for batch in self._provider.scan(where("kind", "=", KIND), batch_size=2000):
            for one in batch:
                if one.metadata.get("format") == FORMAT:
                    found[one.id] = bool(one.metadata.get("whole"))
        return found

    async def _count(self) -> int:
        return await self._provider.count(where("kind", "=", KIND))

    # -- what the last run saw --------------------------------------------------------------------

    def _seen(self, tips: str) -> str:
        packed = f"{FORMAT}|{self._max_commits}|{tips}".encode("utf-8", "surrogateescape")
        return hashlib.sha256(packed).hexdigest()

    async def _state(self) -> _State:
        for one in await self._provider.get([_STATE]):
            notes = one.metadata.get("notes")
            return _State(str(one.metadata.get("seen")), tuple(notes or ()))
        return _State()

    async def _put_state(self, state: _State) -> None:
        text = "Which tips of the repository are stored."
        (vector,) = await self._provider.embedder.embed([text])
        kept: dict[str, Any] = {"kind": "state", "seen": state.seen, "notes": list(state.notes)}
        await self._provider.upsert([Record(_STATE, text, vector, kept)])

    # -- asking -----------------------------------------------------------------------------------

    async def search(
        self,
        query: str,
        *,
        limit: int = 10,
        mode: str = "hybrid",
        path: str | None = None,
        author: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        refresh: bool = True,
        wait: float | None = WAIT,
    ) -> HistoryAnswer:
        """Return up to *limit* commits that answer *query*, best first.

        *mode* is `hybrid`, `semantic` (by meaning alone) or `lexical` (by words alone). Only
        commits that touch a file matching *path*, a glob in git's syntax from the repository's top;
        only by an *author* whose name contains this; only from *since* and before *until*. A file
        is not followed through renames.

        Unless *refresh* is false, new commits are stored first; that is waited for *wait* seconds
        (`None`: until it is done) and then goes on behind the answer, whose `notice` says so.

        Raises:
            InvalidRequestError: the query is empty, an argument cannot be used, or there is no
                repository.
            ProviderUnavailableError: git or the store cannot be used.

        """
        asked = self.check_request(
            query, limit=limit, mode=mode, path=path, author=author, since=since, until=until
        )
        notice = await self._refreshed(wait) if refresh else None
        hits = await self._find(asked)
        if not hits and notice is None and not await self._count():
            notice = "No commit is stored. Commit something, and search again."
        return HistoryAnswer(query, asked.mode, tuple(hits), notice)

    def check_request(self, query: str, **given: Any) -> HistoryRequest:
        """Return the request if `search` can answer it, before anything is done for it.

        Raises:
            InvalidRequestError: it cannot; the message names the argument and the next step.

        """
        return HistoryRequest.of(query, **given)

    async def status(self) -> HistoryStatus:
        """Return what of the history can be searched; no commit is read.

        Raises:
            InvalidRequestError: there is no repository.

        """
        repository = await asyncio.to_thread(Repository, self.root)
        tips = await asyncio.to_thread(repository.tips)
        state = await self._state()
        return HistoryStatus(
            root=str(self.root),
            commits=await self._count(),
            up_to_date=state.seen == self._seen(tips),
            notes=state.notes,
            store=await self._provider.stats(),
        )

    async def close(self) -> None:
        """Stop reading, keeping what is done. The next call of another method begins anew."""
        running, self._running = self._running, None
        if running is not None and running.get_loop() is asyncio.get_running_loop():
            running.cancel()
            with suppress(asyncio.CancelledError, VictorMemoryError):
                await running

    async def _refreshed(self, wait: float | None) -> str | None:
        """Bring the memory up to date, and return what there is to say about it."""
        running = self._running
        loop = asyncio.get_running_loop()
        if running is None or running.done() or running.get_loop() is not loop:
            running = self._running = asyncio.create_task(self.update())
        done, _ = await asyncio.wait({running}, timeout=wait)
        if not done:
            return (
                f"The history is still being read: {await self._count()} commits, the newest, "
                "are searched. Ask again in a moment."
            )
        self._running = None
        return " ".join(running.result().notes) or None

    async def _find(self, asked: HistoryRequest) -> list[CommitHit]:
        accept = asked.accepts()
        pool = min(MAX_POOL, max(POOL, 10 * asked.limit))
        while True:
            lexical, dense = await asyncio.gather(
                self._by_words(asked, pool), self._by_meaning(asked, pool)
            )
            hits = {hit.id: hit for hit in (*lexical, *dense) if accept(hit)}
            exhausted = max(len(lexical), len(dense)) < pool or pool == MAX_POOL
            if len(hits) >= asked.limit or exhausted:
                break
            # The glob is applied here, not by the store: it may need a deeper look.
            pool = min(MAX_POOL, pool * 4)
        fused = fuse(
            {hit.id: hit.score for hit in lexical if hit.id in hits},
            {hit.id: hit.score for hit in dense if hit.id in hits},
            dense_share_of(asked),
        )
        return await asyncio.to_thread(ranked, asked, hits, fused)

    async def _by_words(self, asked: HistoryRequest, pool: int) -> list[Hit]:
        if asked.mode == "semantic":
            return []
        return await self._provider.search_text(asked.query, limit=pool, where=asked.conditions())

    async def _by_meaning(self, asked: HistoryRequest, pool: int) -> list[Hit]:
        if asked.mode == "lexical":
            return []
        (vector,) = await self._provider.embedder.embed([asked.query], purpose="query")
        return await self._provider.search(vector, limit=pool, where=asked.conditions())


def _notes(limit: int | None, cut_off: frozenset[str]) -> tuple[str, ...]:
    notes: list[str] = []
    if limit is not None:
        notes.append(
            f"Only the newest {limit} commits are searched; VICTOR_HISTORY_COMMITS sets how many."
        )
    if cut_off:
        notes.append(
            "The clone is shallow, so older commits are not there. Run: git fetch --unshallow"
        )
    return tuple(notes)
