"""Asking whether a collection is there, and whose vectors it has, neither creates nor opens it."""

import pytest

from victor_memory.config import EmbeddingConfig
from victor_memory.embedders.hashing import HashingEmbedder
from victor_memory.providers.lancedb import LanceDBProvider
from victor_memory.providers.memory import MemoryProvider

STORES = [LanceDBProvider, MemoryProvider]


def make(store, place, model="hashing-64"):
    config = EmbeddingConfig(
        vector_store=store.name,
        persist_directory=place,
        embedding_model_type="hashing",
        embedding_model_name=model,
    )
    return store(config, embedder=HashingEmbedder(config))


@pytest.mark.parametrize("store", STORES)
async def test_what_is_not_there_is_not_created(store, tmp_path):
    provider = make(store, tmp_path / "store")
    assert not await provider.exists()
    assert await provider.recorded_model() is None
    assert not (tmp_path / "store").exists()
    await provider.initialize()
    assert await provider.exists()
    await provider.close()


async def test_the_model_of_a_collection_is_known_under_another(tmp_path):
    async with make(LanceDBProvider, tmp_path) as provider:
        model = (await provider.embedder.load()).fingerprint
    other = make(LanceDBProvider, tmp_path, "hashing-128")
    assert await other.exists()
    assert await other.recorded_model() == model
    assert (await other.embedder.load()).fingerprint != model
