"""Killing the indexer at random moments: does a search work after each, is the end as it should be?

    python benchmarks/index_kills.py DIRECTORY [--kills 50] [--seed 0] [--store lancedb]

DIRECTORY is copied. `victor-memory index` runs on the copy and is killed (SIGKILL) after a random
time; then another process searches, without indexing anything. Whenever a run was quicker than its
killer, a third of the files is changed, moved, removed or copied, so that there is work again. In
the end one run is left alone, and what it leaves is compared with a fresh index: ids, texts, terms,
metadata and vectors. Prints one JSON object; the exit code is 1 if anything is not as it should be.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from victor_memory import MemorySettings, open_runtime

QUERIES = ("parse the header", "open a connection", "def test error", "memory buffer")


def start(command: str, code: Path, embeddings: Path, store: str) -> subprocess.Popen[bytes]:
    """Start `victor-memory COMMAND` on *code*."""
    environment = {
        **os.environ,
        "VICTOR_EMBEDDINGS_DIR": str(embeddings),
        "VICTOR_VECTOR_STORE": store,
    }
    program = [sys.executable, "-m", "victor_memory", command, str(code)]
    return subprocess.Popen(
        program, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )


async def look(code: Path, embeddings: Path, store: str) -> dict[str, Any]:
    """Search without indexing; return how many records and results there were."""
    settings = MemorySettings(embeddings_dir=embeddings, vector_store=store)
    async with open_runtime(settings, project=code) as memory:
        codebase = memory.codebase_at(code)
        found = 0
        for query in QUERIES:
            answer = await codebase.search(query, refresh=False)
            assert answer.hits or answer.notice
            found += len(answer.hits)
        return {"records": (await codebase.stats()).records, "hits": found}


async def contents(code: Path, embeddings: Path, store: str) -> dict[str, Any]:
    """Return every record, comparable."""
    settings = MemorySettings(embeddings_dir=embeddings, vector_store=store)
    async with open_runtime(settings, project=code) as memory:
        stats = await memory.codebase_at(code).stats()
        provider = memory.provider("codebase", stats.collection)
        return {
            one.id: (one.text, one.terms, dict(one.metadata), _bytes(one.vector))
            async for batch in provider.scan(with_vectors=True)
            for one in batch
        }


def _bytes(vector: Any) -> bytes:
    return bytes(vector.tobytes())


def change(code: Path, chance: random.Random) -> None:
    """Change, move, remove or copy a third of the files."""
    files = sorted(one for one in code.rglob("*") if one.is_file())
    for path in chance.sample(files, len(files) // 3):
        kind = chance.random()
        if kind < 0.7:
            lines = path.read_bytes().splitlines(keepends=True)
            chance.shuffle(lines)
            path.write_bytes(b"".join(lines))
        elif kind < 0.9:
            path.rename(path.with_name(f"{chance.randrange(1000)}-{path.name[-60:]}"))
        elif chance.random() < 0.5:
            path.unlink()
        else:
            shutil.copy(path, path.with_name(f"{chance.randrange(1000)}-{path.name[-60:]}"))


def run(directory: Path, kills: int, seed: int, store: str) -> dict[str, Any]:
    """Return what happened."""
    chance = random.Random(seed)  # noqa: S311 - moments, not keys
    with tempfile.TemporaryDirectory() as scratch:
        code, embeddings = Path(scratch, "code"), Path(scratch, "embeddings")
        shutil.copytree(directory, code, symlinks=True)
        started = time.perf_counter()
        start("index", code, Path(scratch, "first"), store).communicate()
        longest = time.perf_counter() - started
        killed = finished = 0
        failures: list[str] = []
        while killed < kills:
            running = start("index", code, embeddings, store)
            began = time.perf_counter()
            try:
                _, error = running.communicate(timeout=chance.uniform(0, longest))
            except subprocess.TimeoutExpired:
                running.kill()
                running.communicate()
                killed += 1
            else:
                finished += 1
                longest = time.perf_counter() - began
                if running.returncode:
                    failures.append(error.decode()[-300:])
                change(code, chance)
            try:
                seen = asyncio.run(look(code, embeddings, store))
            except Exception as exc:  # noqa: BLE001 - the figure of this benchmark
                failures.append(f"{type(exc).__name__}: {exc}")
            else:
                print(f"{killed} kills, {finished} runs finished, then {seen}", file=sys.stderr)
        last = start("index", code, embeddings, store)
        _, error = last.communicate()
        fresh = Path(scratch, "fresh")
        start("index", code, fresh, store).communicate()
        found = asyncio.run(contents(code, embeddings, store))
        wanted = asyncio.run(contents(code, fresh, store))
        return {
            "kills": killed,
            "runs_finished_meanwhile": finished,
            "failures": failures,
            "last_run": error.decode()[-300:] if last.returncode else "ok",
            "records": len(found),
            "ids_equal": found.keys() == wanted.keys(),
            "contents_equal": found == wanted,
            "different": [
                repr((found[one], wanted[one]))[:2000]
                for one in sorted(found.keys() & wanted.keys())
                if found[one] != wanted[one]
            ][:2],
            "seconds": round(time.perf_counter() - started, 1),
        }


def main() -> None:
    """Print one JSON object."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("directory", type=Path)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--store", default="lancedb")
    given = parser.parse_args()
    figures = run(given.directory, given.kills, given.seed, given.store)
    sys.stdout.write(json.dumps(figures, indent=1) + "\n")
    sys.exit(bool(figures["failures"]) or not figures["contents_equal"])


if __name__ == "__main__":
    main()
