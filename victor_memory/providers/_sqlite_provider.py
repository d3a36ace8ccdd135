"""`SQLiteBackedProvider`: the operations of every store whose records are in a SQLite file.

A store adds how it searches by vector, and what else has to be done before a write is committed.

One thread writes and one reads, each with a connection of its own, so that reading never waits for
writing, nothing blocks the event loop, and any number of event loops may take turns.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

from pydantic import Field

from victor_memory.errors import ProviderClosedError, ProviderUnavailableError
from victor_memory.providers._group_commit import GroupCommit
from victor_memory.providers._sqlite_file import explained
from victor_memory.providers._sqlite_records import RecordFile, Scored
from victor_memory.providers.base import BaseEmbeddingProvider, ProviderOptions
from victor_memory.types import Hit, Record

if TYPE_CHECKING:
    from victor_memory.filters import Filter

T = TypeVar("T")
FILE: Final = "records.sqlite3"


class SQLiteBackedOptions(ProviderOptions):
    """Options of every store whose records are in a SQLite file."""

    lock_timeout: float = Field(
        60.0, gt=0, description="Seconds to wait for other programs that are writing."
    )


class SQLiteBackedProvider(BaseEmbeddingProvider):
    """Records in one SQLite file in `directory`."""

    options: SQLiteBackedOptions

    # -- life cycle -------------------------------------------------------------------------------

    async def _open(self) -> None:
        self._pid = os.getpid()
        self._writes: GroupCommit[Record] = GroupCommit(self._commit)
        self._scans: set[RecordFile] = set()
        self._writer, self._reader = (
            ThreadPoolExecutor(1, thread_name_prefix=f"{self.name}-{does}")
            for does in ("writes", "reads")
        )
        try:
            self._writing = await self._run(self._writer, lambda: self._connect(create=True))
            self._reading = await self._run(self._reader, self._connect)
        except BaseException:
            self._writer.shutdown(wait=False)
            self._reader.shutdown(wait=False)
            raise

    def _connect(self, *, create: bool = False) -> RecordFile:
        """Return a new connection to the records."""
        return RecordFile(
            self._path,
            patience=self.options.lock_timeout,
            extension=self._extension(),
            create=create,
        )

    def _extension(self) -> str | None:
        """Return the library by which SQLite compares vectors, if it can."""
        return None

    async def _close(self) -> None:
        if os.getpid() != self._pid:
            return  # the files and threads are those of the process that forked
        await self._writes.finish()
        await self._read(self._close_readers)
        await self._write(self._writing.close)
        self._reader.shutdown(wait=False)
        self._writer.shutdown(wait=False)

    def _close_readers(self) -> None:
        for file in (self._reading, *self._scans):
            file.close()
        self._scans.clear()

    @property
    def _path(self) -> Path:
        return self.directory / FILE

    # -- threads ----------------------------------------------------------------------------------

    async def _write(self, job: Callable[[], T]) -> T:
        return await self._run(self._writer, job)

    async def _read(self, job: Callable[[], T]) -> T:
        return await self._run(self._reader, lambda: self._reading.retried(job))

    async def _run(self, thread: ThreadPoolExecutor, job: Callable[[], T]) -> T:
        """Return what *job* returns, run in *thread* after the jobs before it."""
        if os.getpid() != self._pid:
            msg = (
                f"This {self.title} provider was opened before the process forked. Create a new "
                "one in the child, or start processes with the method 'spawn'."
            )
            raise ProviderUnavailableError(msg)

        def run() -> T:
            with explained(self._path):
                return job()

        return await asyncio.get_running_loop().run_in_executor(thread, run)

    # -- writing ----------------------------------------------------------------------------------

    async def _upsert(self, records: list[Record]) -> None:
        await self._writes.submit(records)

    async def _commit(self, records: list[Record]) -> None:
        last = list({one.id: one for one in records}.values())
        await self._write(lambda: self._writing.upsert(last))

    async def _delete(self, ids: list[str]) -> int:
        return await self._write(lambda: self._writing.delete(ids))

    async def _delete_where(self, where: Filter) -> int:
        return await self._write(lambda: self._writing.delete_where(where))

    async def _clear(self) -> None:
        await self._write(self._writing.clear)

    async def _compact(self) -> None:
        await self._write(self._writing.compact)

    async def _purge(self) -> None:
        await self._write(self._writing.purge)

    # -- reading ----------------------------------------------------------------------------------

    async def _search_terms(
        self, terms: Sequence[str], limit: int, where: Filter | None
    ) -> list[Hit]:
        return await self._read(lambda: self._found(self._reading.match(terms, limit, where)))

    def _found(self, scored: Scored) -> list[Hit]:
        return self._reading.hits(scored)

    async def _get(self, ids: list[str], *, with_vectors: bool) -> list[Record]:
        return await self._read(lambda: self._reading.get(ids, with_vectors=with_vectors))

    async def _generation(self) -> str | None:
        # Of the connection that only reads: it changes with every other connection's commits.
        return await self._read(self._reading.data_version)

    async def _count(self, where: Filter | None) -> int:
        return await self._read(lambda: self._reading.count(where))

    async def _scan(
        self, where: Filter | None, *, with_vectors: bool, batch_size: int
    ) -> AsyncIterator[list[Record]]:
        def begin() -> tuple[RecordFile, Iterator[list[Record]]]:
            file = self._connect()
            self._scans.add(file)
            return file, file.scan(where, with_vectors=with_vectors, batch_size=batch_size)

        def check() -> None:
            if file not in self._scans:
                msg = f"This {self.title} provider was closed during a scan. Create a new one."
                raise ProviderClosedError(msg)

        def advance() -> list[Record] | None:
            check()
            return next(batches, None)

        def end() -> None:
            self._scans.discard(file)
            file.close()

        # A connection of its own: other reads see later states of the file meanwhile.
        file, batches = await self._run(self._reader, begin)
        try:
            while batch := await self._run(self._reader, advance):
                yield batch
                check()
        finally:
            if file in self._scans:
                await self._run(self._reader, end)
