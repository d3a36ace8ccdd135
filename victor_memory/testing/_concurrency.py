"""Promises on use at the same time: by tasks of one process, and by several processes."""

# ruff: noqa: PLR2004 - expected numbers are the point of a test

from __future__ import annotations

import asyncio
from collections import Counter
from typing import ClassVar, Final

from victor_memory.providers.base import BaseEmbeddingProvider
from victor_memory.testing._data import ids, record, records, text_of, unit, word
from victor_memory.testing._harness import Harness, Promises, promise
from victor_memory.types import Record

TASKS: Final = 32


async def _everything(provider: BaseEmbeddingProvider) -> list[Record]:
    return [one async for batch in provider.scan() for one in batch]


class ConcurrencyPromises(Promises):
    """Many writers and readers; a campaign raises `processes` and `upserts_per_process`."""

    processes: ClassVar[int] = 3
    upserts_per_process: ClassVar[int] = 20

    # -- tasks ------------------------------------------------------------------------------------

    @promise()
    async def test_tasks_store_different_records(self, provider: BaseEmbeddingProvider) -> None:
        """What 32 tasks store at the same time is all there, each record once."""
        await asyncio.gather(
            *(provider.upsert(records(5, f"task{task}-")) for task in range(TASKS))
        )
        found = Counter(ids(await _everything(provider)))
        assert len(found) == TASKS * 5
        assert set(found.values()) == {1}

    @promise()
    async def test_tasks_store_the_same_records(self, provider: BaseEmbeddingProvider) -> None:
        """Of 32 tasks that store the same ids one wins each id: one record, whole."""

        async def store(task: int) -> None:
            batch = [Record(f"s{n}", f"by {task}", unit((n, task)), {"by": task}) for n in range(6)]
            await provider.upsert(batch[task % 6 :] + batch[: task % 6])

        await asyncio.gather(*(store(task) for task in range(TASKS)))
        found = await _everything(provider)
        assert sorted(ids(found)) == [f"s{n}" for n in range(6)]
        for one in found:
            assert one.text == f"by {one.metadata['by']}"
            winner = unit((int(one.id[1:]), one.metadata["by"]))
            (hit,) = await provider.search(winner, limit=1)
            assert (hit.id, hit.text) == (one.id, one.text)

    @promise()
    async def test_tasks_of_every_kind(self, provider: BaseEmbeddingProvider) -> None:
        """Reading while others write and delete fails nothing and finds only whole records."""
        await provider.upsert(records(100))

        async def write(n: int) -> None:
            await provider.upsert([record(f"r{n:05}", "updated", n=n)])
            await provider.delete([f"r{n + 50:05}"])

        async def read(n: int) -> None:
            for hit in await provider.search(unit(f"r{n:05}"), limit=20):
                assert hit.text in ("updated", text_of(hit.id))
            for one in await provider.search_text("updated", limit=20):
                assert one.text == "updated"
            assert len(await provider.get([f"r{n:05}"])) == 1
            assert 50 <= await provider.count() <= 100

        await asyncio.gather(*(job(n) for n in range(TASKS) for job in (write, read)))
        assert await provider.count() == 100 - TASKS
        assert await provider.count({"even": True}) == 18
        assert len(await provider.search_text("updated", limit=100)) == TASKS

    @promise()
    async def test_scan_beside_writers(self, provider: BaseEmbeddingProvider) -> None:
        """A scan yields each record that is there all the time once, whatever is written."""
        await provider.upsert(records(200))

        async def write() -> None:
            for n in range(20):
                await provider.upsert([record(f"new{n}"), record(f"r{n:05}", "updated")])
                await provider.delete([f"r{100 + n:05}"])

        writer = asyncio.create_task(write())
        seen: Counter[str] = Counter()
        async for batch in provider.scan(batch_size=10):
            seen.update(ids(batch))
            await asyncio.sleep(0)
        await writer
        untouched = [f"r{n:05}" for n in range(200) if 20 <= n < 100 or n >= 120]
        assert [one for one in untouched if seen[one] != 1] == []
        assert [one for one in seen if seen[one] > 1] == []

    @promise("transactional")
    async def test_batches_appear_whole(self, provider: BaseEmbeddingProvider) -> None:
        """While a batch is stored a reader sees all of it or nothing."""
        await provider.initialize()
        seen: set[int] = set()

        async def watch() -> None:
            while True:
                seen.add(await provider.count())
                await asyncio.sleep(0)

        watcher = asyncio.create_task(watch())
        for n in range(4):
            await provider.upsert(records(250, f"batch{n}-"))
        watcher.cancel()
        await asyncio.gather(watcher, return_exceptions=True)
        assert seen <= {0, 250, 500, 750, 1000}

    # -- processes --------------------------------------------------------------------------------

    @promise("persistent", "multi_process")
    async def test_processes_store_the_same_records(self, harness: Harness) -> None:
        """Processes that create a collection and write at once lose nothing; an id is one row."""
        workers = [harness.start() for _ in range(self.processes)]
        for worker in workers:
            worker.send("initialize")
        for worker in workers:
            assert [await worker.answer(), await worker.answer()] == ["opening", "open"]
        count = self.upserts_per_process
        for who, worker in enumerate(workers):
            worker.send("storm", who=who, upserts=count, ids=count)
        for worker in workers:
            assert await worker.answer() == "done"
            await worker.finish()
        provider = harness.make()
        found = Counter(ids(await _everything(provider)))
        shared = {f"storm{n}" for n in range(count)}
        own = {f"own{who}-{n}" for who in range(self.processes) for n in range(count)}
        assert found.keys() == shared | own
        assert set(found.values()) == {1}
        assert await provider.count() == len(found)

    @promise("persistent", "multi_process")
    async def test_other_processes_are_seen(self, harness: Harness) -> None:
        """An open provider sees what another process stores, updates and deletes, at once."""
        provider, worker = harness.make(), harness.start()
        await provider.upsert([record("mine"), record("doomed")])
        assert await worker.ask("dump") == {one: text_of(one) for one in ("mine", "doomed")}
        assert await worker.ask("upsert", texts={"theirs": "foreign", "mine": "changed"}) == 2
        assert await worker.ask("delete", ids=["doomed"]) == 1
        assert await provider.count() == 2
        assert [one.text for one in await provider.get(["mine", "theirs"])] == [
            "changed",
            "foreign",
        ]
        assert ids(await provider.search(unit("theirs"), limit=1)) == ["theirs"]
        assert ids(await provider.search_text("foreign")) == ["theirs"]
        assert await provider.search_text(word("doomed")) == []
        await provider.upsert([record("theirs", "taken back")])
        assert (await worker.ask("dump"))["theirs"] == "taken back"
        await worker.finish()

    @promise("persistent", "multi_process")
    async def test_two_providers_of_one_process(self, harness: Harness) -> None:
        """Two providers of one collection in one process see each other's writes."""
        one, two = harness.make(), harness.make()
        await one.upsert([record("a"), record("b")])
        assert await two.count() == 2
        await two.upsert([record("a", "changed")])
        await two.delete(["b"])
        assert [(found.id, found.text) for found in await _everything(one)] == [("a", "changed")]
        assert ids(await one.search_text("changed")) == ["a"]
        await asyncio.gather(one.upsert(records(20)), two.upsert(records(20)))
        assert [await one.count(), await two.count()] == [21, 21]

    @promise("multi_process")
    async def test_generation_tells_of_other_writers(self, harness: Harness) -> None:
        """What another provider writes changes the generation that this one returns."""
        one, other = harness.make(), harness.make()
        await one.upsert([record("a")])
        before = await one.generation()
        await other.upsert([record("b")])
        changed = await one.generation()
        await other.delete(["b"])
        assert before is None or len({before, changed, await one.generation()}) == 3
