"""How long a recall takes among many turns, and what memory the copy of them takes.

  python benchmarks/recall_speed.py [--turns 10000] [--questions 200]

Turns are random texts of ordinary words, stored in LanceDB with the bundled model; questions are
words of single turns. Shown are the first recall of a process (from the store), recalls from its
copy, wall clock and processor, and the first one after a write. The clock of a shared machine is
noisy; the processor's time is not.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import tempfile
import time
from pathlib import Path

from conversation_writing import conversation

from victor_memory.conversation.records import Turn
from victor_memory.runtime import MemoryRuntime, open_runtime
from victor_memory.settings import MemorySettings

WORDS = 30
COPY_SECONDS = 60.0


def resident_mb() -> int:
    """Return the memory this process takes, in MiB; 0 where the system does not tell."""
    try:
        pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    except OSError:
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE") // 2**20


async def recall(memory: MemoryRuntime, question: str) -> tuple[float, float]:
    """Return the milliseconds of one recall: on the wall and of the processor."""
    wall, processor = time.perf_counter(), time.process_time()
    await memory.conversation.recall(question)
    return (time.perf_counter() - wall) * 1000, (time.process_time() - processor) * 1000


async def measure(turns: list[Turn], questions: list[str]) -> None:
    """Store *turns*, ask *questions*, and print the figures."""
    with tempfile.TemporaryDirectory() as directory:
        settings = MemorySettings(embeddings_dir=Path(directory) / "embeddings")
        async with open_runtime(settings=settings, project=directory) as memory:
            for start in range(0, len(turns), 5000):
                await memory.conversation.add_turns(turns[start : start + 5000])
        async with open_runtime(settings=settings, project=directory) as memory:
            await memory.conversation.status()
            print(f"{len(turns)} turns; {resident_mb()} MB before the first recall")
            first, _ = await recall(memory, questions[0])
            print(f"first recall, from the store     {first:8.1f} ms")
            # Recalls from the copy are much faster: that is how it shows from outside.
            deadline = time.monotonic() + COPY_SECONDS
            while time.monotonic() < deadline:
                await asyncio.sleep(1)
                if (await recall(memory, questions[0]))[0] < first / 5:
                    break
            taken = [await recall(memory, one) for one in questions]
            for name, place in (("wall clock", 0), ("processor", 1)):
                some = sorted(one[place] for one in taken)
                middle, late = some[len(some) // 2], some[len(some) * 95 // 100]
                print(f"{name:10} p50, p95            {middle:8.1f} {late:8.1f} ms")
            print(f"with the copy: {resident_mb()} MB")
            await memory.conversation.add_turns([Turn("an entirely new zebra", "later")])
            after, _ = await recall(memory, "zebra")
            print(f"first recall after a write       {after:8.1f} ms")


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--turns", type=int, default=10_000)
    parser.add_argument("--questions", type=int, default=200)
    given = parser.parse_args()
    turns = conversation(given.turns, WORDS)
    rng = random.Random(3)  # noqa: S311 - questions, the same in each run
    questions = [
        " ".join(rng.choices(rng.choice(turns).text.split(), k=5)) for _ in range(given.questions)
    ]
    asyncio.run(measure(turns, questions))


if __name__ == "__main__":
    main()
