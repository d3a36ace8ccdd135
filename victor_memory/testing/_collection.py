"""Promises on the whole collection: delete, count, scan, clear, statistics, health."""

# ruff: noqa: PLR2004 - expected numbers are the point of a test

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest

from victor_memory.errors import InvalidRequestError
from victor_memory.filters import And, Not, Or
from victor_memory.providers.base import BaseEmbeddingProvider
from victor_memory.testing._data import DIMENSION, IDENTIFIERS, ids, record, records, unit, word
from victor_memory.testing._harness import Harness, Promises, promise
from victor_memory.types import Record


async def scanned(provider: BaseEmbeddingProvider) -> list[str]:
    """Return the ids that a scan yields, sorted, with repetitions."""
    return sorted([one.id async for batch in provider.scan() for one in batch])


class CollectionPromises(Promises):
    """Everything that is about more than one record."""

    # -- generation -------------------------------------------------------------------------------

    @promise()
    async def test_generation_changes_with_writes(self, provider: BaseEmbeddingProvider) -> None:
        """Every write changes what `generation` returns, unless the store cannot tell at all."""
        seen = [await provider.generation()]
        await provider.upsert(records(4))
        seen.append(await provider.generation())
        await provider.upsert([record("r00001", "another text")])
        seen.append(await provider.generation())
        await provider.delete(["r00002"])
        seen.append(await provider.generation())
        await provider.delete_where({"n": {">=": 0}})
        await provider.upsert([record("one more")])
        seen.append(await provider.generation())
        await provider.clear_index()
        seen.append(await provider.generation())
        if seen[0] is None:
            assert seen == [None] * len(seen)
        else:
            assert None not in seen
            assert len(set(seen)) == len(seen), seen

    @promise()
    async def test_generation_stays_without_writes(self, provider: BaseEmbeddingProvider) -> None:
        """Reading does not change what `generation` returns."""
        await provider.upsert(records(4))
        before = await provider.generation()
        await provider.search(unit("r00001"))
        await provider.search_text("word")
        await provider.get(["r00001"])
        await scanned(provider)
        assert await provider.generation() == before

    # -- delete -----------------------------------------------------------------------------------

    @promise()
    async def test_delete_returns_how_many_existed(self, provider: BaseEmbeddingProvider) -> None:
        """`delete` counts the records that were there: not the unknown, not the repeated ids."""
        await provider.upsert(records(10))
        assert await provider.delete(["r00001", "unknown", "r00003", "r00001"]) == 2
        assert await provider.delete(["r00001"]) == 0
        assert await provider.delete([]) == 0

    @promise()
    async def test_deleted_records_are_gone(self, provider: BaseEmbeddingProvider) -> None:
        """A deleted record is found by nothing any more, and the others are all still there."""
        await provider.upsert(records(10))
        await provider.delete(["r00004"])
        rest = [f"r{n:05}" for n in range(10) if n != 4]
        assert await provider.get(["r00004"]) == []
        assert await scanned(provider) == rest
        assert sorted(ids(await provider.search(unit("r00004"), limit=100))) == rest
        assert await provider.count() == 9

    @promise()
    async def test_delete_by_any_id(self, provider: BaseEmbeddingProvider) -> None:
        """Deleting an id full of quotes, wildcards or SQL deletes that record alone."""
        await provider.upsert([*(record(one) for one in IDENTIFIERS), record("bystander")])
        for done, one in enumerate(IDENTIFIERS, start=1):
            assert await provider.delete([one]) == 1, f"the id {one!r}"
            assert await provider.count() == len(IDENTIFIERS) + 1 - done, f"the id {one!r}"

    @promise()
    async def test_deleted_ids_can_be_used_again(self, provider: BaseEmbeddingProvider) -> None:
        """A record stored under a deleted id is there, and is the new one."""
        for text in ("first", "second", "third"):
            await provider.upsert([record("a", text)])
            assert [one.text for one in await provider.get(["a"])] == [text]
            assert await provider.delete(["a"]) == 1
        assert await provider.count() == 0

    @promise()
    async def test_delete_where_needs_a_condition(self, provider: BaseEmbeddingProvider) -> None:
        """`delete_where` without a condition is refused and deletes nothing."""
        await provider.upsert(records(3))
        nothing: tuple[Any, ...] = ({}, None, {"and": []}, And(()), {"and": [{}]}, Not(Or(())))
        for empty in nothing:
            with pytest.raises(InvalidRequestError):
                await provider.delete_where(empty)
        assert await provider.count() == 3

    # -- count and scan ---------------------------------------------------------------------------

    @promise()
    async def test_count(self, provider: BaseEmbeddingProvider) -> None:
        """`count` counts all records, or those that match, at once after every change."""
        await provider.upsert(records(25))
        assert await provider.count() == 25
        assert await provider.count({"even": True}) == 13
        assert await provider.count({"n": {">=": 20}}) == 5
        assert await provider.count({"n": {">": 100}}) == 0
        await provider.upsert([record("r00001", even=True), record("r00003", even=True)])
        await provider.delete(["r00000"])
        assert await provider.count() == 24
        assert await provider.count({"even": True}) == 14

    @promise()
    async def test_scan_yields_each_record_once(self, provider: BaseEmbeddingProvider) -> None:
        """`scan` yields every record exactly once, with its text and metadata."""
        wanted = records(205)
        await provider.upsert(wanted[:100])
        await provider.upsert(wanted[100:])
        await provider.upsert(wanted[50:60])
        found = [one async for batch in provider.scan() for one in batch]
        assert sorted(ids(found)) == ids(wanted)
        by_id = {one.id: (one.text, one.metadata) for one in found}
        assert by_id == {one.id: (one.text, one.metadata) for one in wanted}

    @promise()
    async def test_scan_in_batches(self, provider: BaseEmbeddingProvider) -> None:
        """Batches hold at most `batch_size` records, are never empty, and together hold all."""
        await provider.upsert(records(100))
        for size in (1, 7, 99, 100, 101, 10_000):
            batches = [batch async for batch in provider.scan(batch_size=size)]
            assert all(0 < len(batch) <= size for batch in batches), f"batch_size={size}"
            assert sorted(one.id for batch in batches for one in batch) == ids(records(100))

    @promise()
    async def test_scan_of_what_matches(self, provider: BaseEmbeddingProvider) -> None:
        """`scan` with a filter yields what matches, in batches as well."""
        await provider.upsert(records(60))
        batches = [one async for one in provider.scan({"even": True}, batch_size=4)]
        assert all(0 < len(batch) <= 4 for batch in batches)
        found = sorted(one.metadata["n"] for batch in batches for one in batch)
        assert found == list(range(0, 60, 2))

    @promise()
    async def test_scan_with_vectors(self, provider: BaseEmbeddingProvider) -> None:
        """`scan` yields vectors when asked for, and `None` otherwise."""
        await provider.upsert(records(5))
        bare = [one async for batch in provider.scan() for one in batch]
        assert [one.vector for one in bare] == [None] * 5
        async for batch in provider.scan(with_vectors=True, batch_size=2):
            for one in batch:
                assert one.vector is not None
                assert one.vector.dtype == np.float32
                assert np.allclose(one.vector, unit(one.id), atol=1e-3)

    @promise()
    async def test_scan_may_be_abandoned(self, provider: BaseEmbeddingProvider) -> None:
        """A reader that stops half-way hinders neither later operations nor `close`."""
        await provider.upsert(records(50))
        batches = provider.scan(batch_size=10)
        assert len(await anext(batches)) == 10
        await provider.upsert([record("later")])
        assert await provider.count() == 51
        await asyncio.wait_for(provider.close(), timeout=20)

    @promise()
    async def test_bad_batch_sizes_are_refused(self, provider: BaseEmbeddingProvider) -> None:
        """A batch size that is no number from 1 on is refused."""
        await provider.upsert(records(3))
        for size in (0, -1, True, 1.5, "3", None):
            with pytest.raises(InvalidRequestError):
                _ = [one async for one in provider.scan(batch_size=size)]  # type: ignore[arg-type]  # the wrong type is the point

    # -- emptiness --------------------------------------------------------------------------------

    @promise()
    async def test_empty_collection(self, provider: BaseEmbeddingProvider) -> None:
        """Every operation works on a collection that never held a record."""
        assert await provider.count() == 0
        assert await provider.count({"a": 1}) == 0
        assert await provider.search(unit(1)) == []
        assert await provider.search(unit(1), where={"a": 1}) == []
        assert await provider.search_text("word") == []
        assert await provider.get(["a"]) == []
        assert await provider.delete(["a"]) == 0
        assert await provider.delete_where({"a": 1}) == 0
        assert await scanned(provider) == []
        await provider.clear_index()
        await provider.compact()
        assert (await provider.stats()).records == 0

    @promise()
    async def test_clear_index(self, provider: BaseEmbeddingProvider) -> None:
        """After `clear_index` nothing is found, and the collection can be filled again."""
        await provider.upsert(records(20))
        await provider.clear_index()
        assert await _found(provider, records(20)) == []
        await provider.upsert(records(3, "new"))
        assert await scanned(provider) == ids(records(3, "new"))
        assert ids(await provider.search(unit("new00001"), limit=1)) == ["new00001"]
        assert ids(await provider.search_text(word("new00002"))) == ["new00002"]

    @promise()
    async def test_recreate(self, provider: BaseEmbeddingProvider, harness: Harness) -> None:
        """`recreate` leaves an empty, usable collection, whether it was open or not."""
        await provider.upsert(records(5))
        await provider.recreate()
        assert await scanned(provider) == []
        await provider.upsert(records(2))
        await provider.close()
        second = harness.make()
        await second.recreate()
        assert await scanned(second) == []
        await second.upsert(records(4))
        assert await second.count() == 4

    @promise()
    async def test_compact_changes_nothing(self, provider: BaseEmbeddingProvider) -> None:
        """Housekeeping changes nothing that can be seen, and may be asked for at any time."""
        await provider.compact()
        for n in range(5):
            await provider.upsert([record(f"c{n}"), record("same", f"version {n}")])
        await provider.delete(["c1"])
        await provider.compact()
        assert await scanned(provider) == ["c0", "c2", "c3", "c4", "same"]
        assert [one.text for one in await provider.get(["same"])] == ["version 4"]
        assert ids(await provider.search(unit("c3"), limit=1)) == ["c3"]
        assert ids(await provider.search_text(word("c4"))) == ["c4"]
        await provider.compact()
        await provider.upsert([record("after")])
        assert await provider.count() == 6

    # -- what it says about itself ----------------------------------------------------------------

    @promise()
    async def test_stats(self, provider: BaseEmbeddingProvider) -> None:
        """`stats` names the store, collection, metric, model and dimension, and counts records."""
        await provider.upsert(records(12))
        await provider.upsert(records(2))
        await provider.delete(["r00005"])
        stats = await provider.stats()
        assert stats.records == 11
        assert stats.provider == self.provider_class.name
        assert stats.collection == provider.collection
        assert stats.metric == "cosine"
        assert stats.dimension == DIMENSION
        assert stats.embedder is not None
        assert stats.embedder.startswith("hashing:")
        assert stats.fallback is None

    @promise("files")
    async def test_stats_of_files(self, provider: BaseEmbeddingProvider) -> None:
        """`stats` says where the files are and how many bytes they take."""
        await provider.upsert(records(10))
        stats = await provider.stats()
        assert stats.location == str(provider.directory)
        assert stats.disk_bytes is not None
        assert stats.disk_bytes > 0

    @promise()
    async def test_health_check_leaves_no_trace(self, provider: BaseEmbeddingProvider) -> None:
        """`health_check` works on an empty and on a filled collection, and changes neither."""
        await provider.health_check()
        assert await provider.count() == 0
        await provider.upsert(records(3))
        await provider.health_check()
        assert await scanned(provider) == ids(records(3))
        assert await provider.search_text("checks") == []


async def _found(provider: BaseEmbeddingProvider, wanted: Iterable[Record]) -> list[str]:
    """Return the ids of *wanted* that anything at all still finds."""
    names = ids(wanted)
    found = [
        *ids(await provider.get(names)),
        *await scanned(provider),
        *ids(await provider.search(unit(0), limit=100)),
        *ids(await provider.search_text("text", limit=100)),
    ]
    if await provider.count():
        found.append("count")
    return sorted(set(found))
