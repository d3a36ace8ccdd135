"""What an agent can call: one definition of each tool, the same in every host.

A `ToolSpec` has a name, a description for a model, JSON Schemas of its arguments and its result,
and what it may do. Arguments are checked by pydantic models, from which the schemas come; results
are JSON values, and a readable text of them. Hosts translate both into their own protocol:

* `offered_tools` says which tools to offer; `VICTOR_MEMORY_TOOLS` chooses.
* `answer` runs one for a model: it returns a text for every failure that a model can do something
  about. `call_tool` runs one for a program, and raises.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from victor_memory.errors import (
    ConfigurationError,
    InvalidRequestError,
    UnknownProviderError,
    VictorMemoryError,
)
from victor_memory.specs import ToolSpec
from victor_memory.tools.catalogue import CORE, TOOLS
from victor_memory.tools.rendering import as_json

if TYPE_CHECKING:
    from victor_memory.runtime import MemoryRuntime

__all__ = [
    "CORE",
    "TOOLS",
    "ToolAnswer",
    "all_tools",
    "answer",
    "call_tool",
    "offered",
    "offered_tools",
]


@dataclass(frozen=True, slots=True)
class ToolAnswer:
    """What a model is told: a text, the same as JSON values, or why the tool failed."""

    text: str
    data: Any = None
    """The JSON result; `None` if the tool failed."""
    failed: bool = False


def offered(chosen: Iterable[str] = ("core",)) -> tuple[ToolSpec, ...]:
    """Return the built-in tools that *chosen* names: `core`, `all`, or tools by their names.

    Raises:
        ConfigurationError: there is no such tool.

    """
    wanted: set[str] = set()
    names = {tool.name for tool in TOOLS}
    for one in chosen:
        if one == "core":
            wanted.update(CORE)
        elif one == "all":
            wanted.update(names)
        elif one in names:
            wanted.add(one)
        else:
            known = ", ".join(tool.name for tool in TOOLS)
            msg = f"There is no tool {one!r}. Choose `core`, `all`, or some of: {known}."
            raise ConfigurationError(msg)
    return tuple(tool for tool in TOOLS if tool.name in wanted)


def offered_tools(
    memory: MemoryRuntime, chosen: Iterable[str] | None = None
) -> dict[str, ToolSpec]:
    """Return the tools to offer to a model, by name: those that are chosen, and plugins'.

    *chosen* is as for `offered`; without it, the setting `VICTOR_MEMORY_TOOLS` chooses.

    Raises:
        ConfigurationError: there is no such tool.

    """
    names = {
        one.name for one in offered(memory.settings.memory_tools if chosen is None else chosen)
    }
    builtin = {tool.name for tool in TOOLS}
    return {
        name: tool
        for name, tool in all_tools(memory).items()
        if name in names or name not in builtin
    }


def all_tools(memory: MemoryRuntime) -> dict[str, ToolSpec]:
    """Return the built-in tools and those of plugins by name; a built-in name is never replaced."""
    found = {tool.name: tool for tool in TOOLS}

    def add(tool: ToolSpec) -> None:
        if not isinstance(tool, ToolSpec) or tool.name in found:
            msg = f"a tool is a ToolSpec with a name of its own, not {tool!r}"
            raise InvalidRequestError(msg)
        found[tool.name] = tool

    memory.plugins.collect("victor_memory_register_tools", add)
    return found


async def call_tool(memory: MemoryRuntime, name: str, arguments: Mapping[str, Any]) -> Any:
    """Run the tool *name* with *arguments* on *memory* and return its JSON result.

    Raises:
        UnknownProviderError: there is no such tool.
        InvalidRequestError: the arguments do not fit its schema.

    """
    return await _found(memory, name).run(memory, **arguments)


async def answer(memory: MemoryRuntime, name: str, arguments: Mapping[str, Any]) -> ToolAnswer:
    """Run the tool *name* with *arguments* on *memory* for a model.

    A `VictorMemoryError` becomes an answer that says what to do about it.
    """
    try:
        tool = _found(memory, name)
        data = await tool.run(memory, **arguments)
    except VictorMemoryError as exc:
        return ToolAnswer(f"{name} failed: {' '.join(str(exc).split())}", failed=True)
    return ToolAnswer((tool.render or as_json)(data), data)


def _found(memory: MemoryRuntime, name: str) -> ToolSpec:
    tools = all_tools(memory)
    if name not in tools:
        msg = f"There is no tool {name!r}. Use one of: {', '.join(tools)}."
        raise UnknownProviderError(msg)
    return tools[name]
