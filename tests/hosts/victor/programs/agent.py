"""One turn of one agent of the host; the last line of its output is JSON."""

import asyncio
import json
import sys

from victor import Agent


async def main() -> None:
    agent = await Agent.create(provider="ollama", model="fake:latest")
    orchestrator = (
        agent.get_orchestrator() if hasattr(agent, "get_orchestrator") else agent._orchestrator
    )
    registered = sorted(tool.name for tool in orchestrator.tools.list_tools())
    result = await agent.run(sys.argv[1])
    await agent.close()
    sys.stdout.write(json.dumps({"tools": registered, "answer": result.content}))


asyncio.run(main())
