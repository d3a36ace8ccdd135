import errno
import multiprocessing
import sqlite3
import threading

import numpy as np
import pytest

from victor_memory.codebase import vector_cache
from victor_memory.codebase.memory import CodebaseMemory
from victor_memory.codebase.vector_cache import MEGABYTE, VectorCache, vector_key

DIMENSION = 8


def keys(count, start=0):
    return [vector_key("model", f"text {number}") for number in range(start, start + count)]


def vectors(count, dimension=DIMENSION, seed=0):
    return np.random.default_rng(seed).random((count, dimension), dtype=np.float32)


@pytest.fixture
def file(tmp_path):
    return tmp_path / "some" / "place" / vector_cache.NAME


@pytest.fixture
def cache(file):
    opened = VectorCache(file, 64)
    yield opened
    opened.close()


class TestFile:
    def test_what_was_put_comes_back_to_the_bit(self, cache, file):
        cache.put(keys(1500), vectors(1500))
        cache.close()
        found = VectorCache(file, 64).get(keys(2000), DIMENSION)
        assert len(found) == 1500
        for key, vector in zip(keys(1500), vectors(1500), strict=True):
            assert found[key].tobytes() == vector.tobytes()

    def test_a_key_depends_on_model_and_text(self):
        assert len({vector_key("a", "b"), vector_key("a", "c"), vector_key("b", "b")}) == 3
        assert vector_key("a", "b\ud800") != vector_key("a", "b")

    def test_a_vector_of_another_length_is_not_used(self, cache):
        cache.put(keys(3), vectors(3))
        assert cache.get(keys(3), DIMENSION + 1) == {}

    def test_putting_again_replaces(self, cache):
        cache.put(keys(3), vectors(3))
        cache.put(keys(3), vectors(3, seed=1))
        found = cache.get(keys(3), DIMENSION)
        assert found[keys(1)[0]].tobytes() == vectors(3, seed=1)[0].tobytes()

    def test_it_is_bounded_and_drops_what_was_not_used_for_longest(self, file, monkeypatch):
        monkeypatch.setattr(vector_cache, "ROWS_PER_DELETE", 50)
        cache = VectorCache(file, 2)
        clock = iter(range(0, 10**9, vector_cache.SECONDS_PER_USE))
        monkeypatch.setattr(vector_cache.time, "time", lambda: next(clock))
        for start in range(0, 6000, 200):
            cache.put(keys(200, start), vectors(200, 256))
            assert len(cache.get(keys(100), 256)) == 100  # these are used all the time
        files = [one for one in file.parent.iterdir() if not one.name.endswith(("-wal", "-shm"))]
        assert sum(one.stat().st_size for one in files) < 3 * MEGABYTE
        assert len(cache.get(keys(200, 5800), 256)) == 200
        assert cache.get(keys(200, 200), 256) == {}

    def test_threads_and_processes_may_share_it(self, cache, file):
        workers = [threading.Thread(target=fill, args=(cache, n)) for n in range(4)]
        context = multiprocessing.get_context("spawn")
        workers += [context.Process(target=fill_file, args=(str(file), n)) for n in range(4, 7)]
        for one in workers:
            one.start()
        for one in workers:
            one.join()
        assert len(cache.get(keys(7 * 300), DIMENSION)) == 7 * 300


def fill(cache, number):
    for start in range(0, 300, 100):
        cache.put(keys(100, number * 300 + start), vectors(100))


def fill_file(file, number):
    from pathlib import Path

    fill(VectorCache(Path(file), 64), number)


class TestTrouble:
    def test_a_file_that_is_no_database_is_begun_anew(self, file, caplog):
        file.parent.mkdir(parents=True)
        file.write_bytes(b"not a database " * 1000)
        cache = VectorCache(file, 64)
        assert cache.get(keys(1), DIMENSION) == {}
        cache.put(keys(1), vectors(1))
        assert caplog.text.count("vector_cache_unusable") == 1
        after = VectorCache(file, 64)
        after.put(keys(1), vectors(1))
        assert len(after.get(keys(1), DIMENSION)) == 1

    def test_a_locked_file_is_done_without_for_a_while(self, cache, file, monkeypatch, caplog):
        cache.put(keys(1), vectors(1))
        cache.close()
        monkeypatch.setattr(vector_cache, "BUSY_SECONDS", 0.05)
        other = sqlite3.connect(file, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        cache.put(keys(1, 5), vectors(1))
        assert cache.get(keys(1), DIMENSION) == {}
        other.execute("ROLLBACK")
        other.close()
        assert caplog.text.count("vector_cache_unusable") == 1
        monkeypatch.setattr(cache, "_rests_until", 0.0)
        assert len(cache.get(keys(1), DIMENSION)) == 1

    def test_a_place_that_cannot_be_written_is_done_without(self, tmp_path):
        (tmp_path / "file").write_text("a file, not a directory", encoding="utf-8")
        cache = VectorCache(tmp_path / "file" / "below", 64)
        cache.put(keys(1), vectors(1))
        assert cache.get(keys(1), DIMENSION) == {}


class TestIndexing:
    @pytest.fixture
    def root(self, tmp_path, write):
        root = tmp_path / "root"
        root.mkdir()
        write(root, **{f"m{number}.py": f"def name_{number}(): ...\n" for number in range(20)})
        return root

    async def test_another_collection_embeds_nothing(
        self, root, lance, cache, embedder, contents, provider
    ):
        first = await CodebaseMemory(provider, root, vectors=cache).index()
        assert (first.chunks_embedded, first.chunks_cached) == (20, 0)
        embedder.documents.clear()
        second = lance(embedder)
        report = await CodebaseMemory(second, root, vectors=cache).index()
        assert (report.chunks_embedded, report.chunks_cached, report.chunks_written) == (0, 20, 20)
        assert embedder.documents == []
        assert await contents(second) == await contents(provider)

    async def test_going_back_and_forth_embeds_nothing(
        self, root, provider, cache, embedder, write
    ):
        memory = CodebaseMemory(provider, root, vectors=cache)
        await memory.index()
        for round_ in range(3):
            write(root, **{f"m{number}.py": f"def other_{number}(): ...\n" for number in range(9)})
            report = await memory.index()
            assert report.chunks_written == 9
            assert report.chunks_embedded == (9 if round_ == 0 else 0)
            write(root, **{f"m{number}.py": f"def name_{number}(): ...\n" for number in range(9)})
            assert (await memory.index()).chunks_embedded == 0

    async def test_a_rebuild_asks_the_model(self, root, provider, cache, embedder):
        memory = CodebaseMemory(provider, root, vectors=cache)
        await memory.index()
        embedder.documents.clear()
        report = await memory.index(rebuild=True)
        assert (report.chunks_embedded, report.chunks_cached) == (20, 0)
        assert len(embedder.documents) == 20

    async def test_a_broken_cache_costs_nothing_but_time(self, root, provider, tmp_path):
        broken = VectorCache(tmp_path, 64)  # a directory
        report = await CodebaseMemory(provider, root, vectors=broken).index()
        assert report.chunks_embedded == 20

    async def test_what_a_dead_run_embedded_is_not_embedded_again(
        self, root, provider, cache, embedder, monkeypatch
    ):
        async def full(self, records):
            raise OSError(errno.EIO, "disk")

        with monkeypatch.context() as patch:
            patch.setattr(type(provider), "_upsert", full)
            with pytest.raises(Exception, match="disk"):
                await CodebaseMemory(provider, root, vectors=cache).index()
        embedder.documents.clear()
        report = await CodebaseMemory(provider, root, vectors=cache).index()
        assert report.chunks_embedded == 0
