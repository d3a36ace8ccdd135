"""Indexing a real repository: first run, a run with nothing changed, and one with one file changed.

    python benchmarks/index_repository.py DIRECTORY [--store lancedb] [--move SUBDIRECTORY]

DIRECTORY is copied first, and the copy is changed. Start-up is not counted; peak memory is that of
the whole process. With --move, one run more is measured, after SUBDIRECTORY has got another name.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from victor_memory import MemorySettings, open_runtime


async def measure(directory: Path, store: str, move: str | None) -> dict[str, Any]:
    """Return the figures of the runs."""
    with tempfile.TemporaryDirectory() as scratch:
        code = Path(scratch, "code")
        shutil.copytree(directory, code, symlinks=True)
        settings = MemorySettings(embeddings_dir=Path(scratch, "embeddings"), vector_store=store)
        async with open_runtime(settings, project=code) as memory:
            first = await memory.codebase_at(code).index()
        rss = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        async with open_runtime(settings, project=code) as memory:
            codebase = memory.codebase_at(code)
            await codebase.stats()
            start = time.perf_counter()
            second = await codebase.index()
            unchanged = time.perf_counter() - start
            hits = (await codebase.search("function", limit=1)).hits
            changed = code / hits[0].path
            changed.write_text(
                changed.read_text(encoding="utf-8") + "\n# changed\n", encoding="utf-8"
            )
            start = time.perf_counter()
            third = await codebase.index()
            one_file = time.perf_counter() - start
            searches = []
            for query in ("where are errors handled?", "parse the configuration", "open a file"):
                start = time.perf_counter()
                await codebase.search(query, refresh=False)
                searches.append(round((time.perf_counter() - start) * 1000, 1))
            stats = await codebase.stats()
            moved = {}
            if move:
                (code / move).rename(code / f"{move}-moved")
                report = await codebase.index()
                moved["moved_run"] = {
                    "files_indexed": report.files_indexed,
                    "chunks_embedded": report.chunks_embedded,
                    "seconds": round(report.seconds, 2),
                }
        return {
            "files": first.files_indexed,
            "chunks": first.chunks_written,
            "seconds": round(first.seconds, 2),
            "files_per_s": round(first.files_indexed / first.seconds),
            "chunks_per_s": round(first.chunks_written / first.seconds),
            "peak_rss_mb": round(rss),
            "disk_mb": round((stats.disk_bytes or 0) / 1e6, 1),
            "unchanged_run_s": round(unchanged, 3),
            "unchanged_run_embedded": second.chunks_embedded,
            "one_file_run_s": round(one_file, 3),
            "one_file_run": {
                "files_indexed": third.files_indexed,
                "chunks_embedded": third.chunks_embedded,
            },
            "warm_searches_ms": searches,
            **moved,
        }


def main() -> None:
    """Print one JSON object."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("directory", type=Path)
    parser.add_argument("--store", default="lancedb")
    parser.add_argument("--move", help="a directory below DIRECTORY")
    given = parser.parse_args()
    figures = asyncio.run(measure(given.directory, given.store, given.move))
    sys.stdout.write(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
