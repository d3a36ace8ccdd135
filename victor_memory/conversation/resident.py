"""This process's copy of a conversation memory, kept up with what every process writes.

A recall over the copy sees all memories at once and asks the store for nothing but whether it has
changed. Records carry the time they were stored at: what was added is read by that, and that
something is gone shows in the number of records. A collection too large to hold, or one that is
searched only once, is searched by the store; see `gathering`.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from victor_memory._event_loops import Background, Turn
from victor_memory._logging import get_logger
from victor_memory.conversation.selecting import Source
from victor_memory.filters import And, where

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from victor_memory.conversation.rows import Rows
    from victor_memory.types import Record

log = get_logger(__name__)
LIMIT: Final = 150_000
"""Records beyond which the store searches by itself, because a copy takes memory for each."""
AT_ONCE: Final = 2_000
"""Records that are read at the first recall: that takes no longer than a search of the store."""
SOON: Final = 25_000
"""Records that are read at the second recall, which waits for it; more are read meanwhile."""
SLACK: Final = 5.0
"""Seconds that a record may take from getting its time to being seen, or clocks differ by.

One that takes longer is noticed by the number of records, and then all are compared."""
UNKNOWN_EVERY: Final = 1.0
"""Seconds between looks at a store that cannot tell whether it changed."""


class Resident:
    """The rows of *sources*, as long as they are at most *limit* records."""

    def __init__(self, sources: Sequence[Source], limit: int = LIMIT) -> None:
        """Hold nothing yet."""
        self._sources = tuple(sources)
        self._limit = limit
        self._rows: Rows | None = None
        self._held: list[_Held] = []
        self._looked = 0.0
        self._recalls = 0
        self._loading = Background()
        self._turn = Turn()

    @asynccontextmanager
    async def current(self) -> AsyncIterator[Rows | None]:
        """Give the rows as the stores are now; `None` where the stores should be searched.

        They are the caller's alone until the context ends.
        """
        async with self._turn:
            yield await self._current()

    async def _current(self) -> Rows | None:
        self._recalls += 1
        if self._rows is not None:
            await self._keep_up(self._rows)
            return self._rows
        generations = [await _generation(source) for source in self._sources]
        size = sum([await _count(source) for source in self._sources])
        if size > self._limit or (self._recalls == 1 and size > AT_ONCE):
            return None
        if size <= SOON:
            await self._load(generations)
        else:
            await self._loading.go_on(lambda: self._load(generations))
        return self._rows

    def forget(self) -> None:
        """Drop the copy; the next recall makes another."""
        self._rows, self._held = None, []

    async def close(self) -> None:
        """Stop what is under way, and drop the copy."""
        await self._loading.stop()
        self.forget()

    async def _load(self, generations: Sequence[str | None]) -> None:
        from victor_memory.conversation.rows import Rows

        rows, held = Rows(), [_Held(one) for one in generations]
        for source, part in zip(self._sources, held, strict=True):
            if await source.provider.exists():
                async for batch in source.provider.scan(source.owner, with_vectors=True):
                    await asyncio.to_thread(part.take, rows, batch)
        self._rows, self._held = rows, held
        self._looked = time.monotonic()

    async def _keep_up(self, rows: Rows) -> None:
        """Bring the rows up to what the stores have now."""
        for source, part in zip(self._sources, self._held, strict=True):
            generation = await _generation(source)
            if generation is None:
                if time.monotonic() - self._looked < UNKNOWN_EVERY:
                    continue
                self._looked = time.monotonic()
            elif generation == part.generation:
                continue
            if await source.provider.exists():
                since = And((source.owner, where("stored_ts", ">=", part.latest - SLACK)))
                async for batch in source.provider.scan(since, with_vectors=True):
                    part.take(rows, batch)
            if await _count(source) != len(part.ids):
                # Something is gone, or came under an old time: what is there says which.
                await self._compare(rows, part, source)
            part.generation = generation

    async def _compare(self, rows: Rows, part: _Held, source: Source) -> None:
        there: set[str] = set()
        if await source.provider.exists():
            async for batch in source.provider.scan(source.owner, with_vectors=True):
                part.take(rows, batch)
                there.update(one.id for one in batch)
        gone = part.ids - there
        rows.remove(gone)
        part.ids = there
        log.debug("resident_rows_compared", gone=len(gone), rows=len(rows))


@dataclass(slots=True)
class _Held:
    """What of one source the rows are."""

    generation: str | None
    """Of the store, when it was last compared with the rows."""
    ids: set[str] = field(default_factory=set)
    latest: float = 0.0
    """When the newest of them was stored."""

    def take(self, rows: Rows, batch: Sequence[Record]) -> None:
        fresh = [one for one in batch if one.id not in self.ids]
        rows.add(fresh)
        for one in fresh:
            self.ids.add(one.id)
            self.latest = max(self.latest, float(one.metadata.get("stored_ts", 0.0)))


async def _generation(source: Source) -> str | None:
    """Return the store's generation; of a collection that is not there, that it is not."""
    if not await source.provider.exists():
        return "absent"
    return await source.provider.generation()


async def _count(source: Source) -> int:
    if not await source.provider.exists():
        return 0
    return await source.provider.count(source.owner)
