"""The real framework runs agents on its own test models: calls are done, and told in the next turn."""

import jsonschema
import pytest
from pydantic_ai import Agent, models
from pydantic_ai.messages import ModelResponse, TextPart, ToolCallPart, ToolReturnPart
from pydantic_ai.models.function import FunctionModel
from pydantic_ai.models.test import TestModel
from victor_memory_pydantic_ai import memory_toolset

from victor_memory import open_runtime
from victor_memory.settings import MemorySettings

models.ALLOW_MODEL_REQUESTS = False


@pytest.fixture
async def memory(tmp_path):
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "retry.py").write_text(
        "def retry_limit():\n    return 3\n", encoding="utf-8"
    )
    settings = MemorySettings(embeddings_dir=tmp_path / "memory", embedding_model_type="hashing")
    async with open_runtime(settings, project=tmp_path / "code") as opened:
        yield opened


def returns(messages):
    return [
        part for message in messages for part in message.parts if isinstance(part, ToolReturnPart)
    ]


async def run(memory, *calls):
    """Run an agent whose model makes *calls*, one a turn, and then says what the last one gave."""
    seen = []

    def model(messages, info):
        seen.append(info)
        turn = len(seen) - 1
        if turn < len(calls):
            return ModelResponse([ToolCallPart(*calls[turn])])
        return ModelResponse([TextPart(str(returns(messages)[-1].content))])

    done = await Agent(FunctionModel(model), toolsets=[memory_toolset(memory)]).run("Go on.")
    return done, seen


async def test_what_is_remembered_is_recalled_in_the_next_turn(memory):
    done, seen = await run(
        memory,
        ("memory_remember", {"text": "We pin numpy because of the ABI break", "kind": "decision"}),
        ("memory_recall", {"query": "why is numpy pinned"}),
    )
    assert "ABI break" in done.output
    assert returns(done.all_messages())[0].metadata["memory"]["kind"] == "decision"
    offered = {tool.name: tool for tool in seen[0].function_tools}
    assert set(offered) >= {"code_search", "memory_recall", "memory_remember"}
    for tool in offered.values():
        jsonschema.Draft202012Validator.check_schema(tool.parameters_json_schema)
        assert tool.parameters_json_schema["additionalProperties"] is False


async def test_code_is_found(memory):
    done, _ = await run(memory, ("code_search", {"query": "retry limit"}))
    assert "retry.py" in done.output


async def test_a_model_may_correct_its_arguments(memory):
    done, _ = await run(
        memory,
        ("memory_recall", {"query": ""}),
        ("memory_remember", {"text": "We use tox"}),
        ("memory_recall", {"query": "tox"}),
    )
    assert "We use tox" in done.output
    assert "memory_recall failed" in str(done.all_messages())


async def test_every_tool_takes_arguments_that_its_schema_allows(memory):
    calls = ["code_search", "memory_remember", "memory_recall", "memory_context"]
    agent = Agent(TestModel(call_tools=calls), toolsets=[memory_toolset(memory)])
    done = await agent.run("Call everything.")
    assert [part.tool_name for part in returns(done.all_messages())] == calls
