"""Tools of the OpenAI Agents SDK that search the code of a project and what was said in it.

async with open_runtime() as memory:
    agent = Agent(name="Coder", tools=memory_tools(memory))
    await Runner.run(agent, "Why do we pin numpy?")
"""

import json

from agents import FunctionTool

from victor_memory.tools import answer, offered_tools

__all__ = ["memory_tools"]


def memory_tools(memory, chosen=None, *, confirm=False):
    """Return the tools of *memory*, an open runtime, for `Agent(tools=...)`.

    *chosen* names them, as `VICTOR_MEMORY_TOOLS` does; without it, that variable chooses. With
    *confirm*, a run is interrupted for approval before a tool deletes anything.
    """
    return [
        FunctionTool(
            name=spec.name,
            description=spec.description,
            params_json_schema=dict(spec.parameters),
            on_invoke_tool=_caller(memory, spec.name),
            strict_json_schema=False,  # strict schemas have no optional arguments
            needs_approval=confirm and spec.destructive,
        )
        for spec in offered_tools(memory, chosen).values()
    ]


def _caller(memory, name):
    async def call(_context, arguments):
        try:
            given = json.loads(arguments or "{}")
        except ValueError:
            given = None
        if not isinstance(given, dict):
            return f"{name} failed: its arguments are not a JSON object. Call it again with one."
        return (await answer(memory, name, given)).text

    return call
