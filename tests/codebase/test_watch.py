import asyncio
import errno
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from victor_memory.codebase import watch as watch_module
from victor_memory.codebase.files import SourceTree
from victor_memory.codebase.memory import CodebaseMemory
from victor_memory.codebase.watch import kept_directories


@pytest.fixture
def root(tmp_path, write):
    root = tmp_path / "root"
    root.mkdir()
    write(root, **{"src/a.py": "a = 1\n", "src/deep/b.py": "b = 1\n", "doc/read.md": "# Read\n"})
    return root


class Watched:
    """A watch that runs beside the test, which waits for what it says."""

    def __init__(self, memory):
        self.stop = asyncio.Event()
        self.updates = asyncio.Queue()
        self.task = asyncio.create_task(self.run(memory))

    async def run(self, memory):
        async for update in memory.watch(self.stop):
            await self.updates.put(update)

    async def next(self):
        return await asyncio.wait_for(self.updates.get(), 60)

    async def until(self, condition):
        """Take updates until *condition* holds: one change may come as several."""
        async with asyncio.timeout(60):
            while not await condition():
                await self.updates.get()


@pytest.fixture
async def watched(root, provider):
    memory = CodebaseMemory(provider, root)
    watching = Watched(memory)
    await watching.next()
    yield watching
    watching.stop.set()
    await asyncio.wait_for(watching.task, 60)
    await memory.close()


def indexed(provider):
    async def paths():
        return {one.metadata["file_path"] async for batch in provider.scan() for one in batch}

    return paths


class TestUpdates:
    async def test_what_changes_is_indexed(self, root, watched, provider, write):
        write(root, **{"src/a.py": "a = 2\nchanged = 1\n"})
        update = await watched.next()
        assert update.problem is None
        assert update.report.files_indexed == 1
        (root / "src/a.py").unlink()
        assert (await watched.next()).report.files_removed == 1
        assert await indexed(provider)() == {"src/deep/b.py", "doc/read.md"}

    async def test_a_new_directory_is_watched_and_so_are_those_in_it(
        self, root, watched, provider, write
    ):
        (root / "new/below").mkdir(parents=True)
        await asyncio.sleep(0.5)
        write(root, **{"new/below/c.py": "c = 1\n"})

        async def found():
            return "new/below/c.py" in await indexed(provider)()

        await watched.until(found)
        write(root, **{"new/below/c.py": "c = 2\n"})
        assert (await watched.next()).report.files_indexed == 1

    async def test_a_directory_made_anew_is_still_watched(self, root, watched, provider, write):
        shutil.rmtree(root / "src/deep")
        assert (await watched.next()).report.files_removed == 1
        write(root, **{"src/deep/b.py": "b = 3\n"})
        assert (await watched.next()).report.files_indexed == 1
        write(root, **{"src/deep/b.py": "b = 4\n"})
        assert (await watched.next()).report.files_indexed == 1

    async def test_touching_is_no_change(self, root, watched, embedder, write):
        before = len(embedder.documents)
        os.utime(root / "src/a.py")
        await asyncio.sleep(0.3)
        write(root, **{"src/deep/b.py": "b = 2\n"})
        report = (await watched.next()).report
        assert (report.files_indexed, report.files_unchanged) == (1, 2)
        assert len(embedder.documents) == before + 1

    async def test_a_root_that_goes_is_waited_for(
        self, root, watched, provider, write, monkeypatch
    ):
        monkeypatch.setattr(watch_module, "RETRY_SECONDS", 0.05)
        aside = root.parent / "aside"
        root.rename(aside)
        assert "does not exist" in (await watched.next()).problem
        assert await provider.count() == 3
        aside.rename(root)
        write(root, **{"src/a.py": "a = 5\n"})
        assert (await watched.next()).report.files_indexed == 1

    async def test_a_problem_is_told_once_and_the_next_change_is_another_try(
        self, root, watched, embedder, write
    ):
        embedder.fail_after = len(embedder.documents)
        write(root, **{"src/a.py": "a = 6\n"})
        assert "the power went out" in (await watched.next()).problem
        write(root, **{"src/a.py": "a = 7\n"})
        await asyncio.sleep(0.5)
        assert watched.updates.empty()
        embedder.fail_after = None
        write(root, **{"src/a.py": "a = 8\n"})
        assert (await watched.next()).report.files_indexed == 1

    async def test_where_nothing_can_be_watched_the_files_are_looked_at(
        self, root, provider, write, monkeypatch
    ):
        import watchfiles

        def refused(*paths, **options):
            raise OSError(errno.ENOSPC, "OS file watch limit reached")

        monkeypatch.setattr(watchfiles, "awatch", refused)
        monkeypatch.setattr(watch_module, "POLL_SECONDS", 0.05)
        watching = Watched(CodebaseMemory(provider, root))
        await watching.next()
        write(root, **{"src/a.py": "a = 2\n"})
        assert (await watching.next()).report.files_indexed == 1
        watching.stop.set()
        await watching.task


class TestDirectories:
    def kept(self, root):
        return kept_directories(SourceTree(root))

    def test_what_is_left_out_is_not_watched(self, root, write, git):
        git(root, "init", "-q")
        write(root, **{
            ".gitignore": "ignored/\n/cache*\n", ".victorignore": "private\n",
            "ignored/x.py": "x\n", "cache1/y.py": "y\n", "private/z.py": "z\n",
            "node_modules/a/b/c.js": "c\n", "env/pyvenv.cfg": "", "env/lib/x.py": "x\n",
            "other/sub/x.py": "x\n",
        })  # fmt: skip
        git(root / "other", "init", "-q")
        git(root / "other", "add", ".")
        git(root / "other", "commit", "-qm", "x")
        (root / "empty/below").mkdir(parents=True)
        (root / "link").symlink_to(root.parent)
        assert self.kept(root) == {"", "src", "src/deep", "doc", "empty", "empty/below"}

    def test_a_tracked_file_in_an_ignored_directory_is(self, root, write, git):
        git(root, "init", "-q")
        write(root, **{"ignored/sub/x.py": "x = 1\n", "ignored/y/z.py": "z = 1\n"})
        git(root, "add", "ignored/sub")
        write(root, **{".gitignore": "ignored/\n"})
        assert {one for one in self.kept(root) if "ignored" in one} == {"ignored", "ignored/sub"}

    def test_a_submodule_is(self, root, tmp_path, write, git):
        other = tmp_path / "other"
        other.mkdir()
        git(other, "init", "-q")
        write(other, **{"lib/x.py": "x = 1\n"})
        git(other, "add", ".")
        git(other, "commit", "-qm", "x")
        git(root, "init", "-q")
        git(root, "submodule", "add", "-q", str(other), "sub")
        assert {"sub", "sub/lib"} <= self.kept(root)


@pytest.mark.skipif(not Path("/proc/self/fdinfo").exists(), reason="inotify is Linux's")
class TestProgram:
    @pytest.fixture
    async def program(self, root, tmp_path, write):
        for number in range(50):
            write(
                root,
                **{f"node_modules/p{number}/lib/x.js": "x\n", f".git/objects/{number:02}/x": "x"},
            )
        environment = {
            **os.environ,
            "VICTOR_EMBEDDINGS_DIR": str(tmp_path / "embeddings"),
            "VICTOR_EMBEDDING_MODEL_TYPE": "hashing",
        }
        running = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "victor_memory", "index", str(root), "--watch",
            env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        yield running
        if running.returncode is None:
            running.kill()
            await running.wait()

    async def said(self, program, pattern):
        async with asyncio.timeout(60):
            while line := (await program.stderr.readline()).decode():
                if re.search(pattern, line):
                    return line
        pytest.fail(f"{pattern!r} was never said")

    def watches(self, program):
        found = 0
        for file in Path(f"/proc/{program.pid}/fdinfo").iterdir():
            found += file.read_text(encoding="utf-8").count("inotify wd:")
        return found

    async def test_it_watches_few_directories_and_ends_well(self, program, root, write):
        await self.said(program, "Watching")
        for _ in range(600):
            if found := self.watches(program):
                break
            await asyncio.sleep(0.1)
        assert found == 4  # the root, src, src/deep and doc
        write(root, **{"src/a.py": "a = 2\n"})
        line = await self.said(program, "files indexed")
        assert "1 files indexed, 2 unchanged, 0 removed" in line
        program.send_signal(signal.SIGINT)
        out, err = await asyncio.wait_for(program.communicate(), 60)
        assert program.returncode == 0
        assert "Stopped after 1 updates: 1 files indexed, 0 removed" in err.decode()
        assert "3 files indexed" in out.decode()
