"""What is forgotten is not found, and in no file, log or cache any more."""

import asyncio
import logging
from datetime import UTC, datetime, timedelta

import pytest

from victor_memory._logging import configure_logging
from victor_memory.config import EmbeddingConfig
from victor_memory.conversation import tombstones
from victor_memory.conversation.memory import ConversationMemory
from victor_memory.conversation.records import USER, Turn
from victor_memory.conversation.retention import Policy
from victor_memory.errors import InvalidRequestError, ProviderUnavailableError
from victor_memory.providers.lancedb import LanceDBProvider
from victor_memory.providers.memory import MemoryProvider
from victor_memory.providers.sqlite import SQLiteProvider
from victor_memory.runtime import open_runtime
from victor_memory.settings import MemorySettings

NOON = datetime(2026, 1, 15, 12, tzinfo=UTC)
MARK = "zquvixotrampel"
"""A word of which every part is in no other text."""
STORES = {"lancedb": LanceDBProvider, "sqlite": SQLiteProvider, "memory": MemoryProvider}


def provider(directory, store="memory", collection="project"):
    return STORES[store](
        EmbeddingConfig(
            vector_store=store, persist_directory=directory, embedding_model_type="hashing",
            extra_config={"collection": collection},
        )
    )  # fmt: skip


@pytest.fixture
async def memory(tmp_path):
    async with provider(tmp_path) as ours, provider(tmp_path, collection=USER) as users:
        yield ConversationMemory(ours, "p", user=users)


def traces(directory, *marks):
    """Return the files below *directory* that have one of *marks*."""
    files = [path for path in directory.rglob("*") if path.is_file()]
    parts = [one[3:].encode() if isinstance(one, str) else one for one in marks]
    return sorted(
        str(path.relative_to(directory))
        for path in files
        if any(part in path.read_bytes() for part in parts)
    )


async def texts(memory, query="the"):
    return sorted(one.memory.text for one in await memory.recall(query, limit=50, min_score=0))


# -- the files ------------------------------------------------------------------------------------


@pytest.mark.parametrize("store", STORES)
async def test_forgotten_bytes_are_in_no_file_and_no_log(tmp_path, store, capsys):
    configure_logging("DEBUG")
    settings = MemorySettings(
        vector_store=store, embeddings_dir=tmp_path / "kept", embedding_model_type="hashing"
    )
    (tmp_path / "code").mkdir()
    try:
        async with open_runtime(settings, project=tmp_path / "code") as runtime:
            memory = runtime.conversation
            kept = await memory.remember("The parser lives in its own module")
            await memory.add_turns(
                Turn(f"turn {n} of the talk {MARK}x{n} " + "about the parser " * 90, "s", index=n)
                for n in range(30)
            )
            note = await memory.remember(f"The port is {MARK}", tags=[f"{MARK}tag"], session="s")
            vector = (await memory.provider.get([note.memory.id], with_vectors=True))[0].vector
            if store != "memory":
                assert traces(tmp_path, MARK, vector[2:12].tobytes())
            await memory.recall(f"where is {MARK}?")
            gone = await memory.forget(session="s")
            assert gone.erased
            assert len(gone.memories) == 31
            assert traces(tmp_path, MARK, vector[2:12].tobytes()) == []
            (found,) = await memory.recall("where does the parser live?", min_score=0)
            assert found.memory.id == kept.memory.id
        assert traces(tmp_path, MARK, vector[2:12].tobytes()) == []
        shown = capsys.readouterr()
        assert MARK[3:] not in shown.out + shown.err
        assert store == "memory" or "provider_opened" in shown.err
    finally:
        logging.getLogger("victor_memory").handlers[:] = [logging.NullHandler()]
        logging.getLogger("victor_memory").setLevel(logging.NOTSET)


async def test_a_dry_run_writes_nothing(tmp_path):
    async with provider(tmp_path, "sqlite") as store:
        memory = ConversationMemory(store, "p")
        await memory.remember(f"The port is {MARK}")
        before = await store.generation()
        gone = await memory.forget(all=True, dry_run=True)
        assert (len(gone.memories), gone.dry_run, gone.erased) == (1, True, False)
        assert await store.generation() == before
        assert await store.count() == 1


async def test_without_erase_the_bytes_stay_until_they_are_erased(tmp_path):
    async with provider(tmp_path, "lancedb") as store:
        memory = ConversationMemory(store, "p")
        note = await memory.remember(f"The port is {MARK}")
        vector = (await store.get([note.memory.id], with_vectors=True))[0].vector
        gone = await memory.forget(ids=[note.memory.id], erase=False)
        assert not gone.erased
        assert await memory.get(note.memory.id) is None
        assert traces(tmp_path, vector[2:12].tobytes())
        assert await memory.erase()
        assert traces(tmp_path, vector[2:12].tobytes()) == []


async def test_a_store_that_is_busy_has_deleted_and_says_that_it_did_not_erase(memory, monkeypatch):
    async def busy():
        raise ProviderUnavailableError

    monkeypatch.setattr(memory.provider, "_purge", busy)
    note = await memory.remember("The port is 8080")
    gone = await memory.forget(ids=[note.memory.id])
    assert [one.id for one in gone.memories] == [note.memory.id]
    assert not gone.erased
    assert await memory.get(note.memory.id) is None


async def test_readers_and_writers_go_on_while_bytes_are_erased(tmp_path):
    async with provider(tmp_path, "lancedb") as one, provider(tmp_path, "lancedb") as other:
        forgetting, using = ConversationMemory(one, "p"), ConversationMemory(other, "p")
        await using.add_turns(Turn(f"the plan, part {n}", "keep", index=n) for n in range(40))
        done = asyncio.Event()

        async def forget():
            for n in range(6):
                await forgetting.add_turns([Turn(f"the mistake {n}", "drop", index=n)])
                gone = await forgetting.forget(session="drop")
                assert gone.erased
            done.set()

        async def use():
            rounds = 0
            while not done.is_set():
                await using.add_turns([Turn(f"the later plan {rounds}", "more", index=rounds)])
                assert len(await using.recall("the plan", limit=50, min_score=0)) >= 40
                rounds += 1
            return rounds

        _, rounds = await asyncio.gather(forget(), use())
        assert (await using.sessions())[0].turns == rounds
        assert {one.id: one.turns for one in await forgetting.sessions()} == {
            "keep": 40, "more": rounds,
        }  # fmt: skip


# -- what is meant --------------------------------------------------------------------------------


async def test_all_parts_of_a_long_turn_go_by_the_id_of_any(memory):
    long = "\n\n".join(f"paragraph {n} " + "of many words " * 40 for n in range(8))
    await memory.add_turns([Turn(long, "s", index=0), Turn("short", "s", index=1)])
    (whole,) = [one for one in await memory.recent() if one.text != "short"]
    assert await memory.provider.count() > 4
    gone = await memory.forget(ids=[f"{whole.id}.2"])
    assert [one.text for one in gone.memories] == [long]
    assert await memory.provider.count() == 1


async def test_a_query_that_a_part_answers_forgets_the_whole(memory):
    long = "\n\n".join(f"paragraph {n} " + "of many words " * 40 for n in range(8))
    await memory.add_turns([Turn(f"{long}\n\n{MARK}", "s", index=0), Turn("short", "s", index=1)])
    gone = await memory.forget(query=MARK)
    assert [one.index for one in gone.memories] == [0]
    assert await memory.provider.count() == 1


async def test_criteria_narrow_each_other(memory):
    for n, kind in enumerate(("fact", "decision", "fact")):
        await memory.remember(
            f"note {n} about {'parsers' if n else 'servers'}", kind=kind,
            created_at=NOON + timedelta(days=n),
        )  # fmt: skip
    found = {one.text: one.id for one in await memory.recent()}
    gone = await memory.forget(
        ids=found.values(), kind="fact", before=NOON + timedelta(days=2), dry_run=True
    )
    assert [one.text for one in gone.memories] == ["note 0 about servers"]
    gone = await memory.forget(query="parsers", kind="fact")
    assert [one.text for one in gone.memories] == ["note 2 about parsers"]


async def test_what_a_forgotten_memory_superseded_is_current_again_and_named(memory):
    old = (await memory.remember("The port is 8080")).memory
    new = (await memory.remember("The port is 9090", supersedes=[old.id])).memory
    assert await texts(memory, "port") == ["The port is 9090"]
    gone = await memory.forget(ids=[new.id])
    assert gone.current_again == (old.id,)
    assert await texts(memory, "port") == ["The port is 8080"]


async def test_the_history_goes_too_where_that_is_asked_for(memory):
    first = (await memory.remember("The port is 8080")).memory
    second = (await memory.remember("The port is 9090", supersedes=[first.id])).memory
    third = (await memory.remember("The port is 7070", supersedes=[second.id])).memory
    other = (await memory.remember("Tests run with two workers")).memory
    gone = await memory.forget(ids=[third.id], with_history=True)
    assert {one.id for one in gone.memories} == {first.id, second.id, third.id}
    assert gone.current_again == ()
    assert await memory.get(other.id) == other


async def test_forgetting_a_superseded_memory_leaves_the_current_one(memory):
    old = (await memory.remember("The port is 8080")).memory
    new = (await memory.remember("The port is 9090", supersedes=[old.id])).memory
    gone = await memory.forget(ids=[old.id])
    assert gone.current_again == ()
    assert await texts(memory, "port") == ["The port is 9090"]
    assert (await memory.get(new.id)) is not None


async def test_what_is_the_users_goes_by_its_id_or_scope_only(memory):
    mine = (await memory.remember("I like short answers", kind="preference", scope="user")).memory
    also = (await memory.remember("I use a dark theme", kind="preference", scope="user")).memory
    await memory.remember("The port is 8080")
    assert len((await memory.forget(all=True)).memories) == 1
    assert [one.id for one in (await memory.forget(ids=[mine.id])).memories] == [mine.id]
    assert [one.id for one in (await memory.forget(all=True, scope="user")).memories] == [also.id]


async def test_another_projects_memory_is_never_meant(memory):
    theirs = ConversationMemory(memory.provider, "q")
    note = (await theirs.remember("The port is 8080")).memory
    assert (await memory.forget(ids=[note.id])).memories == ()
    assert (await memory.forget(all=True)).memories == ()
    assert await theirs.get(note.id) == note


@pytest.mark.parametrize(
    ("given", "message"),
    [({}, "say what to forget"), ({"all": True, "scope": "agent"}, "scope is 'agent'")],
)
async def test_what_is_not_clear_forgets_nothing(memory, given, message):
    await memory.remember("The port is 8080")
    with pytest.raises(InvalidRequestError, match=message):
        await memory.forget(**given)
    assert await memory.provider.count() == 1


# -- what is read again ---------------------------------------------------------------------------

SAID = [Turn(f"the plan {n}", "s", index=n) for n in range(3)]


@pytest.mark.parametrize("store", STORES)
async def test_what_was_forgotten_is_not_stored_again_unless_that_is_wanted(tmp_path, store):
    async with provider(tmp_path, store) as ours:
        memory = ConversationMemory(ours, "p")
        assert await memory.add_turns(SAID) == 3
        (plan, *_) = [one for one in await memory.recent(5) if one.text == "the plan 1"]
        await memory.forget(ids=[plan.id])
        assert await memory.add_turns(SAID) == 0
        assert await memory.restore([plan]) == 0
        assert await texts(memory) == ["the plan 0", "the plan 2"]
        assert await memory.add_turns(SAID, forgotten=True) == 1
        assert await texts(memory) == ["the plan 0", "the plan 1", "the plan 2"]
        await memory.forget(session="s")
        assert await memory.restore([plan], forgotten=True) == 1
        assert await memory.add_turns(SAID) == 0
        assert await texts(memory) == ["the plan 1"]


async def test_what_is_remembered_again_was_never_forgotten(memory):
    for scope in ("project", "user"):
        note = (await memory.remember("The API port is 8080", scope=scope)).memory
        await memory.forget(ids=[note.id])
        assert (await memory.remember("The API port is 8080", scope=scope)).new
        await memory.provider.delete([note.id])
        await memory.user.delete([note.id])
        assert await memory.restore([note]) == 1
        await memory.forget(ids=[note.id])


async def test_every_process_knows_what_was_forgotten_and_nobody_what_it_was(tmp_path):
    async with provider(tmp_path, "lancedb") as one, provider(tmp_path, "lancedb") as other:
        here, there = ConversationMemory(one, "p"), ConversationMemory(other, "p")
        await here.add_turns([*SAID, Turn(MARK, "s", index=7)])
        (marked,) = [one for one in await here.recent(5) if one.text == MARK]
        assert await there.add_turns(SAID) == 0
        await here.forget(session="s")
        assert await there.add_turns([*SAID, Turn(MARK, "s", index=7)]) == 0
        assert await there.add_turns(SAID, forgotten=True) == 3
        await here.forget(query="the plan 2")
        assert await here.add_turns(SAID) == 0
        file = one.directory / tombstones.NAME
        assert MARK.encode() not in file.read_bytes()
        assert marked.id.encode() not in file.read_bytes()
        assert file.stat().st_mode & 0o077 == 0


async def test_an_entry_that_a_kill_cut_short_is_passed_over(tmp_path):
    async with provider(tmp_path, "sqlite") as ours:
        memory = ConversationMemory(ours, "p")
        await memory.add_turns(SAID)
        await memory.forget(query="the plan 0")
        with (ours.directory / tombstones.NAME).open("ab") as stream:
            stream.write(b"\n-0123456789ab")
        await memory.forget(query="the plan 1")
        again = ConversationMemory(ours, "p")
        assert await again.add_turns(SAID) == 0
        assert await texts(again) == ["the plan 2"]


async def test_what_cannot_be_kept_as_forgotten_is_not_deleted(tmp_path, monkeypatch):
    async with provider(tmp_path, "sqlite") as ours:
        memory = ConversationMemory(ours, "p")
        await memory.add_turns(SAID)
        (ours.directory / tombstones.NAME).mkdir()
        with pytest.raises(ProviderUnavailableError, match="VICTOR_EMBEDDINGS_DIR"):
            await memory.forget(session="s")
        assert await memory.provider.count() == 3


async def test_a_dry_run_and_retention_leave_no_entry(tmp_path):
    async with provider(tmp_path, "sqlite") as ours:
        memory = ConversationMemory(ours, "p")
        await memory.add_turns(SAID)
        await memory.forget(session="s", dry_run=True)
        # Another one, which has written nothing: a write has retention look by itself as well.
        keeping = ConversationMemory(ours, "p", retention=Policy(caps={"turn": 1}))
        assert len((await keeping.retain()).memories) == 2
        assert not (ours.directory / tombstones.NAME).exists()
