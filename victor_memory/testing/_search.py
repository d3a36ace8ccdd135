"""Promises on dense search: true scores, true order, the filter before the limit."""

# ruff: noqa: PLR2004 - expected numbers are the point of a test

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pytest

from victor_memory.errors import DimensionMismatchError, InvalidRequestError
from victor_memory.providers.base import BaseEmbeddingProvider
from victor_memory.testing._data import DIMENSION, axis, ids, record, records, unit
from victor_memory.testing._harness import Harness, Promises, promise
from victor_memory.types import Hit, Record

if TYPE_CHECKING:
    from victor_memory.config import Metric
    from victor_memory.types import Vector

TOLERANCE: Final = 1e-3
RECALL: Final = 0.95
"""What a store that does not declare `exact` must still find."""


def similarity(left: Vector, right: Vector, metric: Metric) -> float:
    """Return the score that the protocol defines, in double precision."""
    one, two = left.astype(np.float64), right.astype(np.float64)
    if metric == "euclidean":
        return float(1.0 / (1.0 + np.linalg.norm(one - two)))
    if metric == "dot":
        return float(one @ two)
    return float(one @ two / (np.linalg.norm(one) * np.linalg.norm(two)))


class SearchPromises(Promises):
    """Search by vector."""

    # -- scores -----------------------------------------------------------------------------------

    @promise()
    async def test_cosine_scores(self, harness: Harness) -> None:
        """Under `cosine` scores are cosines, -1..1, within 1e-3, whatever the lengths."""
        await self._check_scores(harness, "cosine")

    @promise()
    async def test_euclidean_scores(self, harness: Harness) -> None:
        """Under `euclidean` scores are `1 / (1 + distance)`, 0..1, within 1e-3."""
        await self._check_scores(harness, "euclidean")

    @promise()
    async def test_dot_scores(self, harness: Harness) -> None:
        """Under `dot` scores are inner products, so that longer vectors win, within 1e-3."""
        await self._check_scores(harness, "dot")

    async def _check_scores(self, harness: Harness, metric: Metric) -> None:
        provider = harness.make(distance_metric=metric)
        vectors = {f"v{n:02}": unit(n) * (0.25 + n % 4) for n in range(40)}
        vectors |= {"same": unit("query"), "opposite": -unit("query"), "double": 2 * unit("query")}
        await provider.upsert([Record(name, name, vector) for name, vector in vectors.items()])
        hits = await provider.search(unit("query"), limit=len(vectors))
        wrong = {
            hit.id: (hit.score, expected)
            for hit in hits
            if abs(hit.score - (expected := similarity(vectors[hit.id], unit("query"), metric)))
            > TOLERANCE
        }
        assert not wrong, f"(score, {metric} similarity) by id: {wrong}"
        assert len(hits) == len(vectors)

    # -- order and number -------------------------------------------------------------------------

    @promise()
    async def test_best_first(self, provider: BaseEmbeddingProvider) -> None:
        """Hits come in the order of their scores, the nearest record first."""
        await provider.upsert(records(50))
        for n in (0, 17, 49):
            hits = await provider.search(unit(f"r{n:05}"), limit=50)
            assert hits[0].id == f"r{n:05}"
            assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)

    @promise()
    async def test_ties_by_id(self, provider: BaseEmbeddingProvider) -> None:
        """Hits with the same score come in the order of their ids."""
        names = ["b", "a", "Z", "é", "10", "9", "aa", "日"]
        await provider.upsert([Record(one, one, axis(3, 2.0)) for one in names])
        await provider.upsert([Record("far", "far", axis(4))])
        assert ids(await provider.search(axis(3), limit=50)) == [*sorted(names), "far"]

    @promise()
    async def test_limit(self, provider: BaseEmbeddingProvider) -> None:
        """There are never more hits than `limit`, by default 10, nor fewer where there are more."""
        await provider.upsert(records(30))
        for limit in (1, 2, 29, 30):
            assert len(await provider.search(unit(0), limit=limit)) == limit
        for limit in (31, 10_000):
            assert len(await provider.search(unit(0), limit=limit)) == 30
        assert len(await provider.search(unit(0))) == 10

    @promise()
    async def test_shorter_lists_are_prefixes(self, provider: BaseEmbeddingProvider) -> None:
        """The best few hits of a long list are those of a short one."""
        await provider.upsert(records(60))
        longest = ids(await provider.search(unit("query"), limit=60))
        for limit in (1, 5, 20):
            assert ids(await provider.search(unit("query"), limit=limit)) == longest[:limit]

    @promise()
    async def test_nearest_of_many(self, provider: BaseEmbeddingProvider) -> None:
        """Among thousands of records the nearest are found: all if exact, 95 % otherwise."""
        wanted = records(2000)
        await provider.upsert(wanted)
        matrix = np.stack([one.vector for one in wanted if one.vector is not None])
        found = total = 0
        for n in range(20):
            query = unit(("query", n))
            tenth = float(np.sort(matrix @ query)[-10])
            hits = await provider.search(query, limit=10)
            found += sum(similarity(unit(hit.id), query, "cosine") >= tenth - 1e-6 for hit in hits)
            total += 10
        wished = 1.0 if self.provider_class.traits.exact else RECALL
        assert found / total >= wished, f"recall@10 is {found / total}"

    @promise()
    async def test_hits_carry_the_record(self, provider: BaseEmbeddingProvider) -> None:
        """A hit has the text and metadata of its record."""
        await provider.upsert([record("a", "the text", kind="fact", tags=["x"]), record("b")])
        (hit,) = await provider.search(unit("a"), limit=1)
        assert isinstance(hit, Hit)
        assert (hit.id, hit.text, dict(hit.metadata)) == (
            "a",
            "the text",
            {"kind": "fact", "tags": ["x"]},
        )
        assert isinstance(hit.score, float)

    # -- the filter -------------------------------------------------------------------------------

    @promise()
    async def test_filter_before_limit(self, provider: BaseEmbeddingProvider) -> None:
        """A filter that few records pass still gives `limit` hits, be they the farthest of all."""
        near = [Record(f"near{n:03}", "near", axis(0) + 0.01 * unit(n)) for n in range(300)]
        far = [Record(f"far{n}", "far", -axis(0) + 0.01 * unit(n), {"far": True}) for n in range(6)]
        await provider.upsert([*near, *far])
        hits = await provider.search(axis(0), limit=5, where={"far": True})
        assert len(hits) == 5
        assert {hit.text for hit in hits} == {"far"}

    @promise()
    async def test_filter_nobody_passes(self, provider: BaseEmbeddingProvider) -> None:
        """A filter that no record passes gives no hits."""
        await provider.upsert(records(20))
        assert await provider.search(unit("r00003"), where={"n": 1000}) == []
        assert await provider.search(unit("r00003"), where={"no such key": 1}) == []

    @promise()
    async def test_min_score(self, provider: BaseEmbeddingProvider) -> None:
        """`min_score` drops the hits below it and no others."""
        await provider.upsert(records(30))
        everything = await provider.search(unit("query"), limit=30)
        for count in (1, 3, 29):
            threshold = (everything[count - 1].score + everything[count].score) / 2
            hits = await provider.search(unit("query"), limit=30, min_score=threshold)
            assert ids(hits) == ids(everything)[:count]
        assert await provider.search(unit("query"), min_score=everything[0].score + 0.1) == []

    # -- what changes is seen ---------------------------------------------------------------------

    @promise()
    async def test_search_sees_what_was_just_stored(self, provider: BaseEmbeddingProvider) -> None:
        """A record is found by the first search after its `upsert`."""
        for n in range(15):
            await provider.upsert([record(f"w{n}")])
            assert ids(await provider.search(unit(f"w{n}"), limit=1)) == [f"w{n}"]

    @promise()
    async def test_search_sees_updates(self, provider: BaseEmbeddingProvider) -> None:
        """After an update a record is found where its new vector is, and only there."""
        await provider.upsert([Record("moved", "x", axis(0)), Record("other", "y", axis(1))])
        await provider.upsert([Record("moved", "x", axis(2))])
        at_old = await provider.search(axis(0), limit=10)
        assert ids(at_old) == ["moved", "other"]
        assert [hit.score for hit in at_old] == pytest.approx([0.0, 0.0], abs=TOLERANCE)
        at_new = await provider.search(axis(2), limit=1)
        assert ids(at_new) == ["moved"]
        assert at_new[0].score == pytest.approx(1.0, abs=TOLERANCE)

    @promise()
    async def test_filters_see_updates(self, provider: BaseEmbeddingProvider) -> None:
        """After an update a filter sees the new metadata, and the old no more."""
        await provider.upsert([record("a", state="old", gone=1)])
        await provider.upsert([record("a", state="new")])
        assert await provider.search(unit("a"), where={"state": "old"}) == []
        assert await provider.search(unit("a"), where={"gone": 1}) == []
        assert ids(await provider.search(unit("a"), where={"state": "new"})) == ["a"]

    # -- bad requests -----------------------------------------------------------------------------

    @promise()
    async def test_bad_query_vectors_are_refused(self, provider: BaseEmbeddingProvider) -> None:
        """A query of another length, or with NaN, infinity or no direction, is a clear error."""
        await provider.upsert(records(3))
        for length in (1, DIMENSION - 1, DIMENSION + 1, 2 * DIMENSION):
            with pytest.raises(DimensionMismatchError):
                await provider.search([1.0] * length)
        nan, infinite = unit(1), unit(2)
        nan[0], infinite[1] = np.nan, -np.inf
        wrong: Sequence[Any] = (
            nan,
            infinite,
            axis(0, 0.0),
            "text",
            None,
            [["a"] * DIMENSION],
            [unit(1)],
            7,
            {},
        )
        for vector in wrong:
            with pytest.raises(InvalidRequestError):
                await provider.search(vector)

    @promise()
    async def test_bad_limits_are_refused(self, provider: BaseEmbeddingProvider) -> None:
        """A limit that is no number from 1 to 10 000 is a clear error."""
        await provider.upsert(records(3))
        wrong: Sequence[object] = (0, -1, True, False, 10_001, 10**18, 1.5, "3", None)
        for limit in wrong:
            with pytest.raises(InvalidRequestError):
                await provider.search(unit(0), limit=limit)  # type: ignore[arg-type]  # the wrong type is the point
            with pytest.raises(InvalidRequestError):
                await provider.search_text("text", limit=limit)  # type: ignore[arg-type]  # the wrong type is the point

    @promise()
    async def test_any_sequence_is_a_query(self, provider: BaseEmbeddingProvider) -> None:
        """A query may be a list, a tuple, or an array of any number type."""
        await provider.upsert([Record("a", "a", axis(5)), Record("b", "b", axis(6))])
        queries: Sequence[Any] = (
            axis(5).tolist(),
            tuple(axis(5).tolist()),
            axis(5).astype(np.float64),
            axis(5).astype(np.int64),
            [int(one) for one in axis(5)],
        )
        for query in queries:
            assert ids(await provider.search(query, limit=1)) == ["a"]

    @promise()
    async def test_zero_is_a_point(self, harness: Harness) -> None:
        """Zero has no direction, but under `euclidean` it has a place, and can be found there."""
        provider = harness.make(distance_metric="euclidean")
        await provider.upsert([Record("zero", "z", axis(0, 0.0)), Record("one", "o", axis(0))])
        hits = await provider.search(axis(0, 0.0), limit=2)
        assert ids(hits) == ["zero", "one"]
        assert [hit.score for hit in hits] == pytest.approx([1.0, 0.5], abs=TOLERANCE)
