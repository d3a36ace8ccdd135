"""How many turns a second are stored: through the memory, the default store and the static model.

  python benchmarks/conversation_writing.py [--turns 20000] [--batch 2000] [--words 30]

Each turn has a random text of ordinary words of about the length of a chat message, with a file
name or a number now and then. Shown beside the whole: the share of each step, measured alone on
the same turns. The clock of a shared machine is noisy: compare within one run.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

from victor_memory.conversation.records import Turn, new_memory, to_record
from victor_memory.redaction import redact_secrets
from victor_memory.retrieval.text import index_terms
from victor_memory.runtime import open_runtime
from victor_memory.settings import MemorySettings

Result = TypeVar("Result")
WORDS = (
    "the a we to and it in of is that for on with this test error file build server client request "
    "deploy branch merge review change update fix bug cache database query index timeout retry log "
    "user token session page button layout field value type class function module import package "
    "should could would maybe really think want need try make see look check run start stop add "
    "remove rename move split parse render load save read write open close call return raise"
).split()


def conversation(turns: int, words: int) -> list[Turn]:
    """Return *turns* turns of about *words* words, in sessions of 200."""
    rng = random.Random(7)  # noqa: S311 - texts, the same in each run
    start = datetime(2026, 1, 1, tzinfo=UTC)
    made = []
    for n in range(turns):
        said = rng.choices(WORDS, k=max(3, round(rng.gauss(words, words / 2))))
        if n % 5 == 0:
            said.insert(1, f"src/{rng.choice(WORDS)}_{rng.choice(WORDS)}.py:{rng.randrange(900)}")
        made.append(
            Turn(
                " ".join(said).capitalize() + ".",
                f"session-{n // 200}",
                ("user", "assistant")[n % 2],
                n % 200,
                start + timedelta(seconds=20 * n),
            )
        )
    return made


def timed(label: str, shares: dict[str, float], run: Callable[[], Result]) -> Result:
    """Return what *run* returns, and put its seconds into *shares*."""
    begun = time.perf_counter()
    done = run()
    shares[label] = time.perf_counter() - begun
    return done


async def measure(turns: list[Turn], batch: int, directory: Path) -> dict[str, object]:
    """Return the figures for *turns*, given to `add_turns` in calls of *batch*."""
    settings = MemorySettings(embeddings_dir=directory, embedding_model_type="static")
    async with open_runtime(settings, project=directory) as memory:
        conversation = memory.conversation
        await conversation.add_turns([Turn("warm up", "none")])
        begun, spent = time.perf_counter(), time.process_time()
        for at in range(0, len(turns), batch):
            await conversation.add_turns(turns[at : at + batch])
        whole, spent = time.perf_counter() - begun, time.process_time() - spent
        again = time.perf_counter()
        repeated = await conversation.add_turns(turns[:batch])
        again = time.perf_counter() - again
        stored = (await conversation.status()).kinds["turn"] - 1

        shares: dict[str, float] = {}
        made = timed("check", shares, lambda: [
            new_memory(one.text, project="p", kind="turn", session=one.session, index=one.index)
            for one in turns
        ])  # fmt: skip
        timed("redact", shares, lambda: [redact_secrets(one.text) for one in turns])
        timed("terms", shares, lambda: [index_terms(one.text) for one in turns])
        timed("record", shares, lambda: [to_record(one) for one in made])
        embedder = conversation.provider.embedder
        begun = time.perf_counter()
        for at in range(0, len(turns), batch):
            await embedder.embed([one.text for one in turns[at : at + batch]])
        shares["embed"] = time.perf_counter() - begun
    return {
        "turns": len(turns),
        "batch": batch,
        "stored": stored,
        "stored_twice": repeated,
        "turns_per_second": round(len(turns) / whole),
        "processor_microseconds_per_turn": round(spent / len(turns) * 1e6),
        "already_there_per_second": round(batch / again),
        "share_of_the_time": {name: round(one / whole, 3) for name, one in shares.items()},
    }


def main() -> None:
    """Measure once and print the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--turns", type=int, default=20_000)
    parser.add_argument("--batch", type=int, default=2_000)
    parser.add_argument("--words", type=int, default=30)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        turns = conversation(given.turns, given.words)
        answer = asyncio.run(measure(turns, given.batch, Path(directory)))
    sys.stdout.write(json.dumps(answer, indent=1) + "\n")


if __name__ == "__main__":
    main()
