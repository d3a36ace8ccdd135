"""The seams that host code uses: plugin, memory coordinator, vector store, `code search`."""

import pytest

REGISTERED = """
import json
from victor.core.plugins.registry import PluginRegistry
registry = PluginRegistry.get_instance()
registry.discover()
registry.register_all()
registry.register_all()
"""
PLUGIN = (
    REGISTERED
    + """
import asyncio
from victor.core.plugins.protocol import VictorPlugin
from victor.core.plugins.registry import call_lifecycle_hook_async
plugin = registry.get_plugin("victor_memory")
for hook in ("on_activate", "on_deactivate"):
    asyncio.run(call_lifecycle_hook_async(plugin, hook))
listed = [one for one in registry.list_all_with_type() if one["name"] == "victor_memory"]
print(json.dumps({"listed": listed, "health": registry.check_plugin_health()["victor_memory"],
                  "is_plugin": isinstance(plugin, VictorPlugin)}))
"""
)
LIGHT = (
    """
import json, sys
import victor.core.plugins.registry, victor.tools.plugin, victor.storage.memory, victor.storage.vector_stores
before = set(sys.modules)
"""
    + REGISTERED
    + """
from victor_memory import Plugin
plugin = Plugin()
tools = [one.name for one in plugin.get_tools()]
ours = {name.partition(".")[0] for name in set(sys.modules) - before}
heavy = ["victor_memory.runtime", "victor_memory.codebase.memory", "victor_memory.conversation.memory"]
print(json.dumps({"tools": tools, "heavy": sorted(set(heavy) & set(sys.modules)), "loaded": sorted(ours)}))
"""
)
COORDINATOR = (
    REGISTERED
    + """
import asyncio, sys
from victor.storage.memory import MemoryType, get_memory_coordinator
coordinator = get_memory_coordinator()

async def main():
    kind = MemoryType.CONVERSATION
    stored = [
        await coordinator.store(kind, "rounding", "Amounts are rounded half up.", {"kind": "decision"}),
        await coordinator.store(kind, "mail", "Mail is sent by the queue.", {"who": "Ann"}),
        await coordinator.store(kind, "rounding", "Amounts are rounded half to even.", {"kind": "decision"}),
        await coordinator.store(kind, "money", "Amounts are rounded half to even.", {"kind": "decision"}),
    ]
    got = await coordinator.get(kind, "rounding")
    by_id = await coordinator.get(kind, got.id)
    found = await coordinator.search_all("how are amounts rounded", limit=5)
    refused = await coordinator.store(kind, "empty", "  ")
    return {
        "stored": stored, "refused": refused, "got": got.content, "by_id": by_id.content,
        "money": (await coordinator.get(kind, "money")).content,
        "missing": await coordinator.get(kind, "nothing"),
        "metadata": (await coordinator.get(kind, "mail")).metadata,
        "found": [[one.content, one.relevance, one.source.name, one.timestamp] for one in found],
    }

print(json.dumps(asyncio.run(main())))
"""
)
OTHER_PROVIDER = (
    """
import json
from victor.storage.memory import MemoryType, get_memory_coordinator
class Mine:
    memory_type = MemoryType.CONVERSATION
get_memory_coordinator().register_provider(Mine())
"""
    + REGISTERED
    + """
known = get_memory_coordinator().get_provider(MemoryType.CONVERSATION)
print(json.dumps([type(known).__name__, registry.check_plugin_health()["victor_memory"]]))
"""
)


def test_the_plugin_is_listed_and_healthy(host):
    done = host.program(PLUGIN)
    assert [one["type"] for one in done["listed"]] == ["plugin"]
    assert done["is_plugin"]
    assert done["health"]["healthy"] is True
    assert done["health"]["seams"]["store"] == "connected"
    assert done["health"]["seams"]["memory"] == "connected"


def test_the_hosts_own_command_lists_it(host):
    done = host.run("-c", "from victor.ui.cli import app; app()", "plugin", "list")
    assert "victor_memory" in done.stdout


def test_nothing_heavy_is_loaded_before_the_first_call(host):
    done = host.program(LIGHT)
    assert "memory_recall" in done["tools"]
    assert done["heavy"] == []
    assert not set(done["loaded"]) & {
        "lancedb",
        "pyarrow",
        "tokenizers",
        "watchfiles",
        "mcp",
        "filelock",
    }


def test_the_coordinator_stores_gets_and_finds(host):
    done = host.program(COORDINATOR)
    assert done["stored"] == [True, True, True, True]
    assert done["refused"] is False
    assert done["got"] == done["by_id"] == "Amounts are rounded half to even."
    assert done["missing"] is None
    assert done["money"] == done["got"], "one memory under two keys"
    assert "victor_key" not in done["metadata"]
    assert done["metadata"]["who"] == "Ann"
    texts = [one[0] for one in done["found"]]
    assert texts[0] == "Amounts are rounded half to even."
    assert "Amounts are rounded half up." not in texts, "the key was stored anew"
    assert all(
        0 < relevance <= 1 and source == "CONVERSATION" for _, relevance, source, _ in done["found"]
    )


def test_a_provider_that_is_there_is_never_replaced(host):
    name, health = host.program(OTHER_PROVIDER)
    assert name == "Mine"
    assert health["healthy"] is True


@pytest.fixture
def code(host):
    """The host's own command, in a process of its own."""
    lookup = """
import asyncio, inspect, json, sys
import victor.tools.unified.code_tool as module
run = next(getattr(module, name) for name in ("code_tool", "code") if hasattr(module, name))
done = run(cmd=sys.argv[1]) if not hasattr(run, "execute") else run.execute({}, cmd=sys.argv[1])
done = asyncio.run(done) if inspect.isawaitable(done) else done
print(json.dumps(str(getattr(done, "output", done))))
"""
    return lambda command: host.program(lookup, command)


def test_code_search_is_ours_after_opting_in_and_the_hosts_after_opting_out(host, code):
    asked = "search 'where is money rounded for the auditors'"
    assert "victor-coding" in code(asked), "the host's own answer"
    host.cli("install-host", "victor", "--code-search")
    ours = code(asked)
    assert "billing/rounding.py:" in ours
    assert "score" in ours
    inside = code("search 'where is money rounded for the auditors' mail --k 3")
    assert "mail/sender.py:" in inside
    assert "billing" not in inside
    one = code("search 'round' billing/rounding.py --mode graph")
    assert "billing/rounding.py:" in one
    assert "invoice" not in one
    assert "answered by victor-memory" in host.cli("doctor")
    host.cli("install-host", "victor", "--no-code-search")
    assert "victor-coding" in code(asked)
    host.cli("install-host", "victor", "--code-search")
    host.cli("install-host", "victor", "--uninstall")
    assert "victor-coding" in code(asked)


def test_code_search_that_fails_leaves_the_host_its_own_way(host, code):
    host.cli("install-host", "victor", "--code-search")
    found = code("search 'round_to_cents' no/such/place")
    assert "Semantic backend unavailable (victor_memory: " in found
    assert "does not exist" in found
