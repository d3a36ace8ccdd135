"""What is imported goes where it belongs, once, and only what is new is looked at."""

import asyncio
import json
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from transcripts import claude, codex, codex_message, lines, write

from victor_memory.errors import InvalidRequestError
from victor_memory.scope import identifier, project_scope
from victor_memory.transfer import importing
from victor_memory.transfer.model import Problem
from victor_memory.transfer.places import Projects, Source
from victor_memory.transfer.state import NAME


@pytest.fixture
def agents(home, repository):
    """Return two repositories, and write what agents said in them."""
    one, two = repository("one"), repository("two")
    at = home / ".claude" / "projects" / "-one"
    write(at / "s1.jsonl", lines(
        claude(0, "user", "question of one", cwd=one), claude(1, "assistant", "answer of one", cwd=one / "src"),
    ))  # fmt: skip
    write(
        at.parent / "-two" / "s2.jsonl",
        lines(claude(0, "user", "question of two", cwd=two, session="s2")),
    )
    write(home / ".codex" / "sessions" / "2026" / "03" / "02" / "rollout-1-c1.jsonl", lines(
        codex(0, "session_meta", {"id": "c1", "cwd": str(one)}), codex_message(1, "user", "asked codex"),
    ))  # fmt: skip
    return one, two


ONE = [
    ("c1", 0, "user", "asked codex"),
    ("s1", 0, "user", "question of one"),
    ("s1", 1, "assistant", "answer of one"),
]


async def test_only_what_belongs_to_the_project_is_imported_and_once(agents, places):
    one, two = agents
    transfer = places.transfer(one)
    report = await transfer.update()
    assert (report.new, report.read, report.sources, report.left_out) == (3, 3, 3, 1)
    assert report.elsewhere == {project_scope(two).project}
    assert dict(report.formats) == {"claude-code": 2, "codex": 1}
    assert await places.turns(one) == ONE
    assert await places.turns(two) == []
    stored = await places.all(places(project_scope(one).project))
    assert {(turn.worktree, turn.branch) for turn in stored if turn.agent == "claude-code"} == {
        (str(one), "main")
    }
    again = await transfer.update()
    assert (again.new, again.read, again.sources, again.unchanged) == (0, 0, 0, 3)
    everything = await transfer.update(again=True)
    assert (everything.new, everything.read) == (0, 3)
    assert await places.turns(one) == ONE


async def test_what_was_forgotten_stays_so_until_it_is_asked_for(agents, places, home):
    one, _ = agents
    transfer, memory = places.transfer(one), places(project_scope(one).project)
    await transfer.update()
    await memory.forget(session="s1")
    transcript = home / ".claude" / "projects" / "-one" / "s1.jsonl"
    rewritten = lines(
        claude(0, "user", "question of one", cwd=one), claude(2, "user", "more", cwd=one)
    )
    write(transcript, rewritten)
    assert (await transfer.update()).new == 1
    assert (await transfer.update(again=True)).new == 0
    assert (await transfer.import_files([transcript], again=True)).new == 0
    assert "question of one" not in [text for *_, text in await places.turns(one)]
    back = await transfer.update(forgotten=True)
    assert (back.new, back.read) == (1, 3)
    assert "question of one" in [text for *_, text in await places.turns(one)]


async def test_all_projects_get_what_is_theirs(agents, places):
    one, two = agents
    report = await places.transfer(one).update(every=True)
    assert (report.new, report.left_out, report.elsewhere) == (4, 0, set())
    assert await places.turns(one) == ONE
    assert await places.turns(two) == [("s2", 0, "user", "question of two")]


async def test_a_file_is_put_into_another_project_only_on_request(agents, places, home):
    one, _ = agents
    path = next((home / ".claude").rglob("s2.jsonl"))
    report = await places.transfer(one).import_files([path])
    assert (report.new, report.left_out) == (0, 1)
    report = await places.transfer(one).import_files([path], into=True)
    assert (report.new, report.left_out) == (1, 0)
    assert await places.turns(one) == [("s2", 0, "user", "question of two")]
    with pytest.raises(InvalidRequestError, match="Choose"):
        await places.transfer(one).import_files([path], into=True, every=True)


async def test_worktrees_and_directories_that_are_gone_belong_to_their_repository(
    repository, home, places, tmp_path
):
    one = repository("one")
    for name, cwd in {
        "a": one / "removed" / "worktree", "b": one / "src", "c": tmp_path / "never" / "there",
    }.items():  # fmt: skip
        write(
            home / ".claude/projects/p" / f"{name}.jsonl",
            lines(claude(0, "user", f"said in {name}", cwd=cwd, session=name)),
        )
    await places.transfer(one).update()
    assert [text for *_, text in await places.turns(one)] == ["said in a", "said in b"]
    gone = tmp_path / "never" / "there"
    assert Projects().of(str(gone)) == identifier(gone)


async def test_what_has_no_directory_belongs_to_the_project_it_is_imported_for(
    repository, places, tmp_path
):
    one = repository("one")
    path = write(tmp_path / "chat.json", json.dumps([{"role": "user", "content": "hello"}]))
    assert (await places.transfer(one).import_files([path])).new == 1
    assert await places.turns(one) == [("chat", 0, "user", "hello")]


async def test_what_is_appended_is_read_on_also_by_another_process(agents, places, reopened, home):
    one, _ = agents
    await places.transfer(one).update()
    path = next((home / ".claude").rglob("s1.jsonl"))
    with path.open("a", encoding="utf-8") as stream:
        stream.write(
            lines(claude(2, "user", "yes", cwd=one), claude(3, "user", "yes", cwd=one))
            + '{"type": "us'
        )
    report = await reopened().transfer(one).update()
    assert (report.new, report.read, report.waiting, report.problems) == (2, 2, 1, [])
    assert [(index, text) for session, index, _, text in await places.turns(one) if session == "s1"] == [
        (0, "question of one"), (1, "answer of one"), (2, "yes"), (3, "yes"),
    ]  # fmt: skip


async def test_a_collection_that_is_deleted_is_filled_again(agents, places, reopened):
    import shutil

    one, _ = agents
    await places.transfer(one).update()
    await places.close()
    shutil.rmtree(places.directory / "conversation")
    other = reopened()
    assert (await other.transfer(one).update()).new == 3
    assert await other.turns(one) == ONE


@pytest.mark.parametrize("damage", [b"not a database", b""])
async def test_a_state_that_is_damaged_only_costs_reading(agents, places, damage):
    one, _ = agents
    await places.transfer(one).update()
    (places.directory / NAME).write_bytes(damage)
    report = await places.transfer(one).update()
    assert (report.new, report.read) == (0, 3)
    assert (await places.transfer(one).update()).new == 0


async def test_the_state_is_for_its_owner_only(agents, places):
    await places.transfer(agents[0]).update()
    assert (places.directory / NAME).stat().st_mode & 0o077 == 0


async def test_a_store_that_keeps_nothing_keeps_no_state(agents, volatile):
    one, _ = agents
    assert (await volatile.transfer(one).update()).new == 3
    assert not (volatile.directory / NAME).exists()


async def test_damaged_lines_and_files_are_told_and_the_rest_is_imported(
    repository, places, tmp_path
):
    one = repository("one")
    bad = write(
        tmp_path / "in" / "a.jsonl",
        '{"text": "first"}\n{broken\n{"text": "x", "importance": 7}\n{"text": "last"}\n',
    )
    (tmp_path / "in" / "b.db").write_bytes(b"SQLite format 3\x00 and no more")
    write(tmp_path / "in" / "c.jsonl", '{"text": "other"}\n')
    report = await places.transfer(one).import_files([tmp_path / "in"])
    assert [text for *_, text in await places.turns(one)] == ["first", "last", "other"]
    assert [(one.path, one.line) for one in report.problems] == [
        (str(bad), 2), (str(bad), 3), (str(tmp_path / "in" / "b.db"), 0),
    ]  # fmt: skip
    assert isinstance(report.problems[0], Problem)
    with pytest.raises(InvalidRequestError, match="Name a transcript"):
        await places.transfer(one).import_files([tmp_path / "missing"])


async def test_progress_never_goes_back_and_reaches_the_end(agents, places):
    seen = []
    await places.transfer(agents[0]).update(progress=seen.append)
    done = [one.bytes_done for one in seen]
    assert done == sorted(done)
    assert (seen[-1].bytes_done, seen[-1].sources) == (seen[-1].bytes, 3)
    assert seen[-1].new == 3


async def test_an_import_that_is_told_to_stop_goes_on_the_next_time(
    repository, places, tmp_path, monkeypatch
):
    one = repository("one")
    monkeypatch.setattr(importing, "BATCH", 500)
    path = write(tmp_path / "a.jsonl", lines(*({"text": f"turn {n}"} for n in range(1200))))
    stop = asyncio.Event()
    transfer = places.transfer(one)
    importer = transfer._importer(stop=stop)

    def tell(progress):
        if progress.new:
            stop.set()

    report = await importer.run([Source(path)], tell)
    assert report.new == 500
    assert (await transfer.import_files([path])).new == 700
    assert len(await places.turns(one)) == 1200


async def test_secrets_in_transcripts_are_not_stored(repository, places, tmp_path):
    one = repository("one")
    secret = "ghp_" + "a1B2" * 9
    path = write(tmp_path / "a.jsonl", lines({"text": f"the token is {secret}"}))
    await places.transfer(one).import_files([path])
    await places.close()
    stored = b"".join(one.read_bytes() for one in places.directory.rglob("*") if one.is_file())
    assert secret.encode() not in stored


KILLED = """
import asyncio, sys
sys.path.insert(0, sys.argv[1])
import conftest
from pathlib import Path

async def main():
    places = conftest.Places(Path(sys.argv[2]), conftest.LanceDBProvider)
    print("started", flush=True)
    report = await places.transfer(sys.argv[3]).import_files([sys.argv[4]])
    print(report.new, flush=True)
    await places.close()

asyncio.run(main())
"""


def test_an_import_that_is_killed_again_and_again_ends_complete(tmp_path, home, repository):
    one = repository("one")
    count = 6000
    path = write(
        tmp_path / "big.jsonl",
        lines(*({"text": f"turn {n} of many words", "session": f"s{n % 7}"} for n in range(count))),
    )
    command = [
        sys.executable,
        "-c",
        KILLED,
        str(Path(__file__).parent),
        str(tmp_path / "store"),
        str(one),
        str(path),
    ]
    chance = random.Random(5)
    killed = 0
    for _ in range(6):
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, encoding="utf-8")
        assert process.stdout.readline() == "started\n"
        time.sleep(chance.uniform(0.05, 0.6))
        process.send_signal(signal.SIGKILL)
        killed += process.wait() == -signal.SIGKILL
        process.stdout.close()
    assert killed > 0
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=True)
    assert int(done.stdout.split()[-1]) <= count
    again = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=True)
    assert again.stdout.split()[-1] == "0"
    counted = subprocess.run(
        [sys.executable, "-c", COUNTED, *command[3:]], capture_output=True, text=True, encoding="utf-8", check=True,
    )  # fmt: skip
    assert counted.stdout.split() == [str(count), str(count), "True"]


COUNTED = """
import asyncio, sys
sys.path.insert(0, sys.argv[1])
import conftest
from pathlib import Path

async def main():
    places = conftest.Places(Path(sys.argv[2]), conftest.LanceDBProvider)
    turns = await places.turns(sys.argv[3])
    expected = sorted((f"s{n % 7}", n // 7, None, f"turn {n} of many words") for n in range(len(turns)))
    print(len(turns), len(set(turns)), turns == expected, flush=True)
    await places.close()

asyncio.run(main())
"""
