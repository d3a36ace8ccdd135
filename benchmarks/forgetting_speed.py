"""How long forgetting takes until the bytes are gone: `python benchmarks/forgetting_speed.py`.

A memory of so many turns is filled through `ConversationMemory`, with the bundled model; then one
turn is forgotten, with and without erasing, and then what is one per cent of all. Before and after,
the files are searched for the bytes of a forgotten turn's vector. Meanwhile another task recalls.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
import time
from pathlib import Path

from victor_memory.config import EmbeddingConfig
from victor_memory.conversation.memory import ConversationMemory
from victor_memory.conversation.records import Turn
from victor_memory.providers.base import BaseEmbeddingProvider
from victor_memory.providers.lancedb import LanceDBProvider

BATCH = 5000
TURNS_PER_SESSION = 100


def store(name: str, place: str) -> BaseEmbeddingProvider:
    """Return the provider *name* with its files below *place*."""
    config = EmbeddingConfig(vector_store=name, persist_directory=Path(place))
    if name == "sqlite":
        from victor_memory.providers.sqlite import SQLiteProvider

        return SQLiteProvider(config)
    return LanceDBProvider(config)


async def measure(name: str, turns: int) -> dict[str, object]:
    """Return what forgetting took in a memory of *turns* turns."""
    with tempfile.TemporaryDirectory() as place:
        async with store(name, place) as provider:
            memory = ConversationMemory(provider, "benchmark")
            for start in range(0, turns, BATCH):
                await memory.add_turns(
                    _turn(number) for number in range(start, min(turns, start + BATCH))
                )
            sample = (await memory.recent(1))[0]
            (record,) = await provider.get([sample.id], with_vectors=True)
            assert record.vector is not None
            mark = record.vector[2:12].tobytes()
            found: dict[str, object] = {"store": name, "turns": turns}
            found["files with its bytes"] = _files_with(place, mark)
            other = (await memory.recent(2))[1]
            found["delete s"] = await _timed(memory.forget(ids=[other.id], erase=False))
            stop, waits = asyncio.Event(), list[float]()
            reader = asyncio.create_task(_recall(memory, stop, waits))
            found["forget one s"] = await _timed(memory.forget(ids=[sample.id]))
            found["files with its bytes after"] = _files_with(place, mark)
            sessions = max(1, turns // TURNS_PER_SESSION // 100)
            gone = time.perf_counter()
            for session in range(sessions):
                await memory.forget(session=f"s{session}", erase=False)
            await memory.erase()
            found[f"forget {sessions} sessions s"] = round(time.perf_counter() - gone, 3)
            stop.set()
            await reader
            found |= {"recalls meanwhile": len(waits), "longest ms": round(max(waits) * 1000, 1)}
            return found


def _turn(number: int) -> Turn:
    text = (
        f"turn {number}: we looked at case {number * 7919 % 10007} of the parser and wrote a test"
    )
    return Turn(text, f"s{number // TURNS_PER_SESSION}", index=number % TURNS_PER_SESSION)


async def _recall(memory: ConversationMemory, stop: asyncio.Event, waits: list[float]) -> None:
    while not stop.is_set():
        waits.append(await _timed(memory.recall("the parser")))
        await asyncio.sleep(0.01)


async def _timed(work: object) -> float:
    start = time.perf_counter()
    await work  # type: ignore[misc]  # what is awaited is of no interest
    return round(time.perf_counter() - start, 3)


def _files_with(place: str, mark: bytes) -> int:
    files = (path for path in Path(place).rglob("*") if path.is_file())
    return sum(mark in path.read_bytes() for path in files)


def main() -> None:
    """Print one line of JSON for each store and size."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--turns", type=int, nargs="+", default=[1_000, 10_000])
    parser.add_argument("--stores", nargs="+", default=["lancedb", "sqlite"])
    given = parser.parse_args()
    for name in given.stores:
        for turns in given.turns:
            print(json.dumps(asyncio.run(measure(name, turns))))


if __name__ == "__main__":
    main()
