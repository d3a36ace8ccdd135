"""What the host finds by the entry point `victor.plugins`: the eight members it asks for.

The host imports this module at every start, also of its smallest command, and calls `register`
several times, before its services are there and for every agent again. So nothing of ours is
loaded here, what is done is done once, and what fails is kept for `health_check` and `doctor`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Final

from victor_memory._logging import get_logger

log = get_logger(__name__)
CONNECTED: Final = "connected"
WAITING: Final = "the host offers no such service yet"
TAKEN: Final = "left alone: the host has a provider of its own for it"


class VictorMemoryPlugin:
    """Connects the store and the memory; the tools come by `victor_memory.hosts.victor.Plugin`."""

    name: ClassVar[str] = "victor_memory"

    def __init__(self) -> None:
        """Connect nothing yet."""
        self.seams: dict[str, str] = {}
        """What became of each seam: `CONNECTED`, or why it is not."""
        self._context: Any = None

    @property
    def version(self) -> str:
        """The version of this distribution."""
        from victor_memory.specs import package_version

        return package_version()

    def register(self, context: Any) -> None:
        """Connect what is not connected yet. Never raises; calling it again does no harm."""
        self._connect("store", _connect_store)
        self._connect("memory", lambda: _connect_memory(context))
        if context is not self._context:
            self._connect("tools", lambda: _connect_tools(context))
            self._context = context

    def get_cli_app(self) -> None:
        """Add no command to the host's program: ours is `victor-memory`."""

    def on_activate(self) -> None:
        """Do nothing: `register` has done it all."""

    def on_deactivate(self) -> None:
        """Close what was opened; the next call opens it again."""
        import sys

        # If nothing was opened, the module is not even loaded.
        if loaded := sys.modules.get("victor_memory.hosts.victor.live"):
            loaded.live().close()

    async def on_activate_async(self) -> None:
        """See `on_activate`."""

    async def on_deactivate_async(self) -> None:
        """See `on_deactivate`."""
        import asyncio

        await asyncio.to_thread(self.on_deactivate)

    def health_check(self) -> dict[str, Any]:
        """Return whether no seam is broken, and what became of each."""
        fine = (CONNECTED, WAITING, TAKEN)
        bad = {name: state for name, state in self.seams.items() if state not in fine}
        report: dict[str, Any] = {
            "healthy": not bad,
            "version": self.version,
            "seams": dict(self.seams),
        }
        if bad:
            report["reason"] = "; ".join(f"{name}: {state}" for name, state in bad.items())
        return report

    def _connect(self, seam: str, connect: Callable[[], str]) -> None:
        try:
            self.seams[seam] = connect()
        except Exception as exc:  # noqa: BLE001 - a host must start, whatever is wrong with us
            self.seams[seam] = f"{type(exc).__name__}: {exc}"
            log.warning("host_seam_failed", operation=seam, error_type=type(exc).__name__)


def _connect_store() -> str:
    """Have the host's registry know our store."""
    from victor.storage.vector_stores.registry import EmbeddingRegistry

    from victor_memory.hosts.victor.store import NAME, VictorMemoryProvider

    if not EmbeddingRegistry.is_registered(NAME):
        EmbeddingRegistry.register(NAME, VictorMemoryProvider)
    return CONNECTED


def _connect_memory(context: Any) -> str:
    """Have the host's memory coordinator know our memory, unless it knows another one."""
    coordinator = context.get_memory_coordinator()
    if coordinator is None:
        return WAITING
    from victor_memory.hosts.victor.coordinator import ConversationProvider

    provider = ConversationProvider()
    known = coordinator.get_provider(provider.memory_type)
    if known is None:
        coordinator.register_provider(provider)
    elif not isinstance(known, ConversationProvider):
        return TAKEN
    return CONNECTED


def _connect_tools(context: Any) -> str:
    """Register the tools with *context*, if it can pass them on.

    The host's own context makes a registry for each tool and drops it, unless its services hold a
    live one; that costs it 0.1 s at every start, and the agents get the tools by `Plugin` anyway.
    """
    from victor.agent.protocols import ToolRegistryProtocol
    from victor.core.plugins.context import HostPluginContext

    if isinstance(context, HostPluginContext) and context.get_service(ToolRegistryProtocol) is None:
        return WAITING
    from victor_memory.hosts.victor.tools import Plugin

    for tool in Plugin().get_tools():
        context.register_tool(tool)
    return CONNECTED
