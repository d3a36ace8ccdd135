"""Memories by time: what happened when, the newest, and the sessions. Reading never writes."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from victor_memory.conversation import lineage, parts
from victor_memory.conversation.records import Memory, Session
from victor_memory.conversation.selecting import WHOLE, Source, age, check_limit, memories
from victor_memory.filters import And, Filter, where

if TYPE_CHECKING:
    from victor_memory.conversation.wanted import Wanted


async def newest(
    sources: Sequence[Source],
    within: Wanted,
    limit: int,
    *,
    include_superseded: bool = True,
) -> list[Memory]:
    """Return the *limit* newest memories, newest first, whole."""
    check_limit(limit)
    gone = set() if include_superseded else await _superseded(sources)
    kept = [one async for one in _first_parts(sources, within) if one.id not in gone]
    return await _whole(sources, heapq.nlargest(limit, kept, key=age))


async def oldest(sources: Sequence[Source], within: Wanted, limit: int) -> list[Memory]:
    """Return the *limit* oldest memories, oldest first, whole."""
    check_limit(limit)
    kept = [one async for one in _first_parts(sources, within)]
    return await _whole(sources, heapq.nsmallest(limit, kept, key=age))


async def sessions(source: Source, within: Wanted) -> list[Session]:
    """Return every session with a memory, the one with the newest memory first."""
    turns: Counter[str] = Counter()
    times: dict[str, tuple[datetime, datetime]] = {}
    condition = And((within.filter(), where("session", "exists"), WHOLE))
    async for one in _read([source], condition):
        if one.session is not None:
            first, last = times.get(one.session, (one.created_at, one.created_at))
            times[one.session] = min(first, one.created_at), max(last, one.created_at)
            turns[one.session] += one.kind == "turn"
    found = [Session(name, turns[name], *span) for name, span in times.items()]
    return sorted(found, key=lambda one: (one.last, one.id), reverse=True)


async def _superseded(sources: Sequence[Source]) -> set[str]:
    found: set[str] = set()
    for source in sources:
        if await source.provider.exists():
            found.update(await lineage.links(source.provider, source.owner))
    return found


async def _first_parts(sources: Sequence[Source], within: Wanted) -> AsyncIterator[Memory]:
    async for one in _read(sources, And((within.filter(), WHOLE))):
        yield one


async def _read(sources: Sequence[Source], condition: Filter) -> AsyncIterator[Memory]:
    for source in sources:
        if await source.provider.exists():
            async for one in memories(source.provider, And((source.owner, condition))):
                yield one


async def _whole(sources: Sequence[Source], some: Sequence[Memory]) -> list[Memory]:
    """Return *some* first parts with the texts of their other parts, in one read per source."""
    wanted = [other for one in some for other in parts.part_ids(one)[1:]]
    rest: dict[str, list[Memory]] = {}
    if wanted:
        from victor_memory.conversation.records import from_record

        for source in sources:
            if await source.provider.exists():
                for record in await source.provider.get(wanted):
                    rest.setdefault(parts.whole_id(record.id), []).append(from_record(record))
    return [parts.join([one, *rest[one.id]]) if one.id in rest else one for one in some]
