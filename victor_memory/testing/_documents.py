"""Promises on the agent host's operations on documents, with the host's signatures."""

# ruff: noqa: PLR2004 - expected numbers are the point of a test

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pytest

from victor_memory.errors import DimensionMismatchError, InvalidRequestError
from victor_memory.providers.base import BaseEmbeddingProvider
from victor_memory.testing._data import DIMENSION, unit
from victor_memory.testing._harness import Harness, Promises, promise

if TYPE_CHECKING:
    from victor_memory.config import Metric

PATHS: Final = (
    "src/it's.py",
    'src/"quoted".py',
    "C:\\src\\app.py",
    "src/naïve 日本.py",
    "src/%_*.py",
    "src/a.py' OR '1'='1",
    "src/new\nline.py",
)
METRICS: Final[tuple[Metric, ...]] = ("cosine", "euclidean", "dot")


class DocumentPromises(Promises):
    """Index and search texts."""

    @promise()
    async def test_indexed_document_is_found(self, provider: BaseEmbeddingProvider) -> None:
        """A document is found by its own words, with file, symbol, line, content and metadata."""
        metadata = {"file_path": "src/auth.py", "symbol_name": "check", "line_number": 12, "x": [1]}
        await provider.index_document("d1", "verify the token signature", metadata)
        await provider.index_document("d2", "bake a chocolate cake")
        first, second = await provider.search_similar("verify the token signature")
        assert (first.file_path, first.symbol_name, first.line_number) == (
            "src/auth.py",
            "check",
            12,
        )
        assert first.content == "verify the token signature"
        assert dict(first.metadata) == metadata
        assert first.score == pytest.approx(1.0, abs=1e-3)
        assert (second.file_path, second.symbol_name, second.line_number) == ("", None, None)

    @promise()
    async def test_document_scores(self, harness: Harness) -> None:
        """`search_similar` scores lie in 0..1 under every metric, the best first."""
        for metric in METRICS:
            provider = harness.make(
                distance_metric=metric, collection=f"{harness.collection}-{metric}"
            )
            await provider.index_documents(
                [{"id": f"d{n}", "content": f"word{n} and word{n + 1}"} for n in range(30)]
            )
            await provider.index_embedded_documents(
                [{"id": "far", "content": "far", "vector": -5 * unit("far")}]
            )
            scores = [one.score for one in await provider.search_similar("word3 far", limit=40)]
            assert len(scores) == 31
            assert all(0.0 <= score <= 1.0 for score in scores), metric
            assert scores == sorted(scores, reverse=True), metric

    @promise()
    async def test_index_document_replaces(self, provider: BaseEmbeddingProvider) -> None:
        """Indexing a document id again leaves the new content only."""
        await provider.index_document("d", "old content", {"old": 1})
        await provider.index_document("d", "new content", {"new": 1})
        found = await provider.search_similar("content")
        assert [(one.content, dict(one.metadata)) for one in found] == [("new content", {"new": 1})]

    @promise()
    async def test_index_documents(self, provider: BaseEmbeddingProvider) -> None:
        """`index_documents` stores a batch; metadata may be left out or `None`; empty is fine."""
        await provider.index_documents([])
        await provider.index_documents(
            [
                {"id": "a", "content": "first"},
                {"id": "b", "content": "second", "metadata": None},
                {"id": "c", "content": "third", "metadata": {"n": 3}},
            ]
        )
        found = {one.id: dict(one.metadata) for one in await provider.get(["a", "b", "c"])}
        assert found == {"a": {}, "b": {}, "c": {"n": 3}}

    @promise()
    async def test_incomplete_documents_are_refused(self, provider: BaseEmbeddingProvider) -> None:
        """A document without id, content or vector is a clear error, and none is stored."""
        good: dict[str, Any] = {"id": "good", "content": "good", "vector": unit(1)}
        texts: list[dict[str, Any]] = [{"id": "x"}, {"content": "x"}, {}]
        for bad in texts:
            with pytest.raises(InvalidRequestError):
                await provider.index_documents([good, bad])
        for bad in ({"id": "x", "content": "x"}, {"id": "x", "vector": unit(2)}):
            with pytest.raises(InvalidRequestError):
                await provider.index_embedded_documents([good, bad])
        assert await provider.count() == 0

    @promise()
    async def test_embedded_documents(self, provider: BaseEmbeddingProvider) -> None:
        """`index_embedded_documents` takes vectors as lists; a wrong length stores nothing."""
        documents = [
            {"id": "v", "content": "c", "vector": unit("v").tolist(), "metadata": {"a": 1}}
        ]
        await provider.index_embedded_documents(documents)
        (hit,) = await provider.search(unit("v"), limit=1)
        assert (hit.id, hit.text, dict(hit.metadata)) == ("v", "c", {"a": 1})
        with pytest.raises(DimensionMismatchError):
            await provider.index_embedded_documents(
                [
                    {"id": "ok", "content": "x", "vector": unit("ok").tolist()},
                    {"id": "bad", "content": "x", "vector": [1.0] * (DIMENSION + 1)},
                ]
            )
        assert await provider.count() == 1

    @promise()
    async def test_search_similar_filters(self, provider: BaseEmbeddingProvider) -> None:
        """`filter_metadata` as a plain mapping means equality of every key; `limit` is 10."""
        await provider.index_documents(
            [
                {"id": f"d{n}", "content": f"text {n}", "metadata": {"lang": "py", "n": n}}
                for n in range(12)
            ]
        )
        await provider.index_document("js", "text", {"lang": "js", "n": 1})
        found = await provider.search_similar("text", 20, {"lang": "py", "n": 1})
        assert [one.content for one in found] == ["text 1"]
        assert len(await provider.search_similar("text")) == 10
        assert len(await provider.search_similar("text", 3, filter_metadata={"lang": "py"})) == 3

    @promise()
    async def test_empty_questions_are_refused(self, provider: BaseEmbeddingProvider) -> None:
        """`search_similar` without a question is a clear error."""
        for query in ("", "  \n", None, 7):
            with pytest.raises(InvalidRequestError):
                await provider.search_similar(query)  # type: ignore[arg-type]  # the wrong type is the point

    @promise()
    async def test_delete_document(self, provider: BaseEmbeddingProvider) -> None:
        """`delete_document` deletes one document; an unknown id is fine."""
        await provider.index_documents([{"id": one, "content": one} for one in ("a", "b")])
        await provider.delete_document("a")
        await provider.delete_document("unknown")
        assert [one.content for one in await provider.search_similar("a b")] == ["b"]

    @promise()
    async def test_delete_by_file(self, provider: BaseEmbeddingProvider) -> None:
        """`delete_by_file` deletes what has exactly that path, whatever characters are in it."""
        await provider.index_documents(
            [
                {"id": f"{n}/{path}", "content": path, "metadata": {"file_path": path}}
                for path in (*PATHS, "src/other.py")
                for n in range(2)
            ]
        )
        await provider.index_document("no path", "none")
        for path in PATHS:
            assert await provider.delete_by_file(path) == 2, path
            assert await provider.delete_by_file(path) == 0, path
        assert await provider.delete_by_file("src/%") == 0
        assert await provider.count() == 3

    @promise()
    async def test_get_stats(self, provider: BaseEmbeddingProvider) -> None:
        """`get_stats` is a mapping with the host's `total_documents`."""
        await provider.index_documents([{"id": f"d{n}", "content": "x"} for n in range(4)])
        stats = await provider.get_stats()
        assert stats["total_documents"] == 4
        assert stats["dimension"] == DIMENSION
        assert stats["provider"] == self.provider_class.name

    @promise()
    async def test_embeddings(self, provider: BaseEmbeddingProvider) -> None:
        """`embed_text` and `embed_batch` return lists of `dimension` numbers, the same for both."""
        one = await provider.embed_text("hello world")
        many = await provider.embed_batch(["hello world", "other"])
        assert isinstance(one, list)
        assert [len(one), len(many[0]), len(many[1])] == [DIMENSION] * 3
        assert many[0] == pytest.approx(one, abs=1e-6)
        assert await provider.embed_batch([]) == []
