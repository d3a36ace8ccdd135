"""Promises of stores that keep data: it is there again, as it was last, and nowhere else."""

# ruff: noqa: PLR2004 - expected numbers are the point of a test

from __future__ import annotations

import asyncio
import random
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, ClassVar, Final, TypeVar

import numpy as np
import pytest

from victor_memory.errors import VictorMemoryError
from victor_memory.providers.base import BaseEmbeddingProvider
from victor_memory.testing._data import (
    IDENTIFIERS,
    TEXTS,
    VALUES,
    as_json,
    ids,
    record,
    records,
    text_of,
    unit,
    word,
)
from victor_memory.testing._harness import Harness, Promises, promise
from victor_memory.testing._worker import Step, churn_term, churned, steps
from victor_memory.types import Record

T = TypeVar("T")

PLACES: Final = (
    "with space",
    'it\'s "quoted"',
    "naïve 日本 🧠",
    "percent%20 #?&=",
    "deep/er/and/deeper",
    "{brace} $HOME ~",
)


class DurabilityPromises(Promises):
    """Close, reopen, and worse; a campaign raises `kills`."""

    kills: ClassVar[int] = 3
    """How often a writing process is killed."""

    @promise("persistent")
    async def test_reopened_data_is_as_it_was(self, harness: Harness) -> None:
        """After close and reopen every record is there: text, vector, every kind of metadata."""
        stored = [Record(f"t{n}", text, unit(n), {"n": n}) for n, text in enumerate(TEXTS)]
        stored += [record(one) for one in IDENTIFIERS]
        stored.append(Record("values", "v", unit("values"), VALUES))
        await _once(harness, lambda provider: provider.upsert(stored))
        provider = harness.make()
        found = await provider.get(ids(stored), with_vectors=True)
        assert ids(found) == ids(stored)
        for one, wanted in zip(found, stored, strict=True):
            assert one.text == wanted.text
            assert as_json(one.metadata) == as_json(wanted.metadata)
            assert one.vector is not None
            assert wanted.vector is not None
            assert np.allclose(one.vector, wanted.vector, atol=1e-3)
        assert await provider.count() == len(stored)

    @promise("persistent")
    async def test_reopened_data_is_found(self, harness: Harness) -> None:
        """After close and reopen records are found by vector, by words and by filter."""
        await _once(harness, lambda provider: provider.upsert(records(30)))
        provider = harness.make()
        assert ids(await provider.search(unit("r00007"), limit=1)) == ["r00007"]
        assert ids(await provider.search_text(word("r00011"))) == ["r00011"]
        assert await provider.count({"even": True}) == 15
        await provider.upsert([record("more")])
        assert ids(await provider.search(unit("more"), limit=1)) == ["more"]
        assert await provider.count() == 31

    @promise("persistent")
    async def test_deletes_are_kept(self, harness: Harness) -> None:
        """After close and reopen deleted records are still gone, for every kind of reading."""
        await _once(harness, lambda provider: provider.upsert(records(20)))
        await _once(harness, lambda provider: provider.delete(["r00003", "r00004"]))
        await _once(harness, lambda provider: provider.delete_where({"n": {">=": 15}}))
        rest = [f"r{n:05}" for n in range(15) if n not in (3, 4)]
        provider = harness.make()
        assert sorted(await _texts(provider)) == rest
        assert sorted(ids(await provider.search(unit("r00003"), limit=50))) == rest
        assert sorted(ids(await provider.search_text("text", limit=50))) == rest
        assert await provider.get(["r00003", "r00015"]) == []
        assert await provider.count() == 13

    @promise("persistent")
    async def test_updates_are_kept(self, harness: Harness) -> None:
        """After close and reopen an updated record has its last version, and only that."""
        await _once(harness, lambda provider: provider.upsert([record("a", "old", old=1)]))
        await _once(
            harness,
            lambda provider: provider.upsert([Record("a", "new", unit("new"), {"new": 1})]),
        )
        provider = harness.make()
        assert await provider.count() == 1
        (hit,) = await provider.search(unit("new"), limit=5)
        assert (hit.text, dict(hit.metadata)) == ("new", {"new": 1})
        assert hit.score == pytest.approx(1.0, abs=1e-3)
        assert await provider.search_text("old") == []
        assert await provider.count({"old": 1}) == 0

    @promise("persistent")
    async def test_clearing_is_kept(self, harness: Harness) -> None:
        """After `clear_index`, close and reopen the collection is empty, and can be filled."""
        await _once(harness, lambda provider: provider.upsert(records(10)))
        await _once(harness, lambda provider: provider.clear_index())
        provider = harness.make()
        assert await _texts(provider) == {}
        await provider.upsert(records(2))
        assert await provider.count() == 2

    @promise("persistent")
    async def test_many_sessions(self, harness: Harness) -> None:
        """What many short sessions store one after another is all there."""
        for n in range(8):
            await _once(
                harness,
                lambda provider, n=n: provider.upsert([record(f"s{n}"), record("last", f"{n}")]),  # type: ignore[misc]  # mypy cannot type a default of a lambda
            )
        texts = await _texts(harness.make())
        assert texts == {**{f"s{n}": text_of(f"s{n}") for n in range(8)}, "last": "7"}

    @promise("persistent")
    async def test_next_process_finds_the_data(self, harness: Harness) -> None:
        """Another process finds what this one stored, and this one finds what that one did."""
        await _once(harness, lambda provider: provider.upsert([record("a"), record("b")]))
        worker = harness.start()
        assert await worker.ask("dump") == {one: text_of(one) for one in "ab"}
        assert await worker.ask("upsert", texts={"b": "changed", "c": "new"}) == 2
        assert await worker.ask("delete", ids=["a"]) == 1
        await worker.finish()
        assert await _texts(harness.make()) == {"b": "changed", "c": "new"}

    @promise("persistent")
    async def test_collections_are_kept_apart(self, harness: Harness) -> None:
        """Two collections in one place are still two after reopening; dropping one is only that."""
        other = f"{harness.collection}-2"
        await _once(harness, lambda provider: provider.upsert([record("a", "in one")]))
        await _once(
            harness, lambda provider: provider.upsert([record("a", "in two")]), collection=other
        )
        assert await _texts(harness.make()) == {"a": "in one"}
        assert await _texts(harness.make(collection=other)) == {"a": "in two"}
        await harness.close()
        await _once(harness, lambda provider: provider.recreate(), collection=other)
        assert await _texts(harness.make()) == {"a": "in one"}
        assert await _texts(harness.make(collection=other)) == {}

    @promise("files")
    async def test_any_directory(self, harness: Harness) -> None:
        """A directory may have any name: spaces, quotes, any script; all files are below it."""
        for n, place in enumerate(PLACES):
            directory = harness.directory / place
            await _once(
                harness,
                lambda provider, n=n: provider.upsert([record(f"p{n}", f"place {n}")]),  # type: ignore[misc]  # mypy cannot type a default of a lambda
                persist_directory=directory,
            )
            again = harness.make(persist_directory=directory)
            assert await _texts(again) == {f"p{n}": f"place {n}"}, place
            assert ids(await again.search_text("place")) == [f"p{n}"], place
            assert [path.name for path in directory.iterdir()] == [harness.collection], place
            await again.close()
        beside = {path.name for path in harness.directory.iterdir()}
        assert beside == {Path(place).parts[0] for place in PLACES}

    @promise("files")
    async def test_newline_in_a_directory(self, harness: Harness) -> None:
        """A directory with a newline in its name works, or is refused with an error of ours."""
        directory = harness.directory / "new\nline"
        try:
            await _once(
                harness, lambda provider: provider.upsert(records(2)), persist_directory=directory
            )
        except VictorMemoryError:
            return
        again = harness.make(persist_directory=directory)
        assert sorted(await _texts(again)) == ids(records(2))

    @promise("files")
    async def test_directory_may_move(self, harness: Harness, tmp_path: Path) -> None:
        """A closed collection is a directory that can be moved or copied, and opened there."""
        await _once(harness, lambda provider: provider.upsert(records(5)))
        moved = tmp_path / "moved"
        harness.directory.rename(moved)
        provider = harness.make(persist_directory=moved)
        assert sorted(await _texts(provider)) == ids(records(5))
        assert ids(await provider.search(unit("r00002"), limit=1)) == ["r00002"]
        assert ids(await provider.search_text(word("r00003"))) == ["r00003"]

    # -- crashes ----------------------------------------------------------------------------------

    @promise("persistent")
    async def test_killed_writer_loses_nothing(self, harness: Harness) -> None:
        """After `kill -9` every acknowledged write is there once, and every deleted record gone."""
        before: dict[str, str] = {}
        for number in range(self.kills):
            rng = random.Random(number)  # noqa: S311 - reproducible, not secret
            acknowledged = await _churn_until_killed(harness, rng, number)
            after, under_way = dict(before), None
            if acknowledged is not None:
                series = steps(number)
                for _ in range(acknowledged):
                    next(series).apply_to(after)
                under_way = next(series)
            provider = harness.make()
            try:
                before = await self._check_survivors(provider, before, after, under_way)
                await provider.upsert([record("after")])
                assert await provider.delete(["after"]) == 1
            except AssertionError as exc:
                msg = f"after kill {number}, {acknowledged} writes being acknowledged: {exc}"
                raise AssertionError(msg) from exc
            await provider.close()

    async def _check_survivors(
        self,
        provider: BaseEmbeddingProvider,
        before: dict[str, str],
        after: dict[str, str],
        under_way: Step | None,
    ) -> dict[str, str]:
        """Return the versions found, which are those of *after*, but for the step *under_way*.

        *before* is what there was when the killed process began: old versions must not come back.
        """
        found = await _versions(provider)
        touched = () if under_way is None else under_way.ids
        done = dict(after)
        if under_way is not None:
            under_way.apply_to(done)
        lost = {
            one: (found.get(one), after.get(one), done.get(one))
            for one in found.keys() | after.keys()
            if found.get(one) not in (after.get(one), done.get(one))
        }
        assert not lost, f"(found, acknowledged, under way) by id: {lost}"
        if self.provider_class.traits.transactional:
            old = {one: after[one] for one in touched if one in after}
            new = {one: done[one] for one in touched if one in done}
            seen = {one: found[one] for one in touched if one in found}
            assert seen in (old, new), f"half of a batch: {seen}"
        for one, version in list(found.items())[:8]:
            (hit,) = await provider.search(unit((one, version)), limit=1)
            assert hit.id == one, "the vector is not found"
            assert hit.score == pytest.approx(1.0, abs=1e-3)
            assert ids(await provider.search_text(churn_term(one, version))) == [one]
        stale = {one: version for one, version in before.items() if found.get(one) != version}
        for one, version in list(stale.items())[:8]:
            assert await provider.search_text(churn_term(one, version)) == [], "old words are found"
        return found

    @promise("files")
    @pytest.mark.skipif(sys.platform == "win32", reason="needs a limit on the size of files")
    async def test_full_disk_loses_nothing(self, harness: Harness) -> None:
        """A write that the disk refuses is an error of ours, and what was stored before is kept."""
        kept = records(20)
        await _once(harness, lambda provider: provider.upsert(kept))
        worker = harness.start()
        answer = await worker.ask("overflow", size=2_000_000)
        worker.kill()  # its files have no room to be closed in, and one process may be the most
        provider = harness.make()
        found = await _texts(provider)
        assert [one for one in ids(kept) if one not in found] == []
        big = [one for one in found if one.startswith("big")]
        if answer["error"] is None:
            assert len(big) == answer["stored"], "acknowledged and lost"
        await provider.upsert([record("after")])
        assert ids(await provider.search(unit("after"), limit=1)) == ["after"]


async def _once(
    harness: Harness, use: Callable[[BaseEmbeddingProvider], Awaitable[T]], **changes: Any
) -> T:
    """Use a provider and close it."""
    async with harness.make(**changes) as provider:
        return await use(provider)


async def _texts(provider: BaseEmbeddingProvider) -> dict[str, str]:
    """Return the text of every record, having checked that each is there once."""
    found = [one async for batch in provider.scan() for one in batch]
    assert len({*ids(found)}) == len(found), "a record is there twice"
    return {one.id: one.text for one in found}


async def _versions(provider: BaseEmbeddingProvider) -> dict[str, str]:
    """Return the version of every churned record, having checked that each is whole."""
    texts = await _texts(provider)
    found = {one.id: one.metadata["version"] for one in await provider.get(list(texts))}
    torn = [one for one, version in found.items() if texts[one] != churned(one, version).text]
    assert torn == [], f"text and metadata are of different versions: {torn}"
    assert sorted(found) == sorted(texts)
    assert await provider.count() == len(found)
    return found


async def _churn_until_killed(harness: Harness, rng: random.Random, number: int) -> int | None:
    """Kill a process that opens the collection (the first) or writes; return how many it wrote."""
    worker = harness.start()
    worker.send("initialize")
    assert await worker.answer() == "opening"
    if number == 0:
        await asyncio.sleep(rng.random() * 0.1)
        worker.kill()
        return None
    assert await worker.answer() == "open"
    worker.send("churn", seed=number)
    wished = rng.randrange(1, 40)
    while await worker.answer() < wished:
        pass
    await asyncio.sleep(rng.random() * 0.03)
    worker.kill()
    # What was acknowledged before the kill, and is still in the pipe, counts.
    return 1 + int(max([wished, *[one async for one in worker.answers()]]))
