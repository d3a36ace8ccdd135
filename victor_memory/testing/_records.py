"""Promises on single records: what was stored comes back, whatever it is, and nothing else does."""

# ruff: noqa: PLR2004 - expected numbers are the point of a test

from __future__ import annotations

from typing import ClassVar

import numpy as np
import pytest

from victor_memory.errors import DimensionMismatchError, InvalidRequestError, VictorMemoryError
from victor_memory.providers.base import BaseEmbeddingProvider
from victor_memory.testing._data import (
    DIMENSION,
    IDENTIFIERS,
    KEYS,
    LOOK_ALIKES,
    TEXTS,
    VALUES,
    as_json,
    axis,
    ids,
    record,
    records,
    text_of,
    unit,
)
from victor_memory.testing._harness import Promises, promise
from victor_memory.types import Hit, Record


class RecordPromises(Promises):
    """Upsert and get."""

    large_batch: ClassVar[int] = 6000
    """Records in the largest single call: more than the limits of many engines."""

    # -- what was stored comes back ---------------------------------------------------------------

    @promise()
    async def test_vector_comes_back(self, provider: BaseEmbeddingProvider) -> None:
        """A vector of length 1 comes back within 1e-3, as float32 of the right shape."""
        await provider.upsert([record("a"), record("b")])
        found = await provider.get(["b", "a"], with_vectors=True)
        for one in found:
            assert one.vector is not None
            assert one.vector.shape == (DIMENSION,)
            assert one.vector.dtype == np.float32
            assert np.allclose(one.vector, unit(one.id), atol=1e-3), f"another vector for {one.id}"

    @promise()
    async def test_vector_length_is_kept(self, provider: BaseEmbeddingProvider) -> None:
        """A vector comes back with its length, also where the metric does not need it."""
        lengths = {"short": 0.001, "long": 1000.0}
        await provider.upsert(
            [Record(name, name, unit(name) * length) for name, length in lengths.items()]
        )
        for one in await provider.get(list(lengths), with_vectors=True):
            assert one.vector is not None
            assert float(np.linalg.norm(one.vector)) == pytest.approx(lengths[one.id], rel=1e-2)

    @promise()
    async def test_vectors_come_only_when_asked_for(self, provider: BaseEmbeddingProvider) -> None:
        """`get` returns vectors with `with_vectors=True` and `None` without."""
        await provider.upsert([record("a")])
        assert [one.vector for one in await provider.get(["a"])] == [None]
        assert (await provider.get(["a"], with_vectors=True))[0].vector is not None

    @promise()
    async def test_any_text_comes_back(self, provider: BaseEmbeddingProvider) -> None:
        """Text comes back character for character: quotes, newlines, any script, empty."""
        await provider.upsert([record(f"t{n}", text) for n, text in enumerate(TEXTS)])
        found = await provider.get([f"t{n}" for n in range(len(TEXTS))])
        assert [one.text for one in found] == list(TEXTS)

    @promise()
    async def test_long_text_comes_back(self, provider: BaseEmbeddingProvider) -> None:
        """A text of one megabyte comes back whole."""
        text = "The quick brown fox said: naïve 🦊.\n" * 26_000
        assert len(text.encode()) > 1_000_000
        await provider.upsert([Record("long", text, unit("long"), terms="fox")])
        (found,) = await provider.get(["long"])
        assert len(found.text) == len(text)
        assert found.text == text

    @promise()
    async def test_nul_is_kept_or_refused(self, provider: BaseEmbeddingProvider) -> None:
        """A text with a NUL character is kept whole or refused, never cut off."""
        text = "before\0after"
        try:
            await provider.upsert([record("nul", text)])
        except VictorMemoryError:
            return
        assert [one.text for one in await provider.get(["nul"])] == [text]

    @promise()
    async def test_any_id_comes_back(self, provider: BaseEmbeddingProvider) -> None:
        """Any string of up to 1024 bytes is an id: quotes, paths, wildcards, SQL, any script."""
        await provider.upsert([record(one) for one in IDENTIFIERS])
        for one in IDENTIFIERS:
            assert [found.text for found in await provider.get([one])] == [text_of(one)]
        assert sorted(ids(await provider.get(IDENTIFIERS))) == sorted(IDENTIFIERS)

    @promise()
    async def test_similar_ids_are_different(self, provider: BaseEmbeddingProvider) -> None:
        """Ids that differ in case, spaces, accents or Unicode form name different records."""
        await provider.upsert([record(one) for one in LOOK_ALIKES])
        found = {one.id: one.text for one in await provider.get(LOOK_ALIKES)}
        assert found == {one: text_of(one) for one in LOOK_ALIKES}

    @promise()
    async def test_any_metadata_value_comes_back(self, provider: BaseEmbeddingProvider) -> None:
        """Every JSON value comes back with its type: nested, `None`, booleans, ints of any size."""
        await provider.upsert([record("m", **VALUES), record("empty")])
        full, empty = await provider.get(["m", "empty"])
        for key, value in VALUES.items():
            assert as_json(full.metadata[key]) == as_json(value), f"the value {key!r}"
        assert as_json(full.metadata) == as_json(VALUES)
        assert empty.metadata == {}

    @promise()
    async def test_any_metadata_key_comes_back(self, provider: BaseEmbeddingProvider) -> None:
        """Any string is a key: quotes, dots, any script, and the names of a store's own columns."""
        metadata = {key: f"value of {key}" for key in KEYS}
        await provider.upsert([Record("keys", "all", unit(0), metadata)])
        await provider.upsert([Record(f"key {key}", "one", unit(key), {key: 1}) for key in KEYS])
        (found,) = await provider.get(["keys"])
        assert as_json(found.metadata) == as_json(metadata)
        for key in KEYS:
            (single,) = await provider.get([f"key {key}"])
            assert as_json(single.metadata) == as_json({key: 1})

    @promise()
    async def test_new_metadata_keys_at_any_time(self, provider: BaseEmbeddingProvider) -> None:
        """A key that no record had before needs no schema change, and old records do not get it."""
        await provider.upsert([record("first", a=1)])
        await provider.upsert([record("second", b="x", c=[1])])
        await provider.upsert([record("third"), record("fourth", d={"e": 1}, a=2)])
        found = await provider.get(["first", "second", "third", "fourth"])
        assert [dict(one.metadata) for one in found] == [
            {"a": 1},
            {"b": "x", "c": [1]},
            {},
            {"d": {"e": 1}, "a": 2},
        ]

    @promise()
    async def test_types_of_a_key_may_differ(self, provider: BaseEmbeddingProvider) -> None:
        """One key may hold another type in each record, of one batch and of later ones."""
        values = [1, "1", True, 1.5, None, [1, "1"], {"one": 1}, 2**53 + 1, ""]
        await provider.upsert([record(f"b{n}", key=value) for n, value in enumerate(values)])
        for n, value in enumerate(reversed(values)):
            await provider.upsert([record(f"s{n}", key=value)])
        batch = await provider.get([f"b{n}" for n in range(len(values))])
        single = await provider.get([f"s{n}" for n in range(len(values))])
        assert as_json([one.metadata["key"] for one in batch]) == as_json(values)
        assert as_json([one.metadata["key"] for one in single]) == as_json(values[::-1])

    @promise()
    async def test_large_batches(self, provider: BaseEmbeddingProvider) -> None:
        """One call stores, gets and deletes thousands of records."""
        wanted = records(self.large_batch)
        assert await provider.upsert(wanted) == self.large_batch
        assert ids(await provider.get(ids(wanted))) == ids(wanted)
        assert await provider.delete(ids(wanted[1:])) == self.large_batch - 1
        assert await provider.count() == 1

    # -- upsert -----------------------------------------------------------------------------------

    @promise()
    async def test_upsert_replaces(self, provider: BaseEmbeddingProvider) -> None:
        """Storing an id again leaves one record: the new text, vector and metadata, nothing old."""
        await provider.upsert([record("a", "old", old=1, both="old"), record("b")])
        assert await provider.upsert([Record("a", "new", unit("new"), {"both": "new"})]) == 1
        assert await provider.count() == 2
        (found,) = await provider.get(["a"], with_vectors=True)
        assert (found.text, found.metadata) == ("new", {"both": "new"})
        assert found.vector is not None
        assert np.allclose(found.vector, unit("new"), atol=1e-3)

    @promise()
    async def test_last_of_a_batch_wins(self, provider: BaseEmbeddingProvider) -> None:
        """Of records with one id in one call the last is stored, and counted once."""
        batch = [record("a", "first"), record("b"), record("a", "second"), record("a", "third")]
        assert await provider.upsert(batch) == 2
        assert await provider.count() == 2
        assert [one.text for one in await provider.get(["a"])] == ["third"]

    @promise()
    async def test_upsert_of_nothing(self, provider: BaseEmbeddingProvider) -> None:
        """Storing no records is allowed and changes nothing."""
        assert await provider.upsert([]) == 0
        await provider.upsert([record("a")])
        assert await provider.upsert(iter(())) == 0
        assert await provider.count() == 1

    @promise()
    async def test_upsert_takes_any_iterable(self, provider: BaseEmbeddingProvider) -> None:
        """Records may come from a generator, and vectors as lists, tuples or float64 arrays."""
        vectors = [[1.0] * DIMENSION, (2,) * DIMENSION, np.full(DIMENSION, 3.0)]
        made = (Record(f"v{n}", "text", one) for n, one in enumerate(vectors))  # type: ignore[arg-type]  # the wrong type is the point
        assert await provider.upsert(made) == 3
        found = await provider.get(["v0", "v1", "v2"], with_vectors=True)
        assert [float(one.vector[0]) for one in found if one.vector is not None] == pytest.approx(
            [1.0, 2.0, 3.0], abs=1e-2
        )

    @promise()
    async def test_bad_vectors_are_refused(self, provider: BaseEmbeddingProvider) -> None:
        """A wrong length, NaN, infinity, zero, or what is no vector stores nothing of the batch."""
        nan, infinite = unit(1), unit(2)
        nan[3], infinite[4] = np.nan, np.inf
        wrong = [nan, infinite, axis(0, 0.0), "text", [["a"] * DIMENSION], [unit(1)], None, 7]
        for vector in wrong:
            with pytest.raises(InvalidRequestError):
                await provider.upsert([record("good"), Record("bad", "text", vector)])  # type: ignore[arg-type]  # the wrong type is the point
        for length in (0, 1, DIMENSION - 1, DIMENSION + 1):
            with pytest.raises((DimensionMismatchError, InvalidRequestError)):
                await provider.upsert([record("good"), Record("bad", "text", np.ones(length))])  # type: ignore[arg-type]  # the wrong type is the point
        assert await provider.count() == 0
        await provider.upsert([record("good")])
        assert await provider.count() == 1

    @promise()
    async def test_bad_records_are_refused(self, provider: BaseEmbeddingProvider) -> None:
        """An unusable id, text or metadata is a clear error, and stores nothing of the batch."""
        bad = [
            Record("", "no id", unit(1)),
            Record("nul\0", "NUL in the id", unit(1)),
            Record("x" * 1025, "id too long", unit(1)),
            Record("\ud800", "surrogate", unit(1)),
            Record(7, "id not a string", unit(1)),  # type: ignore[arg-type]  # the wrong type is the point
            Record("a", None, unit(1)),  # type: ignore[arg-type]  # the wrong type is the point
            Record("a", "surrogate \udfff", unit(1)),
            Record("a", "key", unit(1), {1: "x"}),  # type: ignore[dict-item]  # the wrong type is the point
            Record("a", "key", unit(1), {"": "x"}),
            Record("a", "value", unit(1), {"when": object()}),
            Record("a", "value", unit(1), {"deep": {"set": {1, 2}}}),
            Record("a", "value", unit(1), {"nan": float("nan")}),
            Record("a", "metadata", unit(1), ["x"]),  # type: ignore[arg-type]  # the wrong type is the point
            "not a record",
        ]
        for one in bad:
            with pytest.raises(InvalidRequestError):
                await provider.upsert([record("good"), one])  # type: ignore[list-item]  # the wrong type is the point
        assert await provider.count() == 0

    # -- copies -----------------------------------------------------------------------------------

    @promise()
    async def test_what_is_returned_is_the_callers(self, provider: BaseEmbeddingProvider) -> None:
        """Changing what was returned, metadata or vector, changes nothing in the store."""
        await provider.upsert([record("a", "word", tags=["x"], inner={"n": 1})])
        (got,) = await provider.get(["a"], with_vectors=True)
        (hit,) = await provider.search(unit("a"))
        (text_hit,) = await provider.search_text("word")
        scanned = [one async for batch in provider.scan(with_vectors=True) for one in batch]
        returned: list[Record | Hit] = [got, hit, text_hit, *scanned]
        for one in returned:
            one.metadata["tags"].append("y")
            one.metadata["inner"]["n"] = 2
            if isinstance(one, Record):
                assert one.vector is not None
                _overwrite(one.vector)
        (again,) = await provider.get(["a"], with_vectors=True)
        assert again.metadata == {"tags": ["x"], "inner": {"n": 1}}
        assert again.vector is not None
        assert np.allclose(again.vector, unit("a"), atol=1e-3)

    @promise()
    async def test_what_was_given_is_copied(self, provider: BaseEmbeddingProvider) -> None:
        """Changing a record's metadata or vector after storing it changes nothing in the store."""
        metadata, vector = {"tags": ["x"]}, unit("a")
        await provider.upsert([Record("a", "text", vector, metadata)])
        metadata["tags"].append("y")
        vector[:] = 0.0
        (found,) = await provider.get(["a"], with_vectors=True)
        assert found.metadata == {"tags": ["x"]}
        assert found.vector is not None
        assert np.allclose(found.vector, unit("a"), atol=1e-3), "the caller's array is shared"

    # -- get --------------------------------------------------------------------------------------

    @promise()
    async def test_get_keeps_the_order(self, provider: BaseEmbeddingProvider) -> None:
        """`get` returns records in the order asked for, each once, and leaves out unknown ids."""
        await provider.upsert(records(20))
        found = await provider.get(["r00013", "unknown", "r00002", "r00019", "r00002", "r00000"])
        assert ids(found) == ["r00013", "r00002", "r00019", "r00000"]
        assert await provider.get([]) == []
        assert await provider.get(["unknown"]) == []

    @promise()
    async def test_ids_are_a_list(self, provider: BaseEmbeddingProvider) -> None:
        """A bare string in place of a list of ids is refused, not read letter by letter."""
        await provider.upsert([record("a")])
        with pytest.raises(InvalidRequestError):
            await provider.get("a")
        with pytest.raises(InvalidRequestError):
            await provider.delete("a")
        assert await provider.count() == 1


def _overwrite(vector: np.ndarray) -> None:
    """Fill *vector* with zeros; a read-only one cannot be changed, which is as good."""
    if vector.flags.writeable:
        vector[:] = 0.0
