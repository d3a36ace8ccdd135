"""`CodebaseMemory`: the code below a directory, found by what it is called and what it does."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from victor_memory.codebase.answers import CodeHit, MappedFile, asks_for_overview
from victor_memory.codebase.build_lock import BuildLock
from victor_memory.codebase.chunking import Chunker, languages_of
from victor_memory.codebase.files import MAX_FILE_BYTES, SourceTree
from victor_memory.codebase.freshness import Freshness, Refresher
from victor_memory.codebase.indexer import Indexer, shared_directory
from victor_memory.codebase.progress import IndexProgress, IndexReport, Progress
from victor_memory.codebase.request import Mode, SearchRequest
from victor_memory.codebase.resident import ResidentChunks
from victor_memory.codebase.search import CodeSearch, Found
from victor_memory.codebase.vector_cache import VectorCache
from victor_memory.codebase.watch import Update, Watch
from victor_memory.types import StoreStats

if TYPE_CHECKING:
    from victor_memory.providers.base import BaseEmbeddingProvider
    from victor_memory.redaction import Redactor

WAIT: Final = 5.0
"""Seconds for which a search waits while the index is brought up to date, if nothing else is said:
less than any client's patience, and enough for what changes between two questions."""


@dataclass(frozen=True, slots=True)
class SearchAnswer:
    """What a search found, and how far the index was behind the files when it did."""

    query: str
    mode: Mode
    hits: tuple[CodeHit, ...]
    files: tuple[MappedFile, ...] = ()
    """The files that have most to do with the query, best first: a map for a first look."""
    overview: bool = False
    """Whether the query asks for the whole rather than for a place: then show the map first."""
    stale_files: int = 0
    """Files whose present content the answer does not know, or only by its words."""
    notice: str | None = None
    """What a person should know about this answer, with the next step."""
    refreshed: IndexReport | None = None
    """What the search indexed first, if anything."""


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

    *chunkers* are asked before the built-in one; *redactors* take secrets out of files, after the
    built-in rules; *vectors* spares the model what it has seen. The provider is opened when it is
    needed; closing it is its owner's business, after `close`. In a store on this machine, several
    working trees of one repository may share a collection.

    Raises:
        InvalidRequestError: *root* is not a directory that can be read.

    """

    def __init__(
        self,
        provider: BaseEmbeddingProvider,
        root: str | os.PathLike[str],
        *,
        chunkers: Sequence[Chunker] = (),
        redactors: Sequence[Redactor] = (),
        max_file_bytes: int = MAX_FILE_BYTES,
        vectors: VectorCache | None = None,
    ) -> None:
        self._provider = provider
        self._tree = SourceTree(root, max_file_bytes=max_file_bytes)
        self._indexer = Indexer(
            provider, self._tree, chunkers=chunkers, redactors=redactors, vectors=vectors
        )
        self._refresher = Refresher(self._indexer, BuildLock(shared_directory(provider)))
        self._resident = ResidentChunks(provider, self._indexer.view)
        self._indexer.listeners.append(self._resident)
        self._search = CodeSearch(provider, self._resident)
        self._languages = languages_of(chunkers)

    @property
    def root(self) -> Path:
        """The directory whose code this is."""
        return self._tree.root

    async def index(
        self, *, rebuild: bool = False, progress: Progress | None = None
    ) -> IndexReport:
        """Bring the index up to date, embedding only what changed; *rebuild* embeds everything.

        If another process is at it, that is waited for first. It may be interrupted at any moment:
        what is written stays, and the next run does the rest. *progress* is called in the event
        loop, from time to time.
        """
        return await self._refresher.run(rebuild=rebuild, progress=progress)

    def watch(self, stop: asyncio.Event) -> AsyncIterator[Update]:
        """Keep the index up to date while files change, until *stop* is set.

        Yields what was done, a moment after each change.
        """
        return Watch(self._tree, self._refresher, stop).updates()

    async def search(
        self,
        query: str,
        *,
        limit: int = 10,
        mode: str = "hybrid",
        path: str | None = None,
        language: str | None = None,
        kind: str | None = None,
        symbol: str | None = None,
        budget: int | None = None,
        refresh: bool = True,
        wait: float | None = WAIT,
    ) -> SearchAnswer:
        """Return up to *limit* pieces of code for *query*, best first.

        *mode* is `hybrid`, `semantic` (by meaning alone), `lexical` (by words alone), `symbol` (the
        definition of the name that *query* is) or `related` (what is like the place that *query*
        names, as `src/app.py:120-140`). *path* is a glob in git's syntax (`src/**/*.py`),
        *language* a name or an extension, *kind* what is defined (`function`, `class`, ...),
        *symbol* its name (`get` or `Client.get`). Together the texts have *budget* tokens at most.

        Unless *refresh* is false, whatever changed since the last run is indexed first, or all of
        it on first use. That is waited for *wait* seconds (`None`: until it is done) and then goes
        on behind the answer, which comes from what is there: its `notice` says so. So it does if
        another process is indexing, or the store cannot be written.

        Raises:
            InvalidRequestError: the query is empty, or another argument cannot be used.

        """
        asked = self.check_request(
            query,
            limit=limit,
            mode=mode,
            path=path,
            language=language,
            kind=kind,
            symbol=symbol,
            budget=budget,
        )
        fresh = await self._refresher.ensure(wait) if refresh else Freshness()
        found, foreign = await self._find(asked)
        if foreign and self._look_again(refresh=refresh):
            fresh = await self._refresher.ensure(wait) if refresh else fresh
            found, _ = await self._find(asked)
        return SearchAnswer(
            query=query,
            mode=asked.mode,
            hits=found.hits,
            files=found.files,
            overview=asks_for_overview(query),
            stale_files=fresh.stale,
            notice=fresh.notice() or await self._emptiness(found.hits),
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
        plan = await self._refresher.plan()
        view = self._indexer.view
        return CodebaseStatus(
            root=str(self.root),
            files=len(view),
            chunks=view.chunks,
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

    @property
    def progress(self) -> IndexProgress | None:
        """How far the indexing is that is under way in this event loop, if any is."""
        return self._refresher.progress

    async def open(self) -> bool:
        """Open the store if anything is indexed, so that the first search need not; say whether."""
        await self._indexer.sync()
        if not len(self._indexer.view):
            return False
        await self._provider.initialize()
        return True

    async def warm(self) -> None:
        """Make later searches fast: read the index into memory, if it is not too large for that."""
        await self._indexer.sync()
        await self._resident.warm()
        await self._search.warm([path for path, _ in self._indexer.view.items()])

    async def close(self) -> None:
        """Stop indexing, keeping what is done. The next call of another method begins anew."""
        await self._refresher.close()
        await self._resident.close()

    # -- searching --------------------------------------------------------------------------------

    async def _find(self, asked: SearchRequest) -> tuple[Found, bool]:
        """Return what is found, and whether there was something this tree does not see."""
        await self._indexer.sync()
        view, foreign = self._indexer.view, False

        def accept(path: str, digest: str) -> bool:
            nonlocal foreign
            accepted = view.accepts(path, digest)
            foreign = foreign or not accepted
            return accepted

        found = await self._search.find(asked, accept=accept, pending=self._indexer.pending)
        return found, foreign

    def _look_again(self, *, refresh: bool) -> bool:
        """Whether somebody else has written since; in some stores, only a second look can tell."""
        if self._indexer.shared:
            return self._indexer.view.stale()
        if refresh:
            self._indexer.forget()
        return refresh

    async def _emptiness(self, hits: Sequence[CodeHit]) -> str | None:
        view = self._indexer.view
        if hits or len(view) or (not view.known and await self._provider.count()):
            return None
        return (
            f"Nothing below {self.root} is indexed. Run victor-memory index there to see what was "
            "left out, and why."
        )
