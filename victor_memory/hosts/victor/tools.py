"""The tools of `victor_memory.tools` in the host's form, and the plugin that brings them.

This module imports the host. It is imported by the host alone, through `victor_memory.Plugin`,
`victor_memory.hosts.victor.Plugin`, or the file that `install` writes.
"""

from __future__ import annotations

import importlib.metadata
from typing import TYPE_CHECKING, Any

from victor.tools.base import BaseTool, ToolResult
from victor.tools.enums import AccessMode, DangerLevel, ExecutionCategory, Priority
from victor.tools.metadata import ToolMetadata
from victor.tools.plugin import ToolPlugin

from victor_memory._logging import get_logger
from victor_memory.hookspecs import PROJECT
from victor_memory.hosts.victor import selection
from victor_memory.hosts.victor.capture import capture
from victor_memory.hosts.victor.live import live, project_root
from victor_memory.settings import MemorySettings
from victor_memory.specs import package_version
from victor_memory.tools import answer, offered, offered_tools

if TYPE_CHECKING:
    from victor_memory.runtime import MemoryRuntime
    from victor_memory.specs import ToolSpec

log = get_logger(__name__)


class MemoryTool(BaseTool):  # type: ignore[misc] # the host is not type-checked
    """One of our tools, called on the host's current project."""

    def __init__(self, spec: ToolSpec) -> None:
        """Stand for *spec*."""
        self.spec = spec

    @property
    def name(self) -> str:
        """The same name as with every other host."""
        return self.spec.name

    @property
    def description(self) -> str:
        """What tells the model when to call it."""
        return self.spec.description

    @property
    def parameters(self) -> dict[str, Any]:
        """JSON Schema of the arguments."""
        return dict(self.spec.parameters)

    @property
    def is_critical(self) -> bool:
        """Whether the host offers it in every turn."""
        return self.name in selection.ALWAYS

    @property
    def metadata(self) -> ToolMetadata:
        """When the host offers it, and whether it must ask the user first."""
        reads = self.spec.read_only
        return ToolMetadata(
            # In the first stages the host offers what is read-only and of the category "core".
            category="core" if reads and self.is_critical else "memory",
            keywords=selection.keywords(self.name, self.description),
            use_cases=[self.description.partition(".")[0]],
            stages=list(selection.STAGES),
            # What is READONLY the host keeps on disk by name and arguments alone: for ten minutes
            # every project would get the first one's answer. A source that others write to is
            # NETWORK; for that it neither caches nor asks the user.
            access_mode=AccessMode.NETWORK if reads else AccessMode.WRITE,
            priority=Priority.CRITICAL if self.is_critical else Priority.HIGH,
            danger_level=DangerLevel.LOW if self.spec.destructive else DangerLevel.SAFE,
            execution_category=ExecutionCategory.READ_ONLY if reads else ExecutionCategory.WRITE,
        )

    async def execute(self, _exec_ctx: dict[str, Any], **kwargs: Any) -> ToolResult:
        """Call the tool with the arguments *kwargs*; a failure is a result, never an exception."""
        root = project_root()
        try:
            if self.name.startswith("memory_"):
                await capture().caught_up(root)
            done = await live().use(root, lambda memory: answer(memory, self.name, kwargs))
        except Exception as exc:  # noqa: BLE001 - the model is told; the host must go on
            log.warning("host_tool_failed", operation=self.name, error_type=type(exc).__name__)
            reason = f"{type(exc).__name__}: {exc}"
            return ToolResult(success=False, output=None, error=reason)
        return ToolResult(
            success=not done.failed, output=done.text, error=done.text if done.failed else None
        )


class Plugin(ToolPlugin):  # type: ignore[misc] # the host is not type-checked
    """The host's tool plugin: finds our tools, and has the host's conversations remembered."""

    name = PROJECT
    version = package_version()
    description = "Memory for coding agents: code search, recall and remember"
    author = "The victor_memory authors"

    def get_tools(self) -> list[BaseTool]:
        """Return the tools that `VICTOR_MEMORY_TOOLS` chooses; none if our settings are broken."""
        try:
            return [MemoryTool(spec) for spec in _specs()]
        except Exception as exc:  # noqa: BLE001 - the host goes on without us; doctor says why
            log.warning("host_tools_failed", error_type=type(exc).__name__, error=str(exc))
            return []

    def initialize(self) -> None:
        """Start keeping an eye on the host's conversations."""
        capture().start(project_root())

    def cleanup(self) -> None:
        """Close what was opened."""
        live().close()


def _specs() -> list[ToolSpec]:
    """Return the tools to offer. Only if plugins of ours are installed are they loaded for it."""
    if not importlib.metadata.entry_points(group=PROJECT):
        return list(offered(MemorySettings().memory_tools))
    from victor_memory.runtime import open_runtime

    memory: MemoryRuntime = open_runtime(project=project_root())
    return list(offered_tools(memory).values())
