"""`proximadb` (experimental): the embedded ProximaDB as a vector index behind a SQLite file.

What its engine (0.4.1) really does decides how it is used here:

* it forgets deletes and updates, so text, metadata, vectors and what exists at all are in SQLite.
  The engine proposes candidates; whether they exist and how near they are, SQLite says;
* it loses what was not flushed, so vectors are flushed before the commit that makes their records
  exist. If that fails, nothing was stored; if we are killed in between, the engine has vectors too
  many, whose keys lead nowhere;
* it ignores most filters, so it is never given one: where few records match they are compared by
  numpy, where many do there are enough of them among the candidates;
* it compares by cosine only, and 8-bit copies of the vectors: so it is asked for more candidates
  than are wanted, and under the other metrics it is not started at all and numpy compares;
* two engines in one process mix their data, and a fork hangs, so each has a process of its own;
* it takes 1.7 GB of memory for each open collection, empty or not, and about two seconds to open.

The index is built anew, under a new name, when samples are not found in it, when its directory was
moved or copied (it keeps absolute paths), and when half of it is records that are gone.
"""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from typing import TYPE_CHECKING, Any, ClassVar, Final, TypeVar

from filelock import FileLock, Timeout
from pydantic import Field

from victor_memory._logging import get_logger
from victor_memory.errors import ProviderUnavailableError
from victor_memory.providers._proximadb_engine import EngineError, ProximaEngine
from victor_memory.providers._sqlite_provider import (
    FILE,
    SQLiteBackedOptions,
    SQLiteBackedProvider,
)
from victor_memory.providers._sqlite_records import RecordFile, Scored
from victor_memory.providers.base import ProviderOptions
from victor_memory.types import Hit, Record, Traits

if TYPE_CHECKING:
    from victor_memory.filters import Filter
    from victor_memory.types import Vector, Vectors

log = get_logger(__name__)
T = TypeVar("T")
CANDIDATES: Final = 4
"""Candidates asked for per result: ten of fifty are then right, of ten only three quarters."""
EXTRA: Final = 40
MOST: Final = 400
"""More candidates take the engine longer than numpy takes for everything."""
SELECTIVE: Final = 2000
"""Records that match a filter up to which numpy compares them all."""
DEAD: Final = 1000
"""Rows of the engine that may lead nowhere, if they are not more than those that do not."""
SAMPLES: Final = 8
SAME: Final = 0.99
"""A vector is in the engine when it finds one whose cosine with it is at least this."""


class ProximaDBOptions(SQLiteBackedOptions):
    """Options of the ProximaDB store."""

    open_timeout: float = Field(
        10.0, gt=0, description="Seconds to wait for another program that has the store open."
    )
    engine_timeout: float = Field(
        120.0, gt=0, description="Seconds after which an engine that does not answer is restarted."
    )


class ProximaDBProvider(SQLiteBackedProvider):
    """Records in a SQLite file in `directory`, candidates for search by vector from ProximaDB."""

    name: ClassVar[str] = "proximadb"
    title: ClassVar[str] = "ProximaDB"
    traits: ClassVar[Traits] = Traits(
        persistent=True, multi_process=False, full_text=True, exact=False, transactional=True
    )
    options_model: ClassVar[type[ProviderOptions]] = ProximaDBOptions
    options: ProximaDBOptions

    # -- life cycle -------------------------------------------------------------------------------

    async def _open(self) -> None:
        self._engine = ProximaEngine(self.directory, self.dimension, self.options.engine_timeout)
        self._lock = FileLock(self.directory / ".open.lock", thread_local=False)
        async with AsyncExitStack() as undo:
            await self._claim()
            undo.callback(self._lock.release)
            if not self._path.exists():
                # What never came into being leaves nothing: the fallback store may have its place.
                undo.push_async_callback(asyncio.to_thread, self._remove)
            await super()._open()
            undo.push_async_callback(super()._close)
            undo.push_async_callback(asyncio.to_thread, self._engine.stop)
            if self._compares:
                await self._write(self._ready)
            undo.pop_all()

    def _remove(self) -> None:
        """Delete the files of the records and of the engine."""
        self._engine.erase()
        for file in self.directory.glob(f"{FILE}*"):
            file.unlink()

    async def _claim(self) -> None:
        """Take the directory for this provider alone."""
        deadline = asyncio.get_running_loop().time() + self.options.open_timeout
        while not self._lock.is_locked:
            # Never blocking, so that a cancelled task cannot leave the lock taken in a thread.
            with suppress(Timeout):
                self._lock.acquire(timeout=0)
                return
            if asyncio.get_running_loop().time() > deadline:
                msg = (
                    f"{self._place} is open in another program or provider, and ProximaDB allows "
                    "one only. Close the other, or share another store: VICTOR_VECTOR_STORE=lancedb"
                )
                raise ProviderUnavailableError(msg)
            await asyncio.sleep(0.05)

    async def _close(self) -> None:
        if os.getpid() != self._pid:
            return  # the engine is that of the process that forked
        try:
            await super()._close()
        finally:
            await asyncio.to_thread(self._engine.stop)
            self._lock.release()

    @property
    def _compares(self) -> bool:
        """Whether the engine can say what is near under this metric."""
        return self.metric == "cosine"

    # -- the engine, in the thread that writes ----------------------------------------------------

    def _start(self) -> None:
        """Start the engine, with an index built anew if the one there is not as it should be.

        Raises:
            EngineError: it does not start.

        """
        if self._writing.noted("engine_place", b"") == self._where() and self._starts_healthy():
            return
        # All of it goes, because what is wrong may be anywhere.
        self._engine.erase()
        self._engine.start(patience=self.options.open_timeout)
        self._rebuild()

    def _starts_healthy(self) -> bool:
        """Start the engine; return whether it has the collection, and finds samples in it."""
        try:
            self._engine.start(patience=self.options.open_timeout)
            name = _collection(self._writing)
            if name not in self._engine.collections():
                return False
            for vector in self._writing.sample(SAMPLES):
                found = self._engine.search(name, _unit(vector), 1)
                if not found or found[0][1] < SAME:
                    return False
        except EngineError as exc:
            log.warning("engine_unhealthy", provider=self.name, error=str(exc))
            return False
        return True

    def _where(self) -> bytes:
        return os.fsencode(self.directory.resolve())

    def _rebuild(self) -> None:
        """Build the index in a new collection of the engine, and delete all others."""
        # Never a name that was used before, be it by a rebuilding that was killed half-way.
        name, rows = f"vectors-{secrets.token_hex(8)}", 0
        self._engine.create(name)
        for keys, vectors in self._writing.vectors(0):
            self._engine.append(name, keys.tolist(), _unit(vectors))
            rows += len(keys)
        with self._writing.writing():
            self._writing.note("engine_place", self._where())
            self._writing.note("engine_collection", name)
            self._writing.note("engine_rows", rows)
        log.info("vector_index_built", provider=self.name, records=rows)
        for old in self._engine.collections():
            if old != name:
                self._engine.drop(old)

    def _running(self, job: Callable[[], T]) -> T:
        """Return what *job* returns; if the engine has ended, or does so now, it is started again.

        Raises:
            ProviderUnavailableError: it does not start, or ends each time.

        """

        def attempt() -> T:
            if not self._engine.running:
                self._start()
            return job()

        try:
            return attempt()
        except EngineError as exc:
            log.warning("engine_failed", provider=self.name, error=str(exc))
        try:
            return attempt()
        except EngineError as exc:
            msg = (
                f"ProximaDB's engine fails: {exc}. Check that 2 GB of memory are free, or use "
                "another store: VICTOR_VECTOR_STORE=lancedb"
            )
            raise ProviderUnavailableError(msg) from exc

    def _ready(self) -> None:
        """Have the engine run."""
        self._running(lambda: None)

    def _tidy(self, dead: int) -> None:
        """Build the index anew if more than *dead* of its rows are of records that are gone."""
        rows = self._writing.noted("engine_rows", 0) - self._writing.count(None)
        if self._compares and rows > dead:
            try:
                self._running(self._rebuild)
            except ProviderUnavailableError:
                # It costs time and space, but what was asked for is done.
                log.warning("compaction_postponed", provider=self.name, collection=self.collection)

    # -- writing ----------------------------------------------------------------------------------

    async def _commit(self, records: list[Record]) -> None:
        last = list({one.id: one for one in records}.values())

        def store() -> None:
            self._writing.upsert(last, self._append)

        def commit() -> None:
            self._running(store) if self._compares else self._writing.upsert(last)
            self._tidy_often()

        await self._write(commit)

    def _append(self, keys: Sequence[int], vectors: Vectors) -> None:
        """Have the engine keep *vectors* before the records with *keys* come into being."""
        self._engine.append(_collection(self._writing), keys, _unit(vectors))
        self._writing.note("engine_rows", self._writing.noted("engine_rows", 0) + len(keys))

    async def _delete(self, ids: list[str]) -> int:
        return await self._deleted(lambda: self._writing.delete(ids))

    async def _delete_where(self, where: Filter) -> int:
        return await self._deleted(lambda: self._writing.delete_where(where))

    async def _deleted(self, delete: Callable[[], int]) -> int:
        def job() -> int:
            deleted = delete()
            self._tidy_often()
            return deleted

        return await self._write(job)

    async def _clear(self) -> None:
        await super()._clear()
        await self._write(lambda: self._tidy(0))

    async def _compact(self) -> None:
        await super()._compact()
        await self._write(lambda: self._tidy(self._writing.count(None) // 4))

    async def _purge(self) -> None:
        await super()._purge()
        if self._compares:
            await self._write(self._renew)

    def _renew(self) -> None:
        """Build the index anew from nothing: what the engine deletes, its files may still hold."""
        self._engine.erase()
        with self._writing.writing():
            self._writing.note("engine_place", b"")
        self._ready()

    def _tidy_often(self) -> None:
        self._tidy(max(DEAD, self._writing.count(None)))

    # -- reading ----------------------------------------------------------------------------------

    async def _search(self, vector: Vector, limit: int, where: Filter | None) -> list[Hit]:
        if self._compares and not self._engine.running:
            # Where it cannot be started again numpy searches: reading needs no engine.
            with suppress(ProviderUnavailableError):
                await self._write(self._ready)
        return await self._read(lambda: self._nearest(vector, limit, where))

    def _nearest(self, vector: Vector, limit: int, where: Filter | None) -> list[Hit]:
        with self._reading.reading():
            found = self._proposed(vector, limit, where) if self._engine.running else None
            if found is None:
                found = self._reading.nearest(vector, limit, where, self.metric)
            return self._reading.hits(found[:limit])

    def _proposed(self, vector: Vector, limit: int, where: Filter | None) -> Scored | None:
        """Return the nearest of what the engine proposes, or `None` where that is too little."""
        count = self._reading.count(None)
        wanted, enough = CANDIDATES * limit + EXTRA, CANDIDATES * limit // 2
        if where is not None:
            matching = self._reading.count(where)
            if matching <= SELECTIVE:
                return None
            wanted = wanted * count // matching
        name = _collection(self._reading)
        while wanted <= MOST:
            try:
                proposed = self._engine.search(name, _unit(vector), wanted)
            except EngineError as exc:
                log.warning("engine_failed", provider=self.name, error=str(exc))
                return None
            keys = [key for key, _ in proposed]
            found, there = self._reading.rank(keys, vector, where, self.metric)
            if len(found) >= enough or len(there) == count:
                return found
            # Many of them are of records that are gone, or fail the filter.
            wanted *= 3
        return None

    async def _details(self) -> Mapping[str, Any]:
        rows, count = await self._read(
            lambda: (self._reading.noted("engine_rows", 0), self._reading.count(None))
        )
        if not self._compares:
            return {"vector_engine": "numpy", "note": "ProximaDB's engine compares by cosine only"}
        return {
            "vector_engine": f"proximadb_embedded {self._engine.version}",
            "engine_rows": rows,
            "engine_dead_rows": rows - count,
            "engine_memory_mb": self._engine.memory_mb,
            "note": "its engine takes about 1.7 GB of memory for each open collection",
        }


def _collection(file: RecordFile) -> str:
    """Return the name of the engine's collection that has the vectors of *file*."""
    return file.noted("engine_collection", "")


def _unit(vectors: Vectors) -> Vectors:
    """Return *vectors*, one or many, with the length 1."""
    import numpy as np

    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.asarray(vectors / lengths, dtype=np.float32)
