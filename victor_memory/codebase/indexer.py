"""The index of a directory, brought up to date by content: only what changed is embedded again.

A run looks at every file, compares contents with what the store holds, and writes the difference:
new chunks first, then the removal of what they replace. There is no order of kills and concurrent
runs that a later run does not put right, because nothing but the store says what is stored.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, TypeVar

from victor_memory._logging import get_logger
from victor_memory.codebase.chunking import Chunker, cut
from victor_memory.codebase.exclusions import Omissions, Reason, refused_content
from victor_memory.codebase.files import Signature, SourceTree, decode
from victor_memory.codebase.records import (
    StoredFiles,
    embedding_text,
    file_hash,
    recipe,
    records,
)
from victor_memory.filters import where
from victor_memory.types import Chunk, Record

if TYPE_CHECKING:
    from victor_memory.providers.base import BaseEmbeddingProvider

log = get_logger(__name__)
FILES_PER_LOOK: Final = 256
"""Files examined between two chances to stop, and two signs of progress."""
CHUNKS_PER_WRITE: Final = 2048
"""Whole files are gathered up to about this many chunks; this bounds memory, with the file size."""
TEXTS_PER_EMBEDDING: Final = 512
IDS_PER_DELETE: Final = 5000
PATHS_PER_QUERY: Final = 32
"""Files that are looked up in the store by name; for more of them the whole store is read."""
SETTLED_NANOSECONDS: Final = 2_000_000_000
"""A file changed less long ago than this may change again without its times showing it."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class IndexProgress:
    """How far a run is. `files_total` is `None` while the files are still being looked for."""

    phase: Literal["scan", "index", "compact"]
    files_done: int
    files_total: int | None
    chunks_written: int = 0


Progress: TypeAlias = Callable[[IndexProgress], None]


@dataclass(frozen=True, slots=True)
class IndexReport:
    """What a run did."""

    files_indexed: int = 0
    """New and changed files, written whole."""
    files_unchanged: int = 0
    files_removed: int = 0
    """Files that are gone or left out now, and were in the index."""
    chunks_written: int = 0
    chunks_embedded: int = 0
    seconds: float = 0.0
    source: str = "walk"
    """Who listed the files: `git`, or a `walk` of the directory."""
    left_out: Mapping[str, int] = field(default_factory=dict)
    """How many files, or whole directories, were left out for each reason."""
    left_out_examples: Mapping[str, Sequence[str]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    """What a person should know: no git, a chunker that failed."""

    @property
    def changed(self) -> bool:
        """Whether anything was written."""
        return bool(self.files_indexed or self.files_removed)


@dataclass(slots=True)
class Plan:
    """What separates the index from the files."""

    changed: list[str]
    """Files to write: new ones, and those with another content than is stored."""
    removed: list[str]
    new: int
    """How many of the changed files the store holds nothing of."""
    unchanged: int
    strays: list[str]
    stored: int
    """Files the store holds anything of."""
    source: str
    omissions: Omissions
    notes: list[str]

    @property
    def pending(self) -> int:
        """How many files the index is behind."""
        return len(self.changed) + len(self.removed)

    @property
    def clean(self) -> bool:
        """Whether there is nothing to do."""
        return not (self.changed or self.removed or self.strays)


@dataclass(slots=True)
class _Batch:
    """Some whole files, cut."""

    files: list[tuple[str, str, list[Chunk]]] = field(default_factory=list)
    """Path, digest and chunks of each."""
    seen: int = 0
    """Files looked at for it, including those that turned out to have gone."""
    chunks: int = 0
    problems: list[str] = field(default_factory=list)


class Indexer:
    """Keeps what *provider* holds of the directory behind *tree* up to date."""

    def __init__(
        self,
        provider: BaseEmbeddingProvider,
        tree: SourceTree,
        *,
        chunkers: Sequence[Chunker] = (),
    ) -> None:
        self.provider = provider
        self.tree = tree
        self._chunkers = tuple(chunkers)
        self._recipe = recipe(self._chunkers)
        self._stored: StoredFiles | None = None
        self._known: dict[str, tuple[Signature, str | Reason]] = {}
        """What this process found in each file, and the state the file was in then."""

    async def run(self, *, rebuild: bool = False, progress: Progress | None = None) -> IndexReport:
        """Bring the index up to date; with *rebuild*, delete it first.

        Every file is read. The store is compacted afterwards if anything was written.
        """
        started = time.perf_counter()
        if rebuild:
            await self.provider.recreate()
        self.forget()
        report = await self.apply(await self.plan(progress=progress), progress)
        if report.changed:
            _tell(progress, IndexProgress("compact", report.files_indexed, report.files_indexed))
            await self.provider.compact()
        return replace(report, seconds=time.perf_counter() - started)

    def forget(self) -> None:
        """Believe nothing about the store and the files that is not read again."""
        self._stored = None
        self._known.clear()

    # -- looking ----------------------------------------------------------------------------------

    async def plan(self, progress: Progress | None = None) -> Plan:
        """Return what separates the index from the files, reading no more than it must.

        A file that this process has read is not read again while its size, inode and times of
        change are the same; likewise the store, until the two differ.
        """
        listing = self.tree.listing()
        paths = iter(listing)
        found: dict[str, str] = {}
        known: dict[str, tuple[Signature, str | Reason]] = {}
        looked = 0
        while batch := await asyncio.to_thread(lambda: list(islice(paths, FILES_PER_LOOK))):
            verdicts = await asyncio.to_thread(self._look_at, batch)
            for path, verdict in zip(batch, verdicts, strict=True):
                if isinstance(verdict, Reason):
                    listing.omissions.add(path, verdict)
                elif verdict is not None:
                    found[path] = verdict
                if path in self._known:
                    known[path] = self._known[path]
            looked += len(batch)
            _tell(progress, IndexProgress("scan", looked, None))
        self._known = known
        trusted = self._stored is not None
        plan = await self._compare(found)
        if trusted and not plan.clean:
            # Another process may have been here since.
            await self._look_again([*plan.changed, *plan.removed])
            plan = await self._compare(found)
        plan.source, plan.omissions = listing.source, listing.omissions
        plan.notes = [listing.note] if listing.note else []
        return plan

    def _look_at(self, paths: Sequence[str]) -> list[str | Reason | None]:
        return [self._verdict(path) for path in paths]

    def _verdict(self, path: str) -> str | Reason | None:
        """Return the digest of a file, why it is left out, or `None` if it is gone."""
        signature = self.tree.signature(path)
        known = self._known.get(path)
        if known and known[0] == signature:
            return known[1]
        now = time.time_ns()
        data = self.tree.read(path)
        if not isinstance(data, bytes):
            return data
        verdict = refused_content(path, data) or file_hash(data, self._recipe)
        if signature and max(signature[2:]) < now - SETTLED_NANOSECONDS:
            self._known[path] = signature, verdict
        return verdict

    async def _compare(self, found: Mapping[str, str]) -> Plan:
        stored = await self.stored()
        changed = [path for path, digest in found.items() if stored.digest(path) != digest]
        return Plan(
            changed=changed,
            removed=[path for path in stored if path not in found],
            new=sum(path not in stored for path in changed),
            unchanged=len(found) - len(changed),
            strays=list(stored.strays),
            stored=len(stored),
            source="walk",
            omissions=Omissions(),
            notes=[],
        )

    async def _look_again(self, paths: Sequence[str]) -> None:
        """Read again what the store holds of *paths*, or of everything when they are many."""
        stored = await self.stored()
        if len(paths) > PATHS_PER_QUERY:
            self._stored = None
            return
        stored.forget(paths)
        async for batch in self.provider.scan(where("file_path", "in", paths)):
            stored.add(batch)
        stored.settle()

    async def stored(self) -> StoredFiles:
        """Return what the store holds of each file."""
        if self._stored is None:
            stored = StoredFiles()
            async for batch in self.provider.scan(batch_size=2000):
                stored.add(batch)
            stored.settle()
            self._stored = stored
        return self._stored

    def disagrees(self, path: str, digest: str) -> bool:
        """Whether a record of *path* with the content *digest* is not what was last seen stored."""
        return self._stored is not None and self._stored.digest(path) != digest

    # -- writing ----------------------------------------------------------------------------------

    async def apply(self, plan: Plan, progress: Progress | None = None) -> IndexReport:
        """Write what *plan* says is missing, and remove what it says is gone.

        When cancelled, what is embedded already is still written, and nothing else is lost.
        """
        started = time.perf_counter()
        indexed, chunks, notes = await self._write(plan, progress)
        # Last, so that a file that moved is found under one of its names at any time.
        stored = await self.stored()
        await self._delete(
            [*plan.strays, *(one for path in plan.removed for one in stored.ids(path))]
        )
        for path in plan.removed:
            stored.drop(path)
        stored.strays.clear()
        report = IndexReport(
            files_indexed=indexed,
            files_unchanged=plan.unchanged,
            files_removed=len(plan.removed),
            chunks_written=chunks,
            chunks_embedded=chunks,
            seconds=time.perf_counter() - started,
            source=plan.source,
            left_out=dict(plan.omissions.counts),
            left_out_examples={key: tuple(some) for key, some in plan.omissions.examples.items()},
            notes=(*plan.notes, *notes),
        )
        log.info("codebase_indexed", files=indexed, records=chunks, count=report.files_removed)
        return report

    async def _write(self, plan: Plan, progress: Progress | None) -> tuple[int, int, list[str]]:
        """Cut, embed and store the changed files, three batches at once, one in each stage."""
        batches = self._cut_all(plan.changed)
        files = chunks = seen = 0
        problems: dict[str, None] = {}
        reading = _in_thread(next, batches, None)
        writing: asyncio.Task[None] | None = None
        _tell(progress, IndexProgress("index", 0, len(plan.changed)))
        try:
            while (batch := await asyncio.shield(reading)) is not None:
                reading = _in_thread(next, batches, None)
                found = await self._embed(batch)
                if writing is not None:
                    await asyncio.shield(writing)
                writing = asyncio.create_task(self._store(batch, found))
                files, chunks = files + len(batch.files), chunks + batch.chunks
                seen += batch.seen
                problems.update(dict.fromkeys(batch.problems))
                _tell(progress, IndexProgress("index", seen, len(plan.changed), chunks))
            if writing is not None:
                await asyncio.shield(writing)
        finally:
            # A thread cannot be interrupted, and a write should not be: wait for both.
            await asyncio.gather(reading, *([writing] if writing else []), return_exceptions=True)
        return files, chunks, list(problems)

    def _cut_all(self, paths: Sequence[str]) -> Iterator[_Batch]:
        batch = _Batch()
        for path in paths:
            batch.seen += 1
            data = self.tree.read(path)
            if isinstance(data, bytes) and not refused_content(path, data):
                chunks, problems = cut(path, decode(data), self._chunkers)
                # A file of blanks keeps one chunk, so that the store knows the file.
                kept = [one for one in chunks if one.text.strip()] or chunks[:1]
                batch.files.append((path, file_hash(data, self._recipe), kept))
                batch.chunks += len(kept)
                batch.problems += problems
            if batch.chunks >= CHUNKS_PER_WRITE:
                yield batch
                batch = _Batch()
        if batch.seen:
            yield batch

    async def _embed(self, batch: _Batch) -> list[Record]:
        import numpy as np

        texts = [embedding_text(one) for _, _, chunks in batch.files for one in chunks]
        parts = [
            await self.provider.embedder.embed(texts[start : start + TEXTS_PER_EMBEDDING])
            for start in range(0, len(texts), TEXTS_PER_EMBEDDING)
        ]
        vectors = np.concatenate(parts) if parts else np.empty((0, 0), dtype=np.float32)

        def build() -> list[Record]:
            found: list[Record] = []
            for _, digest, chunks in batch.files:
                own = vectors[len(found) : len(found) + len(chunks)]
                found.extend(records(chunks, digest, own))
            return found

        return await asyncio.to_thread(build)

    async def _store(self, batch: _Batch, found: list[Record]) -> None:
        stored = await self.stored()
        await self.provider.upsert(found)
        # Only now: until here, a reader found the old content's last chunks rather than nothing.
        replaced = [
            one for path, _, chunks in batch.files for one in stored.ids(path, beyond=len(chunks))
        ]
        await self._delete(replaced)
        for path, digest, chunks in batch.files:
            stored.put(path, digest, len(chunks))

    async def _delete(self, ids: Sequence[str]) -> None:
        for start in range(0, len(ids), IDS_PER_DELETE):
            await self.provider.delete(ids[start : start + IDS_PER_DELETE])


def _in_thread(function: Callable[..., T], *arguments: Any) -> asyncio.Task[T]:
    return asyncio.create_task(asyncio.to_thread(function, *arguments))


def _tell(progress: Progress | None, state: IndexProgress) -> None:
    if progress is not None:
        progress(state)
