"""Resources and prompts: what a person picks in a host, where a model would call a tool."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, unquote

import mcp_types as types
from mcp.shared.exceptions import MCPError

from victor_memory.errors import InvalidRequestError
from victor_memory.tools import ToolAnswer, answer, call_tool
from victor_memory.tools.rendering import fenced, inline, outline
from victor_memory.tools.results import QUOTED

if TYPE_CHECKING:
    from victor_memory.runtime import MemoryRuntime

MEMORY: Final = "victor-memory://memory/"
OUTLINE: Final = "victor-memory://outline/"
_LISTED: Final = 50
_TITLE: Final = 80

TEMPLATES: Final = (
    types.ResourceTemplate(
        uri_template=MEMORY + "{id}",
        name="memory",
        title="A memory",
        description="One thing that was said or noted in this project, by its id.",
        mime_type="text/markdown",
    ),
    types.ResourceTemplate(
        uri_template=OUTLINE + "{+path}",
        name="outline",
        title="Outline of a file",
        description="What a file of this project defines and imports; its path from the root.",
        mime_type="text/markdown",
    ),
)
PROMPTS: Final = (
    types.Prompt(
        name="what_do_we_know",
        title="What do we know about ...",
        description="Answer from what was decided, said and built in this project.",
        arguments=[types.PromptArgument(name="topic", description="What about.", required=True)],
    ),
    types.Prompt(
        name="keep_what_matters",
        title="Keep what matters of this conversation",
        description="Store the decisions, facts, preferences and fixes that later sessions need.",
    ),
)
_KEEP: Final = (
    "Go through this conversation and find what a later session on this project must know and "
    "cannot read in the code: decisions with their reasons, facts about the project, preferences "
    "of mine, fixes of errors, tasks that are left. For each, check with memory_recall whether it "
    "is known, and if not, store it with memory_remember as one statement that is clear by itself. "
    "Leave out what is passing, obvious or secret. Then list what you stored."
)


async def resources(memory: MemoryRuntime) -> list[types.Resource]:
    """Return the newest notes of the project."""
    from victor_memory.conversation.records import KINDS

    kinds = [kind for kind in KINDS if kind != "turn"]
    notes = await memory.conversation.recent(_LISTED, kinds=kinds, include_superseded=False)
    return [
        types.Resource(
            uri=MEMORY + quote(one.id, safe=""),
            name=one.id,
            title=f"{one.kind}: {inline(one.text)[:_TITLE]}",
            mime_type="text/markdown",
            annotations=types.Annotations(last_modified=one.created_at.isoformat()),
        )
        for one in notes
    ]


async def read(memory: MemoryRuntime, uri: str) -> types.ReadResourceResult:
    """Return the resource *uri*.

    Raises:
        MCPError: there is no such resource.

    """
    try:
        if uri.startswith(MEMORY):
            text = await _one_memory(memory, unquote(uri.removeprefix(MEMORY)))
        elif uri.startswith(OUTLINE):
            path = unquote(uri.removeprefix(OUTLINE))
            text = outline(await call_tool(memory, "code_outline", {"path": path}))
        else:
            raise _no_resource(uri, f"They begin with {MEMORY} or {OUTLINE}.")
    except InvalidRequestError as exc:
        raise _no_resource(uri, " ".join(str(exc).split())) from exc
    found = types.TextResourceContents(uri=uri, mime_type="text/markdown", text=text)
    return types.ReadResourceResult(contents=[found])


def _no_resource(uri: str, why: str) -> MCPError:
    return MCPError(types.INVALID_PARAMS, f"There is no resource {uri!r}. {why}", {"uri": uri})


async def _one_memory(memory: MemoryRuntime, identifier: str) -> str:
    from victor_memory.conversation.fence import wrap

    found = await memory.conversation.get(identifier)
    if found is None:
        msg = "No memory of this project has that id. Recall to get ids."
        raise InvalidRequestError(msg)
    head = f"{found.kind} {found.id}, {found.created_at.isoformat()}. {QUOTED}"
    return wrap(f"{head}\n\n{fenced(found.text)}")


async def prompt(
    memory: MemoryRuntime, name: str, arguments: Mapping[str, Any]
) -> types.GetPromptResult:
    """Return the prompt *name*, filled in.

    Raises:
        MCPError: there is no such prompt, or an argument is missing.

    """
    if name == "keep_what_matters":
        return _said(_KEEP)
    if name != "what_do_we_know":
        names = ", ".join(one.name for one in PROMPTS)
        raise MCPError(types.INVALID_PARAMS, f"There is no prompt {name!r}. Use one of: {names}.")
    topic = str(arguments.get("topic") or "").strip()
    if not topic:
        raise MCPError(types.INVALID_PARAMS, "what_do_we_know needs a topic. Say what about.")
    known: ToolAnswer = await answer(memory, "memory_context", {"query": topic})
    return _said(
        f"What do we know about {inline(topic)} in this project? Answer from what follows, and say "
        "for each point where it comes from. Where that is not enough, use memory_recall and "
        "code_search; where nothing is known, say so.",
        known.text,
    )


def _said(*texts: str) -> types.GetPromptResult:
    return types.GetPromptResult(
        messages=[
            types.PromptMessage(role="user", content=types.TextContent(type="text", text=text))
            for text in texts
        ]
    )
