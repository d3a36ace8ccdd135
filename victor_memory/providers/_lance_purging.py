"""Purging a Lance table, seen from those who read it meanwhile.

A purge leaves no file of an earlier version, and many writes in a short time leave few. Whoever was
reading such a version finds that a file is gone, and reads again: the records are where the newest
version says.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Concatenate, Final, ParamSpec, TypeVar

import pyarrow as pa

if TYPE_CHECKING:
    from victor_memory.types import Record

P = ParamSpec("P")
S = TypeVar("S")
T = TypeVar("T")
PAUSES: Final = (0.01, 0.05, 0.2, 0.5, 1.0)
"""Seconds before a reading is tried again."""
LEAST_AGE: Final = timedelta(seconds=1)
"""A reading mostly takes less."""
ROWS: Final = 4096
"""Records written anew at a time."""


def again(
    read: Callable[Concatenate[S, P], Coroutine[Any, Any, T]],
) -> Callable[Concatenate[S, P], Coroutine[Any, Any, T]]:
    """Have *read* try again when files that it was reading are gone."""

    @functools.wraps(read)
    async def run(self: S, /, *args: P.args, **kwargs: P.kwargs) -> T:
        for pause in PAUSES:
            try:
                return await read(self, *args, **kwargs)
            except (RuntimeError, ValueError, OSError) as exc:
                if not is_gone(exc):
                    raise
                await asyncio.sleep(pause)
        return await read(self, *args, **kwargs)

    return run


async def scan_again(
    scan: Callable[[], AsyncIterator[list[Record]]],
) -> AsyncIterator[list[Record]]:
    """Yield what *scan* does; when files are gone, go on with what was not yielded yet."""
    seen: set[str] = set()
    pauses = iter(PAUSES)
    while True:
        try:
            async for batch in scan():
                fresh = [one for one in batch if one.id not in seen]
                seen.update(one.id for one in fresh)
                if fresh:
                    yield fresh
        except (RuntimeError, ValueError, OSError) as exc:
            pause = next(pauses, None)
            if pause is None or not is_gone(exc):
                raise
            await asyncio.sleep(pause)
        else:
            return


def is_gone(exc: Exception) -> bool:
    """Whether *exc* says that a file of the table is not there."""
    said = str(exc).lower()
    return "not found" in said and (".lance" in said or "manifest" in said or "_indices" in said)


async def age_of_newest(table: Any, count: int) -> timedelta:
    """Return how long the newest *count* versions of *table* go back; for ever if there are less.

    Versions that are not yet `LEAST_AGE` old are among them in any case.
    """
    versions = await table.list_versions()
    if len(versions) <= count:
        return timedelta.max
    # The client gives local time, without a zone.
    written: datetime = versions[-count]["timestamp"]
    return max(LEAST_AGE, datetime.now() - written)  # noqa: DTZ005 - like theirs


async def survivors(table: Any) -> pa.RecordBatchReader:
    """Return the rows of *table*, to be read in another thread than this event loop's."""
    loop = asyncio.get_running_loop()
    batches = await table.query().to_batches(max_batch_length=ROWS)

    async def advance() -> pa.RecordBatch | None:
        return await anext(batches, None)

    def read() -> Iterator[pa.RecordBatch]:
        while (batch := asyncio.run_coroutine_threadsafe(advance(), loop).result()) is not None:
            yield batch

    return pa.RecordBatchReader.from_batches(batches.schema, read())
