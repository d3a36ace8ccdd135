"""The index of a directory, brought up to date by content: only what changed is embedded again.

A run looks at every file, compares contents with what this working tree is known to have indexed,
and writes the difference. A new version of a file is written beside the old one; then the tree's
view changes over to it; then the old one is deleted, unless another worktree sees it. There is no
order of kills and concurrent runs that a later run does not put right.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from victor_memory._logging import get_logger
from victor_memory.codebase.chunking import Chunker
from victor_memory.codebase.contents import Contents
from victor_memory.codebase.cutting import Cutter
from victor_memory.codebase.cutting_process import CuttingAhead, ahead, ready_to_cut
from victor_memory.codebase.files import Listing, SourceTree
from victor_memory.codebase.pending import PendingChunks
from victor_memory.codebase.pipeline import Pipeline, Ready, Tally
from victor_memory.codebase.progress import (
    IndexListener,
    IndexProgress,
    IndexReport,
    Plan,
    Progress,
)
from victor_memory.codebase.records import (
    CutFile,
    StoredFiles,
)
from victor_memory.codebase.sweeping import Sweeper
from victor_memory.codebase.vector_cache import Embedding, VectorCache
from victor_memory.codebase.views import View, Views
from victor_memory.errors import (
    MissingDependencyError,
    ProviderClosedError,
    ProviderError,
    ProviderUnavailableError,
)
from victor_memory.filters import where

if TYPE_CHECKING:
    from victor_memory.providers.base import BaseEmbeddingProvider
    from victor_memory.redaction import Redactor

log = get_logger(__name__)
PATHS_PER_QUERY: Final = 32
"""Files that are looked up in the store by name; for more of them the whole store is read."""


class Indexer:
    """Keeps what *provider* holds of the directory behind *tree* up to date.

    Who calls `run`, `apply` or `clear` must hold the lock of the collection.
    """

    def __init__(
        self,
        provider: BaseEmbeddingProvider,
        tree: SourceTree,
        *,
        chunkers: Sequence[Chunker] = (),
        redactors: Sequence[Redactor] = (),
        vectors: VectorCache | None = None,
    ) -> None:
        self.provider = provider
        self.tree = tree
        self.pending = PendingChunks()
        """What is cut and not stored yet, while a run is under way."""
        self.listeners: list[IndexListener] = []
        self._views = Views(shared_directory(provider), tree.root)
        self._sweeper = Sweeper(provider, self._views, self.listeners)
        self._vectors = vectors
        self._cutter = Cutter(tree, chunkers, redactors)
        self._redacted = 0
        self._stored: StoredFiles | None = None
        self._generation: str | None = None
        """That of the store when `_stored` was true."""
        self._contents = Contents(tree, self._cutter.recipe)

    @property
    def view(self) -> View:
        """The files of this working tree as they are indexed."""
        return self._views.own

    @property
    def shared(self) -> bool:
        """Whether other processes can see what this one writes in the view, and it theirs."""
        return shared_directory(self.provider) is not None

    async def run(self, *, rebuild: bool = False, progress: Progress | None = None) -> IndexReport:
        """Bring the index up to date; with *rebuild*, embed everything anew.

        Every file is read, and the store unless nobody has written to it since. It is compacted
        afterwards if anything was written. To rebuild, the collection is deleted first, unless
        other working trees use it: then what this one sees is written over, and they go on.
        """
        started = time.perf_counter()
        # What cuts is begun before the store and the model are loaded, which takes this process a
        # while; and where there surely is something to cut, before it is known what. Without a
        # view of its own, only the store says what there is.
        busy = self.shared and not self.provider.opened
        await self.sync()
        cutting = ready_to_cut(self._cutter) if busy and (rebuild or not len(self.view)) else None
        try:
            if rebuild and not await self._used_elsewhere():
                await self.clear()
            self._contents.forget()
            found, listing = await self._look(progress)
            await self.sync()
            paths = list(found if rebuild else self._unlike_view(found))
            cutting = ahead(self._cutter, paths, ready=cutting, busy=busy)
            await self._check_stored()
            plan = await self._plan(found, listing)
            if rebuild:
                plan.changed, plan.garbage = list(found), True
            report = await self.apply(plan, progress, fresh=rebuild, cutting=cutting)
        finally:
            if cutting is not None:
                await asyncio.to_thread(cutting.close)
        if report.changed or plan.garbage:
            _tell(progress, IndexProgress("compact", report.files_indexed, report.files_indexed))
            await self.compact()
        return replace(report, seconds=time.perf_counter() - started)

    async def compact(self) -> None:
        """Let the store do its housekeeping."""
        await self.provider.compact()
        self._generation = await self.provider.generation()

    async def _used_elsewhere(self) -> bool:
        """Whether other working trees see anything of the collection, and it can be read."""
        if not await asyncio.to_thread(self._views.elsewhere):
            return False
        try:
            async for _ in self.provider.scan(with_vectors=True):
                pass
        except (MissingDependencyError, ProviderClosedError, ProviderUnavailableError):
            raise  # nothing is wrong with the data
        except ProviderError as exc:
            log.warning("shared_index_unreadable", error=str(exc))
            return False
        self._stored = None
        return True

    async def clear(self) -> None:
        """Delete the collection, whatever wrote it, with the views of all working trees."""
        await asyncio.to_thread(self._views.clear)
        await self.provider.recreate()
        for one in self.listeners:
            one.reset()

    def forget(self) -> None:
        """Believe nothing about the store and the files that is not read again."""
        self._stored = None
        self._contents.forget()

    async def _check_stored(self) -> None:
        """Forget what is known of the store if anybody has written to it since."""
        await self.provider.initialize()
        now = await self.provider.generation()
        if now is None or now != self._generation:
            self._stored = None

    # -- looking ----------------------------------------------------------------------------------

    async def sync(self) -> None:
        """Take note of what other processes wrote for this working tree."""
        if self.view.stale():
            news = await asyncio.to_thread(self.view.sync)
            if self._stored is not None:
                for path, (digest, count) in news.items():
                    self._stored.put((path, digest), count)

    async def plan(self, progress: Progress | None = None) -> Plan:
        """Return what separates the index from the files, reading no more than it must.

        A file that this process has read is not read again while its size, inode and times of
        change are the same; likewise the store, until the two differ.
        """
        return await self._plan(*await self._look(progress))

    async def _look(self, progress: Progress | None) -> tuple[dict[str, str], Listing]:
        return await self._contents.look(lambda n: _tell(progress, IndexProgress("scan", n, None)))

    async def _plan(self, found: Mapping[str, str], listing: Listing) -> Plan:
        plan = await self._compare(found)
        plan.source, plan.omissions = listing.source, listing.omissions
        plan.notes = [listing.note] if listing.note else []
        return plan

    async def _compare(self, found: Mapping[str, str]) -> Plan:
        signature = self._views.signature()
        await self.sync()
        trusted = self._stored is not None
        stored = await self.stored()
        if not (trusted or self.shared):
            self._see(stored, found)
        changed = self._changed(found, stored)
        if trusted and changed:
            # Somebody else may have been here since.
            if not await self._read_again(stored, changed):
                self._stored = None
                return await self._compare(found)
            if not self.shared:
                self._see(stored, found)
                changed = self._changed(found, stored)
        return Plan(
            found=found,
            changed=changed,
            removed=[path for path in self.view if path not in found],
            garbage=not trusted and await self._sweeper.has_garbage(stored, found),
            signature=signature,
        )

    def outdated(self, plan: Plan) -> bool:
        """Whether anybody has changed the collection since *plan* was made."""
        return plan.signature != self._views.signature()

    async def _read_again(self, stored: StoredFiles, paths: Sequence[str]) -> bool:
        """Read again what the store holds of *paths*, unless they are so many that all is read."""
        if len(paths) > PATHS_PER_QUERY:
            return False
        stored.forget(paths)
        async for batch in self.provider.scan(where("file_path", "in", paths)):
            stored.add(batch)
        stored.settle()
        return True

    def _see(self, stored: StoredFiles, found: Mapping[str, str]) -> None:
        """Make the view of a collection that is not shared: it is all that is stored completely."""
        complete = dict(stored.complete())
        for path, digest in found.items():
            if (count := stored.count(path, digest)) is not None:
                complete[path] = digest, count
        self.view.commit(complete, [path for path in self.view if path not in complete])

    def _unlike_view(self, found: Mapping[str, str]) -> Iterator[str]:
        view = self.view
        return (path for path, digest in found.items() if view.digest(path) != digest)

    def _changed(self, found: Mapping[str, str], stored: StoredFiles) -> list[str]:
        view = self.view
        return [
            path
            for path, digest in found.items()
            if view.digest(path) != digest or stored.count(path, digest) is None
        ]

    async def stored(self) -> StoredFiles:
        """Return which versions the store holds."""
        if self._stored is None:
            stored = StoredFiles()
            self._generation = await self.provider.generation()
            async for batch in self.provider.scan(batch_size=2000):
                stored.add(batch)
            stored.settle()
            self._stored = stored
        return self._stored

    # -- writing ----------------------------------------------------------------------------------

    async def apply(
        self,
        plan: Plan,
        progress: Progress | None = None,
        *,
        fresh: bool = False,
        cutting: CuttingAhead | None = None,
    ) -> IndexReport:
        """Write what *plan* says is missing, and remove what it says is gone.

        When cancelled, what is embedded already is still written, and nothing else is lost. With
        *fresh*, no vector is taken from the cache. *cutting* has begun to cut the files.
        """
        started = time.perf_counter()
        try:
            report = await self._apply(plan, progress, cutting, fresh=fresh)
        except BaseException:
            self._stored = None
            raise
        finally:
            self.pending.clear()
        self._generation = await self.provider.generation()
        log.info(
            "codebase_indexed",
            files=report.files_indexed,
            records=report.chunks_written,
            count=report.files_removed,
        )
        return replace(report, seconds=time.perf_counter() - started)

    async def _apply(
        self,
        plan: Plan,
        progress: Progress | None,
        cutting: CuttingAhead | None,
        *,
        fresh: bool,
    ) -> IndexReport:
        stored = await self.stored()
        embedding = Embedding(self.provider.embedder, self._vectors)
        self._redacted = 0
        adopted = {
            path: (plan.found[path], count)
            for path in plan.changed
            if not fresh and (count := stored.count(path, plan.found[path])) is not None
        }
        await self._commit(adopted)
        missing = [path for path in plan.changed if path not in adopted]

        def tell(tally: Tally) -> None:
            done = len(adopted) + tally.seen
            _tell(progress, IndexProgress("index", done, len(plan.changed), tally.chunks))

        if missing:
            tell(Tally())
        tally = Tally()
        if missing:
            cutting = cutting or ahead(self._cutter, missing)
            cutter = cutting or self._cutter
            pipeline = Pipeline(
                lambda path: self._cut(path, cutter),
                embedding,
                self._store,
                self.pending,
                fresh=fresh,
            )
            try:
                tally = await pipeline.run(missing, tell)
            finally:
                if cutting is not None:
                    await asyncio.to_thread(cutting.close)
        # Last, so that a file that moved is found under one of its names at any time.
        await self._commit({}, plan.removed)
        await self._sweeper.sweep(
            await self.stored(), [*plan.changed, *plan.removed], everything=plan.garbage
        )
        return replace(
            plan.report(),
            files_indexed=len(adopted) + tally.files,
            files_removed=len(plan.removed),
            chunks_written=tally.chunks,
            chunks_embedded=embedding.embedded,
            chunks_cached=embedding.cached,
            secrets_redacted=self._redacted,
            notes=(*plan.notes, *tally.problems),
        )

    def _cut(
        self, path: str, cutter: Cutter | CuttingAhead
    ) -> tuple[CutFile | None, Sequence[str]]:
        done = cutter.cut(path)
        self._redacted += done.secrets
        return done.file, done.problems

    async def _store(self, ready: list[Ready]) -> None:
        stored = await self.stored()
        before = {one for file, _ in ready for one in stored.ids((file.path, file.digest))}
        await self.provider.upsert([one for _, made in ready for one in made])
        # A version that is written again may have been cut into more pieces before.
        if more := before.difference(one.id for _, made in ready for one in made):
            await self.provider.delete(sorted(more))
        for file, made in ready:
            stored.put((file.path, file.digest), len(made))
        # Only now: until here, a reader found the old content rather than nothing.
        await self._commit({file.path: (file.digest, len(made)) for file, made in ready})
        for listener in self.listeners:
            for file, made in ready:
                listener.written(file.path, file.digest, made)

    async def _commit(self, put: Mapping[str, tuple[str, int]], drop: Sequence[str] = ()) -> None:
        try:
            await asyncio.to_thread(self.view.sync)
            await asyncio.to_thread(self.view.commit, put, drop)
        except OSError as exc:
            msg = (
                f"The list of indexed files in {self.provider.directory} cannot be written: {exc}. "
                "Free some space, change the permissions, or set VICTOR_EMBEDDINGS_DIR."
            )
            raise ProviderUnavailableError(msg) from exc


def shared_directory(provider: BaseEmbeddingProvider) -> Path | None:
    """Return the directory of a collection that several working trees and processes share."""
    traits = provider.traits
    return provider.directory if traits.persistent and not traits.remote else None


def _tell(progress: Progress | None, state: IndexProgress) -> None:
    if progress is not None:
        progress(state)
