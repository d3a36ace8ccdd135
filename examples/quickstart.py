"""Search a directory, remember a decision, recall it: python examples/quickstart.py [DIR]."""

from __future__ import annotations

import asyncio
import sys

from victor_memory import open_runtime


async def main(directory: str) -> None:
    """Use both memories of the project around *directory*."""
    async with open_runtime(project=directory) as memory:
        answer = await memory.codebase.search("where are errors defined?", limit=3)
        for hit in answer.hits:
            print(f"{hit.path}:{hit.start_line}-{hit.end_line}  {hit.score:.3f}")
        await memory.conversation.remember(
            "We keep one error tree, so that callers can catch one class", kind="decision"
        )
        for found in await memory.conversation.recall("how are errors organised?", limit=1):
            print(found.memory.created_at.date(), found.memory.text)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else "."))
