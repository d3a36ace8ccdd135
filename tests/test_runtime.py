"""The composition root: what it opens, shares and closes."""

import asyncio
import json

import pytest

from victor_memory import MemorySettings, open_runtime
from victor_memory.diagnosis import diagnose
from victor_memory.errors import InvalidRequestError, ProviderClosedError


def settings(tmp_path, **fields):
    return MemorySettings(
        embeddings_dir=tmp_path / "embeddings", embedding_model_type="hashing", **fields
    )


async def test_nothing_is_written_until_a_memory_is_used(tmp_path):
    async with open_runtime(settings(tmp_path), project=tmp_path) as memory:
        assert memory.scope.root == str(tmp_path)
        _ = memory.conversation, memory.codebase
    assert not (tmp_path / "embeddings").exists()


async def test_both_memories_share_one_model(tmp_path):
    async with open_runtime(settings(tmp_path, vector_store="memory"), project=tmp_path) as memory:
        one = memory.provider("conversation", "p").embedder
        assert memory.provider("codebase", "p").embedder is one


async def test_closing_closes_the_stores(tmp_path):
    async with open_runtime(settings(tmp_path, vector_store="memory"), project=tmp_path) as memory:
        conversation = memory.conversation
        await conversation.remember("something")
    with pytest.raises(ProviderClosedError):
        await conversation.recall("something")


async def test_where_data_goes_and_what_says_who_wrote_it(tmp_path):
    async with open_runtime(settings(tmp_path), project=tmp_path) as memory:
        await memory.conversation.remember("something")
        place = tmp_path / "embeddings" / "conversation" / memory.scope.project
    manifest = json.loads((place / "manifest.json").read_text())
    assert manifest["provider"] == "lancedb"
    assert manifest["embedder"].startswith("hashing:hashing-64:64")
    assert manifest["metric"] == "cosine"


async def test_two_projects_are_apart(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    async with open_runtime(settings(tmp_path), project=tmp_path / "one") as memory:
        await memory.conversation.remember("the secret of one")
    async with open_runtime(settings(tmp_path), project=tmp_path / "two") as memory:
        assert await memory.conversation.recall("the secret of one") == []


async def test_two_processes_worth_of_runtimes_see_each_other(tmp_path):
    async with (
        open_runtime(settings(tmp_path), project=tmp_path) as one,
        open_runtime(settings(tmp_path), project=tmp_path) as other,
    ):
        await other.conversation.recall("anything at all")
        await one.conversation.remember("written by one")
        found = await other.conversation.recall("written by one")
        assert [hit.memory.text for hit in found] == ["written by one"]


def test_a_runtime_can_be_used_from_one_loop_after_another(tmp_path):
    async def use(text):
        async with open_runtime(settings(tmp_path), project=tmp_path) as memory:
            await memory.conversation.remember(text)
            return len(await memory.conversation.recent())

    assert [asyncio.run(use(text)) for text in ("one", "two")] == [1, 2]


def test_a_project_that_does_not_exist_is_refused(tmp_path):
    with pytest.raises(InvalidRequestError, match="does not exist"):
        open_runtime(settings(tmp_path), project=tmp_path / "nowhere")


async def test_a_diagnosis_goes_on_after_a_failure(tmp_path):
    (tmp_path / "embeddings").write_text("in the way", encoding="utf-8")
    async with open_runtime(settings(tmp_path), project=tmp_path) as memory:
        checks = {check.name: check async for check in diagnose(memory)}
    assert checks["conversation round trip"].ok is False
    assert checks["codebase round trip"].ok is False
    assert checks["embedder"].ok
