"""`BaseEmbeddingProvider`: the one protocol of every vector store.

The class is written in two halves. The public half (never overridden) opens the store when it is
first needed, checks every argument, and lets no foreign exception out. A store writes the other
half, the methods that begin with an underscore: they are called on an open store, with checked
arguments, and may raise whatever their client raises.

`_lifecycle` holds opening, closing and the error boundary, `_documents` the host's operations on
texts, `_records` the checks.
"""

from __future__ import annotations

import abc
import asyncio
import uuid
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from victor_memory.errors import (
    InvalidRequestError,
    ProviderClosedError,
    ProviderError,
    UnsupportedOperationError,
)
from victor_memory.filters import FilterLike, has_condition, parse_filter
from victor_memory.filters import where as condition
from victor_memory.providers import _records
from victor_memory.providers._documents import Documents
from victor_memory.providers._lifecycle import Lifecycle, ProviderOptions
from victor_memory.retrieval.bm25 import InvertedIndex
from victor_memory.retrieval.text import analyse, query_terms
from victor_memory.specs import ComponentSpec
from victor_memory.types import Hit, Record, StoreStats

if TYPE_CHECKING:
    from pathlib import Path

    from victor_memory.filters import Filter
    from victor_memory.types import Vector

__all__ = ["BaseEmbeddingProvider", "ProviderOptions", "ProviderSpec"]


class BaseEmbeddingProvider(Lifecycle, Documents):
    """A collection of embedded records in one vector store.

    Constructing it touches nothing. The store is opened by `initialize`, or by the first operation;
    after `close` every operation raises `ProviderClosedError`. Instances may be shared by tasks,
    and used from one event loop after another.

    Any operation can raise `ProviderUnavailableError` (the engine is away, the disk full or
    read-only) and `ProviderError` (the engine refused; its exception is the `__cause__`).
    """

    # -- storage operations -----------------------------------------------------------------------

    async def upsert(self, records: Iterable[Record]) -> int:
        """Store *records*, replacing those with the same id; return how many were stored.

        Within one call the last record of an id wins. When the call returns, the records survive a
        crash of the process (in a persistent store) and every reader sees them.

        Raises:
            InvalidRequestError: a record cannot be stored; none of the call's records is.
            DimensionMismatchError: a vector has the wrong length; none of the records is stored.

        """
        async with self._operation("upsert"):
            ready = _records.prepare(records, self.dimension, self.metric)
            if ready:
                await self._upsert(ready)
            return len(ready)

    async def search(
        self,
        vector: Sequence[float] | Vector,
        *,
        limit: int = 10,
        where: FilterLike | None = None,
        min_score: float | None = None,
    ) -> list[Hit]:
        """Return up to *limit* records most similar to *vector*, best first, ties by id.

        *where* restricts the candidates before the nearest are chosen; *min_score* drops weaker
        hits.

        Raises:
            InvalidRequestError: the vector, the limit or the filter cannot be used.
            DimensionMismatchError: the vector has the wrong length.

        """
        async with self._operation("search"):
            count = _records.check_limit(limit)
            query = _records.check_vector(vector, self.dimension, self.metric, "The query vector")
            hits = await self._search(query, count, parse_filter(where))
            return _ranked(hits, count, min_score)

    async def search_text(
        self, query: str, *, limit: int = 10, where: FilterLike | None = None
    ) -> list[Hit]:
        """Return up to *limit* records that share terms with *query*, best first (BM25).

        A query without a single searchable term finds nothing.

        Raises:
            InvalidRequestError: the query is empty, or the limit or the filter cannot be used.

        """
        async with self._operation("search_text"):
            count = _records.check_limit(limit)
            if not _records.check_text(query, "A query").strip():
                msg = "The query is empty. Say what to look for."
                raise InvalidRequestError(msg)
            terms = query_terms(query)
            tree = parse_filter(where)
            hits = await self._search_terms(terms, count, tree) if terms else []
            return _ranked(hits, count, None)

    async def get(self, ids: Iterable[str], *, with_vectors: bool = False) -> list[Record]:
        """Return the records with these *ids* in the order asked for; unknown ids are left out."""
        async with self._operation("get"):
            wanted = _records.check_ids(ids)
            found = (
                {one.id: one for one in await self._get(wanted, with_vectors=with_vectors)}
                if wanted
                else {}
            )
            return [found[one] for one in wanted if one in found]

    async def delete(self, ids: Iterable[str]) -> int:
        """Delete the records with these *ids*; return how many existed."""
        async with self._operation("delete"):
            wanted = _records.check_ids(ids)
            return await self._delete(wanted) if wanted else 0

    async def delete_where(self, where: FilterLike) -> int:
        """Delete the records that match *where*; return how many did.

        Raises:
            InvalidRequestError: the filter is empty: deleting everything is `clear_index`.

        """
        async with self._operation("delete_where"):
            tree = parse_filter(where)
            if tree is None or not has_condition(tree):
                msg = "delete_where() needs a condition. Use clear_index() to delete everything."
                raise InvalidRequestError(msg)
            return await self._delete_where(tree)

    async def count(self, where: FilterLike | None = None) -> int:
        """Return how many records match *where*, or how many there are."""
        async with self._operation("count"):
            return await self._count(parse_filter(where))

    async def scan(
        self,
        where: FilterLike | None = None,
        *,
        with_vectors: bool = False,
        batch_size: int = 1000,
    ) -> AsyncIterator[list[Record]]:
        """Yield the records that match *where* in batches, each record once, in no given order.

        Memory is bounded by *batch_size*. Records written meanwhile may or may not be seen.
        """
        # Not counted as under way: a caller that stops reading would keep close() waiting.
        await self.initialize()
        with self._boundary("scan"):
            tree = parse_filter(where)
            async for batch in self._scan(
                tree, with_vectors=with_vectors, batch_size=_records.check_limit(batch_size)
            ):
                if self.closed:
                    msg = f"This {self.title} provider was closed during a scan. Scan a new one."
                    raise ProviderClosedError(msg)
                yield batch

    async def clear_index(self) -> None:
        """Delete every record of the collection; the collection itself stays usable."""
        async with self._operation("clear_index"):
            await self._clear()

    async def compact(self) -> None:
        """Do the store's housekeeping now: merge small files, bring indexes up to date."""
        async with self._operation("compact"):
            await self._compact()

    async def purge(self) -> None:
        """Remove from the store's files what was deleted or replaced, in whatever form it is there.

        When this returns, no file of the collection holds it: no old version, index or journal. To
        delete alone is not enough for that. It takes as long as writing all records anew; others
        may read and write meanwhile, and nothing of theirs is lost.

        Raises:
            UnsupportedOperationError: the store cannot do this; nothing was changed.
            ProviderUnavailableError: others kept what is in the way; what was deleted is still
                deleted, and purging can be tried again.

        """
        async with self._operation("purge"):
            await self._purge()

    async def generation(self) -> str | None:
        """Return a value that changes with every write to the collection, whoever writes.

        It is cheap, and comparable only with what this object returned before: while it is the
        same, nothing was written. `None` if the store cannot tell.
        """
        async with self._operation("generation"):
            return await self._generation()

    async def stats(self) -> StoreStats:
        """Return what is in the collection and what it costs."""
        async with self._operation("stats"):
            local = self.traits.persistent and not self.traits.remote
            return StoreStats(
                provider=self.name,
                collection=self.collection,
                records=await self._count(None),
                dimension=self._dimension,
                metric=self.metric,
                embedder=self._fingerprint,
                location=str(self.directory) if local else None,
                disk_bytes=await asyncio.to_thread(_disk_usage, self.directory) if local else None,
                fallback=self.fallback,
                details=await self._details(),
            )

    async def health_check(self) -> None:
        """Prove that the store works: write, find and delete one record.

        Raises:
            ProviderError: one of the three steps did not do what it should.

        """
        probe = f"victor-memory-probe-{uuid.uuid4().hex}"
        text = "A record that checks this store and is deleted at once."
        vector = (await self.embedder.embed([text]))[0]
        await self.upsert([Record(probe, text, vector, {"victor_memory_probe": probe})])
        try:
            only_probe = condition("victor_memory_probe", "=", probe)
            found = [hit.id for hit in await self.search(vector, limit=1, where=only_probe)]
            if found != [probe]:
                msg = (
                    f"{self.title} did not find the record just written. Run: victor-memory doctor"
                )
                raise ProviderError(msg)
        finally:
            deleted = await self.delete([probe])
        if deleted != 1:
            msg = f"{self.title} did not delete the record just written. Run: victor-memory doctor"
            raise ProviderError(msg)

    # -- what a store writes, beside `_open` and `_close` -----------------------------------------

    @abc.abstractmethod
    async def _upsert(self, records: list[Record]) -> None:
        """Store *records*: distinct ids, vectors and terms set, metadata in JSON values."""

    @abc.abstractmethod
    async def _search(self, vector: Vector, limit: int, where: Filter | None) -> list[Hit]:
        """Return the *limit* nearest records among those that match *where*."""

    @abc.abstractmethod
    async def _get(self, ids: list[str], *, with_vectors: bool) -> list[Record]:
        """Return the records with these distinct *ids*, in any order."""

    @abc.abstractmethod
    async def _delete(self, ids: list[str]) -> int:
        """Delete the records with these distinct *ids*; return how many existed."""

    @abc.abstractmethod
    async def _delete_where(self, where: Filter) -> int:
        """Delete the records that match *where*; return how many did."""

    @abc.abstractmethod
    async def _count(self, where: Filter | None) -> int:
        """Return how many records match *where*."""

    @abc.abstractmethod
    def _scan(
        self, where: Filter | None, *, with_vectors: bool, batch_size: int
    ) -> AsyncIterator[list[Record]]:
        """Yield each matching record once, in batches of at most *batch_size*."""

    @abc.abstractmethod
    async def _clear(self) -> None:
        """Delete every record."""

    # -- what a store may replace -----------------------------------------------------------------

    async def _search_terms(
        self, terms: Sequence[str], limit: int, where: Filter | None
    ) -> list[Hit]:
        """Return the records that best match *terms*; here by reading and ranking all of them."""
        index, texts = InvertedIndex(), dict[str, Record]()
        async for batch in self._scan(None, with_vectors=False, batch_size=1000):
            for record in batch:
                words = analyse(record.text) if record.terms is None else record.terms.split()
                index.put(record.id, words)
                texts[record.id] = record
        accept = None if where is None else lambda key: where.matches(texts[key].metadata)
        return [
            Hit(key, texts[key].text, score, texts[key].metadata)
            for key, score in index.search(terms, limit, accept)
        ]

    async def _generation(self) -> str | None:
        """Return what `generation` promises; here, that the store cannot tell."""
        return None

    async def _compact(self) -> None:
        """Do nothing: most stores keep house by themselves."""

    async def _purge(self) -> None:
        """Do what `purge` promises; here, only where there are no files."""
        if self.traits.persistent:
            msg = (
                f"{self.title} cannot remove from its files what was deleted: it is not found any "
                "more, but may be there. To be sure, move what is left to another collection and "
                "drop this one."
            )
            raise UnsupportedOperationError(msg)

    async def _details(self) -> Mapping[str, Any]:
        """Return what else is worth knowing about the collection, for `stats`."""
        return {}


def _ranked(hits: list[Hit], limit: int, min_score: float | None) -> list[Hit]:
    """Put *hits* in the promised order: best first, ties by id."""
    if min_score is not None:
        hits = [hit for hit in hits if hit.score >= min_score]
    return sorted(hits, key=lambda hit: (-hit.score, hit.id))[:limit]


def _disk_usage(directory: Path) -> int:
    """Return the bytes in the files below *directory*; files that vanish meanwhile count as 0."""
    total = 0
    for path in directory.rglob("*"):
        with suppress(OSError):
            total += path.lstat().st_size
    return total


@dataclass(frozen=True, slots=True)
class ProviderSpec(ComponentSpec[BaseEmbeddingProvider]):
    """Describes one vector store; its fields are those of `ComponentSpec`."""
