"""How long code search takes as a codebase grows: `python benchmarks/search_speed.py DIRECTORY`.

The chunks of a real directory are stored as often as it takes, each copy under paths of its own and
with vectors a little off, so that words are as frequent as in real code and no two vectors are the
same. The questions are the doc comments and names that the code has. Times are of whole searches in
a warm process, nothing else counted: embedding the question, candidates, ranking, pieces.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import resource
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from victor_memory.codebase.chunking import cut
from victor_memory.codebase.exclusions import refused_content
from victor_memory.codebase.files import SourceTree, decode
from victor_memory.codebase.memory import CodebaseMemory
from victor_memory.codebase.records import CutFile, embedding_text, records, terms
from victor_memory.config import EmbeddingConfig
from victor_memory.providers.lancedb import LanceDBProvider
from victor_memory.types import Chunk

BATCH = 4096
NOISE = 0.02


def cut_files(root: Path) -> list[tuple[str, list[Chunk]]]:
    """Return the chunks of each file below *root* that would be indexed."""
    tree, found = SourceTree(root), []
    for path in tree.listing():
        data = tree.read(path)
        if isinstance(data, bytes) and not refused_content(path, data):
            found.append((path, cut(path, decode(data))[0]))
    return found


def questions(files: list[tuple[str, list[Chunk]]], count: int) -> list[str]:
    """Return names and words of the code, as somebody might ask for them."""
    generator = random.Random(1)  # noqa: S311 - the same questions each time
    chunks = [one for _, some in files for one in some if one.symbol]
    asked = []
    for one in generator.sample(chunks, min(count, len(chunks))):
        words = " ".join(word for word in one.text.split() if word.isalpha())[:60]
        asked.append(generator.choice([str(one.symbol), f"{one.symbol} {words}", words or "main"]))
    return asked


async def measure(root: Path, chunks: int, asked: list[str], files: list[CutFile]) -> None:
    """Store *chunks* chunks and search them; print one line of JSON."""
    with tempfile.TemporaryDirectory() as place:
        config = EmbeddingConfig(vector_store="lancedb", persist_directory=place)
        async with LanceDBProvider(config) as provider:
            texts = [embedding_text(one) for file in files for one in file.chunks]
            parts = [
                await provider.embedder.embed(texts[start : start + BATCH])
                for start in range(0, len(texts), BATCH)
            ]
            vectors = np.concatenate(parts)
            started = time.perf_counter()
            stored, batch, view = 0, [], {}
            for file, own in copies(files, vectors, chunks):
                batch += list(records(file, own))
                view[file.path] = file.digest, len(file.chunks)
                if len(batch) >= BATCH:
                    stored += await provider.upsert(batch)
                    batch = []
            stored += await provider.upsert(batch)
            await provider.compact()
            filled = time.perf_counter() - started
            memory = CodebaseMemory(provider, root)
            memory._indexer.view.commit(view)  # noqa: SLF001 - as after a run over these files
            await memory.warm()
            taken: list[float] = []
            for question in [*asked[:20], *asked]:
                began = time.perf_counter()
                await memory.search(question, refresh=False)
                taken.append((time.perf_counter() - began) * 1000)
            taken = sorted(taken[20:])
            report = {
                "chunks": stored,
                "in_memory": await memory._resident.current() is not None,  # noqa: SLF001
                "fill_s": round(filled, 1),
                "p50_ms": round(taken[len(taken) // 2], 2),
                "p95_ms": round(taken[int(len(taken) * 0.95)], 2),
                "rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
            }
            print(json.dumps(report))


def copies(
    files: list[CutFile], vectors: np.ndarray, chunks: int
) -> Iterator[tuple[CutFile, np.ndarray]]:
    """Yield *files* again and again, with their vectors, until there are *chunks* chunks."""
    generator = np.random.default_rng(2)
    made = number = 0
    while made < chunks:
        start = 0
        for file in files:
            own = vectors[start : start + len(file.chunks)]
            start += len(file.chunks)
            if made >= chunks or not file.chunks:
                continue
            path = f"copy{number}/{file.path}" if number else file.path
            there = [
                Chunk(path, c.start_line, c.end_line, c.text, c.language, c.symbol, c.defines)
                for c in file.chunks
            ]
            noise = generator.normal(scale=NOISE, size=own.shape).astype(np.float32)
            yield CutFile(path, file.digest, there, file.terms), own + noise * bool(number)
            made += len(there)
        number += 1


def main() -> None:
    """Run the benchmark from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--chunks", type=int, nargs="+", default=[20_000, 200_000])
    parser.add_argument("--questions", type=int, default=200)
    given = parser.parse_args()
    found = cut_files(given.directory)
    files = [CutFile(path, path, some, [terms(one) for one in some]) for path, some in found]
    asked = questions(found, given.questions)
    for chunks in given.chunks:
        asyncio.run(measure(given.directory, chunks, asked, files))


if __name__ == "__main__":
    main()
