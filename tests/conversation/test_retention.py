"""What is too old, or too much, goes; what matters goes last, and what others replaced first."""

from datetime import UTC, datetime, timedelta

import pytest

from victor_memory.config import EmbeddingConfig
from victor_memory.conversation import retention
from victor_memory.conversation.memory import ConversationMemory
from victor_memory.conversation.records import Turn
from victor_memory.conversation.retention import Policy
from victor_memory.errors import ConfigurationError
from victor_memory.providers.lancedb import LanceDBProvider
from victor_memory.providers.memory import MemoryProvider
from victor_memory.settings import MemorySettings

NOON = datetime(2026, 1, 15, 12, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
async def provider():
    config = EmbeddingConfig(vector_store="memory", embedding_model_type="hashing")
    async with MemoryProvider(config) as provider:
        yield provider


def keeping(provider, ages=None, caps=None, *, by_itself=False):
    memory = ConversationMemory(provider, "p", retention=Policy(ages or {}, caps or {}))
    if not by_itself:
        memory._retention.written = lambda count: None
    return memory


async def notes(memory, count, kind="fact", **fields):
    return [
        (
            await memory.remember(
                f"{kind} number {n} {'abcdefgh'[n] * 5}", kind=kind, created_at=NOON + n * DAY,
                **fields,
            )
        ).memory
        for n in range(count)
    ]  # fmt: skip


async def left(memory):
    return sorted(one.text for one in await memory.recent(100))


async def test_what_is_older_than_its_kind_may_be_goes(provider):
    memory = keeping(provider, {"fact": 3 * DAY})
    facts = await notes(memory, 5)
    await notes(memory, 5, "decision")
    gone = await memory.retain(now=NOON + 5 * DAY)
    assert [one.id for one in gone.memories] == [facts[0].id, facts[1].id]
    assert gone.erased
    assert len(await left(memory)) == 8


async def test_a_dry_run_says_what_would_go(provider):
    memory = keeping(provider, {"fact": 3 * DAY}, {"decision": 2})
    await notes(memory, 3)
    await notes(memory, 5, "decision")
    gone = await memory.retain(now=NOON + 5 * DAY, dry_run=True)
    assert len(gone.memories) == 5
    assert len(await left(memory)) == 8


async def test_beyond_a_cap_what_matters_least_and_is_oldest_goes(provider):
    memory = keeping(provider, caps={"fact": 3})
    plain = await notes(memory, 3)
    await notes(memory, 2, "decision")
    matters = (await memory.remember("it matters", importance=0.9, created_at=NOON - DAY)).memory
    little = (await memory.remember("hardly", importance=0.1, created_at=NOON + 9 * DAY)).memory
    gone = await memory.retain()
    assert {one.id for one in gone.memories} == {little.id, plain[0].id}
    assert await memory.get(matters.id) is not None


async def test_what_is_pinned_is_kept_for_ever(provider):
    memory = keeping(provider, {"fact": DAY}, {"fact": 1})
    await notes(memory, 4, importance=1.0)
    assert (await memory.retain(now=NOON + 99 * DAY)).memories == ()


async def test_what_was_superseded_goes_before_what_replaced_it(provider):
    memory = keeping(provider, caps={"fact": 2})
    old = (await memory.remember("The port is 8080", importance=0.9, created_at=NOON)).memory
    new = (
        await memory.remember(
            "The port is 9090", importance=0.1, created_at=NOON + DAY, supersedes=[old.id]
        )
    ).memory
    await memory.remember("Tests run with two workers", created_at=NOON)
    assert [one.id for one in (await memory.retain()).memories] == [old.id]
    assert await memory.get(new.id) is not None


async def test_long_turns_count_once_and_go_whole(provider):
    memory = keeping(provider, caps={"turn": 2})
    for n in range(3):
        await memory.add_turns(
            [
                Turn(
                    f"turn {n} " + "of words and words " * 200,
                    "s",
                    index=n,
                    created_at=NOON + n * DAY,
                )
            ]
        )
    assert await provider.count() > 6
    gone = await memory.retain()
    assert [one.index for one in gone.memories] == [0]
    assert await provider.count() % 2 == 0
    assert len(await left(memory)) == 2


async def test_writing_brings_it_about_beside_the_caller(provider, monkeypatch):
    monkeypatch.setattr(retention, "WRITES", 4)
    memory = keeping(provider, {"fact": DAY}, by_itself=True)
    await memory.remember("long ago", created_at=NOON)
    await memory.close()
    assert await left(memory) == []
    # The next look is after as many writes again.
    await memory.remember("also long ago", created_at=NOON)
    await memory.close()
    assert await left(memory) == ["also long ago"]
    await memory.add_turns(Turn(f"turn {n}", "s", index=n) for n in range(3))
    await memory.close()
    assert "also long ago" not in await left(memory)


async def test_by_itself_it_waits_until_it_is_worth_it(provider, monkeypatch):
    monkeypatch.setattr(retention, "WRITES", 1)
    memory = keeping(provider, {"fact": timedelta(days=3)}, by_itself=True)
    await memory.remember("just expired", created_at=datetime.now(UTC) - 3.5 * DAY)
    await memory.close()
    assert await left(memory) == ["just expired"]
    assert len((await memory.retain()).memories) == 1


async def test_reading_never_forgets(tmp_path):
    config = EmbeddingConfig(
        vector_store="lancedb", persist_directory=tmp_path, embedding_model_type="hashing"
    )
    async with LanceDBProvider(config) as provider:
        await notes(ConversationMemory(provider, "p"), 5)
        memory = keeping(provider, {"fact": DAY}, {"fact": 1}, by_itself=True)
        before = await provider.generation()
        await memory.recall("number", min_score=0)
        await memory.recent()
        await memory.sessions()
        await memory.status()
        await memory.close()
        assert await provider.generation() == before
        assert await provider.count() == 5


async def test_a_collection_that_is_not_there_is_not_created(tmp_path):
    config = EmbeddingConfig(
        vector_store="lancedb", persist_directory=tmp_path / "none", embedding_model_type="hashing"
    )
    memory = keeping(LanceDBProvider(config), {"fact": DAY})
    assert (await memory.retain()).memories == ()
    assert not (tmp_path / "none").exists()


def test_the_environment_says_what_is_kept(monkeypatch):
    monkeypatch.setenv("VICTOR_MEMORY_KEEP", "turn=180d, summary=2y,task=12h")
    monkeypatch.setenv("VICTOR_MEMORY_MOST", "turn=5000")
    settings = MemorySettings()
    assert settings.memory_keep == {
        "turn": 180 * DAY, "summary": 730 * DAY, "task": timedelta(hours=12),
    }  # fmt: skip
    assert settings.memory_most == {"turn": 5000}


@pytest.mark.parametrize(
    ("name", "value"),
    [("KEEP", "turn=soon"), ("KEEP", "turn"), ("KEEP", "turn=0d"), ("MOST", "turn=0"), ("MOST", "turn=x")],
)  # fmt: skip
def test_what_cannot_be_meant_is_an_error_that_names_the_variable(monkeypatch, name, value):
    monkeypatch.setenv(f"VICTOR_MEMORY_{name}", value)
    with pytest.raises(ConfigurationError, match=f"VICTOR_MEMORY_{name}"):
        MemorySettings()


def test_a_kind_that_there_is_not_is_an_error():
    with pytest.raises(ConfigurationError, match="'turns' is no kind of memory"):
        Policy({"turns": DAY})
