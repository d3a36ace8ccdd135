"""What agents can call: schemas, arguments, results."""

import pytest

from victor_memory import MemorySettings, open_runtime
from victor_memory.errors import InvalidRequestError, UnknownProviderError
from victor_memory.tools import TOOLS, all_tools, call_tool


@pytest.fixture
async def memory(tmp_path):
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "auth.py").write_text(
        "def check_token(token):\n    return token\n", encoding="utf-8"
    )
    settings = MemorySettings(
        embeddings_dir=tmp_path / "embeddings",
        vector_store="memory",
        embedding_model_type="hashing",
    )
    async with open_runtime(settings, project=tmp_path / "code") as runtime:
        yield runtime


@pytest.mark.parametrize("tool", TOOLS, ids=lambda tool: tool.name)
def test_schemas_are_strict_and_described(tool):
    assert tool.parameters["type"] == "object"
    assert tool.parameters["additionalProperties"] is False
    assert all(one["description"] for one in tool.parameters["properties"].values())
    assert len(tool.description) > 60


async def test_code_search(memory):
    found = await call_tool(memory, "code_search", {"query": "where is the token checked?"})
    assert found["results"][0]["path"] == "auth.py"
    assert found["results"][0]["start_line"] == 1


async def test_remember_recall_forget(memory):
    stored = await call_tool(memory, "memory_remember", {"text": "We use JWT", "kind": "decision"})
    assert stored["new"]
    found = await call_tool(memory, "memory_recall", {"query": "JWT", "kinds": ["decision"]})
    assert found["results"][0]["id"] == stored["memory"]["id"]
    gone = await call_tool(memory, "memory_forget", {"ids": [stored["memory"]["id"]]})
    assert gone["forgotten"] == [stored["memory"]["id"]]
    assert (await call_tool(memory, "memory_recall", {"query": "JWT"}))["results"] == []


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("code_search", {}, "query"),
        ("code_search", {"query": "x", "limit": 0}, "limit"),
        ("code_search", {"query": "x", "unknown": 1}, "unknown"),
        ("memory_remember", {"text": "x", "kind": "rumour"}, "kind"),
        ("memory_forget", {"ids": []}, "ids"),
    ],
)
async def test_arguments_that_do_not_fit_are_refused_by_name(memory, name, arguments, message):
    with pytest.raises(InvalidRequestError, match=f"arguments of {name}: {message}"):
        await call_tool(memory, name, arguments)


async def test_an_unknown_tool_lists_the_known_ones(memory):
    with pytest.raises(UnknownProviderError, match="Use one of: code_search, memory_recall"):
        await call_tool(memory, "code_find", {})


def test_only_forgetting_is_destructive():
    assert [one.name for one in TOOLS if one.destructive] == ["memory_forget"]
    assert [one.name for one in TOOLS if one.read_only] == ["code_search", "memory_recall"]


async def test_the_tools_of_a_runtime_are_the_built_in_ones_without_plugins(memory):
    assert set(all_tools(memory)) >= {tool.name for tool in TOOLS}
