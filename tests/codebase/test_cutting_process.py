"""Cutting in another process: the same result, whatever happens to that process."""

import os
import pickle
import subprocess
import sys
import time
from contextlib import closing

import pytest

from victor_memory.codebase import cutting_process, cutting_worker
from victor_memory.codebase.cutting import Cutter
from victor_memory.codebase.cutting_process import (
    CuttingAhead,
    CuttingProcess,
    ahead,
    ready_to_cut,
)
from victor_memory.codebase.files import SourceTree
from victor_memory.codebase.indexer import Indexer
from victor_memory.codebase.memory import CodebaseMemory
from victor_memory.redaction import Redaction

WAIT_SECONDS = 20


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "repository"
    folder.mkdir()
    for number in range(12):
        text = f"def function_{number}(value):\n    return value + {number}\n" * 3
        (folder / f"m{number:02}.py").write_text(text, encoding="utf-8")
    (folder / "secret.py").write_text("password = 'hunter2-Xk29dkLQ'\n", encoding="utf-8")
    (folder / "wörter\u3042.md").write_text("# Title\n\nSome words.\n", encoding="utf-8")
    return folder


@pytest.fixture
def cutter(root):
    return Cutter(SourceTree(root))


@pytest.fixture
def paths(root):
    return sorted(path.name for path in root.iterdir())


def started(cutter, paths):
    process = CuttingProcess(cutter)
    process.give(paths)
    return process


@pytest.fixture
def process(cutter, paths):
    made = started(cutter, paths)
    yield made
    made.close()


def running(process):
    return process._frames._process.pid


def gone(pid):
    for _ in range(WAIT_SECONDS * 20):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.05)
    return False


def test_the_result_is_that_of_cutting_here(process, cutter, paths):
    assert [process.cut(path) for path in paths] == [cutter.cut(path) for path in paths]
    assert cutter.cut("secret.py").secrets == 1


def test_it_is_another_process_that_cuts(process, cutter, paths, monkeypatch):
    expected = cutter.cut(paths[0])
    monkeypatch.setattr(Cutter, "cut", lambda *_: pytest.fail("cut here"))
    assert process.cut(paths[0]) == expected


def test_paths_may_be_left_out_and_others_asked_for(process, cutter, paths):
    (cutter.tree.root / "later.py").write_text("late = 1\n", encoding="utf-8")
    for path in (paths[2], "later.py", paths[5], paths[-1], paths[0]):
        assert process.cut(path) == cutter.cut(path)


def test_a_file_that_is_gone(process, cutter, paths):
    assert process.cut(paths[0]).file is not None
    with closing(started(cutter, ["missing.py"])) as other:
        assert other.cut("missing.py").file is None


@pytest.mark.parametrize("fault", ["os.kill(os.getpid(), 11)", "time.sleep(1000)"])
def test_a_parser_that_crashes_or_hangs_costs_one_file_its_syntax(
    cutter, paths, monkeypatch, tmp_path, fault
):
    (tmp_path / "faulty.py").write_text(
        "import os, time\n"
        "from victor_memory.codebase import cutting, cutting_worker\n"
        "original = cutting.Cutter.cut\n"
        f"fatal = {paths[3]!r}\n"
        "cutting.Cutter.cut = lambda self, path: (\n"
        f"    {fault} if path == fatal else original(self, path))\n"
        "cutting_worker.main()\n",
        encoding="utf-8",
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(cutting_process, "WORKER", "faulty")
    monkeypatch.setattr(cutting_process, "STALL_SECONDS", 5)
    process = started(cutter, paths)
    done = {path: process.cut(path) for path in paths}
    process.close()
    assert "crashed or did not end" in done[paths[3]].problems[0]
    assert done[paths[3]].file.chunks[0].defines is None
    assert cutter.cut(paths[3]).file.chunks[0].defines is not None
    del done[paths[3]]
    assert done == {path: cutter.cut(path) for path in paths if path != paths[3]}


def test_a_process_that_cannot_start_is_done_without(cutter, paths, monkeypatch):
    monkeypatch.setattr(cutting_process, "WORKER", "no.such.module")
    process = started(cutter, paths)
    assert [process.cut(path) for path in paths] == [cutter.cut(path) for path in paths]
    monkeypatch.setattr(sys, "executable", "")
    process = started(cutter, paths)
    assert process.cut(paths[0]) == cutter.cut(paths[0])


def test_closing_ends_it(cutter, paths):
    process = started(cutter, paths)
    process.cut(paths[0])
    pid = running(process)
    process.close()
    assert gone(pid)
    assert process.cut(paths[1]) == cutter.cut(paths[1])


def test_it_does_not_outlive_who_started_it(cutter, paths):
    program = (
        "import os, sys, time\n"
        "from victor_memory.codebase.cutting import Cutter\n"
        "from victor_memory.codebase.cutting_process import CuttingProcess\n"
        "from victor_memory.codebase.files import SourceTree\n"
        "process = CuttingProcess(Cutter(SourceTree(sys.argv[1])))\n"
        "process.give(['m00.py'] * 100_000)\n"
        "process.cut('m00.py')\n"
        "print(process._frames._process.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(cutter.tree.root)], stdout=subprocess.PIPE
    ) as parent:
        pid = int(parent.stdout.readline())
        parent.kill()
    assert gone(pid)


def test_what_is_read_ahead_is_bounded(cutter, monkeypatch):
    monkeypatch.setattr(cutting_process, "AHEAD_BYTES", 2000)
    process = started(cutter, ["m00.py"] * 5000)
    expected = cutter.cut("m00.py")
    process.cut("m00.py")
    time.sleep(0.5)
    assert process._frames._bytes < 2000 + len(pickle.dumps(expected)) + 100
    process.close()


def redactor(text):
    return Redaction(text)


@pytest.fixture
def cores(monkeypatch):
    """Let the machine have as many cores as the test says."""

    def set_to(number):
        monkeypatch.setattr(cutting_process, "_cores", lambda: number)

    set_to(2)
    return set_to


def test_only_what_pays_and_can_be_done_elsewhere(root, cutter, paths, monkeypatch):
    assert ahead(cutter, paths) is None
    monkeypatch.setattr(cutting_process, "WORTHWHILE_BYTES", 100)
    with closing(ahead(cutter, paths)) as process:
        assert process is not None
    assert ahead(Cutter(SourceTree(root), redactors=[redactor]), paths) is None


def test_it_pays_sooner_while_there_is_something_else_to_do(cutter, paths, monkeypatch, cores):
    monkeypatch.setattr(cutting_process, "WORTHWHILE_WHEN_IDLE", 100)
    assert ahead(cutter, paths) is None
    with closing(ahead(cutter, paths, busy=True)) as process:
        assert process is not None
    cores(1)
    assert ahead(cutter, paths, busy=True) is None


def test_one_gets_ready_before_the_paths_are_known(root, cutter, paths, cores):
    with closing(ready_to_cut(cutter)) as process:
        assert ahead(cutter, paths, ready=process) is process
        assert [process.cut(path) for path in paths] == [cutter.cut(path) for path in paths]
    assert ready_to_cut(Cutter(SourceTree(root), redactors=[redactor])) is None
    cores(1)
    assert ready_to_cut(cutter) is None


@pytest.mark.parametrize(("number", "wanted"), [(1, 1), (2, 2), (3, 3), (64, 4)])
def test_much_is_shared_by_as_many_processes_as_there_are_cores(
    cutter, paths, monkeypatch, cores, number, wanted
):
    cores(number)
    monkeypatch.setattr(cutting_process, "BYTES_PER_PROCESS", 300)
    with closing(CuttingAhead(cutter)) as process:
        process.give(paths)
        pids = {running(one) for one in process._processes}
        assert len(pids) == wanted
        expected = [cutter.cut(path) for path in paths]
        monkeypatch.setattr(Cutter, "cut", lambda *_: pytest.fail("cut here"))
        assert [process.cut(path) for path in paths] == expected
    assert all(gone(pid) for pid in pids)


def test_closed_before_it_was_told_anything(cutter, paths):
    process = CuttingAhead(cutter)
    pids = [running(one) for one in process._processes]
    process.close()
    assert all(gone(pid) for pid in pids)
    assert process.cut(paths[0]) == cutter.cut(paths[0])


def test_what_a_library_prints_does_not_reach_the_frames(cutter, tmp_path, monkeypatch):
    (tmp_path / "talking.py").write_text(
        "import os\n"
        "from victor_memory.codebase import cutting, cutting_worker\n"
        "original = cutting.Cutter.cut\n"
        "def cut(self, path):\n"
        "    print('hello'); os.write(1, b'hello')\n"
        "    return original(self, path)\n"
        "cutting.Cutter.cut = cut\n"
        "cutting_worker.main()\n",
        encoding="utf-8",
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(cutting_process, "WORKER", "talking")
    process = started(cutter, ["m00.py", "m01.py"])
    assert process.cut("m01.py") == cutter.cut("m01.py")
    process.close()


async def test_an_index_made_with_it_is_the_same(
    root, provider, new_provider, contents, monkeypatch
):
    async with new_provider() as without:
        await CodebaseMemory(without, root).index()
        expected = await contents(without)
    monkeypatch.setattr(cutting_process, "WORTHWHILE_BYTES", 100)
    begun = []
    original = cutting_process.start_module
    monkeypatch.setattr(
        cutting_process, "start_module", lambda name: begun.append(name) or original(name)
    )
    report = await CodebaseMemory(provider, root).index()
    assert begun == [cutting_worker.__name__]
    assert report.secrets_redacted == 1
    assert await contents(provider) == expected


async def test_it_gets_ready_first_where_nothing_is_indexed_and_the_store_is_not_open(
    root, new_lance, provider, monkeypatch, cores
):
    order = []
    original, look = cutting_process.start_module, Indexer._look

    async def looked(self, progress):
        order.append("look")
        return await look(self, progress)

    monkeypatch.setattr(
        cutting_process, "start_module", lambda name: order.append("start") or original(name)
    )
    monkeypatch.setattr(Indexer, "_look", looked)
    first = await CodebaseMemory(new_lance(), root).index()
    assert (order, first.files_indexed) == (["start", "look"], 14)
    order.clear()
    again = await CodebaseMemory(new_lance(), root).index()
    assert (order, again.files_indexed) == (["look"], 0)
    order.clear()
    await CodebaseMemory(provider, root).index()
    assert order == ["look"]
