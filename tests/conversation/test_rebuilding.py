import pytest

from victor_memory.conversation.records import USER, Turn
from victor_memory.errors import EmbedderMismatchError, EmbeddingError, InvalidRequestError
from victor_memory.runtime import open_runtime
from victor_memory.settings import MemorySettings


@pytest.fixture
def opened(tmp_path):
    (tmp_path / "code").mkdir()

    def open_with(model, **more):
        settings = MemorySettings(
            embeddings_dir=tmp_path / "store",
            embedding_model_type="hashing",
            embedding_model_name=model,
            **more,
        )
        return open_runtime(settings, project=tmp_path / "code")

    return open_with


@pytest.fixture
async def old(opened):
    async with opened("hashing-64") as memory:
        conversation = memory.conversation
        await conversation.add_turns(
            Turn(f"turn {n} " * 200, "s", speaker="Ada") for n in range(30)
        )
        await conversation.remember("The API port is 8080", tags=["net"])
        await conversation.remember("Answer in German", scope="user")
        return await everything(memory)


async def everything(memory):
    return sorted(
        [
            (one.id, one.text, one.terms, one.metadata)
            async for batch in memory.conversation.provider.scan()
            for one in batch
        ],
        key=lambda one: one[0],
    )


async def test_what_was_forgotten_stays_so_under_another_model(opened, old):
    async with opened("hashing-64") as memory:
        await memory.conversation.forget(query="turn 7")
    async with opened("hashing-128") as memory:
        await memory.rebuild_conversation(memory.scope.project)
        assert await memory.conversation.add_turns([Turn("turn 7 " * 200, "s", speaker="Ada")]) == 0


async def test_another_model_takes_over_all_texts(opened, old, tmp_path):
    async with opened("hashing-128") as memory:
        with pytest.raises(EmbedderMismatchError, match="victor-memory rebuild"):
            await memory.conversation.recall("port")
        seen = []
        done = await memory.rebuild_conversation(
            memory.scope.project, lambda *counts: seen.append(counts)
        )
        assert done.records == len(old)
        assert seen[0] == (0, len(old))
        assert seen[-1] == (len(old), len(old))
        assert ("hashing-64" in done.before, "hashing-128" in done.after) == (True, True)
        assert (await memory.rebuild_conversation(USER)).records == 1
        assert await everything(memory) == old
        found = await memory.conversation.recall("which port has the API")
        assert found[0].memory.text == "The API port is 8080"
        assert (await memory.conversation.provider.stats()).dimension == 128
        assert await memory.rebuild_conversation(memory.scope.project) is None
    names = {one.name for one in (tmp_path / "store" / "conversation").iterdir() if one.is_dir()}
    assert not [one for one in names if one.endswith((".new", ".old"))]


async def test_a_model_that_fails_leaves_the_collection_as_it_was(opened, old, monkeypatch):
    async with opened("hashing-128") as memory:

        async def fail(*_, **__):
            msg = "away"
            raise EmbeddingError(msg)

        monkeypatch.setattr(memory.conversation.provider.embedder, "embed", fail)
        with pytest.raises(EmbeddingError, match="away"):
            await memory.rebuild_conversation(memory.scope.project)
    async with opened("hashing-64") as memory:
        assert await everything(memory) == old


async def test_an_exchange_that_was_interrupted_is_undone(opened, old, tmp_path):
    async with opened("hashing-128") as memory:
        place = memory.conversation.provider.directory
        place.rename(place.with_name(place.name + ".old"))
        assert (await memory.rebuild_conversation(memory.scope.project)).records == len(old)
        assert await everything(memory) == old


async def test_what_is_not_there_is_not_created(opened, tmp_path):
    async with opened("hashing-128") as memory:
        assert await memory.rebuild_conversation("unknown") is None
    assert not (tmp_path / "store" / "conversation" / "unknown").exists()


async def test_a_store_without_files_cannot_be_rebuilt_in_its_place(opened):
    async with opened("hashing-128", vector_store="memory") as memory:
        with pytest.raises(InvalidRequestError, match="import it into another"):
            await memory.rebuild_conversation(memory.scope.project)
