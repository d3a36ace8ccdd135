"""LanceDB behind the provider: search times, overhead over raw calls, recall of the vector index.

    python benchmarks/lancedb_speed.py [--records 10000 100000] [--queries 200] [--code DIRECTORY]

Everything is measured in one process and one run, the provider and the raw client alternating
query by query on the same table. Vectors are synthetic: unit vectors around 300 centres, queries
around the same centres but not in the table. With `--code` they are those of the default embedder
for the chunks of the code below a directory, evenly chosen chunks being the queries. Recall is
against exact numpy search.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from victor_memory import EmbeddingConfig, EmbeddingRegistry, Record
from victor_memory.codebase.chunking import cut
from victor_memory.embedders.base import EmbedderInfo, LocalEmbedder
from victor_memory.embedders.static import StaticEmbedder

CENTRES = 300
DIMENSION = 256
LIMIT = 10


class Given(LocalEmbedder):
    """An embedder that is never asked: the vectors of this benchmark are made beforehand."""

    type = "given"
    default_model = "given"
    dimension = DIMENSION

    def _load_model(self) -> EmbedderInfo:
        return EmbedderInfo(self.type, self.model_name, self.dimension)

    def _encode(self, texts: Any, purpose: Any) -> Any:
        raise AssertionError(texts, purpose)


def vectors(count: int, dimension: int, seed: int) -> Any:
    """Return unit vectors around common centres, shape `(count, dimension)`."""
    centres = np.random.default_rng(0).normal(size=(CENTRES, dimension))
    rng = np.random.default_rng(seed)
    noise = rng.normal(scale=0.7, size=(count, dimension))
    found = (centres[rng.integers(CENTRES, size=count)] + noise).astype(np.float32)
    return found / np.linalg.norm(found, axis=1, keepdims=True)


async def code_vectors(directory: Path, count: int, queries: int) -> tuple[Any, Any]:
    """Return the vectors of up to *count* chunks of code, and those of *queries* others."""
    texts: list[str] = []
    for path in sorted(directory.rglob("*")):
        if len(texts) >= count + queries:
            break
        with suppress(OSError, UnicodeDecodeError):
            text = path.read_text(encoding="utf-8")
            texts += [one.text for one in cut(path.name, text)[0] if "\0" not in text]
    embedder = StaticEmbedder(EmbeddingConfig())
    found = await embedder.embed(texts[: count + queries])
    asked = np.linspace(0, len(found) - 1, queries, dtype=int)
    return np.delete(found, asked, axis=0), found[asked]


async def timed(calls: list[Callable[[], Awaitable[Any]]]) -> tuple[list[float], list[Any]]:
    """Return the milliseconds and the result of each call, made one after the other."""
    times, results = [], []
    for call in calls:
        start = time.perf_counter()
        results.append(await call())
        times.append((time.perf_counter() - start) * 1000)
    return times, results


def percentiles(times: list[float]) -> dict[str, float]:
    """Return the median and the 95th percentile of *times*."""
    ordered = sorted(times)
    return {
        "p50_ms": round(statistics.median(ordered), 2),
        "p95_ms": round(ordered[int(len(ordered) * 0.95)], 2),
    }


async def measure(data: Any, asked: Any) -> dict[str, Any]:
    """Return all figures for a table of the vectors *data*, searched for those in *asked*."""
    count, dimension = data.shape
    rng = np.random.default_rng(3)
    words = [f"word{number}" for number in rng.zipf(1.3, size=count * 20) % 20_000]
    Given.dimension = dimension
    with tempfile.TemporaryDirectory() as directory:
        config = EmbeddingConfig(vector_store="lancedb", persist_directory=directory)
        registry = EmbeddingRegistry.default("codebase")
        provider = registry.create(config, embedder=Given(config))
        start = time.perf_counter()
        for low in range(0, count, 5000):
            await provider.upsert(
                Record(
                    f"id{row}",
                    " ".join(words[row * 20 : row * 20 + 20]),
                    data[row],
                    {"language": "python" if row % 4 else "go", "line_number": row},
                )
                for row in range(low, min(low + 5000, count))
            )
        ingest = time.perf_counter() - start
        start = time.perf_counter()
        await provider.compact()
        compact = time.perf_counter() - start

        truth = [set(np.argsort(-(data @ query))[:LIMIT]) for query in asked]
        table: Any = provider._table  # type: ignore[attr-defined]  # noqa: SLF001 - the raw client
        columns = ["id", "text", "metadata", "_distance"]

        def ours(query: Any) -> Callable[[], Awaitable[Any]]:
            return lambda: provider.search(query, limit=LIMIT)

        def raw(query: Any) -> Callable[[], Awaitable[Any]]:
            search = table.query().nearest_to(query).distance_type("cosine")
            search = search.limit(LIMIT).refine_factor(10).select(columns)
            call: Callable[[], Awaitable[Any]] = search.to_list
            return call

        await timed([ours(one) for one in asked[:20]])
        # The two alternate, and so does which goes first: neither gets the warmer cache.
        mine: list[float] = []
        theirs: list[float] = []
        hits: list[Any] = []
        for number, query in enumerate(asked):
            for one in ("ours", "raw") if number % 2 else ("raw", "ours"):
                spent, result = await timed([ours(query) if one == "ours" else raw(query)])
                (mine if one == "ours" else theirs).extend(spent)
                hits += result if one == "ours" else []
        recall = statistics.mean(
            len({int(hit.id[2:]) for hit in found} & want) / LIMIT
            for found, want in zip(hits, truth, strict=True)
        )

        def only_go(query: Any) -> Callable[[], Awaitable[Any]]:
            return lambda: provider.search(query, limit=LIMIT, where={"language": "go"})

        def by_words(number: int) -> Callable[[], Awaitable[Any]]:
            words = f"word{number % 500} word{number}"
            return lambda: provider.search_text(words, limit=LIMIT)

        filtered, _ = await timed([only_go(one) for one in asked])
        text, _ = await timed([by_words(number) for number in range(len(asked))])
        stats = await provider.stats()
        await provider.close()
        return {
            "records": count,
            "dimension": dimension,
            "vector_index": stats.details["vector_index"],
            "ingest_records_per_s": round(count / ingest),
            "compact_and_index_s": round(compact, 1),
            "search": percentiles(mine),
            "raw_lancedb": percentiles(theirs),
            "overhead_of_medians": round(
                statistics.median(mine) / statistics.median(theirs) - 1, 3
            ),
            "recall_at_10": round(recall, 4),
            "filtered": percentiles(filtered),
            "full_text": percentiles(text),
            "disk_mb": round((stats.disk_bytes or 0) / 1e6, 1),
            "peak_rss_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        }


async def main() -> None:
    """Measure each size and print one JSON object a line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--records", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--queries", type=int, default=200)
    parser.add_argument("--code", type=Path)
    given = parser.parse_args()
    for count in given.records:
        if given.code:
            data, asked = await code_vectors(given.code, count, given.queries)
        else:
            data, asked = vectors(count, DIMENSION, 1), vectors(given.queries, DIMENSION, 2)
        figures = await measure(data, asked)
        sys.stdout.write(json.dumps(figures) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main())
