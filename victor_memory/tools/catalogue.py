"""The built-in tools: what a model is told about each, and what it may do."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final

from pydantic import ValidationError

from victor_memory.config import describe
from victor_memory.errors import InvalidRequestError
from victor_memory.specs import ToolSpec
from victor_memory.tools import arguments, results
from victor_memory.tools.rendering import RENDERERS
from victor_memory.tools.schema import arguments_schema, result_schema

if TYPE_CHECKING:
    from victor_memory.runtime import MemoryRuntime


def _tool(
    name: str,
    title: str,
    given: type[arguments.Arguments],
    result: type[results.Result],
    description: str,
    **annotations: bool,
) -> ToolSpec:
    """Return the tool whose operation is the function *name* of `code` or `memories`."""
    module = "code" if name.startswith("code_") else "memories"

    async def checked(memory: MemoryRuntime, **values: Any) -> dict[str, Any]:
        try:
            parsed = given(**values)
        except ValidationError as exc:
            raise InvalidRequestError(describe(exc, f"arguments of {name}")) from exc
        # The operations know the memories: they are loaded by the first call, not by the offer.
        run = getattr(importlib.import_module(f"victor_memory.tools.{module}"), name)
        done: results.Result = await run(memory, parsed)
        return done.values()

    return ToolSpec(
        name,
        description,
        arguments_schema(given),
        checked,
        title=title,
        output_schema=result_schema(result),
        render=RENDERERS[result.__name__],
        **annotations,
    )


TOOLS: Final[tuple[ToolSpec, ...]] = (
    _tool(
        "code_search",
        "Search code",
        arguments.CodeSearch,
        results.CodeFound,
        "Find code of this project by what it does, where a name is defined, or the commit that "
        "explains it, whenever you do not know the file or the exact words. It answers questions "
        "like 'where is X handled?' and replaces several rounds of grep and reading. Do not use it "
        "to find every occurrence of an exact string (use grep), or to read a file whose path you "
        "know. Returns path:lines, the code itself and why it matched; it is kept up to date with "
        "the files.",
    ),
    _tool(
        "memory_recall",
        "Recall",
        arguments.MemoryRecall,
        results.Memories,
        "Find what was decided, learned, preferred, fixed or said about this project before, in "
        "other sessions too, before you decide anew, ask the user again, or when the user refers "
        "to earlier work. Do not use it for what the code says (use code_search) "
        "or for what is in this conversation already. Returns statements with id, date and score; "
        "an empty answer means nothing fits.",
    ),
    _tool(
        "memory_remember",
        "Remember",
        arguments.MemoryRemember,
        results.Stored,
        "Keep one statement for later sessions when it becomes clear, or the user asks for it: a "
        "decision and its reason, a fact about the project that the code does not say, a "
        "preference of the user, the fix of an error. Not for passing details, progress reports, "
        "secrets, or what anybody can read in the code. The same statement is stored once.",
        read_only=False,
        idempotent=True,
    ),
    _tool(
        "memory_context",
        "Context for a task",
        arguments.MemoryContext,
        results.Context,
        "Gather what is known about a task in one call, once at its start: related decisions, "
        "facts and conversations, and the code they are about, within a token budget. For a single "
        "question, memory_recall or code_search is cheaper.",
    ),
    _tool(
        "memory_forget",
        "Forget",
        arguments.MemoryForget,
        results.Forgotten,
        "Delete memories by id, for good, only when the user asks for it, or a statement proved "
        "wrong and no newer one should take its place. Recall first to get the ids.",
        read_only=False,
        destructive=True,
        idempotent=True,
    ),
    _tool(
        "code_related",
        "Related code",
        arguments.CodeRelated,
        results.CodeFound,
        "Find code that is like the code at a place you have found: other implementations, "
        "copies, parallel cases that a change must be made in too. For a question in words, use "
        "code_search.",
    ),
    _tool(
        "code_outline",
        "Outline of a file",
        arguments.CodeOutline,
        results.Outline,
        "List what one file defines and imports, with lines and signatures, before you read a long "
        "file, so that you read only the part you need. It says nothing about what the code does.",
    ),
    _tool(
        "code_callers",
        "Callers",
        arguments.CodeCallers,
        results.Callers,
        "List the places that call a function or method, in the files as they are now, before you "
        "change what it does. Names are compared, not resolved: a call of another thing "
        "of the same name is listed too.",
    ),
    _tool(
        "memory_timeline",
        "Timeline",
        arguments.MemoryTimeline,
        results.Memories,
        "List in order what was said and noted in this project, in a time or in one session, to "
        "see what happened. To find something by what it is about, use memory_recall.",
    ),
    _tool(
        "memory_status",
        "Status",
        arguments.MemoryStatus,
        results.Status,
        "Say how much of this project is remembered and indexed, and whether the index is up to "
        "date, when the question is about the memory itself.",
    ),
)

CORE: Final = (
    "code_search",
    "memory_recall",
    "memory_remember",
    "memory_context",
    "memory_forget",
)
"""What is offered unless a setting says otherwise: of many small tools, agents use few."""
