"""`CodebaseMemory`: the code below a directory, found by what it is called and what it does."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakKeyDictionary

from victor_memory._logging import get_logger
from victor_memory.codebase.chunking import Chunker, languages_of
from victor_memory.codebase.files import MAX_FILE_BYTES, SourceTree
from victor_memory.codebase.indexer import Indexer, IndexReport, Plan, Progress
from victor_memory.codebase.search import CodeHit, CodeSearch, Mode, SearchRequest
from victor_memory.errors import ProviderUnavailableError
from victor_memory.types import StoreStats

if TYPE_CHECKING:
    from victor_memory.providers.base import BaseEmbeddingProvider

log = get_logger(__name__)
REFRESH_FILES: Final = 200
"""A search waits for so many changed files to be indexed; beyond, it answers from what is there."""


@dataclass(frozen=True, slots=True)
class SearchAnswer:
    """What a search found, and how far the index was behind the files when it did."""

    query: str
    mode: Mode
    hits: tuple[CodeHit, ...]
    stale_files: int = 0
    """Files whose present content the answer does not know."""
    notice: str | None = None
    """What a person should know about this answer, with the next step."""
    refreshed: IndexReport | None = None
    """What the search indexed first, if anything."""


@dataclass(frozen=True, slots=True)
class _Freshness:
    """How far the index is behind the files after a search has tried to bring it up to date."""

    report: IndexReport | None = None
    stale: int = 0
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class CodebaseStatus:
    """What is indexed of a directory, and what is not."""

    root: str
    files: int
    """Files in the index."""
    chunks: int
    stale_files: int
    """Files that the next index run would write or remove."""
    source: str
    left_out: Mapping[str, int]
    left_out_examples: Mapping[str, Sequence[str]]
    notes: tuple[str, ...]
    store: StoreStats


class CodebaseMemory:
    """Finds code below *root*, and keeps its index in *provider* up to date.

    *chunkers* are asked before the built-in one. The provider is opened when it is needed; closing
    it is its owner's business. One provider holds one root.

    Raises:
        InvalidRequestError: *root* is not a directory that can be read.

    """

    def __init__(
        self,
        provider: BaseEmbeddingProvider,
        root: str | os.PathLike[str],
        *,
        chunkers: Sequence[Chunker] = (),
        max_file_bytes: int = MAX_FILE_BYTES,
    ) -> None:
        self._provider = provider
        self._tree = SourceTree(root, max_file_bytes=max_file_bytes)
        self._indexer = Indexer(provider, self._tree, chunkers=chunkers)
        self._search = CodeSearch(provider)
        self._languages = languages_of(chunkers)
        self._locks: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = (
            WeakKeyDictionary()
        )

    @property
    def root(self) -> Path:
        """The directory whose code this is."""
        return self._tree.root

    async def index(
        self, *, rebuild: bool = False, progress: Progress | None = None
    ) -> IndexReport:
        """Bring the index up to date, embedding only what changed; *rebuild* embeds everything.

        It may be interrupted at any moment: what is written stays, and the next run does the rest.
        *progress* is called in the event loop, from time to time.
        """
        async with self._lock():
            return await self._indexer.run(rebuild=rebuild, progress=progress)

    async def search(
        self,
        query: str,
        *,
        limit: int = 10,
        mode: str = "hybrid",
        path: str | None = None,
        language: str | None = None,
        refresh: bool = True,
    ) -> SearchAnswer:
        """Return up to *limit* pieces of code for *query*, best first.

        *mode* is `hybrid`, `semantic` (by meaning alone) or `lexical` (by words alone). *path* is a
        glob in git's syntax (`src/**/*.py`), *language* a name or an extension.

        Unless *refresh* is false, whatever changed since the last run is indexed first, or all of
        it on first use; if that is very much, or the store cannot be written, the answer comes from
        what is indexed, and its `notice` says so.

        Raises:
            InvalidRequestError: the query is empty, or another argument cannot be used.

        """
        asked = self.check_request(query, limit=limit, mode=mode, path=path, language=language)
        fresh = await self._refresh() if refresh else _Freshness()
        hits = await self._search.find(asked)
        if refresh and not fresh.stale and self._outdated(hits):
            # Another process has written since this one looked at the store.
            self._indexer.forget()
            fresh = await self._refresh()
            hits = await self._search.find(asked)
        return SearchAnswer(
            query=query,
            mode=asked.mode,
            hits=tuple(hit for hit, _ in hits),
            stale_files=fresh.stale,
            notice=await self._notice(fresh, found=bool(hits)),
            refreshed=fresh.report,
        )

    def check_request(self, query: str, **given: Any) -> SearchRequest:
        """Return the request if `search` can answer it, before anything is done for it.

        Raises:
            InvalidRequestError: it cannot; the message names the argument and the next step.

        """
        return SearchRequest.of(query, **given, languages=self._languages)

    async def status(self) -> CodebaseStatus:
        """Return what is indexed and what is not, indexing nothing."""
        async with self._lock():
            plan = await self._indexer.plan()
            stored = await self._indexer.stored()
        return CodebaseStatus(
            root=str(self.root),
            files=len(stored),
            chunks=stored.chunks,
            stale_files=plan.pending,
            source=plan.source,
            left_out=dict(plan.omissions.counts),
            left_out_examples={name: tuple(some) for name, some in plan.omissions.examples.items()},
            notes=tuple(plan.notes),
            store=await self._provider.stats(),
        )

    async def stats(self) -> StoreStats:
        """Return what the store says about itself; no file is looked at."""
        return await self._provider.stats()

    # -- freshness --------------------------------------------------------------------------------

    def _lock(self) -> asyncio.Lock:
        # One run at a time; each event loop has its own lock, and two loops are like two processes.
        return self._locks.setdefault(asyncio.get_running_loop(), asyncio.Lock())

    async def _refresh(self) -> _Freshness:
        """Index what changed if it is little, or everything on first use; say what is left."""
        async with self._lock():
            plan = await self._indexer.plan()
            if plan.clean:
                return _Freshness()
            first = _first_use(plan)
            if plan.pending > REFRESH_FILES and not first:
                log.info("refresh_postponed", files=plan.pending)
                return _Freshness(stale=plan.pending)
            try:
                if first:
                    return _Freshness(await self._indexer.run())
                return _Freshness(await self._indexer.apply(plan))
            except ProviderUnavailableError as exc:
                if not plan.stored:
                    raise
                # A full disk, or a place that is only for reading: what is there is still good.
                return _Freshness(stale=plan.pending, problem=str(exc))

    def _outdated(self, hits: Iterable[tuple[CodeHit, str]]) -> bool:
        return any(self._indexer.disagrees(hit.path, digest) for hit, digest in hits)

    async def _notice(self, fresh: _Freshness, *, found: bool) -> str | None:
        if fresh.problem:
            return f"The index could not be brought up to date: {fresh.problem}"
        if fresh.stale:
            return (
                f"{fresh.stale} files changed since they were indexed: they are searched "
                "as they were. Bring them up to date with: victor-memory index"
            )
        if not found and not await self._provider.count():
            return (
                f"Nothing below {self.root} is indexed. Run victor-memory index there to see what "
                "was left out, and why."
            )
        return None


def _first_use(plan: Plan) -> bool:
    """Whether the index was never finished: more files are new to it than it knows."""
    return plan.new > plan.stored
