"""A toolset of Pydantic AI that searches the code of a project and what was said in it.

async with open_runtime() as memory:
    agent = Agent("...", toolsets=[memory_toolset(memory)])
    await agent.run("Why do we pin numpy?")
"""

from pydantic_ai import FunctionToolset, Tool, ToolReturn
from pydantic_ai.exceptions import ModelRetry

from victor_memory.tools import answer, offered_tools

__all__ = ["memory_toolset"]


def memory_toolset(memory, chosen=None):
    """Return the tools of *memory*, an open runtime, for `Agent(toolsets=[...])`.

    *chosen* names them, as `VICTOR_MEMORY_TOOLS` does; without it, that variable chooses. The
    program gets the result as JSON values in the `metadata` of each tool's return.
    """
    tools = [
        Tool.from_schema(
            _caller(memory, spec.name),
            name=spec.name,
            description=spec.description,
            json_schema=dict(spec.parameters),
        )
        for spec in offered_tools(memory, chosen).values()
    ]
    return FunctionToolset(tools)


def _caller(memory, name):
    async def call(**given):
        found = await answer(memory, name, given)
        if found.failed:
            raise ModelRetry(found.text)
        return ToolReturn(found.text, metadata=found.data)

    return call
