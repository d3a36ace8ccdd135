"""`import --watch` keeps up with agents that are writing."""

import asyncio
import json

import pytest
from transcripts import claude, lines, write

from victor_memory.errors import VictorMemoryError
from victor_memory.transfer import watching
from victor_memory.transfer.capture import enqueue


async def until(condition, seconds=60):
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - the files are the event
            await asyncio.sleep(0.02)


@pytest.fixture
async def watch(places):
    """Watch for a project; collect what was done."""
    stop, tasks = asyncio.Event(), []

    def begin(root, *paths, **options):
        seen = []

        async def follow():
            async for one in places.transfer(root).watch(stop, paths, **options):
                seen.append(one)  # noqa: PERF401 - it is looked at while it grows

        tasks.append(asyncio.ensure_future(follow()))
        return seen

    yield begin
    stop.set()
    async with asyncio.timeout(30):
        await asyncio.gather(*tasks)


async def test_what_is_appended_created_and_queued_is_imported(
    repository, home, places, watch, monkeypatch
):
    monkeypatch.setenv("VICTOR_EMBEDDINGS_DIR", str(places.directory))
    monkeypatch.setattr(watching, "LOOK_MS", 500)
    one = repository("one")
    at = home / ".claude/projects/-one"
    path = write(at / "s1.jsonl", lines(claude(0, "user", "before", cwd=one)))
    seen = watch(one)
    await until(lambda: sum(done.new for done in seen) == 1)
    half = json.dumps(claude(1, "assistant", "appended", cwd=one)) + "\n"
    with path.open("a", encoding="utf-8") as stream:
        stream.write(half[:40])
        stream.flush()
        await asyncio.sleep(0.5)
        assert sum(done.new for done in seen) == 1
        stream.write(half[40:])
    await until(lambda: sum(done.new for done in seen) == 2)
    write(
        at.parent / "-new" / "s2.jsonl",
        lines(claude(0, "user", "in a new file", cwd=one, session="s2")),
    )
    enqueue({"text": "queued", "session": "s3", "role": "user", "project": str(one)})
    await until(lambda: sum(done.new for done in seen) == 4)
    assert [text for *_, text in await places.turns(one)] == [
        "before",
        "appended",
        "in a new file",
        "queued",
    ]
    assert not [problem for done in seen for problem in done.problems]


async def test_a_file_that_is_named_is_watched(repository, places, watch, tmp_path):
    one = repository("one")
    path = write(tmp_path / "chat" / "log.jsonl", lines({"text": "first"}))
    seen = watch(one, path)
    await until(lambda: len(seen) == 1)
    path.write_text(lines({"text": "first"}, {"text": "second"}), encoding="utf-8")
    await until(lambda: sum(done.new for done in seen) == 2)
    assert [text for *_, text in await places.turns(one)] == ["first", "second"]


async def test_a_failure_is_told_once_and_tried_again(tmp_path, monkeypatch):
    monkeypatch.setattr(watching, "POLL_SECONDS", 0.01)
    calls, seen, stop = 0, [], asyncio.Event()

    async def look():
        nonlocal calls
        calls += 1
        if calls > 5:
            stop.set()
        raise VictorMemoryError("locked" if calls < 4 else "gone")

    async with asyncio.timeout(30):
        seen += [str(one) async for one in watching.watched(list, look, stop)]
    assert (seen, calls) == (["locked", "gone"], 6)
