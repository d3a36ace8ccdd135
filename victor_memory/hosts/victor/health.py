"""What `doctor` says about this host: each seam, looked at the way the host looks at it."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from victor_memory.diagnosis import Check
from victor_memory.hosts.victor import install
from victor_memory.hosts.victor.entry import CONNECTED, VictorMemoryPlugin
from victor_memory.hosts.victor.imported import database, read_state
from victor_memory.settings import MemorySettings

_INSTALL: Final = "Run: victor-memory install-host victor"
_MEMBERS: Final = (
    "name",
    "register",
    "get_cli_app",
    "on_activate",
    "on_deactivate",
    "health_check",
    "on_activate_async",
    "on_deactivate_async",
)


def checks(root: Path) -> Iterator[Check]:
    """Yield what there is to say about the host and its project at *root*.

    Nothing if the host is not installed in this environment.
    """
    version = install.host_version()
    if version is None:
        return
    yield Check("victor", None, f"victor-ai {version}")
    for name, look in (
        ("victor plugin", _plugin),
        ("victor tools", _tools),
        ("victor memory", _memory),
        ("victor store", _store),
        ("victor code search", _code_search),
        ("victor conversations", lambda: _conversations(root)),
    ):
        yield _check(name, look)


def _check(name: str, look: Callable[[], tuple[bool | None, str]]) -> Check:
    try:
        ok, detail = look()
    except Exception as exc:  # noqa: BLE001 - what the host does is what is looked at
        return Check(name, ok=False, detail=f"{type(exc).__name__}: {exc}")
    return Check(name, ok, detail)


def _plugin() -> tuple[bool | None, str]:
    found = importlib.metadata.entry_points(group="victor.plugins", name="victor_memory")
    if not found:
        return False, "there is no entry point. Run: pip install --force-reinstall victor-memory"
    plugin = next(iter(found)).load()()
    missing = [name for name in _MEMBERS if not hasattr(plugin, name)]
    if missing:
        return False, f"the plugin has no {', '.join(missing)}, so the host would refuse it"
    return True, "found by its entry point, with all that the host asks for"


def _tools() -> tuple[bool | None, str]:
    from victor.config.settings import load_settings

    shim = install.shim_path(install.host_home())
    packages = list(getattr(load_settings(), "plugin_packages", None) or ())
    by_package = any(one.startswith("victor_memory") for one in packages)
    if not shim.exists() and not by_package:
        return None, f"not offered to agents. {_INSTALL}"
    from victor.tools.plugin_registry import ToolPluginRegistry

    loader = ToolPluginRegistry()
    plugin = (
        loader.load_plugin_from_path(shim.parent)
        if shim.exists()
        else loader.load_plugin_from_package("victor_memory")
    )
    names = [tool.name for tool in plugin.get_tools()] if plugin else []
    how = str(shim) if shim.exists() else "VICTOR_PLUGIN_PACKAGES"
    if not names:
        return False, f"the host cannot load them by {how}. {_INSTALL}"
    return True, f"{', '.join(names)} (by {how})"


def _memory() -> tuple[bool | None, str]:
    return _seam("memory", "conversations can be searched, stored and got by the coordinator")


def _store() -> tuple[bool | None, str]:
    return _seam("store", 'EmbeddingConfig(vector_store="victor_memory") works in host code')


def _seam(name: str, detail: str) -> tuple[bool | None, str]:
    from victor.core.plugins.context import HostPluginContext

    plugin = VictorMemoryPlugin()
    plugin.register(HostPluginContext())
    state = plugin.seams[name]
    healthy = bool(plugin.health_check()["healthy"])
    return (True, detail) if state == CONNECTED else (None if healthy else False, state)


def _code_search() -> tuple[bool | None, str]:
    from victor.tools.unified._vertical_resolver import resolve_vertical_callable

    from victor_memory.hosts.victor.code_search import code_search

    used, source = resolve_vertical_callable(
        "code_search",
        fallback_module="victor_coding.tools.code_search_tool",
        fallback_attr="code_search",
    )
    if used is code_search:
        return True, "`code search` is answered by victor-memory"
    if install.code_search_installed():
        return False, f"`code search` is answered by {source} instead: two packages claim it"
    return None, f"left to the host. To change that: {_INSTALL.removeprefix('Run: ')} --code-search"


def _conversations(root: Path) -> tuple[bool | None, str]:
    state = read_state(root)
    if not MemorySettings().memory_capture:
        return None, "not remembered: VICTOR_MEMORY_CAPTURE is off"
    if state.error:
        return False, f"the last import failed: {state.error}"
    if state.at:
        return True, f"{state.turns} turns were remembered, the last time at {state.at}"
    if database(root).exists():
        return None, "not remembered yet: that happens when an agent with our tools runs"
    return None, "there are none in this project"
