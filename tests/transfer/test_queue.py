"""What hooks queue: at once, on disk, for the owner only; taken out once, whoever is killed when."""

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from filelock import FileLock
from transcripts import claude, codex, codex_message, lines, write

from victor_memory.errors import ConfigurationError, InvalidRequestError, VictorMemoryError
from victor_memory.settings import MemorySettings
from victor_memory.transfer import capture
from victor_memory.transfer.capture import enqueue, queue_directory


def turn(n, project, **more):
    return {
        "text": f"captured {n}",
        "session": "live",
        "role": "user",
        "project": str(project),
        **more,
    }


@pytest.fixture
def queue(places, monkeypatch):
    monkeypatch.setenv("VICTOR_EMBEDDINGS_DIR", str(places.directory))
    return places.directory / "queue"


def files(directory):
    return sorted(str(one.relative_to(directory)) for one in directory.rglob("*.json"))


def test_the_queue_is_where_the_settings_say(home, monkeypatch, tmp_path):
    assert queue_directory() == str(MemorySettings().embeddings_dir.expanduser() / "queue")
    monkeypatch.setenv("VICTOR_EMBEDDINGS_DIR", str(tmp_path))
    assert queue_directory() == str(tmp_path / "queue")
    monkeypatch.setenv("VICTOR_EMBEDDINGS_DIR", "")
    assert queue_directory() == str(home / ".victor" / "embeddings" / "queue")


async def test_captured_turns_are_stored_as_they_were_said(repository, places, queue):
    one = repository("one")
    assert (
        enqueue(turn(0, one, created_at="2026-03-01T10:00:00Z", agent="own", tool="t", branch="b"))
        == 1
    )
    assert enqueue(turn(1, one / "gone")) == 1
    assert (
        enqueue(
            {
                "session_id": "live",
                "cwd": str(one),
                "hook_event_name": "Stop",
                "last_assistant_message": "answered",
            }
        )
        == 1
    )
    assert enqueue({"session_id": "live", "cwd": str(one), "hook_event_name": "SessionStart"}) == 0
    transfer = places.transfer(one)
    assert transfer.queue.waiting() == 3
    report = await transfer.drain()
    assert (report.new, report.problems, transfer.queue.waiting(), files(queue)) == (3, [], 0, [])
    assert await places.turns(one) == [
        ("live", 0, "user", "captured 0"), ("live", 1, "user", "captured 1"), ("live", 2, "assistant", "answered"),
    ]  # fmt: skip
    stored = {one.text: one for one in await places.all(next(iter(places.opened.values())))}
    first = stored["captured 0"]
    assert (first.agent, first.tool, first.branch, first.created_at.isoformat()) == (
        "own", "t", "b", "2026-03-01T10:00:00+00:00",
    )  # fmt: skip
    assert abs(stored["captured 1"].created_at.timestamp() - time.time()) < 600


async def test_a_captured_turn_goes_into_the_project_it_was_said_in(repository, places, queue):
    one, two = repository("one"), repository("two")
    enqueue(turn(1, one))
    enqueue(turn(2, two))
    assert (await places.transfer(one).drain()).new == 2
    assert [text for *_, text in await places.turns(one)] == ["captured 1"]
    assert [text for *_, text in await places.turns(two)] == ["captured 2"]


async def test_a_transcript_is_pointed_to_once_and_read_to_its_end(
    repository, places, queue, tmp_path
):
    one, two = repository("one"), repository("two")
    path = write(tmp_path / "s1.jsonl", lines(claude(0, "user", "hello", cwd=one)))
    event = {
        "session_id": "s1",
        "transcript_path": str(path),
        "cwd": str(two),
        "hook_event_name": "Stop",
    }
    assert [enqueue(event) for _ in range(3)] == [1, 0, 0]
    with path.open("a", encoding="utf-8") as stream:
        stream.write(lines(claude(1, "assistant", "hi")))
    assert (await places.transfer(two).drain()).new == 2
    assert [text for *_, text in await places.turns(one)] == ["hello", "hi"]
    assert await places.turns(two) == []
    assert enqueue(event) == 1
    report = await places.transfer(two).drain()
    assert (report.new, report.read, files(queue)) == (0, 0, [])


async def test_codex_names_its_thread(repository, places, queue, home):
    one = repository("one")
    write(home / ".codex/sessions/2026/03/02/rollout-2026-03-02T10-00-00-t1.jsonl", lines(
        codex(0, "session_meta", {"id": "t1", "cwd": str(one)}), codex_message(1, "user", "asked"),
    ))  # fmt: skip
    enqueue(
        {
            "type": "agent-turn-complete",
            "thread-id": "t1",
            "cwd": str(one),
            "last-assistant-message": "x",
        }
    )
    assert (await places.transfer(one).drain()).new == 1
    enqueue({"type": "agent-turn-complete", "thread-id": "t2", "cwd": str(one)})
    report = await places.transfer(one).drain()
    assert "transcript is gone" in report.problems[0].reason
    assert files(queue) == []


@pytest.mark.parametrize(
    "event", [{}, {"text": "no session"}, {"text": 1, "session": "s"}, {"a": 1}]
)
def test_what_tells_nothing_is_refused(queue, event):
    with pytest.raises(InvalidRequestError, match="nothing to capture"):
        enqueue(event)
    assert not queue.exists()


async def test_what_is_queued_is_for_the_owner_only_and_gone_afterwards(repository, places, queue):
    one = repository("one")
    old = os.umask(0)
    try:
        enqueue(turn("hunter2-content", one))
    finally:
        os.umask(old)
    assert queue.stat().st_mode & 0o077 == 0
    (entry,) = queue.glob("*.json")
    assert entry.stat().st_mode & 0o077 == 0
    await places.transfer(one).drain()
    left = b"".join(one.read_bytes() for one in queue.rglob("*") if one.is_file())
    assert b"hunter2-content" not in left


async def test_damaged_entries_are_set_aside_and_told(repository, places, queue):
    one = repository("one")
    enqueue(turn(1, one))
    (queue / "0-a.json").write_bytes(b'{"version": 1, "turn"')
    (queue / "0-b.json").write_bytes(b"[]")
    (queue / "0-c.json").write_text(json.dumps({"version": 9, "turn": {}}), encoding="utf-8")
    (queue / "0-d.json").write_text(
        json.dumps({"version": 1, "turn": {"text": "x", "session": 3}}), encoding="utf-8"
    )
    (queue / "0-e.json").write_text(
        json.dumps({"version": 1, "turn": {"session": "s"}}), encoding="utf-8"
    )
    (queue / "0-f.json").write_text(
        json.dumps({"version": 1, "turn": {"text": "x", "session": "s", "index": -1}}),
        encoding="utf-8",
    )
    transfer = places.transfer(one)
    report = await transfer.drain()
    assert report.new == 1
    assert [one.name for one in transfer.queue.damaged()] == [
        f"0-{letter}.json" for letter in "abcdef"
    ]
    assert len(report.problems) == 6
    assert "of version 9; this one reads 1" in str(report.problems)
    assert (await transfer.drain()).problems == []


async def test_what_a_killed_process_left_is_taken_up(repository, places, queue):
    one = repository("one")
    enqueue(turn(1, one))
    enqueue({"session_id": "s", "transcript_path": str(queue / "t.jsonl"), "cwd": str(one)})
    taken = queue / "taken"
    taken.mkdir()
    for entry in list(queue.glob("*.json")):
        entry.rename(taken / entry.name)
    # Pointed to again, while the killed process had it.
    assert (
        enqueue({"session_id": "s", "transcript_path": str(queue / "t.jsonl"), "cwd": str(one)})
        == 1
    )
    write(queue / "t.jsonl", lines(claude(0, "user", "in the transcript", cwd=one)))
    (queue / ".1-unfinished.tmp").write_text("{", encoding="utf-8")
    os.utime(queue / ".1-unfinished.tmp", (1, 1))
    (queue / ".2-being-written.tmp").write_text("{", encoding="utf-8")
    transfer = places.transfer(one)
    assert transfer.queue.waiting() == 3
    assert (await transfer.drain()).new == 2
    assert (await transfer.drain()).new == 0
    assert files(queue) == []
    assert [one.name for one in queue.glob(".*.tmp")] == [".2-being-written.tmp"]


async def test_a_memory_that_cannot_be_written_keeps_the_queue(
    repository, places, queue, monkeypatch
):
    one = repository("one")
    enqueue(turn(1, one))

    async def fail(*_):
        raise VictorMemoryError(*["no room left"])

    memory = places(places.transfer(one)._project)
    monkeypatch.setattr(memory, "add_turns", fail)
    with pytest.raises(VictorMemoryError, match="no room"):
        await places.transfer(one).drain()
    monkeypatch.undo()
    monkeypatch.setenv("VICTOR_EMBEDDINGS_DIR", str(places.directory))
    assert (await places.transfer(one).drain()).new == 1


async def test_one_process_takes_out_at_a_time(repository, places, reopened, queue):
    one = repository("one")
    for n in range(20):
        enqueue(turn(n, one))
    lock = FileLock(queue / ".lock", thread_local=False)
    with lock:
        assert (await places.transfer(one).drain()).new == 0
    reports = await asyncio.gather(places.transfer(one).drain(), reopened().transfer(one).drain())
    assert sum(one.new for one in reports) == 20
    assert [text for *_, text in await places.turns(one)] == [f"captured {n}" for n in range(20)]


# -- the program ------------------------------------------------------------------------------------


def program(*arguments, stdin=None, **environment):
    return subprocess.run(
        [sys.executable, "-m", "victor_memory", "capture", *arguments],
        input=stdin, capture_output=True, text=True, encoding="utf-8", check=False, env={**os.environ, **environment},
    )  # fmt: skip


def test_the_hook_says_nothing_and_loads_next_to_nothing(queue, tmp_path):
    event = json.dumps(turn(1, tmp_path))
    done = program(stdin=event, PYTHONVERBOSE="1")
    assert (done.returncode, done.stdout) == (0, "")
    loaded = {
        line.split("'")[1] for line in done.stderr.splitlines() if line.startswith("import '")
    }
    heavy = {
        "typer",
        "rich",
        "pydantic",
        "numpy",
        "lancedb",
        "structlog",
        "asyncio",
        "pathlib",
        "argparse",
    }
    assert "json" in loaded
    assert not loaded & heavy
    assert {one for one in loaded if one.startswith("victor_memory")} <= {
        "victor_memory", "victor_memory.__main__", "victor_memory.cli", "victor_memory.transfer", "victor_memory.transfer.capture",
    }  # fmt: skip
    assert len(files(queue)) == 1
    assert program(event).returncode == 0
    assert len(files(queue)) == 2


@pytest.mark.parametrize("stdin", ["", "nothing", "[]", '{"text": "x"}'])
def test_a_hook_that_fails_says_why_and_does_not_stop_the_agent(queue, stdin):
    done = program(stdin=stdin)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("error: nothing was captured: ")
    assert done.stderr.count("\n") == 1


def test_a_hook_that_is_switched_off_keeps_nothing(queue, tmp_path):
    done = program(stdin=json.dumps(turn(1, tmp_path)), VICTOR_MEMORY_CAPTURE="off")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert not queue.exists()
    done = program(stdin=json.dumps(turn(1, tmp_path)), VICTOR_MEMORY_CAPTURE="never")
    assert (done.returncode, done.stdout) == (1, "")
    assert "VICTOR_MEMORY_CAPTURE" in done.stderr
    assert not queue.exists()


@pytest.mark.parametrize(
    "said", ["", "on", "ON", "1", "true", "t", "yes", "Y", "off", "Off", "0", "False", "f", "no", "n", "x"]
)  # fmt: skip
def test_the_hook_reads_its_switch_as_the_settings_do(queue, tmp_path, monkeypatch, said):
    monkeypatch.setenv("VICTOR_MEMORY_CAPTURE", said)
    code = capture.run([json.dumps(turn(1, tmp_path))])
    try:
        wanted = MemorySettings().memory_capture
    except ConfigurationError:
        assert (code, queue.exists()) == (1, False)
    else:
        assert (code, queue.exists()) == (0, wanted)


def test_an_event_without_end_is_refused(monkeypatch, queue):
    monkeypatch.setattr(capture, "MAX_BYTES", 10)
    assert capture.run(['{"text": "long", "session": "s"}']) == 1
    assert not queue.exists()


CAPTURE = """
import sys
from victor_memory.transfer.capture import enqueue
n = 0
while True:
    enqueue({"text": f"{sys.argv[1]} said {n}", "session": sys.argv[1], "role": "user", "project": sys.argv[2]})
    sys.stdout.write(f"{n}\\n")  # only what was returned from counts
    sys.stdout.flush()
    n += 1
"""
DRAIN = """
import asyncio, sys
sys.path.insert(0, sys.argv[1])
import conftest
from pathlib import Path

async def main():
    places = conftest.Places(Path(sys.argv[2]), conftest.LanceDBProvider)
    print("started", flush=True)
    while True:
        await places.transfer(sys.argv[3]).drain()
        await asyncio.sleep(0.01)

asyncio.run(main())
"""


async def test_nothing_is_lost_or_doubled_when_everybody_is_killed(repository, places, queue):
    one = repository("one")
    chance = random.Random(3)
    environment = {**os.environ, "VICTOR_EMBEDDINGS_DIR": str(places.directory)}
    here = str(Path(__file__).parent)
    promised = {}
    attempted = {}
    for turn_ in range(4):
        drainers = [
            subprocess.Popen(
                [sys.executable, "-c", DRAIN, here, str(places.directory), str(one)],
                stdout=subprocess.PIPE, env=environment, text=True, encoding="utf-8",
            )
            for _ in range(2)
        ]  # fmt: skip
        for drainer in drainers:
            assert drainer.stdout.readline() == "started\n"
        names = [f"agent-{turn_}-{n}" for n in range(2)]
        writers = [
            subprocess.Popen(
                [sys.executable, "-c", CAPTURE, name, str(one)],
                stdout=subprocess.PIPE, env=environment, text=True, encoding="utf-8",
            )
            for name in names
        ]  # fmt: skip
        await asyncio.sleep(chance.uniform(0.3, 0.9))
        for process in (*writers, *drainers):
            process.send_signal(signal.SIGKILL)
        for name, writer in zip(names, writers, strict=True):
            promised[name] = len(writer.stdout.read().splitlines())
            attempted[name] = promised[name] + 1
            writer.stdout.close()
        for process in (*writers, *drainers):
            process.wait()
        for drainer in drainers:
            drainer.stdout.close()
    transfer = places.transfer(one)
    await transfer.drain()
    assert (transfer.queue.waiting(), transfer.queue.damaged()) == (0, [])
    turns = await places.turns(one)
    assert len(turns) == len(set(turns))
    texts = [text for *_, text in turns]
    assert len(texts) == len(set(texts))
    assert sum(promised.values()) > 20
    for name, count in promised.items():
        found = {int(text.split()[-1]) for text in texts if text.startswith(f"{name} ")}
        assert set(range(count)) <= found <= set(range(attempted[name]))
