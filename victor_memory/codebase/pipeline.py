"""Files on their way into the store: cut, embedded and written, each stage ahead of the next.

Cutting runs far ahead of a slow model, so that new text is found by its words long before it has
vectors; how far is bounded, and with it the memory, whatever the size of the codebase.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeAlias

from victor_memory.codebase.pending import PendingChunks
from victor_memory.codebase.records import CutFile, embedding_text, records
from victor_memory.codebase.vector_cache import Embedding
from victor_memory.errors import EmbeddingError
from victor_memory.types import Record

if TYPE_CHECKING:
    from victor_memory.types import Vectors

CHUNKS_PER_WRITE: Final = 2048
"""Whole files are gathered up to about this many chunks; this bounds memory, with the file size."""
SECONDS_PER_WRITE: Final = 5.0
"""What a slow model has embedded is written at least so often."""
TEXTS_PER_EMBEDDING: Final = 512
WORTHWHILE_TEXTS: Final = 128
"""A fast model does not wait for more: it has nothing else to do."""
AHEAD_CHUNKS: Final = 10_000
"""Chunks that may be cut and not stored yet."""
SECONDS_PER_CUT: Final = 0.1
CHUNKS_PER_CUT: Final = 256

Cut: TypeAlias = Callable[[str], tuple[CutFile | None, Sequence[str]]]
"""From a path to its file, unless it is gone or left out, and what went wrong."""
Ready: TypeAlias = tuple[CutFile, list[Record]]


@dataclass(slots=True)
class Tally:
    """How far a pipeline is."""

    seen: int = 0
    """Files written, or found to be gone."""
    files: int = 0
    chunks: int = 0
    problems: dict[str, None] = field(default_factory=dict)
    """What went wrong, each once."""


class Pipeline:
    """Takes files through *cut* and *embedding* to *store*, which gets whole files. For one run."""

    def __init__(
        self,
        cut: Cut,
        embedding: Embedding,
        store: Callable[[list[Ready]], Awaitable[None]],
        pending: PendingChunks,
        *,
        fresh: bool = False,
    ) -> None:
        self.tally = Tally()
        self._cut = cut
        self._embedding = embedding
        self._store = store
        self._pending = pending
        self._fresh = fresh
        self._queue: deque[CutFile] = deque()
        self._queued = 0
        self._ended = False
        self._told = 0
        self._moved = asyncio.Event()

    async def run(self, paths: Sequence[str], progress: Callable[[Tally], None]) -> Tally:
        """Do it for *paths*; *progress* is called after each write.

        When cancelled, what is embedded already is still written, and nothing else is lost.
        """
        feeding = asyncio.create_task(self._feed(iter(paths)))
        ready: list[Ready] = []
        writing: asyncio.Task[None] | None = None
        written = time.monotonic()
        try:
            while files := await self._take():
                ready += await self._embedded(files)
                enough = min(CHUNKS_PER_WRITE, AHEAD_CHUNKS // 2)
                full = sum(len(made) for _, made in ready) >= enough
                if full or time.monotonic() - written >= SECONDS_PER_WRITE:
                    if writing is not None:
                        await asyncio.shield(writing)
                    writing, ready = asyncio.create_task(self._write(ready, progress)), []
                    written = time.monotonic()
            await feeding
        except BaseException as exc:
            await self._settle(feeding, writing)
            if isinstance(exc, asyncio.CancelledError | EmbeddingError):
                await self._write(ready, progress)
            raise
        if writing is not None:
            await self._finish(writing)
        await self._finish(asyncio.create_task(self._write(ready, progress)))
        if self.tally.seen > self._told:
            progress(self.tally)  # the last files were gone
        return self.tally

    @staticmethod
    async def _finish(writing: asyncio.Task[None]) -> None:
        """Wait for a write, which is not interrupted, even when this is cancelled."""
        try:
            await asyncio.shield(writing)
        except asyncio.CancelledError:
            await asyncio.gather(writing, return_exceptions=True)
            raise

    @staticmethod
    async def _settle(feeding: asyncio.Task[None], writing: asyncio.Task[None] | None) -> None:
        """Stop the one, and wait for the other."""
        feeding.cancel()
        await asyncio.gather(feeding, *([writing] if writing else []), return_exceptions=True)

    # -- cutting ----------------------------------------------------------------------------------

    async def _feed(self, paths: Iterator[str]) -> None:
        try:
            while True:
                work = asyncio.create_task(asyncio.to_thread(self._cut_some, paths))
                try:
                    files, gone, problems = await asyncio.shield(work)
                except asyncio.CancelledError:
                    # A thread cannot be interrupted: wait for it.
                    with suppress(Exception):
                        await work
                    raise
                for file in files:
                    self._pending.add(file)
                    self._queue.append(file)
                    self._queued += len(file.chunks)
                self.tally.seen += gone
                self.tally.problems.update(dict.fromkeys(problems))
                if not files and not gone:
                    return
                self._moved.set()
                while self._full:
                    await self._wait()
        finally:
            self._ended = True
            self._moved.set()

    def _cut_some(self, paths: Iterator[str]) -> tuple[list[CutFile], int, list[str]]:
        """Return some files, how many more were gone, and what went wrong."""
        files: list[CutFile] = []
        gone, chunks, problems = 0, 0, list[str]()
        deadline = time.monotonic() + SECONDS_PER_CUT
        for path in paths:
            file, wrong = self._cut(path)
            problems += wrong
            if file is None:
                gone += 1
            else:
                files.append(file)
                chunks += len(file.chunks)
            if chunks >= CHUNKS_PER_CUT or time.monotonic() >= deadline:
                break
        return files, gone, problems

    @property
    def _full(self) -> bool:
        return len(self._pending) >= AHEAD_CHUNKS

    async def _wait(self) -> None:
        self._moved.clear()
        await self._moved.wait()

    # -- embedding --------------------------------------------------------------------------------

    async def _take(self) -> list[CutFile]:
        """Return the next files, about as much as the model does at once; none at the end."""
        wanted = min(self._embedding.calls, TEXTS_PER_EMBEDDING)
        enough = min(wanted, WORTHWHILE_TEXTS)
        while self._queued < enough and not self._ended and not (self._full and self._queue):
            await self._wait()
        taken, chunks = list[CutFile](), 0
        while self._queue and (not taken or chunks < wanted):
            taken.append(self._queue.popleft())
            chunks += len(taken[-1].chunks)
        self._queued -= chunks
        return taken

    async def _embedded(self, files: list[CutFile]) -> list[Ready]:
        texts = [embedding_text(one) for file in files for one in file.chunks]
        vectors = await self._embedding.of(texts, TEXTS_PER_EMBEDDING, fresh=self._fresh)
        return await asyncio.to_thread(_made, files, vectors)

    async def _write(self, ready: list[Ready], progress: Callable[[Tally], None]) -> None:
        if not ready:
            return
        await self._store(ready)
        self._pending.discard(file.path for file, _ in ready)
        self._moved.set()
        self.tally.seen += len(ready)
        self.tally.files += len(ready)
        self.tally.chunks += sum(len(made) for _, made in ready)
        self._told = self.tally.seen
        progress(self.tally)


def _made(files: Sequence[CutFile], vectors: Vectors) -> list[Ready]:
    found: list[Ready] = []
    start = 0
    for file in files:
        found.append((file, list(records(file, vectors[start : start + len(file.chunks)]))))
        start += len(file.chunks)
    return found
