"""The document operations of the agent host, derived from the storage operations once for all."""

from __future__ import annotations

import abc
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from victor_memory.errors import InvalidRequestError
from victor_memory.providers._scores import unit_interval
from victor_memory.types import EmbeddingSearchResult, Hit, Record, StoreStats

if TYPE_CHECKING:
    from victor_memory.config import Metric
    from victor_memory.embedders.base import BaseEmbedder
    from victor_memory.filters import FilterLike
    from victor_memory.types import Vector


class Documents(abc.ABC):
    """Texts in, texts out: embeds, and calls the storage operations of the class it is part of."""

    metric: Metric

    @property
    @abc.abstractmethod
    def embedder(self) -> BaseEmbedder:
        """The model that embeds the texts."""

    @abc.abstractmethod
    async def upsert(self, records: Iterable[Record]) -> int:
        """See `BaseEmbeddingProvider.upsert`."""

    @abc.abstractmethod
    async def search(
        self,
        vector: Sequence[float] | Vector,
        *,
        limit: int = 10,
        where: FilterLike | None = None,
        min_score: float | None = None,
    ) -> list[Hit]:
        """See `BaseEmbeddingProvider.search`."""

    @abc.abstractmethod
    async def delete(self, ids: Iterable[str]) -> int:
        """See `BaseEmbeddingProvider.delete`."""

    @abc.abstractmethod
    async def delete_where(self, where: FilterLike) -> int:
        """See `BaseEmbeddingProvider.delete_where`."""

    @abc.abstractmethod
    async def stats(self) -> StoreStats:
        """See `BaseEmbeddingProvider.stats`."""

    async def embed_text(self, text: str) -> list[float]:
        """Return the embedding of *text* as a passage: `dimension` numbers."""
        return (await self.embed_batch([text]))[0]

    async def embed_batch(self, texts: Sequence[str]) -> list[list[float]]:
        """Return the embeddings of *texts* in order."""
        vectors: list[list[float]] = (await self.embedder.embed(texts)).tolist()
        return vectors

    async def index_document(
        self, doc_id: str, content: str, metadata: Mapping[str, Any] | None = None
    ) -> None:
        """Embed *content* and store it as *doc_id*, replacing what had that id.

        The host's metadata keys `file_path`, `symbol_name` and `line_number` come back as fields of
        the search results.
        """
        await self.index_documents([{"id": doc_id, "content": content, "metadata": metadata or {}}])

    async def index_documents(self, documents: Sequence[Mapping[str, Any]]) -> None:
        """Embed and store *documents*: mappings with `id`, `content` and optional `metadata`.

        Raises:
            InvalidRequestError: a document lacks a key; none of them is stored.

        """
        vectors = await self.embedder.embed([_field(one, "content") for one in documents])
        await self.index_embedded_documents(
            [{**one, "vector": vector} for one, vector in zip(documents, vectors, strict=True)]
        )

    async def index_embedded_documents(self, documents: Sequence[Mapping[str, Any]]) -> None:
        """Store *documents* that are already embedded: mappings as above, with a `vector`.

        Raises:
            InvalidRequestError: a document lacks a key; none of them is stored.
            DimensionMismatchError: a vector has another length than the collection's.

        """
        await self.upsert(
            [
                Record(
                    id=_field(one, "id"),
                    text=_field(one, "content"),
                    vector=_field(one, "vector"),
                    metadata=one.get("metadata") or {},
                )
                for one in documents
            ]
        )

    async def search_similar(
        self,
        query: str,
        limit: int = 10,
        filter_metadata: FilterLike | None = None,
    ) -> list[EmbeddingSearchResult]:
        """Embed *query* and return the documents nearest to it, best first, scores in 0..1.

        *filter_metadata* is the filter language of `victor_memory.filters`; a plain mapping means
        equality of every key.

        Raises:
            InvalidRequestError: the query is empty, or the limit or the filter cannot be used.

        """
        if not isinstance(query, str) or not query.strip():
            msg = "The query is empty. Say what to look for."
            raise InvalidRequestError(msg)
        vector = (await self.embedder.embed([query], purpose="query"))[0]
        hits = await self.search(vector, limit=limit, where=filter_metadata)
        return [_result(hit, self.metric) for hit in hits]

    async def delete_document(self, doc_id: str) -> None:
        """Delete the document *doc_id*; an unknown id is fine."""
        await self.delete([doc_id])

    async def delete_by_file(self, file_path: str) -> int:
        """Delete the documents whose `file_path` is *file_path*; return how many there were."""
        return await self.delete_where({"file_path": {"=": file_path}})

    async def get_stats(self) -> dict[str, Any]:
        """Return `stats` as a mapping, with the host's key `total_documents`."""
        stats = asdict(await self.stats())
        return {"total_documents": stats["records"], **stats}


def _field(document: Mapping[str, Any], key: str) -> Any:
    try:
        return document[key]
    except KeyError as exc:
        msg = (
            f"A document has no {key!r}; it has {sorted(document)}. Give id, content and, where it "
            "is already embedded, vector."
        )
        raise InvalidRequestError(msg) from exc


def _result(hit: Hit, metric: Metric) -> EmbeddingSearchResult:
    line = hit.metadata.get("line_number")
    return EmbeddingSearchResult(
        file_path=str(hit.metadata.get("file_path", "")),
        content=hit.text,
        score=unit_interval(hit.score, metric),
        symbol_name=hit.metadata.get("symbol_name"),
        line_number=line if isinstance(line, int) else None,
        metadata=hit.metadata,
    )
