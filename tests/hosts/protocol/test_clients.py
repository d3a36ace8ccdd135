"""The official client library drives every tool, resource and prompt, over both transports.

It checks each message against the protocol's schema, and structured results against the output
schemas that the server gives.
"""

import asyncio
import json

import jsonschema
import pytest
from mcp.shared.exceptions import MCPError
from mcp_types import ListRootsResult, Root, RootsListChangedNotification

from victor_memory.tools import CORE, TOOLS


@pytest.mark.parametrize("mode", ["legacy", "auto"])
@pytest.mark.parametrize("transport", ["over_stdio", "over_http"])
async def test_every_tool_resource_and_prompt(request, environment, transport, mode):
    environment["VICTOR_MEMORY_TOOLS"] = "all"
    async with request.getfixturevalue(transport)(mode=mode) as client:
        await _drive(client)


async def _drive(client):
    listed = {tool.name: tool for tool in (await client.list_tools()).tools}
    assert list(listed) == [tool.name for tool in TOOLS]
    called = set()

    async def call(name, /, **arguments):
        called.add(name)
        result = await client.call_tool(name, arguments)
        assert not result.is_error, result.content[0].text
        jsonschema.validate(result.structured_content, listed[name].output_schema)
        return result.content[0].text, result.structured_content

    text, data = await call("code_search", query="where is the token checked?")
    assert data["results"][0]["path"] == "auth.py"
    assert "auth.py:1-7" in text
    assert "def check_token" in text
    text, data = await call("code_search", query="wait_before_retry", target="symbol")
    assert "def wait_before_retry" in data["results"][0]["text"]
    text, data = await call("code_search", query="why do tokens expire", target="history")
    assert data["commits"][0]["subject"] == "Tokens expire"
    assert "used for weeks" in text
    _, data = await call("code_search", query="wait_before", target="symbol", path="*.md")
    assert data["results"] == []
    text, stored = await call(
        "memory_remember",
        text="Tokens expire after an hour because one was stolen",
        kind="decision",
    )
    assert stored["new"]
    identifier = stored["memory"]["id"]
    text, data = await call("memory_recall", query="when do tokens expire?", kinds=["decision"])
    assert data["results"][0]["id"] == identifier
    assert identifier in text
    text, data = await call("memory_timeline", limit=5)
    assert [one["id"] for one in data["results"]] == [identifier]
    text, data = await call("code_related", place="auth.py:4-7")
    assert data["results"][0]["path"] == "retry.py"
    text, data = await call("code_outline", path="auth.py")
    assert "Sessions.check_token" in {one["name"] for one in data["symbols"]}
    text, data = await call("code_callers", name="check_token")
    assert (data["results"][0]["path"], data["results"][0]["line"]) == ("retry.py", 9)
    text, data = await call("memory_status")
    assert (data["memories"], data["files"]) == (1, 3)

    templates = (await client.list_resource_templates()).resource_templates
    assert {one.uri_template for one in templates} == {
        "victor-memory://memory/{id}",
        "victor-memory://outline/{+path}",
    }
    (resource,) = (await client.list_resources()).resources
    (content,) = (await client.read_resource(resource.uri)).contents
    assert "because one was stolen" in content.text
    (content,) = (await client.read_resource("victor-memory://outline/retry.py")).contents
    assert "def wait_before_retry" in content.text
    for unknown in ("victor-memory://memory/none", "victor-memory://outline/none.py", "file:///x"):
        with pytest.raises(MCPError, match="There is no resource"):
            await client.read_resource(unknown)

    text, data = await call("memory_forget", ids=[identifier, "no-such-id"])
    assert (data["forgotten"], data["unknown"]) == ([identifier], ["no-such-id"])
    assert (await call("memory_recall", query="when do tokens expire?"))[1]["results"] == []
    assert called == set(listed) - {"memory_context"}


@pytest.mark.parametrize("mode", ["legacy", "auto"])
@pytest.mark.parametrize("transport", ["over_stdio", "over_http"])
async def test_a_context_and_the_prompts(request, transport, mode):
    async with request.getfixturevalue(transport)(mode=mode) as client:
        text = "Tokens expire after an hour because one was stolen"
        await client.call_tool("memory_remember", {"text": text, "kind": "decision"})
        built = await client.call_tool(
            "memory_context", {"query": "when do tokens expire, and why?"}
        )
        assert "because one was stolen" in built.content[0].text
        assert "def check_token" in built.content[0].text
        assert built.structured_content["items"]
        assert built.structured_content["tokens"] <= 2000
        prompts = {one.name: one for one in (await client.list_prompts()).prompts}
        assert prompts["what_do_we_know"].arguments[0].required
        known = await client.get_prompt("what_do_we_know", {"topic": "tokens"})
        assert "because one was stolen" in known.messages[1].content.text
        assert (await client.get_prompt("keep_what_matters")).messages
        with pytest.raises(MCPError, match="needs a topic"):
            await client.get_prompt("what_do_we_know", {"topic": " "})
        with pytest.raises(MCPError, match="There is no prompt 'other'"):
            await client.get_prompt("other")


async def test_what_a_host_is_told_of_the_tools(over_stdio):
    async with over_stdio() as client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        assert tuple(tools) == CORE
        assert "memory_context" in client.instructions
    hints = {name: tool.annotations for name, tool in tools.items()}
    assert [name for name in hints if hints[name].destructive_hint] == ["memory_forget"]
    assert [name for name in hints if not hints[name].read_only_hint] == [
        "memory_remember",
        "memory_forget",
    ]
    assert all(one.idempotent_hint and one.open_world_hint is False for one in hints.values())
    for tool in tools.values():
        jsonschema.Draft202012Validator.check_schema(tool.input_schema)
        jsonschema.Draft202012Validator.check_schema(tool.output_schema)


async def test_tools_can_be_chosen_by_name_and_others_are_unknown(over_stdio):
    async with over_stdio("--tools", "code_search,memory_status") as client:
        assert [tool.name for tool in (await client.list_tools()).tools] == [
            "code_search",
            "memory_status",
        ]
        with pytest.raises(
            MCPError, match="There is no tool 'memory_recall'. Use one of: code_search"
        ):
            await client.call_tool("memory_recall", {"query": "x"})


@pytest.mark.parametrize("mode", ["legacy", "auto"])
async def test_progress_is_told_while_a_project_is_indexed(
    tmp_path, make_project, over_stdio, mode
):
    line = (
        "def function_{0}_{1}(value):\n    '''Compute number {1}.'''\n    return value + {1}\n\n\n"
    )
    files = {
        f"module_{number}.py": "".join(line.format(number, one) for one in range(120))
        for number in range(60)
    }
    make_project(tmp_path / "large", files)
    told = []

    async def progress(done, total, message):
        told.append((done, total, message))

    async with over_stdio(cwd=tmp_path / "large", mode=mode) as client:
        found = await client.call_tool(
            "code_search", {"query": "compute number 77"}, progress_callback=progress
        )
        assert found.structured_content["results"]
    assert told
    assert [one[0] for one in told] == sorted({one[0] for one in told})
    assert all("indexing" in one[2] for one in told)


async def test_the_clients_root_is_the_project(tmp_path, project, make_project, over_stdio):
    other = tmp_path / "other"
    make_project(other, {"cookies.py": "def bake_cookies():\n    return 'done'\n"})
    roots = [
        Root(uri=(tmp_path / "gone").as_uri()),
        Root(uri=other.as_uri()),
    ]

    async def list_roots(_):
        return ListRootsResult(roots=roots)

    async def found(client):
        done = await client.call_tool("code_search", {"query": "bake cookies"})
        return done.structured_content["results"][0]["path"]

    async with over_stdio(list_roots_callback=list_roots) as client:
        assert await found(client) == "cookies.py"
        roots[:] = [Root(uri=project.as_uri())]
        await client.session.send_notification(RootsListChangedNotification())
        assert await found(client) != "cookies.py"
    roots[:] = [Root(uri=other.as_uri())]
    async with over_stdio("--project", str(project), list_roots_callback=list_roots) as client:
        assert await found(client) != "cookies.py"


async def test_each_client_over_http_has_its_own_root(tmp_path, project, make_project, over_http):
    other = tmp_path / "other"
    make_project(other, {"cookies.py": "def bake_cookies():\n    return 'done'\n"})

    async def found(root):
        async def list_roots(_):
            return ListRootsResult(roots=[Root(uri=root.as_uri())])

        async with over_http(list_roots_callback=list_roots) as client:
            done = await client.call_tool("code_search", {"query": "bake cookies"})
            return {one["path"] for one in done.structured_content["results"]}

    first, second = await asyncio.gather(found(other), found(project))
    assert first == {"cookies.py"}
    assert "cookies.py" not in second


async def test_eight_clients_of_one_process(over_http):
    async def work(number):
        async with over_http(mode="legacy" if number % 2 else "auto") as client:
            text = f"Client {number} prefers the colour number {number}"
            await client.call_tool("memory_remember", {"text": text, "kind": "preference"})
            await client.call_tool("code_search", {"query": "where is the token checked?"})
            done = await client.call_tool("memory_recall", {"query": text, "limit": 1})
            return done.structured_content["results"][0]["text"] == text

    assert await asyncio.gather(*map(work, range(8))) == [True] * 8
    async with over_http() as client:
        done = await client.call_tool(
            "memory_recall", {"query": "preferred colour of client", "limit": 50, "budget": 9000}
        )
    assert len(done.structured_content["results"]) == 8


async def test_eight_processes_on_one_project(over_stdio):
    async def work(number):
        async with over_stdio() as client:
            text = f"Client {number} prefers the colour number {number}"
            await client.call_tool("memory_remember", {"text": text, "kind": "preference"})
            done = await client.call_tool("code_search", {"query": "where is the token checked?"})
            found = done.structured_content
            # While another process indexes, an answer may know nothing yet, but it says so.
            return found["results"][0]["path"] if found["results"] else found["notice"]

    for found in await asyncio.gather(*map(work, range(8))):
        assert found == "auth.py" or "ask again" in found
    async with over_stdio() as client:
        done = await client.call_tool(
            "memory_recall", {"query": "preferred colour of client", "limit": 50, "budget": 9000}
        )
    assert len(done.structured_content["results"]) == 8


async def test_what_hooks_have_queued_is_recalled(project, environment, over_stdio, start):
    async with over_stdio() as client:
        await client.call_tool("memory_recall", {"query": "anything"})
        event = {
            "text": "We moved the beehives to the orchard in spring",
            "session": "s1",
            "role": "user",
            "project": str(project),
        }
        hook = start(program=("-m", "victor_memory", "capture"))
        hook.communicate(json.dumps(event).encode(), timeout=60)
        assert hook.returncode == 0
        results = []
        while not results:  # on a busy machine, not the first answer but a later one
            found = await client.call_tool("memory_recall", {"query": "where are the beehives?"})
            results = found.structured_content["results"]
    assert results[0]["text"] == event["text"]
