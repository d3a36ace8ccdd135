import asyncio
import os
import time
from contextlib import suppress

import pytest

from victor_memory.codebase import contents as contents_module
from victor_memory.codebase import indexer, pipeline
from victor_memory.codebase.exclusions import Reason
from victor_memory.codebase.memory import CodebaseMemory
from victor_memory.errors import EmbeddingError, InvalidRequestError
from victor_memory.redaction import Redaction
from victor_memory.types import Chunk, Record


def source(name, functions=6):
    return "\n".join(
        f"def {name}_{number}(value):\n" + f"    value = {name} + {number}\n" * 30
        for number in range(functions)
    )


async def rows(provider, path):
    return [one async for batch in provider.scan({"file_path": path}) for one in batch]


def long_ago(root):
    """Date every file back, so that its times are settled."""
    for path in root.rglob("*"):
        if path.is_file():
            os.utime(path, (1_000_000_000, 1_000_000_000))


def let_time_pass(monkeypatch):
    """Make the files' change times, which nobody can date back, old as well."""
    real = time.time_ns
    monkeypatch.setattr(time, "time_ns", lambda: real() + 10_000_000_000)


@pytest.fixture
def root(tmp_path, write):
    root = tmp_path / "root"
    root.mkdir()
    write(root, **{f"pkg/m{number}.py": source(f"name{number}") for number in range(8)})
    return root


@pytest.fixture
async def fresh(root, new_provider, contents):
    """Return what a new index of the files as they are now holds."""

    async def build(**options):
        async with new_provider() as provider:
            await CodebaseMemory(provider, root, **options).index()
            return await contents(provider)

    return build


class TestRun:
    async def test_a_first_run_indexes_everything_and_a_second_nothing(
        self, root, provider, embedder
    ):
        report = await CodebaseMemory(provider, root).index()
        assert report.files_indexed == 8
        assert report.chunks_written == report.chunks_embedded == len(embedder.documents)
        assert report.chunks_written == await provider.count() > 8
        assert report.source == "walk"
        embedder.documents.clear()
        again = await CodebaseMemory(provider, root).index()
        assert (again.files_indexed, again.files_unchanged, again.files_removed) == (0, 8, 0)
        assert not again.changed
        assert embedder.documents == []

    async def test_a_record_says_where_it_is_from(self, root, provider):
        await CodebaseMemory(provider, root).index()
        (record,) = [
            one for one in await rows(provider, "pkg/m0.py") if one.metadata["chunk_index"] == 1
        ]
        metadata = record.metadata
        lines = (root / "pkg/m0.py").read_text().splitlines()
        first, last = metadata["line_number"], metadata["end_line"]
        assert record.text == "\n".join(lines[first - 1 : last]).rstrip()
        assert set(metadata) >= {
            "kind", "file_path", "file_hash", "chunk_index", "chunk_count",
            "line_number", "end_line", "language", "symbol_name", "defines", "kinds",
        }  # fmt: skip
        assert metadata["symbol_name"] in metadata["defines"]
        assert metadata["kinds"] == ["function"]
        assert metadata["kind"] == "code"
        assert metadata["file_path"] == "pkg/m0.py"
        assert metadata["chunk_index"] == 1
        assert metadata["language"] == "python"
        assert metadata["symbol_name"].startswith("name0_")
        assert await provider.count({"file_path": "pkg/m0.py"}) == metadata["chunk_count"]

    async def test_only_a_changed_file_is_embedded_again(
        self, root, provider, embedder, fresh, contents, write
    ):
        memory = CodebaseMemory(provider, root)
        await memory.index()
        embedder.documents.clear()
        write(root, **{"pkg/m3.py": source("other", functions=2)})
        report = await memory.index()
        assert (report.files_indexed, report.files_unchanged) == (1, 7)
        assert embedder.documents
        assert all("pkg/m3.py" in text for text in embedder.documents)
        assert await contents(provider) == await fresh()

    async def test_a_touched_file_is_not_embedded_again(self, root, provider, embedder):
        memory = CodebaseMemory(provider, root)
        await memory.index()
        embedder.documents.clear()
        for path in root.rglob("*.py"):
            os.utime(path, (1, 1))
        assert not (await memory.index()).changed
        assert embedder.documents == []

    async def test_a_change_that_leaves_size_and_time_alone_is_seen(
        self, root, provider, write, contents, fresh, monkeypatch
    ):
        long_ago(root)
        let_time_pass(monkeypatch)
        memory = CodebaseMemory(provider, root)
        await memory.index()
        path = root / "pkg/m0.py"
        before = path.stat()
        write(root, **{"pkg/m0.py": path.read_text().replace("value", "eulav")})
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
        assert path.stat().st_size == before.st_size
        answer = await memory.search("eulav")
        assert answer.refreshed.files_indexed == 1
        assert await contents(provider) == await fresh()

    async def test_a_file_that_shrinks_grows_moves_or_goes_leaves_no_orphan(
        self, root, provider, write, contents, fresh
    ):
        memory = CodebaseMemory(provider, root)
        await memory.index()
        write(root, **{"pkg/m0.py": source("less", 1), "pkg/m1.py": source("more", 20)})
        (root / "pkg/m2.py").rename(root / "pkg/moved.py")
        (root / "pkg/m3.py").unlink()
        (root / "pkg/m4.py").write_bytes(b"\0binary")
        report = await memory.index()
        assert report.files_indexed == 3
        assert report.files_removed == 3
        assert report.left_out == {Reason.BINARY: 1}
        assert await contents(provider) == await fresh()

    async def test_two_files_may_swap_their_contents(self, root, provider, write, contents, fresh):
        memory = CodebaseMemory(provider, root)
        write(root, **{"pkg/m0.py": source("long", 20)})
        await memory.index()
        one, two = (root / "pkg/m0.py").read_text(), (root / "pkg/m1.py").read_text()
        write(root, **{"pkg/m0.py": two, "pkg/m1.py": one})
        await memory.index()
        assert await contents(provider) == await fresh()

    async def test_names_and_encodings_of_all_kinds(self, root, provider, write):
        odd = {
            'it\'s "odd".py': "quoted = 1\n",
            "two\nlines.py": "newline = 1\n",
            "ünï/文.py": "unicode = 1\n",
            "latin.py": "café = 1\n".encode("latin-1"),
            "wide.py": "wide = 'é'\n".encode("utf-16"),
            "blank.txt": "\u00a0\n".encode("latin-1"),
        }
        write(root, **odd)
        memory = CodebaseMemory(provider, root)
        report = await memory.index()
        assert report.files_indexed == 8 + len(odd)
        assert not (await memory.index()).changed
        for name in odd:
            assert await provider.count({"file_path": name}) == 1
        (hit,) = (await memory.search("café", limit=1, mode="lexical")).hits
        assert hit.path == "latin.py"

    async def test_what_is_left_out_is_reported_and_never_counts_as_a_change(
        self, root, provider, write
    ):
        write(root, **{"logo": b"\0" * 100, "data.json": "[" + "1," * 5000 + "1]", "e.py": ""})
        write(root, **{".env": "KEY=1\n", "large.py": "x" * 2000, "node_modules/a/b.js": "b\n"})
        memory = CodebaseMemory(provider, root, max_file_bytes=15_000)
        (root / "large.py").write_text("x = 1\n" * 3000)
        report = await memory.index()
        assert report.left_out == {
            Reason.BINARY: 1, Reason.GENERATED: 1, Reason.EMPTY: 1,
            Reason.SECRET: 1, Reason.OVERSIZED: 1, Reason.VENDORED: 1,
        }  # fmt: skip
        assert report.left_out_examples[Reason.VENDORED] == ("node_modules/",)
        assert not (await memory.index()).changed
        assert (await memory.status()).stale_files == 0

    async def test_a_rebuild_begins_anew(self, root, provider, embedder, contents, fresh):
        memory = CodebaseMemory(provider, root)
        await memory.index()
        embedder.documents.clear()
        report = await memory.index(rebuild=True)
        assert report.files_indexed == 8
        assert report.chunks_embedded == len(embedder.documents)
        assert await contents(provider) == await fresh()

    async def test_records_of_others_in_the_collection_are_left_alone(
        self, root, provider, contents, embedder
    ):
        vector = (await embedder.embed(["note"]))[0]
        await provider.upsert(
            [Record("note", "a note about name0", vector, {"file_path": "pkg/m0.py"})]
        )
        memory = CodebaseMemory(provider, root)
        await memory.index()
        await memory.index()
        assert "note" in await contents(provider)
        answer = await memory.search("a note about name0", limit=50)
        assert "note" not in [hit.text for hit in answer.hits]

    async def test_chunk_records_that_no_file_accounts_for_are_removed(
        self, root, provider, contents, fresh, embedder
    ):
        vector = (await embedder.embed(["x"]))[0]
        await provider.upsert(
            [
                Record("old-scheme", "x", vector, {"kind": "code", "file_path": "pkg/m0.py",
                                                  "chunk_index": 0, "chunk_count": 1}),
                Record("nowhere", "x", vector, {"kind": "code"}),
            ]
        )  # fmt: skip
        await CodebaseMemory(provider, root).index()
        assert await contents(provider) == await fresh()

    async def test_a_codebase_that_became_empty_empties_the_index(self, root, provider):
        memory = CodebaseMemory(provider, root)
        await memory.index()
        for path in root.rglob("*.py"):
            path.unlink()
        assert (await memory.index()).files_removed == 8
        assert await provider.count() == 0

    async def test_a_root_that_vanished_does_not_empty_the_index(self, root, provider):
        memory = CodebaseMemory(provider, root)
        await memory.index()
        before = await provider.count()
        root.rename(root.parent / "unmounted")
        with pytest.raises(InvalidRequestError, match="does not exist"):
            await memory.index()
        assert await provider.count() == before

    async def test_progress_knows_the_total_and_arrives_there(self, root, provider):
        seen = []
        await CodebaseMemory(provider, root).index(progress=seen.append)
        assert [one.phase for one in seen] == ["scan", "index", "index", "compact"]
        assert seen[0].files_total is None
        assert (seen[-2].files_done, seen[-2].files_total) == (8, 8)
        assert seen[-2].chunks_written == await provider.count()

    async def test_the_store_is_compacted_after_a_change_only(self, root, provider, monkeypatch):
        compactions = []
        own = type(provider)._compact

        async def counted(self):
            compactions.append(1)
            await own(self)

        monkeypatch.setattr(type(provider), "_compact", counted)
        memory = CodebaseMemory(provider, root)
        await memory.index()
        await memory.index()
        assert compactions == [1]


class Whole:
    """A chunker whose chunks are whole files."""

    languages = ("python",)

    def chunk(self, path, text):
        lines = text.split("\n")
        return [Chunk(path, 1, len(lines), text[:2000], "python", "whole")]


class Failing(Whole):
    def chunk(self, path, text):
        if "m3" in path:
            msg = "no grammar"
            raise RuntimeError(msg)
        return super().chunk(path, text)


class TestChunkers:
    async def test_another_chunker_means_another_index(self, root, provider, fresh, contents):
        await CodebaseMemory(provider, root).index()
        report = await CodebaseMemory(provider, root, chunkers=[Whole()]).index()
        assert report.files_indexed == 8
        assert await provider.count() == 8
        assert await contents(provider) == await fresh(chunkers=[Whole()])

    async def test_a_chunker_that_fails_is_reported(self, root, provider):
        report = await CodebaseMemory(provider, root, chunkers=[Failing()]).index()
        assert report.files_indexed == 8
        assert report.notes == ("The chunker Failing failed: RuntimeError: no grammar",)
        assert await provider.count({"file_path": "pkg/m3.py"}) > 1


@pytest.fixture
def small_writes(monkeypatch):
    monkeypatch.setattr(pipeline, "CHUNKS_PER_WRITE", 4)
    monkeypatch.setattr(pipeline, "TEXTS_PER_EMBEDDING", 3)
    monkeypatch.setattr(contents_module, "FILES_PER_LOOK", 3)


@pytest.mark.usefixtures("small_writes")
class TestInterrupted:
    @pytest.mark.parametrize("texts", [0, 1, 5, 9, 13, 17, 21, 23])
    async def test_a_run_that_dies_is_completed_by_the_next(
        self, root, provider, embedder, contents, fresh, texts
    ):
        memory = CodebaseMemory(provider, root)
        embedder.fail_after = texts
        with pytest.raises(EmbeddingError, match="the power went out"):
            await memory.index()
        survived = await provider.count()
        embedder.fail_after = None
        report = await CodebaseMemory(provider, root).index()
        assert report.chunks_written == len(await contents(provider)) - survived
        assert await contents(provider) == await fresh()

    @pytest.mark.parametrize("texts", [0, 1, 3, 5, 7, 9, 11])
    async def test_an_update_that_dies_is_completed_by_the_next(
        self, root, provider, embedder, contents, fresh, texts, write
    ):
        memory = CodebaseMemory(provider, root)
        await memory.index()
        write(root, **{f"pkg/m{number}.py": source(f"new{number}", 4) for number in range(6)})
        (root / "pkg/m7.py").unlink()
        embedder.fail_after = len(embedder.documents) + texts
        with pytest.raises(EmbeddingError):
            await memory.index()
        embedder.fail_after = None
        # The same object goes on too: it must not believe what it did not finish.
        await memory.search("new0")
        assert await contents(provider) == await fresh()

    @pytest.mark.parametrize("writes", range(4))
    async def test_a_kill_between_any_two_writes_is_repaired(
        self, root, provider, contents, fresh, writes, write, monkeypatch
    ):
        await CodebaseMemory(provider, root).index()
        write(root, **{"pkg/m0.py": source("less", 1), "pkg/m1.py": source("more", 9)})
        (root / "pkg/m7.py").unlink()
        left = writes

        class KilledError(BaseException):
            pass

        def guarded(own):
            async def run(self, given):
                nonlocal left
                if left == 0:
                    raise KilledError
                left -= 1
                return await own(self, given)

            return run

        with monkeypatch.context() as patch:
            patch.setattr(type(provider), "_upsert", guarded(type(provider)._upsert))
            patch.setattr(type(provider), "_delete", guarded(type(provider)._delete))
            with suppress(KilledError):
                await CodebaseMemory(provider, root).index()
        await CodebaseMemory(provider, root).index()
        assert await contents(provider) == await fresh()

    async def test_a_store_that_applies_only_a_part_of_a_write_is_repaired(
        self, root, provider, contents, fresh
    ):
        await CodebaseMemory(provider, root).index()
        lost = [(await rows(provider, name))[0].id for name in ("pkg/m0.py", "pkg/m5.py")]
        await provider.delete(lost)
        report = await CodebaseMemory(provider, root).index()
        assert report.files_indexed == 2
        assert await contents(provider) == await fresh()

    async def test_a_cancelled_run_keeps_what_it_embedded_and_leaves_nothing_running(
        self, root, provider, embedder, contents, fresh, monkeypatch
    ):
        own = type(provider)._upsert
        begun, second = [], asyncio.Event()  # what is written, and the second write

        async def slow(self, records):
            if begun:
                second.set()
            begun.extend(one.id for one in records)
            await asyncio.sleep(0.2)
            await own(self, records)

        memory = CodebaseMemory(provider, root)
        with monkeypatch.context() as patch:
            patch.setattr(type(provider), "_upsert", slow)
            task = asyncio.create_task(memory.index())
            await second.wait()
            # By now the next batch is embedded, and the run waits for this write.
            await asyncio.sleep(0.1)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        assert asyncio.all_tasks() == {asyncio.current_task()}
        assert set(await contents(provider)) == set(begun)
        kept = await provider.count()
        assert kept == len(embedder.documents)
        embedder.documents.clear()
        await memory.index()
        assert len(embedder.documents) == await provider.count() - kept
        assert await contents(provider) == await fresh()

    async def test_two_indexers_at_once_do_no_harm(self, root, provider, contents, fresh):
        memories = [CodebaseMemory(provider, root) for _ in range(2)]
        await asyncio.gather(*(memory.index() for memory in memories))
        assert await contents(provider) == await fresh()

    async def test_two_indexers_that_saw_different_files_are_put_right(
        self, root, provider, contents, fresh, write
    ):
        await CodebaseMemory(provider, root).index()
        write(root, **{"pkg/m0.py": source("second", 3)})

        def change_it(progress):
            if progress.phase == "index":
                write(root, **{"pkg/m0.py": source("third", 12)})
                write(root, **{"pkg/m1.py": source("fourth", 1)})

        slow, fast = CodebaseMemory(provider, root), CodebaseMemory(provider, root)
        await asyncio.gather(slow.index(progress=change_it), fast.index())
        await fast.index()
        assert await contents(provider) == await fresh()

    async def test_what_another_indexer_has_done_is_not_done_again(
        self, root, provider, embedder, write
    ):
        memory = CodebaseMemory(provider, root)
        await memory.index()
        write(root, **{"pkg/m0.py": source("changed"), "pkg/m9.py": source("added")})
        await CodebaseMemory(provider, root).index()
        embedder.documents.clear()
        answer = await memory.search("changed")
        assert answer.refreshed is None
        assert answer.hits[0].path == "pkg/m0.py"
        assert embedder.documents == []

    @pytest.mark.parametrize("asked_by_name", [True, False])
    async def test_a_refresh_knows_what_another_indexer_left(
        self, root, provider, contents, fresh, write, monkeypatch, asked_by_name
    ):
        monkeypatch.setattr(indexer, "PATHS_PER_QUERY", 32 if asked_by_name else 0)
        memory = CodebaseMemory(provider, root)
        await memory.index()
        write(root, **{"pkg/m0.py": source("longer", 12), "pkg/m8.py": source("added", 5)})
        await CodebaseMemory(provider, root).index()
        (root / "pkg/m8.py").unlink()
        write(root, **{"pkg/m0.py": source("shorter", 1)})
        await memory.search("shorter")
        await memory.search("added")
        assert await contents(provider) == await fresh()

    async def test_a_file_that_vanishes_during_the_run_is_not_indexed(
        self, root, provider, contents, fresh
    ):
        def remove_it(progress):
            if progress.phase == "index" and progress.files_done == 0:
                (root / "pkg/m7.py").unlink(missing_ok=True)

        memory = CodebaseMemory(provider, root)
        report = await memory.index(progress=remove_it)
        assert report.files_indexed == 7
        assert await contents(provider) == await fresh()


class TestReadingLittle:
    async def test_a_refresh_reads_only_files_whose_state_is_new(
        self, root, provider, monkeypatch, write
    ):
        long_ago(root)
        memory = CodebaseMemory(provider, root)
        let_time_pass(monkeypatch)
        await memory.index()
        read = []
        own = type(memory._tree).read
        monkeypatch.setattr(
            type(memory._tree), "read", lambda self, path: read.append(path) or own(self, path)
        )
        assert (await memory.search("name0")).refreshed is None
        assert read == []
        write(root, **{"pkg/m0.py": source("changed")})
        assert (await memory.search("changed")).refreshed.files_indexed == 1
        assert set(read) == {"pkg/m0.py"}
        read.clear()
        await memory.index()
        assert len(read) == 8


class TestHousekeeping:
    async def test_a_thousand_edits_leave_few_versions_and_little_on_disk(
        self, tmp_path, lance, write
    ):
        root = tmp_path / "root"
        root.mkdir()
        write(root, **{f"m{number}.py": f"def name_{number}(): ...\n" for number in range(10)})
        provider = lance()
        memory = CodebaseMemory(provider, root)
        await memory.index()
        before = await provider.stats()
        most = 0
        for edit in range(1000):
            write(root, **{f"m{edit % 10}.py": f"def name_{edit}(): ...\n" * 5})
            report = (await memory._refresher.ensure(None)).report
            assert (report.files_indexed, report.chunks_written) == (1, 1)
            if edit % 50 == 0:
                most = max(most, (await provider.stats()).details["versions"])
        after = await provider.stats()
        assert after.records == before.records == 10
        assert most <= provider.options.max_versions + 2 * provider.options.compact_every
        assert after.disk_bytes < 10_000_000
        await memory.close()


class TestSecrets:
    async def test_no_secret_is_embedded_or_stored(self, tmp_path, write, provider, embedder):
        key = "ghp_" + "a1B2c3D4" * 4 + "e5F6"
        write(
            tmp_path, **{"deploy.py": f"import os\n\nTOKEN = '{key}'\n\n\ndef deploy():\n    ...\n"}
        )
        report = await CodebaseMemory(provider, tmp_path).index()
        assert report.secrets_redacted == 1
        stored = [one async for batch in provider.scan() for one in batch]
        assert stored
        assert not any(key in one.text or key.lower() in (one.terms or "") for one in stored)
        assert not any(key in text for text in embedder.documents)
        assert "def deploy" in "".join(one.text for one in stored)

    async def test_a_redactor_that_fails_costs_the_file_and_says_so(
        self, tmp_path, write, provider
    ):
        def broken(text):
            if "BOOM" in text:
                raise ValueError(text)
            return Redaction(text)

        write(tmp_path, **{"a.py": "BOOM = 1\n", "b.py": "fine = 1\n"})
        report = await CodebaseMemory(provider, tmp_path, redactors=[broken]).index()
        assert [one for one in report.notes if "a.py is left out" in one]
        stored = {one.metadata["file_path"] async for batch in provider.scan() for one in batch}
        assert stored == {"b.py"}
