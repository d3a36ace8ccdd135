"""What is particular to SQLite: the extension, the cache, other people's files, a busy file."""

import asyncio
import ctypes
import json
import os
import subprocess
import sys
import textwrap

import pytest

pytest.importorskip("apsw", reason="the extra 'sqlite' is not installed")
pytest.importorskip("sqlite_vec", reason="the extra 'sqlite' is not installed")

import apsw
import numpy as np
import sqlite_vec

from victor_memory import EmbeddingConfig, Record
from victor_memory.errors import (
    CorruptStoreError,
    InvalidRequestError,
    ProviderClosedError,
    ProviderUnavailableError,
    StoreMismatchError,
)
from victor_memory.providers.sqlite import SQLiteProvider

DIMENSION = 64
METRICS = ("cosine", "euclidean", "dot")


def make(directory, metric="cosine", **options):
    return SQLiteProvider(
        EmbeddingConfig(
            vector_store="sqlite",
            persist_directory=directory,
            distance_metric=metric,
            embedding_model_type="hashing",
            extra_config=options,
        )
    )


def records(count, seed=0, start=0):
    vectors = np.random.default_rng(seed).normal(size=(count, DIMENSION)).astype(np.float32)
    return [
        Record(f"id{start + row:05}", f"text number {start + row}", vectors[row], {"n": row % 7})
        for row in range(count)
    ]


def queries(count):
    return np.random.default_rng(99).normal(size=(count, DIMENSION)).astype(np.float32)


async def details(provider):
    return (await provider.stats()).details


# -- three ways to the same result ----------------------------------------------------------------


@pytest.mark.parametrize("metric", METRICS)
async def test_extension_cache_and_numpy_find_the_same(tmp_path, metric):
    async with (
        make(tmp_path, metric, cache_mb=0) as native,
        make(tmp_path, metric, cache_mb=0, extension=False) as plain,
        make(tmp_path, metric) as cached,
    ):
        await native.upsert(records(1500))
        for query in queries(8):
            for where in (None, {"n": [1, 2, 3]}, {"n": {">": 3}}, {"n": 100}):
                found = [
                    await one.search(query, limit=20, where=where)
                    for one in (native, plain, cached)
                ]
                names = [[hit.id for hit in hits] for hits in found]
                assert names[0] == names[1] == names[2]
                scores = [[hit.score for hit in hits] for hits in found]
                assert np.allclose(scores[0], scores[1], atol=1e-4)
                assert np.allclose(scores[0], scores[2], atol=1e-4)
        assert (await details(native))["vector_engine"] == "sqlite-vec"
        assert (await details(plain))["vector_engine"] == "numpy"
        assert (await details(cached))["vectors_in_memory"] == 1500
        assert (await details(native))["vectors_in_memory"] == 0


@pytest.mark.parametrize("options", [{}, {"cache_mb": 0}, {"cache_mb": 0, "extension": False}])
async def test_ties_across_the_limit_come_by_id(tmp_path, options):
    vector = queries(1)[0]
    names = [f"id{number:03}" for number in np.random.default_rng(1).permutation(300)]
    async with make(tmp_path, **options) as provider:
        await provider.upsert([Record(one, "same words", vector) for one in names])
        for _ in range(3):
            hits = await provider.search(vector, limit=7)
            assert [hit.id for hit in hits] == sorted(names)[:7]
        hits = await provider.search_text("words", limit=7)
        assert [hit.id for hit in hits] == sorted(names)[:7]


async def test_without_the_extension_numpy_searches_and_the_statistics_say_so(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(sqlite_vec, "loadable_path", lambda: str(tmp_path / "not_there"))
    async with make(tmp_path / "store") as provider:
        await provider.upsert(records(20))
        told = await details(provider)
        assert (told["vector_engine"], "sqlite-vec" in told["note"]) == ("numpy", True)
        query = records(20)[3].vector
        assert [hit.id for hit in await provider.search(query, limit=1)] == ["id00003"]


# -- the cache ------------------------------------------------------------------------------------


async def test_the_cache_is_loaded_by_the_second_search(tmp_path):
    async with make(tmp_path) as provider:
        await provider.upsert(records(50))
        await provider.search(queries(1)[0])
        assert (await details(provider))["vectors_in_memory"] == 0
        await provider.search(queries(1)[0])
        assert (await details(provider))["vectors_in_memory"] == 50


async def test_the_cache_sees_what_others_write(tmp_path):
    query = queries(1)[0]
    async with make(tmp_path) as one, make(tmp_path) as other:
        await one.upsert(records(100))
        for _ in range(3):
            await one.search(query)
        for round_ in range(30):
            await other.upsert([Record("best", f"version {round_}", query)])
            assert [hit.text for hit in await one.search(query, limit=1)] == [f"version {round_}"]
            await other.delete(["best"])
            assert [hit.id for hit in await one.search(query, limit=1)] != ["best"]
        await other.delete_where({"n": {">=": 0}})
        assert await one.search(query) == []
        await other.upsert(records(3, seed=5))
        assert len(await one.search(query)) == 3
        await other.clear_index()
        assert await one.search(query) == []


async def test_the_cache_forgets_what_is_gone_and_does_not_grow_for_ever(tmp_path):
    async with make(tmp_path) as provider:
        for round_ in range(12):
            await provider.upsert(records(400, seed=round_))
            await provider.search(queries(1)[0])
        # Every round replaces the same 400 records.
        assert (await details(provider))["vectors_in_memory"] <= 2 * 1500


async def test_a_collection_beyond_the_cache_is_searched_in_place(tmp_path):
    megabyte = 2**20 // (4 * DIMENSION)
    async with make(tmp_path, cache_mb=1) as provider:
        await provider.upsert(records(megabyte + 10))
        for _ in range(3):
            found = await provider.search(records(5)[4].vector, limit=1)
            assert [hit.id for hit in found] == ["id00004"]
        assert (await details(provider))["vectors_in_memory"] == 0


# -- words ----------------------------------------------------------------------------------------


async def test_common_words_still_find_what_rare_ones_do_not(tmp_path):
    texts = {f"c{number}": "common filler" for number in range(20)} | {"rare": "common zygote"}
    vector = queries(1)[0]
    async with make(tmp_path) as provider:
        await provider.upsert([Record(one, text, vector) for one, text in texts.items()])
        assert [hit.id for hit in await provider.search_text("common zygote", limit=1)] == ["rare"]
        hits = await provider.search_text("common zygote", limit=5)
        assert (hits[0].id, len(hits)) == ("rare", 5)


# -- footprint ------------------------------------------------------------------------------------


def test_neither_lancedb_nor_pyarrow_is_imported(tmp_path):
    code = """
        import asyncio, json, sys
        from victor_memory import open_runtime

        async def main():
            async with open_runtime() as memory:
                await memory.conversation.remember("We chose JWT over sessions", kind="decision")
                hits = await memory.conversation.recall("what about sessions?")
                loaded = sorted({"lancedb", "pyarrow", "apsw"} & set(sys.modules))
                print(json.dumps([len(hits), loaded]))
        asyncio.run(main())
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=True,
        cwd=tmp_path,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
            "VICTOR_VECTOR_STORE": "sqlite",
            "VICTOR_EMBEDDING_MODEL_TYPE": "hashing",
            "VICTOR_EMBEDDINGS_DIR": str(tmp_path / "memory"),
        },
    )
    assert json.loads(done.stdout) == [1, ["apsw"]]


async def test_compacting_gives_space_back(tmp_path):
    async with make(tmp_path) as provider:
        await provider.upsert(records(4000))
        await provider.compact()
        full = (await provider.stats()).disk_bytes
        await provider.delete([one.id for one in records(3900)])
        await provider.compact()
        assert (await provider.stats()).disk_bytes < full / 4
        assert await provider.count() == 100


# -- files that are not as they should be ---------------------------------------------------------


async def file_of(directory, count=200):
    async with make(directory) as provider:
        await provider.upsert(records(count))
    return directory / "embeddings" / "records.sqlite3"


async def test_a_file_that_is_not_sqlite_is_corrupt(tmp_path):
    path = await file_of(tmp_path)
    path.write_bytes(b"not a database " * 1000)
    with pytest.raises(CorruptStoreError, match="backup"):
        await make(tmp_path).count()


async def test_a_damaged_file_is_corrupt(tmp_path):
    path = await file_of(tmp_path, 2000)
    with path.open("r+b") as file:
        file.seek(8192)
        file.write(os.urandom(path.stat().st_size - 8192))
    provider = make(tmp_path)
    with pytest.raises(CorruptStoreError, match="backup"):
        _ = [batch async for batch in provider.scan()]
    await provider.close()


async def test_somebody_elses_tables_are_kept(tmp_path):
    path = await file_of(tmp_path)
    path.unlink()
    theirs = apsw.Connection(str(path))
    theirs.execute("CREATE TABLE thesis (chapter); INSERT INTO thesis VALUES ('ten years')")
    theirs.close()
    with pytest.raises(StoreMismatchError, match="VICTOR_EMBEDDINGS_DIR"):
        await make(tmp_path).count()
    theirs = apsw.Connection(str(path))
    assert theirs.execute("SELECT * FROM thesis").fetchall() == [("ten years",)]
    theirs.close()


async def test_a_newer_schema_is_refused(tmp_path):
    path = await file_of(tmp_path)
    newer = apsw.Connection(str(path))
    newer.execute("PRAGMA user_version = 99")
    newer.close()
    with pytest.raises(StoreMismatchError, match="Upgrade"):
        await make(tmp_path).count()


@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux capabilities")
async def test_a_read_only_place_can_be_read(tmp_path):
    path = await file_of(tmp_path, 5)
    code = """
        import asyncio, sys
        from victor_memory import EmbeddingConfig
        from victor_memory.errors import ProviderUnavailableError
        from victor_memory.providers.sqlite import SQLiteProvider

        async def main():
            config = EmbeddingConfig(vector_store="sqlite", persist_directory=sys.argv[1],
                                     embedding_model_type="hashing")
            async with SQLiteProvider(config) as provider:
                assert await provider.count({"n": 3}) == 1
                assert len(await provider.search_text("number 3", limit=1)) == 1
                try:
                    await provider.delete(["id00003"])
                except ProviderUnavailableError as exc:
                    print(exc)
        asyncio.run(main())
    """
    path.chmod(0o444)
    path.parent.chmod(0o555)
    try:
        done = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(code), str(tmp_path)],
            capture_output=True,
            text=True,
            encoding="utf-8",
            check=True,
            # Even root obeys permissions without CAP_DAC_OVERRIDE.
            preexec_fn=lambda: ctypes.CDLL(None).prctl(24, 1, 0, 0, 0),
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )
    finally:
        path.parent.chmod(0o755)
    assert "change its permissions" in done.stdout


# -- others at the same time ----------------------------------------------------------------------


async def test_a_file_locked_for_too_long_is_unavailable_and_can_still_be_read(tmp_path):
    path = await file_of(tmp_path, 5)
    async with make(tmp_path, lock_timeout=0.2) as provider:
        other = apsw.Connection(str(path))
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(ProviderUnavailableError, match="locked"):
            await provider.upsert(records(1))
        assert await provider.count() == 5
        other.execute("ROLLBACK")
        other.close()
        assert await provider.upsert(records(1)) == 1


async def test_a_scan_ends_with_its_provider(tmp_path):
    provider = make(tmp_path)
    await provider.upsert(records(50))
    batches = provider.scan(batch_size=10)
    await anext(batches)
    await provider.close()
    with pytest.raises(ProviderClosedError):
        await anext(batches)


async def test_more_values_than_a_statement_takes_is_a_clear_error(tmp_path):
    async with make(tmp_path) as provider:
        await provider.upsert(records(10))
        assert await provider.count({"n": list(range(25_000))}) == 10
        with pytest.raises(InvalidRequestError, match="in several parts"):
            await provider.count({"n": list(range(40_000))})


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_is_refused(tmp_path):
    code = """
        import asyncio, os, sys, warnings
        warnings.simplefilter("ignore")  # newer Pythons warn of threads that do not survive a fork
        from victor_memory import EmbeddingConfig
        from victor_memory.errors import ProviderUnavailableError
        from victor_memory.providers.sqlite import SQLiteProvider

        config = EmbeddingConfig(vector_store="sqlite", persist_directory=sys.argv[1],
                                 embedding_model_type="hashing")
        provider = SQLiteProvider(config)
        asyncio.run(provider.index_document("a", "text"))
        child = os.fork()
        if child == 0:
            try:
                asyncio.run(provider.count())
            except ProviderUnavailableError as exc:
                asyncio.run(provider.close())
                os._exit(7 if "fork" in str(exc) else 1)
            os._exit(1)
        _, status = os.waitpid(child, 0)
        assert os.waitstatus_to_exitcode(status) == 7, status
        assert asyncio.run(provider.count()) == 1
        asyncio.run(provider.close())
    """
    subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), str(tmp_path)],
        check=True,
        timeout=60,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )


async def test_concurrent_writes_are_a_few_commits(tmp_path):
    path = await file_of(tmp_path, 1)
    async with make(tmp_path) as provider:
        await provider.initialize()
        watcher = apsw.Connection(str(path))
        seen = set()

        async def watch():
            while True:
                seen.add(watcher.execute("SELECT count(*) FROM records").fetchall()[0][0])
                await asyncio.sleep(0)

        watching = asyncio.create_task(watch())
        await asyncio.gather(*(provider.upsert([one]) for one in records(300, start=1)))
        watching.cancel()
        assert await provider.count() == 301
        watcher.close()
        assert len(seen) <= 4
