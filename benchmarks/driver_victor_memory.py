"""Driver for the code search benchmarks: this package behind the command line they call.

    driver_victor_memory.py index  --root DIR --state DIR [--opt k=v ...]
    driver_victor_memory.py search --root DIR --state DIR --queries FILE|- [-k 10] [--opt k=v ...]

Options: `store=lancedb|memory`, `embedder=static|hashing|...`, `model=NAME`, `mode=hybrid|semantic|
lexical`, `refresh=0|1` (whether every search looks for changed files first; 0 by default, since the
files do not change and other systems do not look). With `store=memory` the search process indexes
before it starts the clock. Prints JSON on stdout.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from victor_memory.codebase.memory import CodebaseMemory
from victor_memory.config import EmbeddingConfig
from victor_memory.providers.base import BaseEmbeddingProvider

NAME = "victor_memory"


def provider(state: str, options: dict[str, str]) -> BaseEmbeddingProvider:
    """Return the store that the options name, with its files in *state*."""
    config = EmbeddingConfig(
        vector_store=options.get("store", "lancedb"),
        persist_directory=state,
        embedding_model_type=options.get("embedder", "static"),
        embedding_model_name=options.get("model"),
    )
    if config.vector_store == "memory":
        from victor_memory.providers.memory import MemoryProvider

        return MemoryProvider(config)
    from victor_memory.providers.lancedb import LanceDBProvider

    return LanceDBProvider(config)


def index(root: str, state: str, **options: str) -> dict[str, Any]:
    """Index *root* and return what there is to say about it."""

    async def run() -> dict[str, Any]:
        # Opened when it is first needed, as by the runtime and `victor-memory index`.
        store = provider(state, options)
        try:
            report = await CodebaseMemory(store, root).index()
        finally:
            await store.close()
        return {
            "files": report.files_indexed,
            "chunks": report.chunks_written,
            "index_seconds": round(report.seconds, 3),
            "left_out": dict(report.left_out),
        }

    return asyncio.run(run())


def open_searcher(
    root: str, state: str, **options: str
) -> Callable[[str, int], list[dict[str, Any]]]:
    """Return a function that searches *root* and returns results as the benchmark wants them."""
    # Not a Runner: it sets signal handlers for each call, which takes as long as some searches.
    run = asyncio.new_event_loop().run_until_complete
    store = provider(state, options)
    memory = CodebaseMemory(store, root)
    refresh = options.get("refresh", "0") == "1"
    run(memory.index() if options.get("store") == "memory" else store.initialize())
    run(memory.warm())
    run(memory.search("warm up", refresh=refresh))

    def search(query: str, limit: int) -> list[dict[str, Any]]:
        mode = options.get("mode", "hybrid")
        answer = run(memory.search(query, limit=limit, mode=mode, refresh=refresh))
        return [
            {
                "path": hit.path,
                "start_line": hit.start_line,
                "end_line": hit.end_line,
                "score": hit.score,
                "text": hit.text,
            }
            for hit in answer.hits
        ]

    return search


def main() -> None:
    """Run one command of the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("command", choices=["index", "search"])
    parser.add_argument("--root", required=True)
    parser.add_argument("--state", required=True)
    parser.add_argument("--queries")
    parser.add_argument("-k", type=int, default=10)
    parser.add_argument("--repeat", type=int, default=1)
    parser.add_argument("--opt", action="append", default=[])
    arguments = parser.parse_args()
    options = dict(one.split("=", 1) for one in arguments.opt)
    root, state = str(Path(arguments.root).resolve()), str(Path(arguments.state).resolve())
    Path(state).mkdir(parents=True, exist_ok=True)
    # Whatever prints, prints to stderr: stdout is the answer.
    with os.fdopen(os.dup(1), "w") as out:
        os.dup2(2, 1)
        answer: object
        if arguments.command == "index":
            answer = _measured_index(root, state, options)
        else:
            answer = _measured_search(root, state, options, arguments)
        json.dump(answer, out)
        out.write("\n")


def _measured_index(root: str, state: str, options: dict[str, str]) -> dict[str, Any]:
    started = time.perf_counter()
    info = index(root, state, **options)
    seconds = round(time.perf_counter() - started, 3)
    peak = max(
        resource.getrusage(who).ru_maxrss
        for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    size = sum(one.stat().st_size for one in Path(state).rglob("*") if one.is_file())
    return {
        "peer": NAME,
        "root": root,
        "seconds": seconds,
        **info,
        "rss_mb": round(peak / 1024, 1),
        "state_bytes": size,
    }


def _measured_search(
    root: str, state: str, options: dict[str, str], arguments: argparse.Namespace
) -> list[dict[str, Any]]:
    from_stdin = arguments.queries in (None, "-")
    given = json.loads(sys.stdin.read() if from_stdin else Path(arguments.queries).read_text())
    queries = [one if isinstance(one, str) else one["query"] for one in given]
    started = time.perf_counter()
    search = open_searcher(root, state, **options)
    opened = time.perf_counter() - started
    rows: list[dict[str, Any]] = []
    for query in queries:
        taken = []
        for _ in range(arguments.repeat):
            started = time.perf_counter()
            results = search(query, arguments.k)
            taken.append((time.perf_counter() - started) * 1000)
        rows.append({"query": query, "ms": round(statistics.median(taken), 3), "results": results})
    if rows:
        rows[0]["open_ms"] = round(opened * 1000, 1)
    return rows


if __name__ == "__main__":
    main()
