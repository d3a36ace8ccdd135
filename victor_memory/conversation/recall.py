"""The read path: what was remembered is found again. Reading never writes."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from victor_memory._event_loops import in_thread
from victor_memory.conversation import asked as reading
from victor_memory.conversation import lineage
from victor_memory.conversation.gathering import gather
from victor_memory.conversation.ranking import Recalled
from victor_memory.conversation.records import Memory, check_time
from victor_memory.conversation.resident import Resident
from victor_memory.conversation.selecting import Source, check_limit, check_query, fetch
from victor_memory.conversation.wanted import Wanted
from victor_memory.errors import InvalidRequestError
from victor_memory.filters import where
from victor_memory.retrieval.text import analyse

if TYPE_CHECKING:
    from victor_memory.conversation.asked import Asked
    from victor_memory.conversation.rows import Rows

CHARACTERS_PER_TOKEN: Final = 4
AMENDING: Final = 20
"""How many of the best are compared for one that amends another."""


class Reader:
    """Reads what *sources* hold, the project's and the user's."""

    def __init__(self, sources: Sequence[Source], root: Path | None = None) -> None:
        """Read from *sources*, whose providers stay the caller's to close.

        What memories rest on is compared with the working tree *root*.
        """
        self._sources = tuple(sources)
        self._root = root
        self._resident = Resident(self._sources)

    async def recall(
        self,
        query: str,
        within: Wanted,
        *,
        limit: int,
        now: datetime | None,
        min_score: float | None,
        budget: int | None,
        include_superseded: bool,
        all_projects: bool,
    ) -> list[Recalled]:
        """Find memories; see `ConversationMemory.recall`."""
        check_query(query)
        check_limit(limit)
        if min_score is not None and not 0 <= min_score <= 1:
            msg = f"min_score is {min_score!r}; give a number from 0 to 1."
            raise InvalidRequestError(msg)
        if budget is not None and (isinstance(budget, bool) or budget < 1):
            msg = f"budget is {budget!r}; give the number of tokens that the texts may take."
            raise InvalidRequestError(msg)
        moment = datetime.now(UTC).astimezone() if now is None else now
        check_time(moment)
        (vector,) = await self._sources[0].provider.embedder.embed([query], purpose="query")
        asked = reading.read(query, vector, moment)
        search = _Search(asked, within, limit, min_score or 0.0, include_superseded)
        if all_projects:
            owner = where("project", "exists")
            everyone = [Source(one.provider, owner) for one in self._sources]
            found = await self._of_store(everyone, search)
        else:
            async with self._resident.current() as rows:
                if rows is None:
                    found = await self._of_store(self._sources, search)
                else:
                    found = await in_thread(lambda: search.answer(rows, rows.superseded()))
        if budget is not None:
            found = _afforded(found, budget)
        stale = await lineage.stale([one.memory for one in found], self._root)
        return [
            dataclasses.replace(one, stale=stale[one.memory.id]) if one.memory.id in stale else one
            for one in found
        ]

    async def close(self) -> None:
        """Drop what is held in memory."""
        await self._resident.close()

    async def _of_store(self, sources: Sequence[Source], search: _Search) -> list[Recalled]:
        rows = await gather(sources, search.within.filter(), search.asked, search.limit)
        newer: dict[str, str] = {}
        for source in sources:
            if await source.provider.exists():
                newer |= await lineage.links(source.provider, source.owner)
        found = await asyncio.to_thread(search.answer, rows, newer)
        return await _completed(sources, found)


@dataclass(frozen=True, slots=True)
class _Search:
    asked: Asked
    within: Wanted
    limit: int
    min_score: float
    include_superseded: bool

    def answer(self, rows: Rows, newer: Mapping[str, str]) -> list[Recalled]:
        """Return the best of *rows*, as they are shown."""
        from victor_memory.conversation.scoring import rank

        mask = self.within.mask(rows)
        if newer and not self.include_superseded:
            mask &= ~rows.of_memories(newer)
        ranked = rank(rows, self.asked, mask, max(self.limit, AMENDING))
        row_of: dict[str, int] = {}
        found: list[Recalled] = []
        for row, score, shares in zip(ranked.rows, ranked.scores, ranked.parts, strict=True):
            memory, excerpt = rows.whole(row), rows.memories[row]
            assert excerpt is not None
            row_of[memory.id] = row
            after = lineage.latest(memory.id, newer) if memory.id in newer else None
            found.append(
                Recalled(
                    memory,
                    min(1.0, score),
                    shares,
                    excerpt=excerpt.text,
                    superseded_by=after,
                )
            )
        found = _amended(found, moving=not self.asked.periods)
        found = [one for one in found if one.score >= self.min_score][: self.limit]
        terms = set(self.asked.terms)
        return [
            dataclasses.replace(
                one,
                matched=tuple(dict.fromkeys(t for t in analyse(one.excerpt) if t in terms)),
                context=tuple(rows.beside(row_of[one.memory.id])),
            )
            for one in found
        ]


def _amended(found: list[Recalled], *, moving: bool = True) -> list[Recalled]:
    """Return *found* with what is amended marked, and, if *moving*, what amends it before it.

    Who asks for a time asks for what was said then, and not for what holds.
    """
    older = lineage.amended([one.memory for one in found[:AMENDING]])
    order = list(found)
    for old, new in older.items():
        places = {one.memory.id: place for place, one in enumerate(order)}
        before, after = places.get(old), places.get(new)
        if before is None or after is None:
            continue
        past, current = order[before], order[after]
        order[before] = dataclasses.replace(past, amended_by=new)
        if moving and after > before:
            del order[after]
            gain = past.score - current.score
            shares = {**current.parts, "amends": current.parts.get("amends", 0.0) + gain}
            raised = dataclasses.replace(current, score=past.score, parts=shares)
            order.insert(before, raised)
    return order


async def _completed(sources: Sequence[Source], found: list[Recalled]) -> list[Recalled]:
    """Return *found* with long memories whole, whose other parts were not among the candidates."""
    return [
        dataclasses.replace(one, memory=await _fetched(sources, one.memory))
        if one.memory.parts > 1 and one.memory.text == one.excerpt
        else one
        for one in found
    ]


async def _fetched(sources: Sequence[Source], memory: Memory) -> Memory:
    for source in sources:
        if await source.provider.exists():
            for whole in await fetch(source, [memory.id]):
                return whole
    return memory


def _afforded(found: Sequence[Recalled], budget: int) -> list[Recalled]:
    """Return the first of *found* whose excerpts take at most *budget* tokens together.

    One that does not fit is passed over, because a later, shorter one may.
    """
    left, kept = budget * CHARACTERS_PER_TOKEN, []
    for one in found:
        if len(one.excerpt) <= left:
            left -= len(one.excerpt)
            kept.append(one)
    return kept
