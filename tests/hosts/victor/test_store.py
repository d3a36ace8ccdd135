"""`EmbeddingRegistry.create(vector_store="victor_memory")` in the host's own code."""

import json

import pytest

START = """
import asyncio, json, os, sys
from victor.core.plugins.registry import PluginRegistry
PluginRegistry.get_instance().register_all()
from victor.storage.vector_stores import EmbeddingConfig, EmbeddingRegistry

def result(one):
    return [one.file_path, one.symbol_name, one.line_number, one.content, one.metadata.get("level")]
"""
ALL = (
    START
    + """
async def main():
    config = EmbeddingConfig(vector_store="victor_memory")
    provider = EmbeddingRegistry.create(config)
    assert EmbeddingRegistry.create(config) is provider
    await provider.initialize()
    await provider.initialize()
    vector = await provider.embed_text("round half to even")
    batch = await provider.embed_batch(["round half to even", "send mail"])
    meta = {"file_path": "it's a/b.py", "symbol_name": "round_it", "line_number": 7, "level": 3}
    await provider.index_document("one", "round amounts half to even", meta)
    await provider.index_document("one", "round amounts half to even", meta)
    await provider.index_documents([
        {"id": "two", "content": "send a mail", "metadata": {"file_path": "mail.py", "new_key": [1]}},
        {"id": "three'; DROP TABLE x; --", "content": "parse a date", "metadata": {"file_path": "dates.py"}},
    ])
    await provider.index_embedded_documents([
        {"id": "four", "content": "compute the tax of an invoice", "vector": [0.5] * 7, "metadata": {"file_path": "tax.py"}},
        {"id": "five", "content": "anything", "vector": batch[1], "metadata": {"file_path": "five.py"}},
    ])
    found = await provider.search_similar("round half to even", limit=2)
    scores = [one.score for one in found]
    filtered = await provider.search_similar("round half to even", filter_metadata={"level": 3})
    tax = await provider.search_similar("tax of an invoice", limit=1)
    stats = await provider.get_stats()
    await provider.delete_document("three'; DROP TABLE x; --")
    await provider.delete_document("nothing")
    by_file = await provider.delete_by_file("it's a/b.py")
    left = (await provider.get_stats())["total_documents"]
    await provider.close()
    again = (await provider.get_stats())["total_documents"]
    await EmbeddingRegistry.close_all()
    kept = EmbeddingRegistry.create(config)
    reopened = [result(one) for one in await kept.search_similar("send mail", limit=9)]
    await kept.clear_index()
    return {
        "same": vector == batch[0], "found": [result(one) for one in found], "scores": scores,
        "filtered": [result(one) for one in filtered], "tax": result(tax[0]), "stats": stats, "by_file": by_file,
        "left": left, "again": again, "reopened": reopened, "empty": (await kept.get_stats())["total_documents"],
    }

print(json.dumps(asyncio.run(main()), default=str))
"""
)
ONE = (
    START
    + """
async def main():
    config = EmbeddingConfig(vector_store="victor_memory", **json.loads(sys.argv[1]))
    provider = EmbeddingRegistry.create(config)
    if sys.argv[2] == "write":
        await provider.index_document("one", "round amounts half to even", {"file_path": "a.py"})
    found = await provider.search_similar("round half to even")
    return [[result(one) for one in found], await provider.get_stats()]

print(json.dumps(asyncio.run(main()), default=str))
"""
)
TURNS = (
    START
    + """
# One event loop after another, as a host without a loop of its own has them.
provider = EmbeddingRegistry.create(EmbeddingConfig(vector_store="victor_memory"))
asyncio.run(provider.index_document("one", "round amounts half to even", {"file_path": "a.py"}))
found = asyncio.run(provider.search_similar("round half to even"))
import threading
others = []
threads = [threading.Thread(target=lambda: others.extend(asyncio.run(provider.search_similar("round")))) for _ in range(8)]
for one in threads: one.start()
for one in threads: one.join()
print(json.dumps([len(found), len(others)]))
"""
)

OWN_MODEL = (
    START
    + """
from victor.storage.vector_stores.models import BaseEmbeddingModel, EmbeddingModelConfig
from victor_memory.hosts.victor.store import VictorMemoryProvider

class Counting(BaseEmbeddingModel):
    async def initialize(self): self.ready = True
    async def embed_text(self, text): return (await self.embed_batch([text]))[0]
    async def embed_batch(self, texts):
        assert self.ready
        return [[1.0 + text.count(letter) for letter in "aeiou"] for text in texts]
    def get_dimension(self): return 5
    async def close(self): pass

async def main():
    model = Counting(EmbeddingModelConfig(model_type="own", model_name="vowels"))
    provider = VictorMemoryProvider(EmbeddingConfig(vector_store="victor_memory"), model)
    await provider.index_documents([
        {"id": "a", "content": "banana panama", "metadata": {}},
        {"id": "o", "content": "bottom monsoon", "metadata": {}},
    ])
    found = await provider.search_similar("ooooo", limit=1)
    return [found[0].content, (await provider.get_stats())["model_name"]]

print(json.dumps(asyncio.run(main())))
"""
)


def test_every_operation_of_the_hosts_interface(host):
    done = host.program(ALL)
    assert done["same"]
    first = ["it's a/b.py", "round_it", 7, "round amounts half to even", 3]
    assert done["found"][0] == first
    assert len(done["found"]) == 2
    assert all(0 <= one <= 1 for one in done["scores"])
    assert done["filtered"] == [first], "an int is a filter, and an id stored twice is one row"
    assert done["tax"][0] == "tax.py", "embedded again, because its vector was of another model"
    assert done["stats"]["total_documents"] == 5
    assert done["stats"]["provider"] == "lancedb"
    assert str(host.embeddings) in done["stats"]["location"]
    assert done["by_file"] == 1
    assert done["left"] == done["again"] == 3
    assert sorted(one[0] for one in done["reopened"]) == ["five.py", "mail.py", "tax.py"]
    assert done["empty"] == 0


@pytest.mark.parametrize("store", ["lancedb", "sqlite"])
def test_the_environment_chooses_the_store_and_the_next_process_finds_what_was_stored(host, store):
    host.program(ONE, "{}", "write", VICTOR_VECTOR_STORE=store)
    found, stats = host.program(ONE, "{}", "read", VICTOR_VECTOR_STORE=store)
    assert [one[0] for one in found] == ["a.py"]
    assert stats["provider"] == store
    assert str(host.embeddings) in stats["location"]


def test_a_store_that_is_not_there_is_stood_in_for(host):
    given = {"extra_config": {"readonly": False}}
    found, stats = host.program(ONE, json.dumps(given), "write", VICTOR_VECTOR_STORE="proximadb")
    assert [one[0] for one in found] == ["a.py"]
    assert stats["provider"] == "lancedb"
    assert "ProximaDB is configured but not installed" in str(stats["fallback"])


def test_a_model_of_the_hosts_embeds_where_it_is_handed_over(host):
    content, model = host.program(OWN_MODEL)
    assert content == "bottom monsoon"
    assert model.startswith("victor:vowels:5")


def test_the_hosts_name_for_us_in_the_environment_is_the_default_store(host):
    _, stats = host.program(ONE, "{}", "read", VICTOR_CODEBASE_VECTOR_STORE="victor_memory")
    assert stats["provider"] == "lancedb"


def test_what_the_configuration_says_wins(host, tmp_path):
    there = tmp_path / "elsewhere"
    given = {
        "persist_directory": str(there),
        "extra_config": {"table_name": "graph", "dimension": 4096},
    }
    _, stats = host.program(ONE, json.dumps(given), "write")
    assert str(there) in stats["location"]
    assert stats["table_name"] == "graph"


def test_it_may_be_used_from_one_event_loop_after_another_and_from_several_threads(host):
    assert host.program(TURNS) == [1, 8]
