"""What no client library would send, and what the protocol's lines look like."""

import asyncio
import contextlib
import signal
import threading
from pathlib import Path

import mcp_types
import pytest
from mcp_types import methods

VERSION = "2025-11-25"
linux = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads /proc")
NOISY = """
import os, subprocess, sys
from victor_memory.tools import code

search = code.code_search

async def noisy(memory, given):
    print("printed")
    os.write(1, b"written\\n")
    subprocess.run([sys.executable, "-c", "print('by a child'); print(repr(input()))"])
    sys.stdout.flush()
    return await search(memory, given)

code.code_search = noisy
sys.argv = ["victor-memory", "mcp"]
from victor_memory.cli import main
main()
"""
SLOW = """
import asyncio, sys
from victor_memory.tools import memories

remember = memories.memory_remember

async def slow(memory, given):
    print("begun", flush=True)
    await asyncio.sleep(1)
    return await remember(memory, given)

memories.memory_remember = slow
sys.argv = ["victor-memory", "mcp"]
from victor_memory.cli import main
main()
"""


def test_what_cannot_be_read_is_answered_and_does_no_harm(wire):
    wire.initialize()
    cases = [
        (b"{not json", mcp_types.PARSE_ERROR, None),
        (b"\xff\xfe\x00", mcp_types.PARSE_ERROR, None),
        (b"[" * 100_000, mcp_types.PARSE_ERROR, None),
        (b'"text"', mcp_types.INVALID_REQUEST, None),
        (b'[{"jsonrpc": "2.0", "id": 7, "method": "ping"}]', mcp_types.INVALID_REQUEST, None),
        (b'{"id": 7, "method": "ping"}', mcp_types.INVALID_REQUEST, 7),
        (b'{"jsonrpc": "2.0", "id": {"a": 1}, "method": "ping"}', mcp_types.INVALID_REQUEST, None),
    ]
    for line, code, identifier in cases:
        wire.send(line)
        answered = wire.receive()
        assert (answered["error"]["code"], answered["id"]) == (code, identifier), line[:50]
    wire.send(b"   ")
    assert wire.ask("ping")["result"] == {}


def test_unknown_methods_and_wrong_parameters_are_errors_of_the_protocol(wire):
    wire.initialize()
    assert wire.ask("tools/invent")["error"]["code"] == mcp_types.METHOD_NOT_FOUND
    assert wire.ask("sampling/createMessage", {})["error"]["code"] == mcp_types.METHOD_NOT_FOUND
    assert wire.ask("tools/call", {})["error"]["code"] == mcp_types.INVALID_PARAMS
    assert wire.ask("tools/call", {"name": 5})["error"]["code"] == mcp_types.INVALID_PARAMS
    unknown = wire.call("code_find", query="x")["error"]
    assert unknown["code"] == mcp_types.INVALID_PARAMS
    assert "There is no tool 'code_find'. Use one of: code_search" in unknown["message"]
    wire.notify("notifications/invented", {"x": 1})
    wire.notify("notifications/cancelled", {"requestId": 12345})
    assert wire.ask("ping")["result"] == {}


WRONG = [
    ("code_search", {}, "query: Field required"),
    ("code_search", {"query": ""}, "query"),
    ("code_search", {"query": "x", "limit": "many"}, "limit"),
    ("code_search", {"query": "x", "unknown": 1}, "unknown"),
    ("code_search", {"query": "x", "language": "klingon"}, "klingon"),
    ("code_search", {"query": "x", "target": "history", "language": "python"}, "Leave it out"),
    ("memory_recall", {"query": "x", "since": "yesterday"}, "since"),
    ("memory_remember", {"text": "x", "kind": "rumour"}, "kind"),
    ("memory_forget", {"ids": []}, "ids"),
]


def test_wrong_arguments_are_told_to_the_model(wire):
    wire.initialize()
    for tool, arguments, told in WRONG:
        result = wire.call(tool, **arguments)["result"]
        assert result["isError"] is True
        assert told in result["content"][0]["text"]
        assert "structuredContent" not in result


def test_nothing_is_served_before_initialize(wire):
    assert wire.call("memory_recall", query="x")["error"]["code"] == mcp_types.INVALID_PARAMS
    wire.initialize()
    assert wire.call("memory_recall", query="x")["result"]["isError"] is False


@linux
def test_a_line_of_100_mb_is_refused_and_not_kept(wire):
    wire.initialize()
    wire.call("memory_recall", query="x")  # so that everything is loaded
    part, done, before = b"x" * 2**20, [], peak(wire.process.pid)

    def send():
        wire.process.stdin.write(b'{"jsonrpc": "2.0", "id": 1, "method": "')
        for _ in range(100):
            wire.process.stdin.write(part)
        wire.process.stdin.write(b'"}\n')
        wire.process.stdin.flush()
        done.append(True)

    sending = threading.Thread(target=send)
    sending.start()
    refused = wire.receive()
    sending.join()
    assert done
    assert refused["error"]["code"] == mcp_types.INVALID_REQUEST
    assert "longer than" in refused["error"]["message"]
    assert wire.ask("ping")["result"] == {}
    assert peak(wire.process.pid) - before < 64 * 1024


def peak(process):
    """Return the most memory that a process has used, in kB."""
    status = Path(f"/proc/{process}/status").read_text(encoding="ascii")
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))


def test_everything_on_standard_output_is_the_protocols(start, wire_to):
    wire = wire_to(start(program=("-c", NOISY)))
    wire.initialize()
    found = wire.call("code_search", query="where is the token checked?")["result"]
    assert found["isError"] is False
    wire.process.stdin.close()
    rest = wire.process.stdout.read()
    assert rest == b""
    said = wire.process.stderr.read().decode()
    for one in ("printed", "written", "by a child", "EOFError"):
        assert one in said


def test_answers_are_what_the_schema_of_the_protocol_says(wire):
    asked = [
        ("initialize", None),
        ("tools/list", {}),
        ("tools/call", {"name": "code_search", "arguments": {"query": "check the token"}}),
        ("tools/call", {"name": "memory_recall", "arguments": {}}),
        ("resources/list", {}),
        ("resources/templates/list", {}),
        ("resources/read", {"uri": "victor-memory://outline/auth.py"}),
        ("prompts/list", {}),
        ("prompts/get", {"name": "keep_what_matters"}),
        ("ping", {}),
    ]
    for method, params in asked:
        result = wire.initialize() if params is None else wire.ask(method, params)["result"]
        methods.validate_server_result(method, VERSION, result)
    assert wire.seen


def test_a_cancelled_call_is_not_answered_and_the_next_one_is(wire):
    wire.initialize()
    cancelled = wire.begin(
        "tools/call", {"name": "code_search", "arguments": {"query": "check the token"}}
    )
    wire.notify("notifications/cancelled", {"requestId": cancelled, "reason": "test"})
    assert wire.call("code_search", query="check the token")["result"]["isError"] is False
    assert wire.ask("ping")["result"] == {}
    assert cancelled not in {one.get("id") for one in wire.seen}


def test_what_is_being_remembered_is_remembered_though_the_call_is_cancelled(start, wire_to):
    wire = wire_to(start(program=("-c", SLOW)))
    wire.initialize()
    call = wire.begin(
        "tools/call",
        {"name": "memory_remember", "arguments": {"text": "Bees dance to tell the way"}},
    )
    assert b"begun" in wire.process.stderr.readline()
    wire.notify("notifications/cancelled", {"requestId": call})
    assert wire.ask("ping")["result"] == {}
    wire.process.stdin.close()
    assert wire.process.wait(20) == 0
    again = wire_to(start())
    again.initialize()
    found = again.call("memory_recall", query="bees")["result"]["structuredContent"]["results"]
    assert [one["text"] for one in found] == ["Bees dance to tell the way"]


@linux
@pytest.mark.parametrize("how", ["end of input", "SIGTERM", "SIGINT"])
@pytest.mark.parametrize("when", ["idle", "indexing"])
async def test_it_ends_cleanly_and_leaves_no_process(
    how, when, start, wire_to, make_project, tmp_path
):
    line = (
        "def function_{0}_{1}(value):\n    '''Compute number {1}.'''\n    return value + {1}\n\n\n"
    )
    files = {
        f"module_{number}.py": "".join(line.format(number, one) for one in range(100))
        for number in range(120)
    }
    root = make_project(tmp_path / "large", files)
    wire = wire_to(start("--project", root, start_new_session=True))
    wire.initialize()
    if when == "indexing":
        wire.begin("tools/call", {"name": "code_search", "arguments": {"query": "number 7"}})
        await asyncio.sleep(1.0)
    if how == "end of input":
        wire.process.stdin.close()
    else:
        wire.process.send_signal(getattr(signal, how))
    assert await asyncio.to_thread(wire.process.wait, 20) == 0
    assert "Traceback" not in wire.process.stderr.read().decode()
    assert in_session(wire.process.pid) == []


def in_session(leader):
    """Return the processes that *leader* and its descendants have left."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # it has ended meanwhile
            fields = stat.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
            if fields[3] == str(leader) and fields[0] != "Z":
                found.append(stat.parent.name)
    return found


def test_bad_settings_are_one_line_on_standard_error(start, environment):
    for arguments, told in (
        (["--tools", "everything"], "There is no tool 'everything'"),
        (["--project", "/no/such/place"], "does not exist"),
    ):
        process = start(*arguments)
        out, err = process.communicate(timeout=60)
        assert process.returncode == 2
        assert out == b""
        assert told in err.decode()
        assert "Traceback" not in err.decode()
