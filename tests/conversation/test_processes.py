"""Several processes with one memory, in the default store: nothing is lost, nothing is there twice."""

import asyncio
import subprocess
import sys
from collections import Counter

import pytest

from victor_memory.conversation.records import Turn
from victor_memory.runtime import open_runtime
from victor_memory.settings import MemorySettings

PROCESSES = 8
COMMON, OWN = 40, 15
WRITER = """
import asyncio, sys
from pathlib import Path
from victor_memory.conversation.records import Turn
from victor_memory.runtime import open_runtime
from victor_memory.settings import MemorySettings

place, number, common, own = Path(sys.argv[1]), *map(int, sys.argv[2:])

async def main():
    settings = MemorySettings(embeddings_dir=place / "store", embedding_model_type="hashing")
    async with open_runtime(settings, project=place) as memory:
        conversation = memory.conversation
        print("ready", flush=True)
        sys.stdin.readline()
        for at in range(0, common, 10):
            await conversation.add_turns(
                Turn(f"common turn {n}", "s", "user", n) for n in range(at, at + 10)
            )
        for n in range(own):
            await conversation.add_turns([Turn(f"turn {n} of process {number}", "s", "user")])
        await conversation.remember("The API port is 8080")
        await conversation.remember(f"Process {number} was here")

asyncio.run(main())
"""


@pytest.fixture
def place(tmp_path):
    (tmp_path / "code").mkdir()
    return tmp_path / "code"


def opened(place):
    settings = MemorySettings(embeddings_dir=place / "store", embedding_model_type="hashing")
    return open_runtime(settings, project=place)


def writer(place, number):
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, place, *map(str, (number, COMMON, OWN))],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True, encoding="utf-8",
    )  # fmt: skip


def finish(writers):
    for one in writers:
        assert one.stdout.readline() == "ready\n", one.communicate()[1]
    for one in writers:  # all at once, when all are ready
        one.stdin.write("\n")
        one.stdin.flush()
    for one in writers:
        _, errors = one.communicate(timeout=300)
        assert one.returncode == 0, errors


async def test_eight_processes_that_write_one_session_lose_and_duplicate_nothing(place):
    await asyncio.to_thread(finish, [writer(place, n) for n in range(PROCESSES)])
    async with opened(place) as memory:
        kept = [one async for batch in memory.conversation.provider.scan() for one in batch]
    counted = Counter(one.text for one in kept)
    expected = {f"common turn {n}" for n in range(COMMON)}
    expected |= {f"turn {n} of process {p}" for n in range(OWN) for p in range(PROCESSES)}
    expected |= {f"Process {p} was here" for p in range(PROCESSES)} | {"The API port is 8080"}
    assert set(counted) == expected
    assert set(counted.values()) == {1}
    assert len({one.id for one in kept}) == len(kept)


async def test_a_reader_sees_what_another_process_has_just_written(place):
    async with opened(place) as memory:
        conversation = memory.conversation
        await conversation.add_turns([Turn("something said before", "s")])
        assert await conversation.recall("port of the API") is not None
        await asyncio.to_thread(finish, [writer(place, 0)])
        found = await conversation.recall("port of the API", limit=3)
        assert "The API port is 8080" in [one.memory.text for one in found]
        (session,) = await conversation.sessions()
        assert session.turns == 1 + COMMON + OWN
