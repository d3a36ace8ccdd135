"""What is particular to LanceDB: versions, compaction, the vector index, damaged tables."""

import asyncio
import subprocess
import sys
import textwrap
from datetime import timedelta

import lancedb
import numpy as np
import pyarrow as pa
import pytest
from filelock import FileLock

from victor_memory import EmbeddingConfig, Record
from victor_memory.errors import (
    CorruptStoreError,
    ProviderUnavailableError,
    StoreMismatchError,
)
from victor_memory.providers import _lance_purging
from victor_memory.providers._lance_rows import to_rows
from victor_memory.providers.lancedb import LanceDBProvider

DIMENSION = 64


def make(directory, **options):
    return LanceDBProvider(
        EmbeddingConfig(
            persist_directory=directory, embedding_model_type="hashing", extra_config=options
        )
    )


def records(count, seed=0, start=0):
    vectors = np.random.default_rng(seed).normal(size=(count, DIMENSION)).astype(np.float32)
    return [
        Record(f"id{start + row}", f"text number {start + row}", vectors[row], {"n": start + row})
        for row in range(count)
    ]


async def versions(provider):
    return (await provider.stats()).details["versions"]


async def test_concurrent_writes_are_a_few_commits(tmp_path):
    async with make(tmp_path) as provider:
        before = await versions(provider)
        await asyncio.gather(*(provider.upsert([one]) for one in records(200)))
        assert await provider.count() == 200
        assert await versions(provider) - before <= 3


async def test_versions_and_fragments_stay_bounded_under_small_writes(tmp_path):
    async with make(tmp_path, compact_every=10, retention_seconds=10) as provider:
        # Below what the options allow: an hour of edits happens in a second here.
        provider.options = provider.options.model_copy(update={"retention_seconds": 0.1})
        for one in records(200):
            await provider.upsert([one])
        await asyncio.sleep(0.2)
        await provider.compact()
        details = (await provider.stats()).details
        assert details["versions"] <= 15
        assert details["fragments"] <= 11
        assert await provider.count() == 200


async def test_a_burst_leaves_few_versions_and_who_reads_goes_on(tmp_path, monkeypatch):
    monkeypatch.setattr(_lance_purging, "LEAST_AGE", timedelta(milliseconds=1))
    async with (
        make(tmp_path, compact_every=8, max_versions=16) as provider,
        make(tmp_path) as reader,
    ):
        await provider.upsert(records(60))
        reading = reader.scan(with_vectors=True, batch_size=20)
        seen = [one.id for one in await anext(reading)]
        most = 0
        for round_ in range(10):
            for one in records(10, start=100, seed=round_):
                await provider.upsert([one])
            most = max(most, await versions(provider))
        assert most <= 16 + 8 + 4  # and what tidying up itself writes
        assert provider.options.retention_seconds >= timedelta(minutes=1).total_seconds()
        seen += [one.id async for batch in reading for one in batch]
        assert len(seen) == len(set(seen))
        assert {one.id for one in records(60)} <= set(seen)
        assert await reader.count() == 70


async def test_the_vector_index_is_built_by_size_and_finds_what_exact_search_finds(tmp_path):
    data = records(2000)
    matrix = np.stack([one.vector for one in data])
    matrix /= np.linalg.norm(matrix, axis=1, keepdims=True)
    queries = np.random.default_rng(9).normal(size=(50, DIMENSION)).astype(np.float32)
    async with make(tmp_path, index_threshold=1000) as provider:
        await provider.upsert(data[:900])
        await provider.compact()
        assert (await provider.stats()).details["vector_index"] == "exact"
        await provider.upsert(data[900:])
        await provider.compact()
        assert (await provider.stats()).details["vector_index"] == "IvfSq"
        found = [{hit.id for hit in await provider.search(one, limit=10)} for one in queries]
        exact = [{f"id{row}" for row in np.argsort(-(matrix @ one))[:10]} for one in queries]
        recall = sum(len(a & b) for a, b in zip(found, exact, strict=True)) / 500
        assert recall >= 0.95
        # What is written after the index was built is found at once, and what is deleted is not.
        fresh = Record("fresh", "text", queries[0], {})
        await provider.upsert([fresh])
        assert (await provider.search(queries[0], limit=1))[0].id == "fresh"
        await provider.delete(["fresh"])
        assert (await provider.search(queries[0], limit=1))[0].id != "fresh"


async def test_the_index_serves_another_provider_that_did_not_build_it(tmp_path):
    data = records(1500)
    async with make(tmp_path, index_threshold=1000) as one, make(tmp_path) as other:
        await other.initialize()
        await one.upsert(data)
        await one.compact()
        assert [hit.id for hit in await other.search(data[7].vector, limit=1)] == ["id7"]


async def test_compaction_never_breaks_another_process_that_reads(tmp_path):
    await write_once(tmp_path, records(500))
    reader = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(READER), str(tmp_path)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8",
    )  # fmt: skip
    assert reader.stdout.readline() == "ready\n"
    async with make(tmp_path, compact_every=2, retention_seconds=10) as provider:
        for round_ in range(40):
            await provider.upsert(records(5, seed=round_, start=round_ * 5))
            await provider.compact()
    out, err = reader.communicate(timeout=60)
    assert (reader.returncode, err) == (0, "")
    assert int(out) > 20


READER = """
    import asyncio, sys, time
    from victor_memory import EmbeddingConfig
    from victor_memory.providers.lancedb import LanceDBProvider

    async def main():
        config = EmbeddingConfig(persist_directory=sys.argv[1], embedding_model_type="hashing")
        async with LanceDBProvider(config) as provider:
            print("ready", flush=True)
            end, reads = time.monotonic() + 3, 0
            while time.monotonic() < end:
                assert len(await provider.search([1.0] * 64, limit=5)) == 5
                assert await provider.search_text("text number 3")
                assert await provider.count() >= 500
                reads += 1
            print(reads)

    asyncio.run(main())
"""


async def write_once(directory, data):
    async with make(directory) as provider:
        await provider.upsert(data)


async def test_a_creation_that_was_killed_is_done_again(tmp_path):
    async with make(tmp_path):
        pass
    table = tmp_path / "embeddings" / "records.lance"
    for manifest in (table / "_versions").iterdir():
        manifest.unlink()
    async with make(tmp_path) as provider:
        await provider.upsert(records(3))
        assert await provider.count() == 3


@pytest.mark.parametrize("damage", [b"", b"garbage" * 20])
async def test_a_damaged_table_is_named_and_never_taken_for_an_empty_one(tmp_path, damage):
    await write_once(tmp_path, records(10))
    for manifest in (tmp_path / "embeddings" / "records.lance" / "_versions").glob("*.manifest"):
        manifest.write_bytes(damage)
    provider = make(tmp_path)
    with pytest.raises(CorruptStoreError, match="index --rebuild"):
        await provider.count()
    await provider.close()
    again = make(tmp_path)
    await again.recreate()
    assert await again.count() == 0
    await again.close()


async def test_a_table_of_another_program_is_refused_and_kept(tmp_path):
    async with make(tmp_path) as provider:
        place = provider.directory
    foreign = await lancedb.connect_async(str(place))
    await foreign.drop_table("records")
    await foreign.create_table("records", pa.table({"name": ["theirs"]}))
    foreign.close()
    with pytest.raises(StoreMismatchError, match="did not write"):
        await make(tmp_path).count()
    again = await lancedb.connect_async(str(place))
    assert await (await again.open_table("records")).count_rows() == 1
    again.close()


async def test_a_lock_that_is_never_released_delays_a_write_and_does_not_prevent_it(tmp_path):
    async with make(tmp_path, lock_timeout=0.2) as provider:
        with FileLock(provider.directory / ".writer.lock"):
            await provider.upsert(records(3))
            assert len(await provider.search(records(1)[0].vector)) == 3
        assert await provider.count() == 3


async def test_a_lock_never_delays_a_search(tmp_path):
    async with make(tmp_path, lock_timeout=60) as provider:
        await provider.upsert(records(3))
        with FileLock(provider.directory / ".writer.lock"):
            hits = await asyncio.wait_for(provider.search(records(1)[0].vector), timeout=10)
        assert len(hits) == 3


async def test_a_cancelled_writer_leaves_the_lock_free(tmp_path):
    async with make(tmp_path) as provider:
        with FileLock(provider.directory / ".writer.lock"):
            waiting = asyncio.create_task(provider.delete(["id1"]))
            await asyncio.sleep(0.1)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
        await asyncio.wait_for(provider.upsert(records(3)), timeout=10)
        assert await provider.count() == 3


async def test_old_versions_survive_their_retention(tmp_path):
    async with make(tmp_path) as provider:
        await provider.upsert(records(10))
        raw = await lancedb.connect_async(str(provider.directory))
        table = await raw.open_table("records")
        seen = await table.version()
        for round_ in range(5):
            await provider.upsert(records(10, seed=round_))
            await provider.compact()
        await table.checkout(seen)
        assert await table.count_rows() == 10
        raw.close()
        assert provider.options.retention_seconds >= timedelta(minutes=1).total_seconds()


async def test_nobody_writes_without_the_lock_while_the_table_is_written_anew(tmp_path):
    async with make(tmp_path, lock_timeout=0.1) as provider:
        await provider.upsert(records(3))
        with FileLock(provider.directory / ".writer.lock"):
            with FileLock(provider.directory / ".purging.lock"):
                late = asyncio.create_task(provider.upsert(records(2, start=3)))
                await asyncio.sleep(0.5)
                assert not late.done()
            await late
        assert await provider.count() == 5


async def test_a_purge_never_goes_on_without_the_lock(tmp_path):
    async with make(tmp_path, lock_timeout=0.1) as provider:
        await provider.upsert(records(3))
        before = await provider.generation()
        with (
            FileLock(provider.directory / ".writer.lock"),
            pytest.raises(ProviderUnavailableError, match="was written to for .* again"),
        ):
            await provider.purge()
        assert await provider.generation() == before


async def test_what_another_machine_wrote_during_a_purge_is_kept(tmp_path, monkeypatch):
    async with make(tmp_path) as provider, make(tmp_path) as other:
        await provider.upsert(records(3))
        create = provider._db.create_table

        async def create_later(*arguments, **options):
            # The lock of another machine is another lock.
            rows = other._table.merge_insert("id").when_not_matched_insert_all()
            await rows.execute(to_rows(records(2, start=3), other._schema))
            return await create(*arguments, **options)

        monkeypatch.setattr(type(provider._db), "create_table", staticmethod(create_later))
        with pytest.raises(ProviderUnavailableError, match="another machine"):
            await provider.purge()
        assert await provider.count() == 5
        monkeypatch.undo()
        await provider.purge()
        assert await other.count() == 5
