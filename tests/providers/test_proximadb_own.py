"""What is particular to ProximaDB: an engine that dies, hangs, forgets, and is built anew."""

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

pytest.importorskip("proximadb_embedded", reason="ProximaDB's engine is not installed")

import numpy as np

from victor_memory import EmbeddingConfig, EmbeddingRegistry, Record
from victor_memory.catalogue import BUILTIN_PROVIDERS
from victor_memory.errors import (
    ExperimentalProviderWarning,
    ProviderFallbackWarning,
    ProviderUnavailableError,
)
from victor_memory.providers import proximadb
from victor_memory.providers._proximadb_engine import EngineError, ProximaEngine
from victor_memory.providers.proximadb import ProximaDBProvider

pytestmark = pytest.mark.timeout(600)  # each opening takes seconds
DIMENSION = 64


def config(directory, metric="cosine", **options):
    return EmbeddingConfig(
        vector_store="proximadb",
        persist_directory=directory,
        distance_metric=metric,
        embedding_model_type="hashing",
        extra_config=options,
    )


def make(directory, metric="cosine", **options):
    return ProximaDBProvider(config(directory, metric, **options))


def records(count, seed=0, start=0):
    vectors = np.random.default_rng(seed).normal(size=(count, DIMENSION)).astype(np.float32)
    return [
        Record(f"id{start + row:05}", f"text {start + row}", vectors[row], {"even": row % 2 == 0})
        for row in range(count)
    ]


async def details(provider):
    return (await provider.stats()).details


async def finds(provider, record):
    hits = await provider.search(record.vector, limit=1)
    return [hit.id for hit in hits] == [record.id]


def pid_of(provider):
    return provider._engine._process.pid


@pytest.fixture
def by_numpy(monkeypatch):
    """Count the searches that were not left to the engine."""
    counted = []
    nearest = proximadb.RecordFile.nearest

    def count(self, *arguments):
        counted.append(arguments)
        return nearest(self, *arguments)

    monkeypatch.setattr(proximadb.RecordFile, "nearest", count)
    return counted


def refuse(self, *, patience):
    msg = "no memory left"
    raise EngineError(msg)


# -- what the engine is used for ------------------------------------------------------------------


async def test_the_engine_proposes_and_sqlite_decides(tmp_path, by_numpy):
    data = records(3000)
    matrix = np.stack([one.vector for one in data])
    matrix /= np.linalg.norm(matrix, axis=1, keepdims=True)
    found = 0
    async with make(tmp_path) as provider:
        await provider.upsert(data)
        for query in np.random.default_rng(9).normal(size=(30, DIMENSION)).astype(np.float32):
            scores = matrix @ (query / np.linalg.norm(query))
            exact = {data[row].id for row in np.argsort(-scores)[:10]}
            hits = await provider.search(query, limit=10)
            found += len({hit.id for hit in hits} & exact)
            # The scores are SQLite's: not those of the engine's 8-bit vectors.
            assert hits[0].score == pytest.approx(float(scores.max()), abs=1e-6)
        assert found / 300 >= 0.97
        assert by_numpy == []
        # Few records match: they are compared by numpy. Many do: enough of them are proposed.
        assert len(await provider.search(matrix[0], where={"even": True})) == 10
        assert len(by_numpy) == 1
        await provider.upsert(records(4000, seed=1, start=3000))
        hits = await provider.search(matrix[0], where={"even": True})
        assert (len(hits), {hit.metadata["even"] for hit in hits}) == (10, {True})
        assert len(by_numpy) == 1
        told = await details(provider)
        assert told["vector_engine"].startswith("proximadb_embedded ")
        assert (told["engine_rows"], told["engine_dead_rows"]) == (7000, 0)
        if told["engine_memory_mb"] is not None:
            assert told["engine_memory_mb"] > 500


async def test_other_metrics_need_no_engine(tmp_path):
    async with make(tmp_path, "dot") as provider:
        await provider.upsert(records(10))
        assert await finds(
            provider, max(records(10), key=lambda one: float(one.vector @ one.vector))
        )
        assert (await details(provider))["vector_engine"] == "numpy"
        assert not provider._engine.running


async def test_rows_of_records_that_are_gone_are_left_behind(tmp_path, monkeypatch):
    monkeypatch.setattr(proximadb, "DEAD", 50)
    async with make(tmp_path) as provider:
        for round_ in range(5):
            await provider.upsert(records(60, seed=round_))
        told = await details(provider)
        assert told["engine_rows"] - told["engine_dead_rows"] == 60
        assert told["engine_dead_rows"] <= 60
        assert all([await finds(provider, one) for one in records(60, seed=4)[:10]])
        for one in records(60, seed=3)[:10]:
            (hit,) = await provider.search(one.vector, limit=1)
            assert hit.score < 0.9
        await provider.delete_where({"even": True})
        await provider.compact()
        assert (await details(provider))["engine_rows"] == 30
        await provider.clear_index()
        assert (await details(provider))["engine_rows"] == 0
        assert len(provider._engine.collections()) == 1


# -- an engine that ends or hangs -----------------------------------------------------------------


async def test_an_engine_that_was_killed_is_started_again(tmp_path, by_numpy):
    async with make(tmp_path) as provider:
        await provider.upsert(records(40))
        first = pid_of(provider)
        os.kill(first, signal.SIGKILL)
        # Nothing is lost, whatever comes first.
        assert await provider.upsert(records(5, seed=1, start=40)) == 5
        assert pid_of(provider) != first
        os.kill(pid_of(provider), signal.SIGKILL)
        for one in (*records(40)[:5], *records(5, seed=1, start=40)):
            assert await finds(provider, one)
        # At most the search in which it was found to have ended was left to numpy.
        assert len(by_numpy) <= 1
        assert provider._engine.running


async def test_an_engine_that_does_not_answer_is_ended(tmp_path, by_numpy):
    async with make(tmp_path) as provider:
        await provider.upsert(records(40))
        first = pid_of(provider)
        os.kill(first, signal.SIGSTOP)
        provider._engine._timeout = 0.5
        assert await finds(provider, records(40)[7])
        assert len(by_numpy) == 1
        provider._engine._timeout = 60.0
        assert await finds(provider, records(40)[8])
        assert len(by_numpy) == 1
        assert pid_of(provider) != first


async def test_without_an_engine_reading_goes_on_and_writing_stores_nothing(tmp_path, monkeypatch):
    async with make(tmp_path) as provider:
        await provider.upsert(records(40))
        monkeypatch.setattr(ProximaEngine, "start", refuse)
        os.kill(pid_of(provider), signal.SIGKILL)
        assert await finds(provider, records(40)[7])
        with pytest.raises(ProviderUnavailableError, match="no memory left"):
            await provider.upsert(records(5, seed=1, start=40))
        assert await provider.count() == 40
        assert await provider.delete(["id00007"]) == 1
        assert not await finds(provider, records(40)[7])
        monkeypatch.undo()
        assert await provider.upsert(records(5, seed=1, start=40)) == 5
        assert await finds(provider, records(40)[8])


@pytest.mark.skipif(sys.platform == "win32", reason="needs signals")
def test_the_engine_ends_with_the_process_that_started_it(tmp_path):
    code = """
        import asyncio, os, signal, sys
        from victor_memory import EmbeddingConfig
        from victor_memory.providers.proximadb import ProximaDBProvider

        async def main():
            config = EmbeddingConfig(vector_store="proximadb", persist_directory=sys.argv[1],
                                     embedding_model_type="hashing")
            provider = ProximaDBProvider(config)
            await provider.index_document("a", "text")
            print(provider._engine._process.pid, flush=True)
            os.kill(os.getpid(), signal.SIGKILL)
        asyncio.run(main())
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), str(tmp_path)],
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    deadline = time.monotonic() + 20
    while Path(f"/proc/{int(done.stdout)}").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert time.monotonic() < deadline
    assert asyncio.run(_contents(tmp_path)) == ["a"]


async def _contents(directory):
    async with make(directory) as provider:
        return [one.id async for batch in provider.scan() for one in batch]


# -- an index that is not as it should be ---------------------------------------------------------


async def test_an_index_that_lost_its_data_is_built_anew(tmp_path, by_numpy):
    async with make(tmp_path) as provider:
        await provider.upsert(records(40))
    engine = tmp_path / "embeddings" / "engine"
    for lost in engine.rglob("*.pax"):
        lost.unlink()
    async with make(tmp_path) as provider:
        assert all([await finds(provider, one) for one in records(40)[:10]])
    # Not even a database any more.
    for file in engine.rglob("*"):
        if file.is_file():
            file.write_bytes(b"garbage")
    async with make(tmp_path) as provider:
        assert all([await finds(provider, one) for one in records(40)[:10]])
        assert by_numpy == []


async def test_a_moved_index_is_built_anew_and_leaves_its_old_place_alone(tmp_path, by_numpy):
    async with make(tmp_path / "old") as provider:
        await provider.upsert(records(40))
    (tmp_path / "old").rename(tmp_path / "new")
    async with make(tmp_path / "new") as provider:
        await provider.upsert(records(40, seed=1, start=40))
        assert all([await finds(provider, one) for one in records(40)[:10]])
        assert by_numpy == []
    assert not (tmp_path / "old").exists()


# -- opening --------------------------------------------------------------------------------------


async def test_a_directory_is_open_once(tmp_path):
    async with make(tmp_path) as provider:
        await provider.upsert(records(3))
        second = make(tmp_path, open_timeout=0.2)
        with pytest.raises(ProviderUnavailableError, match="open in another program"):
            await second.count()
        code = """
            import asyncio, sys
            from victor_memory import EmbeddingConfig
            from victor_memory.errors import ProviderUnavailableError
            from victor_memory.providers.proximadb import ProximaDBProvider

            config = EmbeddingConfig(vector_store="proximadb", persist_directory=sys.argv[1],
                embedding_model_type="hashing", extra_config={"open_timeout": 0.2})
            try:
                asyncio.run(ProximaDBProvider(config).count())
            except ProviderUnavailableError:
                sys.exit(7)
        """
        done = await asyncio.create_subprocess_exec(
            sys.executable, "-c", textwrap.dedent(code), str(tmp_path),
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )  # fmt: skip
        assert await done.wait() == 7
        assert await provider.count() == 3
    async with second:
        assert await second.count() == 3


def registry(tmp_path):
    return EmbeddingRegistry("codebase", BUILTIN_PROVIDERS), config(tmp_path)


async def test_opening_warns_that_it_is_experimental(tmp_path):
    stores, wanted = registry(tmp_path)
    async with stores:
        provider = stores.create(wanted)
        with pytest.warns(ExperimentalProviderWarning, match="ProximaDB is experimental"):
            await provider.initialize()
        assert (await provider.stats()).provider == "proximadb"


async def test_an_engine_that_does_not_start_is_replaced_by_lancedb(tmp_path, monkeypatch):
    monkeypatch.setattr(ProximaEngine, "start", refuse)
    stores, wanted = registry(tmp_path)
    async with stores:
        provider = stores.create(wanted)
        with pytest.warns(ProviderFallbackWarning, match="no memory left.*Using LanceDB"):
            await provider.index_document("a", "text")
        stats = await provider.stats()
        assert (stats.provider, stats.records) == ("lancedb", 1)
        assert stats.fallback.requested == "proximadb"
