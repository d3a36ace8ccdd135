import asyncio
import json
import shutil
from dataclasses import replace

import pytest

from victor_memory import MemorySettings, open_runtime
from victor_memory.codebase.memory import CodebaseMemory
from victor_memory.codebase.records import chunk_id
from victor_memory.codebase.views import DIRECTORY, View, Views
from victor_memory.scope import identifier, index_home


def source(number):
    return f"def name_{number}(value):\n    return value + {number}\n"


@pytest.fixture
def main(tmp_path, write, git):
    main = tmp_path / "main"
    main.mkdir()
    git(main, "init", "-q", "-b", "main")
    write(main, **{f"src/m{number}.py": source(number) for number in range(12)})
    write(main, **{"lib/one.py": "def one(): ...\n"})
    git(main, "add", ".")
    git(main, "commit", "-qm", "first")
    return main


@pytest.fixture
def linked(main, git):
    linked = main.parent / "linked"
    git(main, "worktree", "add", "-q", str(linked))
    return linked


def paths(answer):
    return {hit.path for hit in answer.hits}


class TestHome:
    def test_a_linked_worktree_shares_the_index_of_the_main_one(self, main, linked):
        assert index_home(main) == main
        assert index_home(linked) == main
        assert index_home(linked / "src") == index_home(main / "src") == main / "src"

    def test_a_bare_repository_is_the_home_of_its_worktrees(self, main, git):
        bare = main.parent / "bare.git"
        git(main, "clone", "-q", "--bare", str(main), str(bare))
        git(bare, "worktree", "add", "-q", str(main.parent / "a"), "main")
        assert index_home(main.parent / "a" / "lib") == bare / "lib"

    def test_elsewhere_a_directory_is_its_own_home(self, main, tmp_path, git):
        plain = tmp_path / "plain"
        plain.mkdir()
        assert index_home(plain) == plain
        (plain / ".git").write_text("gitdir: /nowhere/at/all\n", encoding="utf-8")
        assert index_home(plain) == plain
        git(main, "submodule", "add", "-q", str(main), "sub")
        assert index_home(main / "sub") == main / "sub"


@pytest.fixture
def settings(tmp_path):
    return MemorySettings(
        embeddings_dir=tmp_path / "embeddings",
        embedding_model_type="hashing",
        vector_store="lancedb",
        vector_cache_mb=0,
    )


class TestThroughTheRuntime:
    async def test_both_use_one_collection_and_the_second_embeds_only_what_differs(
        self, main, linked, settings, write
    ):
        write(linked, **{"src/m3.py": "def changed(): ...\n"})
        async with open_runtime(settings, project=main) as memory:
            first = await memory.codebase_at(main).index()
            second = await memory.codebase_at(linked).index()
            assert first.chunks_embedded == 13
            assert (second.files_indexed, second.chunks_written) == (13, 1)
            assert second.chunks_embedded == 1
            stats = [await memory.codebase_at(one).stats() for one in (main, linked)]
        assert stats[0].collection == stats[1].collection == identifier(main)
        assert stats[0].records == 14

    async def test_a_store_that_is_not_shared_keeps_trees_apart(self, main, linked, settings):
        apart = settings.model_copy(update={"vector_store": "memory"})
        async with open_runtime(apart, project=main) as memory:
            await memory.codebase_at(main).index()
            report = await memory.codebase_at(linked).index()
            assert report.chunks_written == 13

    async def test_clones_and_branches_share_vectors(self, main, settings, git):
        clone = main.parent / "clone"
        git(main, "clone", "-q", str(main), str(clone))
        caching = settings.model_copy(update={"vector_cache_mb": 64})
        async with open_runtime(caching, project=main) as memory:
            await memory.codebase_at(main).index()
            report = await memory.codebase_at(clone).index()
            assert (report.chunks_written, report.chunks_embedded) == (13, 0)


@pytest.fixture
async def two(main, linked, lance):
    """Return the memories of both trees, as two processes would have them."""
    memories = CodebaseMemory(lance(), main), CodebaseMemory(lance(), linked)
    for one in memories:
        await one.index()
    yield memories
    for one in memories:
        await one.close()


class TestViews:
    async def test_each_sees_exactly_its_own_files(self, two, main, linked, write):
        one, other = two
        write(
            main, **{"src/m3.py": "def only_in_main(): ...\n", "src/new.py": "def fresh(): ...\n"}
        )
        (linked / "src/m4.py").unlink()
        assert "src/m3.py" in paths(await one.search("only_in_main"))
        found = await other.search("only_in_main", limit=50)
        assert {hit.text for hit in found.hits if hit.path == "src/m3.py"} == {source(3).rstrip()}
        assert "src/new.py" not in paths(found)
        assert "src/m4.py" not in paths(found)
        assert "src/m4.py" in paths(await one.search("name_4", limit=50))
        assert {
            one.text
            for one in (await one.search("name_3", limit=50)).hits
            if one.path == "src/m3.py"
        } == {"def only_in_main(): ..."}

    async def test_a_version_stays_as_long_as_a_tree_sees_it(
        self, two, main, linked, write, contents
    ):
        one, other = two
        before = await contents(one._provider)
        write(main, **{"src/m3.py": "def changed(): ...\n"})
        await one.index()
        assert len(await contents(one._provider)) == len(before) + 1
        write(linked, **{"src/m3.py": "def changed(): ...\n"})
        report = await other.index()
        assert (report.files_indexed, report.chunks_embedded) == (1, 0)
        assert len(await contents(one._provider)) == len(before)
        write(main, **{"src/m3.py": source(3)})
        write(linked, **{"src/m3.py": source(3)})
        await one.index()
        await other.index()
        assert await contents(one._provider) == before

    async def test_a_tree_that_is_gone_loses_its_view(self, two, linked, write, contents):
        one, other = two
        before = await contents(one._provider)
        write(linked, **{"src/m3.py": "def changed(): ...\n"})
        await other.index()
        shutil.rmtree(linked)
        await CodebaseMemory(one._provider, one.root).index()
        assert await contents(one._provider) == before
        assert len(list((one._provider.directory / DIRECTORY).iterdir())) == 1

    async def test_a_version_removed_behind_ones_back_is_written_again(
        self, two, main, linked, write
    ):
        one, other = two
        write(main, **{"src/m3.py": "def changed(): ...\n"})
        await one.index()
        write(main, **{"src/m3.py": source(3)})
        await one.index()  # the changed version is gone
        write(linked, **{"src/m3.py": "def changed(): ...\n"})
        assert "src/m3.py" in paths(await other.search("changed", limit=1))
        assert (await other.search("changed", limit=1)).hits[0].text == "def changed(): ..."

    async def test_both_may_index_at_once(self, main, linked, lance, write, contents):
        write(linked, **{f"src/m{n}.py": f"def other_{n}(): ...\n" for n in range(6)})
        one, other = CodebaseMemory(lance(), main), CodebaseMemory(lance(), linked)
        await asyncio.gather(one.index(), other.index())
        assert len(await contents(one._provider)) == 13 + 6
        for memory in (one, other):
            assert not (await memory.index()).changed

    async def test_without_refresh_a_tree_that_was_never_indexed_sees_nothing(
        self, main, linked, lance
    ):
        await CodebaseMemory(lance(), main).index()
        answer = await CodebaseMemory(lance(), linked).search("name_3", refresh=False)
        assert answer.hits == ()
        assert str(linked) in answer.notice

    async def test_a_rebuild_embeds_what_this_tree_sees_and_nothing_else(
        self, main, linked, lance, write, contents
    ):
        write(linked, **{"src/m3.py": "def only_linked(): ...\n"})
        one, other = CodebaseMemory(lance(), main), CodebaseMemory(lance(), linked)
        await one.index()
        await other.index()
        before = await contents(one._provider)
        again = lance()
        report = await CodebaseMemory(again, main).index(rebuild=True)
        assert (report.files_indexed, report.chunks_embedded) == (13, 13)
        assert not any("only_linked" in text for text in again.embedder.documents)
        assert await contents(again) == before
        assert not (await other.index()).changed
        assert not (await one.index()).changed

    async def test_while_one_rebuilds_no_search_misses_anything(self, two, main, lance, slow):
        one, other = two
        provider = lance(slow)
        rebuilding = CodebaseMemory(provider, main)
        slow.gate.clear()
        task = asyncio.create_task(rebuilding.index(rebuild=True))
        while not (rebuilding._indexer.pending or task.done()):  # noqa: ASYNC110 - no event is set
            await asyncio.sleep(0.01)
        for memory in (one, other):
            assert "src/m3.py" in paths(await memory.search("name_3", refresh=False))
        slow.gate.set()
        assert (await task).chunks_embedded == 13
        for memory in (one, other):
            assert "src/m3.py" in paths(await memory.search("name_3", refresh=False))

    async def test_a_rebuild_leaves_no_piece_of_what_was_cut_otherwise(self, two, contents):
        one, _ = two
        provider = one._provider
        before = await contents(provider)
        (record,) = [
            one
            async for batch in provider.scan(with_vectors=True)
            for one in batch
            if one.metadata["file_path"] == "src/m3.py"
        ]
        data = {**record.metadata, "chunk_count": 2}
        more = chunk_id("src/m3.py", data["file_hash"], 1)
        await provider.upsert(
            [
                replace(record, metadata=data),
                replace(record, id=more, metadata={**data, "chunk_index": 1}),
            ]
        )
        await one.index(rebuild=True)
        assert await contents(provider) == before

    @pytest.mark.parametrize("broken", ["data", "model"])
    async def test_a_rebuild_of_what_cannot_be_read_begins_anew_for_all(
        self, two, main, lance, contents, broken
    ):
        one, other = two
        before = await contents(one._provider)
        directory = one._provider.directory
        for memory in two:
            await memory.close()
            await memory._provider.close()
        if broken == "data":
            for file in directory.rglob("data/*.lance"):
                file.unlink()
        else:
            file = directory / "manifest.json"
            text = file.read_text(encoding="utf-8")
            file.write_text(text.replace('"embedder":', '"embedder": "x", "was":'), "utf-8")
        provider = lance()
        memory = CodebaseMemory(provider, main)
        assert (await memory.index(rebuild=True)).chunks_embedded == 13
        assert "src/m3.py" in paths(await CodebaseMemory(lance(), other.root).search("name_3"))
        assert {key: one[0] for key, one in (await contents(provider)).items()} == {
            key: one[0] for key, one in before.items()
        }

    async def test_rows_of_another_format_are_replaced(self, main, lance, contents, embedder):
        from victor_memory.types import Record

        provider = lance()
        (vector,) = await embedder.embed(["x"])
        old = {"kind": "code", "file_path": "src/m3.py", "file_hash": "0", "chunk_index": 0,
               "chunk_count": 1, "line_number": 1, "end_line": 1}  # fmt: skip
        await provider.upsert([Record("of-format-1", "old text", vector, old)])
        memory = CodebaseMemory(provider, main)
        await memory.search("name_3")
        assert "of-format-1" not in await contents(provider)
        assert len(await contents(provider)) == 13

    async def test_a_damaged_view_costs_no_embedding(self, main, lance, contents):
        embedded = lance()
        await CodebaseMemory(embedded, main).index()
        (file,) = (embedded.directory / DIRECTORY).iterdir()
        file.write_text("{", encoding="utf-8")
        again = lance()
        report = await CodebaseMemory(again, main).index()
        assert (report.files_indexed, report.chunks_written) == (13, 0)
        assert not (await CodebaseMemory(again, main).index()).changed


class TestLog:
    @pytest.fixture
    def file(self, tmp_path):
        return tmp_path / "view.jsonl"

    def test_another_process_reads_only_what_is_new(self, file):
        one, other = View("/x", file), View("/x", file)
        one.commit({"a": ("1", 2), "b": ("1", 1)})
        assert other.stale()
        assert other.sync() == {"a": ("1", 2), "b": ("1", 1)}
        assert not other.stale()
        one.commit({"a": ("2", 3), 'c\n"é': ("1", 1)}, ["b"])
        assert len(file.read_bytes().splitlines()) == 3
        assert other.sync() == {"a": ("2", 3), 'c\n"é': ("1", 1)}
        assert dict(other.items()) == dict(one.items()) == {"a": "2", 'c\n"é': "1"}
        assert other.chunks == 4

    def test_a_line_cut_short_is_passed_over(self, file):
        one = View("/x", file)
        one.commit({"a": ("1", 2)})
        with file.open("ab") as stream:
            stream.write(b'{"put": {"b": ["1"')
        other = View("/x", file)
        other.sync()
        assert dict(other.items()) == {"a": "1"}
        other.commit({"c": ("1", 1)})
        one.sync()
        assert dict(one.items()) == {"a": "1", "c": "1"}
        assert all(json.loads(line) for line in file.read_bytes().splitlines())

    def test_it_is_written_anew_before_it_grows_without_bound(self, file):
        one, other = View("/x", file), View("/x", file)
        for number in range(20_000):
            one.commit({"a": (str(number), 1)})
            if number % 500 == 0:
                other.sync()
                assert other.digest("a") == str(number)
        assert file.stat().st_size < 600_000
        other.sync()
        assert other.digest("a") == "19999"

    def test_what_is_unknown_accepts_everything(self):
        view = View("/x")
        assert view.accepts("a", "1")
        view.commit({"a": ("1", 1)})
        assert view.accepts("a", "1")
        assert not view.accepts("a", "2")
        assert not view.accepts("b", "1")

    def test_a_collection_of_one_tree_knows_no_others(self, tmp_path):
        views = Views(None, tmp_path)
        views.own.commit({"a": ("1", 1)})
        assert views.elsewhere() == set()
        views.clear()
        assert len(views.own) == 0
