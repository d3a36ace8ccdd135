"""The real SDK runs an agent whose model is a script: what it calls is done, and told in the next turn."""

import json

import pytest
from agents import Agent, Model, ModelResponse, RunConfig, Runner, Usage
from openai.types.responses import (
    ResponseFunctionToolCall,
    ResponseOutputMessage,
    ResponseOutputText,
)
from victor_memory_openai_agents import memory_tools

from victor_memory import open_runtime
from victor_memory.settings import MemorySettings


@pytest.fixture
async def memory(tmp_path):
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "retry.py").write_text(
        "def retry_limit():\n    return 3\n", encoding="utf-8"
    )
    settings = MemorySettings(embeddings_dir=tmp_path / "memory", embedding_model_type="hashing")
    async with open_runtime(settings, project=tmp_path / "code") as opened:
        yield opened


class Script(Model):
    """Answers with one call after the other, then with what the last one gave."""

    def __init__(self, *calls):
        self.calls, self.tools, self.told = list(calls), [], []

    async def get_response(self, system_instructions, input, model_settings, tools, *more, **also):  # noqa: A002 - the SDK's name
        self.tools = tools
        self.told = (
            [one["output"] for one in input if one.get("type") == "function_call_output"]
            if isinstance(input, list)
            else []
        )
        if self.calls:
            name, arguments = self.calls.pop(0)
            call_id = f"call-{len(self.calls)}"
            output = ResponseFunctionToolCall(
                type="function_call", id=call_id, call_id=call_id, name=name, arguments=arguments
            )
        else:
            text = ResponseOutputText(type="output_text", text=self.told[-1], annotations=[])
            output = ResponseOutputMessage(
                id="m", type="message", role="assistant", status="completed", content=[text]
            )
        return ModelResponse(output=[output], usage=Usage(), response_id=None)

    def stream_response(self, *arguments, **more):
        raise NotImplementedError


async def run(memory, *calls, **more):
    model = Script(
        *((name, given if isinstance(given, str) else json.dumps(given)) for name, given in calls)
    )
    agent = Agent(name="Coder", model=model, tools=memory_tools(memory, **more))
    return model, await Runner.run(agent, "Go on.", run_config=RunConfig(tracing_disabled=True))


async def test_what_is_remembered_is_recalled_in_the_next_turn(memory):
    model, done = await run(
        memory,
        ("memory_remember", {"text": "We pin numpy because of the ABI break", "kind": "decision"}),
        ("memory_recall", {"query": "why is numpy pinned"}),
    )
    assert "ABI break" in done.final_output
    assert {tool.name for tool in model.tools} >= {
        "code_search",
        "memory_recall",
        "memory_remember",
    }
    for tool in model.tools:
        assert tool.params_json_schema["additionalProperties"] is False


async def test_code_is_found(memory):
    _, done = await run(memory, ("code_search", {"query": "retry limit"}))
    assert "retry.py" in done.final_output


@pytest.mark.parametrize("given", ["[1]", "{", {"query": ""}, {"query": "x", "more": 1}])
async def test_wrong_arguments_are_told_to_the_model(memory, given):
    _, done = await run(memory, ("memory_recall", given))
    assert done.final_output.startswith("memory_recall failed: ")


async def test_deleting_waits_for_approval_where_that_is_wanted(memory):
    kept = await memory.conversation.remember("keep me")
    _, waiting = await run(memory, ("memory_forget", {"ids": [kept.memory.id]}), confirm=True)
    assert [one.name for one in waiting.interruptions] == ["memory_forget"]
    assert await memory.conversation.recall("keep me")
    await run(memory, ("memory_forget", {"ids": [kept.memory.id]}))
    assert not await memory.conversation.recall("keep me")
