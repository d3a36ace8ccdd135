"""What one working tree sees of a collection, in this process's memory.

A search that does not ask the store answers in a fraction of the time, over any store. The copy is
made in the background once a process has searched before: a program that searches once is better
off without. It is used while it holds exactly the versions of files that the view names.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Iterable, Sequence
from typing import TYPE_CHECKING, Final

from victor_memory._event_loops import Background
from victor_memory._logging import get_logger
from victor_memory.codebase.found import FoundChunk
from victor_memory.codebase.records import Version
from victor_memory.filters import where

if TYPE_CHECKING:
    from victor_memory.codebase.views import View
    from victor_memory.providers.base import BaseEmbeddingProvider
    from victor_memory.retrieval.resident import ResidentIndex
    from victor_memory.types import Record

log = get_logger(__name__)
LIMIT: Final = 50_000
"""Chunks beyond which the store searches by itself, because a copy takes memory for each."""
PATHS_PER_READ: Final = 256
FILES_AT_ONCE: Final = 64
"""Files that others wrote and a search waits for; more are read in the background."""


class ResidentChunks:
    """Holds what *view* names of *provider*'s chunks, if they are at most *limit*."""

    def __init__(self, provider: BaseEmbeddingProvider, view: View, limit: int = LIMIT) -> None:
        self._provider = provider
        self._view = view
        self._limit = limit
        self._index: ResidentIndex[FoundChunk] | None = None
        self._held: dict[Version, None] = {}
        self._synced = -1
        """The version of the view that the copy was last compared with."""
        self._searches = 0
        self._loading = Background()

    async def current(self) -> ResidentIndex[FoundChunk] | None:
        """Return the copy if it is what the view says now; start to make it if that pays."""
        if self._synced != self._view.version and not self.fits:
            self._forget()
            return None
        if self._index is None:
            self._searches += 1
            if self._searches > 1:
                await self._loading.go_on(self._load)
        elif self._synced != self._view.version:
            missing = self._compare()
            if len(missing) > FILES_AT_ONCE:
                await self._loading.go_on(self._load)
            elif missing:
                await self._read(missing)
                if self._index is None:
                    return None  # forgotten meanwhile: the index is built anew
                self._compare()
        return self._index if self._synced == self._view.version else None

    async def warm(self) -> None:
        """Make the copy, or wait for that if it is under way."""
        await self._loading.finish(self._load)

    async def close(self) -> None:
        """Stop what is under way, and forget the copy."""
        await self._loading.stop()
        self._forget()

    # -- told by the indexer ----------------------------------------------------------------------

    def written(self, path: str, digest: str, records: Sequence[Record]) -> None:
        """Take over a version that was just stored, with its vectors and terms."""
        if self._index is not None:
            self._put((path, digest), records)

    def removed(self, path: str, digest: str) -> None:
        """Forget a version that has left the store."""
        if self._index is not None:
            self._index.remove((path, digest))
            self._held.pop((path, digest), None)

    def reset(self) -> None:
        """Forget everything."""
        self._forget()

    # -- keeping up -------------------------------------------------------------------------------

    @property
    def fits(self) -> bool:
        """Whether what the view names is known, and little enough to be held."""
        return self._view.known and self._view.chunks <= self._limit

    def _forget(self) -> None:
        self._index, self._held, self._synced = None, {}, -1

    def _compare(self) -> list[Version]:
        """Forget what the view does not name; return what it names and is not here."""
        assert self._index is not None
        wanted = dict.fromkeys(self._view.items())
        version = self._view.version
        for gone in self._held.keys() - wanted.keys():
            self._index.remove(gone)
            del self._held[gone]
        missing = [one for one in wanted if one not in self._held]
        if not missing:
            self._synced = version
        return missing

    async def _load(self) -> None:
        if not self.fits:
            return
        try:
            if self._index is None:
                from victor_memory.retrieval.resident import ResidentIndex

                self._index = ResidentIndex(self._provider.metric)
            missing = self._compare()
            if len(missing) * 2 > len(self._view):
                await self._take(self._provider.scan(with_vectors=True), set(missing))
            else:
                await self._read(missing)
            if self._index is not None:  # not forgotten meanwhile
                await asyncio.to_thread(len, self._index)
                self._compare()
        except Exception as exc:  # noqa: BLE001 - the store answers without it
            log.warning("resident_copy_failed", error_type=type(exc).__name__, error=str(exc))
            self._forget()

    async def _read(self, wanted: Sequence[Version]) -> None:
        for start in range(0, len(wanted), PATHS_PER_READ):
            some = set(wanted[start : start + PATHS_PER_READ])
            condition = where("file_path", "in", sorted({path for path, _ in some}))
            await self._take(self._provider.scan(condition, with_vectors=True), some)

    async def _take(
        self, batches: AsyncIterator[list[Record]], wanted: Collection[Version]
    ) -> None:
        """Hold those of *batches* whose versions are *wanted*, if they are there completely."""
        found: dict[Version, list[Record]] = {}
        async for batch in batches:
            for record in batch:
                data = record.metadata
                version = str(data.get("file_path")), str(data.get("file_hash"))
                if version in wanted:
                    found.setdefault(version, []).append(record)
            await asyncio.sleep(0)
        for version, records in found.items():
            # One that is being written or removed by another process is looked for again later.
            if len(records) == records[0].metadata.get("chunk_count"):
                self._put(version, records)

    def _put(self, version: Version, records: Iterable[Record]) -> None:
        from victor_memory.retrieval.resident import Row

        rows = []
        for record in records:
            chunk = FoundChunk.of(record.id, record.text, record.metadata)
            if chunk is not None:
                rows.append(Row(record.id, chunk, record.terms or "", record.vector))
        if self._index is not None:
            self._index.put(version, rows)
            self._held[version] = None
