"""`memory`: everything in this process, searched exactly. The reference the others must equal."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from copy import deepcopy
from typing import TYPE_CHECKING, ClassVar

from victor_memory.providers._scores import similarities
from victor_memory.providers.base import BaseEmbeddingProvider
from victor_memory.retrieval.bm25 import InvertedIndex
from victor_memory.types import Hit, Record, Traits

if TYPE_CHECKING:
    from victor_memory.filters import Filter
    from victor_memory.types import Vector, Vectors


class MemoryProvider(BaseEmbeddingProvider):
    """Records in a dictionary, vectors in one matrix. Gone when the provider is closed."""

    name: ClassVar[str] = "memory"
    title: ClassVar[str] = "In-process memory"
    traits: ClassVar[Traits] = Traits(
        persistent=False, multi_process=False, full_text=True, exact=True, transactional=True
    )

    async def _open(self) -> None:
        self._records: dict[str, Record] = {}
        self._terms = InvertedIndex()
        self._matrix: tuple[list[Record], Vectors] | None = None
        self._changes = 0

    async def _close(self) -> None:
        await self._clear()

    async def _upsert(self, records: list[Record]) -> None:
        for record in records:
            self._records[record.id] = record
            self._terms.put(record.id, (record.terms or "").split())
        self._changed()

    async def _search(self, vector: Vector, limit: int, where: Filter | None) -> list[Hit]:
        records, matrix = self._rows()
        if not records:
            return []
        scores = similarities(matrix, vector, self.metric)
        candidates = (
            row
            for row in (-scores).argsort(kind="stable")
            if where is None or where.matches(records[row].metadata)
        )
        return [
            _hit(records[row], float(scores[row]))
            for row, _ in zip(candidates, range(limit), strict=False)
        ]

    async def _search_terms(
        self, terms: Sequence[str], limit: int, where: Filter | None
    ) -> list[Hit]:
        accept = None if where is None else lambda key: where.matches(self._records[key].metadata)
        found = self._terms.search(terms, limit, accept)
        return [_hit(self._records[key], score) for key, score in found]

    async def _get(self, ids: list[str], *, with_vectors: bool) -> list[Record]:
        return [
            _copy(self._records[one], with_vectors=with_vectors)
            for one in ids
            if one in self._records
        ]

    async def _delete(self, ids: list[str]) -> int:
        existing = [one for one in ids if self._records.pop(one, None)]
        for one in existing:
            self._terms.remove(one)
        self._changed()
        return len(existing)

    async def _delete_where(self, where: Filter) -> int:
        return await self._delete([one.id for one in self._matching(where)])

    async def _count(self, where: Filter | None) -> int:
        return len(self._matching(where))

    async def _scan(
        self, where: Filter | None, *, with_vectors: bool, batch_size: int
    ) -> AsyncIterator[list[Record]]:
        records = self._matching(where)
        for start in range(0, len(records), batch_size):
            yield [
                _copy(one, with_vectors=with_vectors) for one in records[start : start + batch_size]
            ]

    async def _clear(self) -> None:
        self._records.clear()
        self._terms.clear()
        self._changed()

    async def _generation(self) -> str | None:
        return str(self._changes)

    def _changed(self) -> None:
        self._changes += 1
        self._matrix = None

    def _matching(self, where: Filter | None) -> list[Record]:
        return [
            one for one in self._records.values() if where is None or where.matches(one.metadata)
        ]

    def _rows(self) -> tuple[list[Record], Vectors]:
        """Return the records and their vectors row by row, stacked again after a write."""
        import numpy as np

        if self._matrix is None:
            records = sorted(self._records.values(), key=lambda record: record.id)
            vectors = [one.vector for one in records if one.vector is not None]
            self._matrix = records, np.array(vectors, np.float32).reshape(-1, self.dimension)
        return self._matrix


def _hit(record: Record, score: float) -> Hit:
    return Hit(record.id, record.text, score, deepcopy(record.metadata))


def _copy(record: Record, *, with_vectors: bool) -> Record:
    vector = record.vector.copy() if with_vectors and record.vector is not None else None
    return Record(record.id, record.text, vector, deepcopy(record.metadata), record.terms)
