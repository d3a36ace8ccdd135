"""What an agent can call: host-neutral operations, each described by a JSON Schema.

Arguments are checked by a pydantic model, which is also where the schema comes from. Results are
JSON values. Hosts translate both into their own protocol.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from victor_memory.config import describe
from victor_memory.conversation.records import Memory
from victor_memory.errors import InvalidRequestError, UnknownProviderError
from victor_memory.runtime import MemoryRuntime
from victor_memory.specs import ToolSpec

NoteKind = Literal["fact", "decision", "preference", "task", "summary", "error_fix"]


class _Arguments(BaseModel):
    model_config = ConfigDict(extra="forbid")


class CodeSearch(_Arguments):
    """Arguments of `code_search`."""

    query: str = Field(min_length=1, description="What to look for, in plain words or names.")
    path: str | None = Field(None, description="Only files matching this glob, as 'src/**/*.py'.")
    language: str | None = Field(None, description="Only this language, as 'python'.")
    limit: int = Field(5, ge=1, le=50, description="How many results.")


class MemoryRecall(_Arguments):
    """Arguments of `memory_recall`."""

    query: str = Field(min_length=1, description="What to recall, in plain words.")
    kinds: list[str] | None = Field(None, description="Only these kinds, as ['decision'].")
    limit: int = Field(5, ge=1, le=50, description="How many results.")


class MemoryRemember(_Arguments):
    """Arguments of `memory_remember`."""

    text: str = Field(min_length=1, description="One self-contained statement worth keeping.")
    kind: NoteKind = Field("fact", description="What sort of statement it is.")
    importance: float = Field(0.5, ge=0, le=1, description="How much it matters, from 0 to 1.")


class MemoryForget(_Arguments):
    """Arguments of `memory_forget`."""

    ids: list[str] = Field(min_length=1, description="Ids of memories, as memory_recall gave them.")


async def code_search(memory: MemoryRuntime, given: CodeSearch) -> dict[str, Any]:
    """Search the code of the current project."""
    answer = await memory.codebase.search(
        given.query, limit=given.limit, path=given.path, language=given.language
    )
    found = {"results": [asdict(hit) for hit in answer.hits]}
    return {**found, "notice": answer.notice} if answer.notice else found


async def memory_recall(memory: MemoryRuntime, given: MemoryRecall) -> dict[str, Any]:
    """Search what was said and decided in the current project."""
    found = await memory.conversation.recall(given.query, limit=given.limit, kinds=given.kinds)
    return {"results": [{**_described(one.memory), "score": one.score} for one in found]}


async def memory_remember(memory: MemoryRuntime, given: MemoryRemember) -> dict[str, Any]:
    """Store one statement in the memory of the current project."""
    done = await memory.conversation.remember(
        given.text, kind=given.kind, importance=given.importance, source="agent"
    )
    return {"memory": _described(done.memory), "new": done.new}


async def memory_forget(memory: MemoryRuntime, given: MemoryForget) -> dict[str, Any]:
    """Delete memories of the current project by id."""
    gone = await memory.conversation.forget(ids=given.ids)
    return {"forgotten": [one.id for one in gone.memories]}


def _tool(
    run: Callable[[MemoryRuntime, Any], Awaitable[dict[str, Any]]],
    arguments: type[_Arguments],
    description: str,
    **annotations: bool,
) -> ToolSpec:
    name = run.__name__

    async def checked(memory: MemoryRuntime, **given: Any) -> dict[str, Any]:
        try:
            parsed = arguments(**given)
        except ValidationError as exc:
            raise InvalidRequestError(describe(exc, f"arguments of {name}")) from exc
        return await run(memory, parsed)

    schema = arguments.model_json_schema()
    schema.pop("title", None)
    schema.pop("description", None)
    return ToolSpec(name, description, schema, checked, **annotations)


TOOLS: Final[tuple[ToolSpec, ...]] = (
    _tool(
        code_search,
        CodeSearch,
        "Find code of this project by what it does or by name. Use it before grep when you do not "
        "know the exact words; use grep when you do. Returns path, lines, symbol and text.",
    ),
    _tool(
        memory_recall,
        MemoryRecall,
        "Find what was decided, learned, preferred or fixed in this project before. Use it before "
        "you decide something anew or ask the user again. Returns statements with id and date.",
    ),
    _tool(
        memory_remember,
        MemoryRemember,
        "Keep one statement for later sessions: a decision and its reason, a fact about the "
        "project, a preference of the user, the fix of an error. Not for passing details.",
        read_only=False,
    ),
    _tool(
        memory_forget,
        MemoryForget,
        "Delete statements by id when the user asks for it or they turned out wrong.",
        read_only=False,
        destructive=True,
    ),
)


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
    tools = all_tools(memory)
    if name not in tools:
        msg = f"There is no tool {name!r}. Use one of: {', '.join(tools)}."
        raise UnknownProviderError(msg)
    return await tools[name].run(memory, **arguments)


def _described(memory: Memory) -> dict[str, Any]:
    return {
        "id": memory.id,
        "text": memory.text,
        "kind": memory.kind,
        "created_at": memory.created_at.isoformat(),
    }
