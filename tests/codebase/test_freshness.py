import asyncio
import errno
import os
import subprocess
import sys
import textwrap

import pytest

from victor_memory.codebase import pipeline
from victor_memory.codebase.build_lock import BuildLock
from victor_memory.codebase.indexer import shared_directory
from victor_memory.codebase.memory import CodebaseMemory
from victor_memory.errors import EmbeddingError, ProviderUnavailableError

FILES = {
    "src/auth/token.py": "def check_token(token, now):\n    return token.expires > now\n",
    "src/auth/session.py": "class SessionStore:\n    def open(self, user):\n        return user\n",
    "src/geometry.py": "def area(width, height):\n    return width * height\n",
    "docs/tokens.md": "# Tokens\n\nA token is checked by check_token before each request.\n",
}


@pytest.fixture
def memory(root, provider):
    return CodebaseMemory(provider, root)


@pytest.fixture
def small_writes(monkeypatch):
    monkeypatch.setattr(pipeline, "CHUNKS_PER_WRITE", 2)
    monkeypatch.setattr(pipeline, "TEXTS_PER_EMBEDDING", 2)


def paths(answer):
    return [hit.path for hit in answer.hits]


def many(root, write, count=40):
    write(root, **{f"src/n{number}.py": f"def new_{number}(): ...\n" for number in range(count)})


class TestRefresh:
    async def test_the_first_search_indexes(self, memory):
        answer = await memory.search("check_token")
        assert answer.refreshed.files_indexed == len(FILES)
        assert (answer.stale_files, answer.notice) == (0, None)
        assert (await memory.search("check_token")).refreshed is None

    async def test_new_changed_and_deleted_files_are_seen_at_once(self, root, memory, write):
        await memory.search("token")
        write(root, **{"src/new.py": "def brand_new(): ...\n"})
        assert paths(await memory.search("brand_new"))[0] == "src/new.py"
        write(root, **{"src/new.py": "def renamed(): ...\n"})
        assert (await memory.search("renamed")).hits[0].text == "def renamed(): ..."
        (root / "src/new.py").unlink()
        assert "src/new.py" not in paths(await memory.search("renamed", limit=50))

    async def test_without_refresh_a_search_only_reads(
        self, root, memory, provider, write, contents
    ):
        await memory.index()
        before = await contents(provider)
        write(root, **{"src/new.py": "def brand_new(): ...\n"})
        answer = await memory.search("brand_new", refresh=False)
        assert "src/new.py" not in paths(answer)
        assert answer.refreshed is None
        assert await contents(provider) == before

    async def test_a_first_run_that_was_cut_short_is_finished_by_the_search(
        self, root, memory, provider
    ):
        await memory.index()
        async for batch in provider.scan():
            await provider.delete(
                [one.id for one in batch if one.metadata["file_path"] != "src/geometry.py"]
            )
        answer = await CodebaseMemory(provider, root).search("check_token")
        assert answer.refreshed.files_indexed == len(FILES) - 1
        assert paths(answer)[0] == "src/auth/token.py"

    async def test_a_store_that_cannot_be_written_is_searched_as_it_is(
        self, root, memory, provider, write, monkeypatch
    ):
        await memory.index()
        write(root, **{"src/new.py": "def brand_new(): ...\n"})

        async def full(self, records):
            raise OSError(errno.ENOSPC, "No space left on device")

        with monkeypatch.context() as patch:
            patch.setattr(type(provider), "_upsert", full)
            answer = await memory.search("check_token")
        assert paths(answer)[0] == "src/auth/token.py"
        assert answer.stale_files == 1
        assert "The disk is full" in answer.notice
        assert paths(await memory.search("brand_new"))[0] == "src/new.py"

    async def test_a_model_that_does_not_answer_costs_only_what_is_new(
        self, root, memory, embedder, write
    ):
        await memory.index()
        write(root, **{"src/new.py": "def brand_new(): ...\n"})
        embedder.fail_after = len(embedder.documents)
        answer = await memory.search("check_token")
        assert paths(answer)[0] == "src/auth/token.py"
        assert "the power went out" in answer.notice

    async def test_an_index_that_cannot_be_begun_is_an_error(self, memory, provider, monkeypatch):
        async def full(self, records):
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(type(provider), "_upsert", full)
        with pytest.raises(ProviderUnavailableError, match="The disk is full"):
            await memory.search("check_token")

    async def test_what_another_memory_wrote_is_noticed(self, root, memory, provider, write):
        await memory.search("token")
        original = FILES["src/auth/token.py"]
        write(root, **{"src/auth/token.py": "def check_token(): 'of another branch'\n"})
        await CodebaseMemory(provider, root).index()
        write(root, **{"src/auth/token.py": original})
        # As far as this object knows, nothing has changed; only the hit itself tells.
        answer = await memory.search("check_token")
        assert answer.hits[0].text == original.rstrip()

    async def test_many_searches_at_once_index_once(self, memory, embedder, provider):
        answers = await asyncio.gather(*(memory.search("check_token") for _ in range(8)))
        assert {answer.hits[0].path for answer in answers} == {"src/auth/token.py"}
        assert len(embedder.documents) == await provider.count()

    async def test_nothing_to_index_is_said(self, tmp_path, provider):
        (tmp_path / "empty").mkdir()
        answer = await CodebaseMemory(provider, tmp_path / "empty").search("anything")
        assert answer.hits == ()
        assert "Nothing below" in answer.notice
        assert str(tmp_path / "empty") in answer.notice

    def test_one_memory_serves_one_event_loop_after_another(self, root, new_provider):
        memory = CodebaseMemory(new_provider(), root)
        for _ in range(2):
            assert paths(asyncio.run(memory.search("check_token")))[0] == "src/auth/token.py"


@pytest.mark.usefixtures("small_writes")
class TestBehindASlowModel:
    """The model is held at a gate, so nothing here depends on how fast anything is."""

    @pytest.fixture
    async def slow_memory(self, root, slow, lance):
        provider = lance(slow)
        memory = CodebaseMemory(provider, root)
        yield memory
        slow.gate.set()
        await memory.close()

    async def until(self, condition):
        for _ in range(3000):
            if condition():
                return
            await asyncio.sleep(0.01)
        pytest.fail("it never came to that")

    async def test_words_are_found_before_there_are_vectors(self, slow_memory, slow):
        slow.gate.clear()
        answer = await slow_memory.search("check_token", mode="lexical", wait=0)
        await self.until(lambda: len(slow_memory._indexer.pending) == len(FILES))
        answer = await slow_memory.search("check_token", mode="lexical", wait=0)
        assert "src/auth/token.py" in paths(answer)
        assert slow.documents == []
        assert answer.stale_files == len(FILES)
        assert answer.notice.startswith(f"Indexing: 0 of {len(FILES)} files")
        assert "victor-memory index" in answer.notice

    async def test_the_build_goes_on_behind_the_answer(self, slow_memory, slow, root, write):
        slow.gate.clear()
        many(root, write)
        await slow_memory.search("new_3", wait=0)
        slow.gate.set()
        answer = await slow_memory.search("new_3", wait=None)
        assert paths(answer)[0] == "src/n3.py"
        assert (answer.stale_files, answer.notice) == (0, None)
        assert len(slow.documents) == 40 + len(FILES)

    async def test_the_old_content_answers_while_the_new_is_embedded(
        self, slow_memory, slow, root, write
    ):
        await slow_memory.index()
        slow.gate.clear()
        write(root, **{"src/geometry.py": "def volume(width, height, depth): ...\n"})
        answer = await slow_memory.search("area of width and height", mode="semantic", wait=0)
        assert "src/geometry.py" in paths(answer)
        assert "area" in {hit.symbol for hit in answer.hits}
        assert answer.stale_files == 1

    async def test_closing_stops_the_build_and_keeps_what_is_done(
        self, slow_memory, slow, root, write, lance
    ):
        many(root, write)
        slow.seconds = 0.02
        await slow_memory.search("anything", wait=0.2)
        await slow_memory.close()
        assert asyncio.all_tasks() == {asyncio.current_task()}
        done = len(slow.documents)
        assert 0 < done < 40
        slow.seconds = 0
        report = await CodebaseMemory(lance(slow), root).index()
        assert report.files_unchanged > 0
        assert len(slow.documents) < done + 40 + len(FILES)

    async def test_a_search_that_is_cancelled_leaves_the_build_alone(self, slow_memory, slow):
        slow.gate.clear()
        task = asyncio.create_task(slow_memory.search("check_token"))
        await self.until(lambda: len(slow_memory._indexer.pending) == len(FILES))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        slow.gate.set()
        answer = await slow_memory.search("check_token", wait=None)
        assert answer.stale_files == 0
        assert len(slow.documents) == len(FILES)

    async def test_cutting_runs_ahead_only_so_far(
        self, slow_memory, slow, root, write, monkeypatch
    ):
        monkeypatch.setattr(pipeline, "AHEAD_CHUNKS", 10)
        monkeypatch.setattr(pipeline, "CHUNKS_PER_CUT", 1)
        many(root, write)
        slow.gate.clear()
        await slow_memory.search("anything", wait=0)
        pending = slow_memory._indexer.pending
        await self.until(lambda: len(pending) == 10)
        await asyncio.sleep(0.1)
        assert len(pending) == 10
        slow.gate.set()
        answer = await slow_memory.search("new_39", wait=None)
        assert paths(answer)[0] == "src/n39.py"
        assert len(pending) == 0

    async def test_a_model_that_fails_in_the_background_is_reported(self, slow_memory, slow):
        slow.gate.clear()
        await slow_memory.search("check_token", mode="lexical", wait=0)
        slow.fail_after = 0
        slow.gate.set()
        with pytest.raises(EmbeddingError, match="the power went out"):
            await slow_memory.search("check_token", mode="lexical", wait=None)

    async def test_a_run_that_was_asked_for_is_not_waited_for(self, slow_memory, slow):
        slow.gate.clear()
        run = asyncio.create_task(slow_memory.index())
        await self.until(lambda: len(slow_memory._indexer.pending) == len(FILES))
        answer = await slow_memory.search("check_token", mode="lexical", wait=0)
        assert "src/auth/token.py" in paths(answer)
        assert answer.notice.startswith("Indexing: 0 of 4 files")
        slow.gate.set()
        assert (await run).files_indexed == len(FILES)


class TestSeveralProcesses:
    async def test_a_search_does_not_wait_for_another_builder(self, root, lance, write):
        provider = lance()
        memory = CodebaseMemory(provider, root)
        await memory.index()
        write(root, **{"src/new.py": "def brand_new(): ...\n"})
        async with BuildLock(shared_directory(provider)).turn(0) as ours:
            assert ours
            answer = await memory.search("check_token")
            assert paths(answer)[0] == "src/auth/token.py"
            assert answer.stale_files == 1
            assert answer.notice.startswith("Another process is indexing: 4 of 5 files")
        assert paths(await memory.search("brand_new"))[0] == "src/new.py"

    async def test_a_first_search_beside_another_builder_says_why_it_is_empty(self, root, lance):
        provider = lance()
        async with BuildLock(shared_directory(provider)).turn(0):
            answer = await CodebaseMemory(provider, root).search("check_token")
        assert answer.hits == ()
        assert answer.notice.startswith("Another process is indexing: 0 of 4 files")

    async def test_an_index_run_waits_for_another_builder_and_says_so(self, root, lance):
        provider = lance()
        phases = []
        waiting = asyncio.Event()

        def progress(state):
            phases.append(state.phase)
            waiting.set()

        async with BuildLock(shared_directory(provider)).turn(0):
            run = asyncio.create_task(CodebaseMemory(provider, root).index(progress=progress))
            await waiting.wait()
            assert set(phases) == {"wait"}
        assert (await run).files_indexed == len(FILES)

    async def test_what_another_process_is_writing_is_found_as_it_comes(self, root, lance, write):
        reader = CodebaseMemory(lance(), root)
        await reader.index()
        write(root, **{"src/new.py": "def brand_new(): ...\n"})
        await CodebaseMemory(lance(), root).index()
        answer = await reader.search("brand_new", refresh=False)
        assert paths(answer)[0] == "src/new.py"
        assert (await reader.search("brand_new")).refreshed is None

    @pytest.mark.skipif(sys.platform == "win32", reason="signals")
    def test_eight_processes_share_one_build(self, root, tmp_path, write):
        many(root, write, 300)
        program = textwrap.dedent("""
            import asyncio, json, sys
            from victor_memory import MemorySettings, open_runtime

            async def main():
                async with open_runtime(MemorySettings(), project=sys.argv[1]) as memory:
                    code = memory.codebase_at(sys.argv[1])
                    embedded = 0
                    while True:
                        answer = await code.search("new_123", limit=1)
                        embedded += answer.refreshed.chunks_embedded if answer.refreshed else 0
                        if not answer.stale_files:
                            break
                        assert answer.notice
                    print(json.dumps([answer.hits[0].path, embedded]))

            asyncio.run(main())
        """)
        environment = {
            **os.environ,
            "VICTOR_EMBEDDINGS_DIR": str(tmp_path / "embeddings"),
            "VICTOR_EMBEDDING_MODEL_TYPE": "hashing",
        }
        command = [sys.executable, "-c", program, str(root)]
        running = [
            subprocess.Popen(
                command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
            )
            for _ in range(8)
        ]
        answers = [one.communicate() for one in running]
        assert [one.returncode for one in running] == [0] * 8, answers
        found = [eval(out) for out, _ in answers]
        assert {path for path, _ in found} == {"src/n123.py"}
        assert sum(embedded for _, embedded in found) == 300 + len(FILES)
