"""Stores compared: start-up, memory, writing, searching, recall and disk, in one run.

    python benchmarks/stores_compared.py [lancedb sqlite proximadb] [--records 10000]
        [--queries 200] [--dimension 256]

Without names, every installed store that keeps its data is compared. Each is filled in turn; then
all are open in one process and take turns query by query, so that they share what disturbs the
machine. Start-up is a fresh process that imports the store, opens it and searches once, memory what
that process and its children then hold after fifty searches. Texts and vectors are synthetic: unit
vectors around 300 centres, words by a Zipf distribution. Recall is against exact numpy search.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
from lancedb_speed import LIMIT, Given, percentiles, vectors

from victor_memory import EmbeddingConfig, EmbeddingRegistry, Record
from victor_memory.catalogue import BUILTIN_PROVIDERS
from victor_memory.errors import VictorMemoryWarning
from victor_memory.providers.base import BaseEmbeddingProvider

REFERENCE: Final = "lancedb"
STARTS: Final = 5
THOUSAND: Final = 1000
SINGLES: Final = 100
WORDS: Final = 20
"""Words of each record."""
BATCH: Final = 1000
KINDS: Final = {
    "dense": "dense",
    "broad": "dense, 25 % pass",
    "narrow": "dense, 50 rows pass",
    "text": "text",
    "text_broad": "text, 25 % pass",
}


def provider_of(store: str, directory: str, dimension: int) -> BaseEmbeddingProvider:
    """Return the provider of *store*, as an application gets it."""
    Given.dimension = dimension
    config = EmbeddingConfig(vector_store=store, persist_directory=f"{directory}/{store}")
    return EmbeddingRegistry.default("codebase").create(config, embedder=Given(config))


def word(number: int) -> str:
    """Return a word of letters that stands for *number*, and is one term."""
    letters = "bcdfghjklm"
    return "x" + "".join(letters[int(digit)] for digit in str(number))


def record(row: int, words: list[str], vector: Any) -> Record:
    """Return a record like one of a codebase index."""
    metadata = {
        "language": "python" if row % 4 else "go",
        "file_path": f"src/package{row // 50}/module{row // 5}.py",
        "symbol_name": f"function{row}",
        "line_number": row % 1000,
    }
    return Record(f"id{row}", " ".join(words), vector, metadata)


# -- a fresh process ------------------------------------------------------------------------------


async def start(store: str, directory: str, dimension: int) -> None:
    """Search once and say so; then fifty times, and say how much memory that takes."""
    queries = vectors(50, dimension, 4)
    provider = provider_of(store, directory, dimension)
    await provider.search(queries[0], limit=LIMIT)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    for query in queries:
        await provider.search(query, limit=LIMIT)
        await provider.search_text(word(7), limit=LIMIT)
    sys.stdout.write(f"{memory_mb(os.getpid())}\n")
    sys.stdout.flush()
    await provider.close()


def memory_mb(pid: int) -> int:
    """Return the megabytes resident for the process *pid* and its children (on Linux)."""
    pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    found = pages * os.sysconf("SC_PAGE_SIZE") // 2**20
    for task in Path(f"/proc/{pid}/task").iterdir():
        children = (task / "children").read_text(encoding="ascii").split()
        found += sum(memory_mb(int(child)) for child in children)
    return found


def started(store: str, directory: str, dimension: int) -> dict[str, float]:
    """Return how long a fresh process takes for its first search, and its memory."""
    seconds, memory = [], []
    for _ in range(STARTS):
        begin = time.perf_counter()
        with subprocess.Popen(
            [sys.executable, __file__, store, "--start", directory, "--dimension", str(dimension)],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            encoding="utf-8",
        ) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n", f"{store} does not start"
            seconds.append(time.perf_counter() - begin)
            memory.append(float(process.stdout.readline()))
    return {"start-up s": statistics.median(seconds), "memory MB": statistics.median(memory)}


# -- this process ---------------------------------------------------------------------------------


async def filled(provider: BaseEmbeddingProvider, records: list[Record]) -> dict[str, float]:
    """Store *records* and return how fast that was, in batches and one by one."""
    await provider.initialize()
    begin = time.perf_counter()
    for low in range(0, len(records), BATCH):
        await provider.upsert(records[low : low + BATCH])
    rate = len(records) / (time.perf_counter() - begin)
    await provider.compact()
    singles = []
    for one in records[:SINGLES]:
        begin = time.perf_counter()
        await provider.upsert([one])
        singles.append((time.perf_counter() - begin) * 1000)
    await provider.compact()
    disk = (await provider.stats()).disk_bytes or 0
    return {
        "ingest records/s": rate,
        "one upsert ms": statistics.median(singles),
        "disk MB": disk / 1e6,
    }


def searches(
    provider: BaseEmbeddingProvider, query: Any, number: int, count: int
) -> dict[str, Callable[[], Awaitable[Any]]]:
    """Return one search of each kind."""
    package = {"file_path": {"prefix": f"src/package{number * 7 % (count // 50)}/"}}
    text = f"{word(number % 100 + 1)} {word(number * 13 % 5000)}"
    broad = {"language": "go"}
    return {
        "dense": lambda: provider.search(query, limit=LIMIT),
        "broad": lambda: provider.search(query, limit=LIMIT, where=broad),
        "narrow": lambda: provider.search(query, limit=LIMIT, where=package),
        "text": lambda: provider.search_text(text, limit=LIMIT),
        "text_broad": lambda: provider.search_text(text, limit=LIMIT, where=broad),
    }


async def searched(
    providers: dict[str, BaseEmbeddingProvider], data: Any, queries: Any
) -> dict[str, dict[str, float]]:
    """Return the search times of all *providers*, which take turns, and their recall."""
    times: dict[str, dict[str, list[float]]] = {
        store: {kind: [] for kind in KINDS} for store in providers
    }
    right = dict.fromkeys(providers, 0)
    order = list(providers)
    for number, query in enumerate(queries):
        best = set(np.argsort(-(data @ query))[:LIMIT])
        random.shuffle(order)  # none always gets the cache that another has just warmed
        for store in order:
            for kind, search in searches(providers[store], query, number, len(data)).items():
                begin = time.perf_counter()
                hits = await search()
                times[store][kind].append((time.perf_counter() - begin) * 1000)
                if kind == "dense":
                    right[store] += len({int(hit.id[2:]) for hit in hits} & best)
    figures: dict[str, dict[str, float]] = {}
    for store, kinds in times.items():
        figures[store] = {}
        for kind, label in KINDS.items():
            # The first searches fill caches: what they take is part of the start-up.
            found = percentiles(kinds[kind][5:])
            figures[store] |= {
                f"{label} p50 ms": found["p50_ms"],
                f"{label} p95 ms": found["p95_ms"],
            }
        figures[store]["recall@10"] = right[store] / (LIMIT * len(queries))
    return figures


async def compare(stores: list[str], count: int, queries: int, dimension: int) -> None:
    """Measure *stores* and print two tables: figures, and ratios to LanceDB."""
    data = vectors(count, dimension, 1)
    rng = np.random.default_rng(3)
    words = [word(number) for number in rng.zipf(1.3, size=count * WORDS) % 20_000]
    records = [
        record(row, words[row * WORDS : (row + 1) * WORDS], data[row]) for row in range(count)
    ]
    figures: dict[str, dict[str, float]] = {}
    engines = {}
    with tempfile.TemporaryDirectory() as directory:
        for store in stores:
            provider = provider_of(store, directory, dimension)
            figures[store] = await filled(provider, records)
            engines[store] = json.dumps(dict((await provider.stats()).details))
            await provider.close()
        for store in stores:
            figures[store] |= started(store, directory, dimension)
        providers = {store: provider_of(store, directory, dimension) for store in stores}
        for store, found in (
            await searched(providers, data, vectors(queries, dimension, 2))
        ).items():
            figures[store] |= found
        for provider in providers.values():
            await provider.close()
    sys.stdout.write(
        f"{count:,} records of dimension {dimension}, {queries} queries, "
        f"{os.cpu_count()} processors\n\n"
    )
    table(figures, lambda store, name: figures[store][name])
    if REFERENCE in figures and len(figures) > 1:
        sys.stdout.write(f"\nRatios to {REFERENCE}:\n\n")
        table(figures, lambda store, name: figures[store][name] / (figures[REFERENCE][name] or 1))
    for store, details in engines.items():
        sys.stdout.write(f"\n{store}: `{details}`\n")


def table(figures: dict[str, dict[str, float]], value: Callable[[str, str], float]) -> None:
    """Print a Markdown table with a line for each figure."""
    stores = list(figures)
    sys.stdout.write(f"| | {' | '.join(stores)} |\n|---|{'---:|' * len(stores)}\n")
    for name in figures[stores[0]]:
        cells = (shown(value(store, name)) for store in stores)
        sys.stdout.write(f"| {name} | {' | '.join(cells)} |\n")


def shown(value: float) -> str:
    """Return *value* with three digits or, if it is large, as a whole number."""
    return f"{value:.3g}" if value < THOUSAND else f"{value:,.0f}"


def main() -> None:
    """Read the arguments, and compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("stores", nargs="*")
    parser.add_argument("--records", type=int, default=10_000)
    parser.add_argument("--queries", type=int, default=200)
    parser.add_argument("--dimension", type=int, default=256)
    parser.add_argument("--start", help=argparse.SUPPRESS)
    given = parser.parse_args()
    warnings.simplefilter("ignore", VictorMemoryWarning)
    if given.start:
        asyncio.run(start(given.stores[0], given.start, given.dimension))
        return
    installed = [one for one in BUILTIN_PROVIDERS if not one.missing()]
    stores = given.stores or [one.name for one in installed if one.load().traits.persistent]
    asyncio.run(compare(stores, given.records, given.queries, given.dimension))


if __name__ == "__main__":
    main()
