"""Forgetting: which memories are meant, and that they are gone, from the files too."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

from victor_memory._logging import get_logger
from victor_memory.conversation import parts
from victor_memory.conversation.ranking import coverage
from victor_memory.conversation.records import Forgotten, Memory, from_record
from victor_memory.conversation.selecting import Source, age, check_query, fetch, memories, only
from victor_memory.conversation.tombstones import Tombstones
from victor_memory.errors import (
    InvalidRequestError,
    ProviderUnavailableError,
    UnsupportedOperationError,
)
from victor_memory.filters import Filter
from victor_memory.providers.base import BaseEmbeddingProvider
from victor_memory.retrieval.text import query_terms

log = get_logger(__name__)
CANDIDATES: Final = 1000
SIMILARITY: Final = 0.9
"""A text without the query's words is forgotten only if it is nearly the query itself."""


class Forgetter:
    """Deletes memories of *sources*: the project's first, and then the user's, if there are any."""

    def __init__(self, sources: Sequence[Source], tombstones: Sequence[Tombstones] = ()) -> None:
        """Delete from providers that stay the caller's to close; each has its *tombstones*."""
        self._sources = tuple(sources)
        self._tombstones = tuple(tombstones or (Tombstones(one.provider) for one in sources))

    async def forget(
        self,
        *,
        ids: Iterable[str] | None = None,
        session: str | None = None,
        kind: str | None = None,
        before: datetime | None = None,
        query: str | None = None,
        scope: str | None = None,
        all: bool = False,  # noqa: A002 - forget(all=True) says what it does
        with_history: bool = False,
        dry_run: bool = False,
        erase: bool = True,
    ) -> Forgotten:
        """Delete memories; see `ConversationMemory.forget`."""
        if not all and (ids, session, kind, before, query) == (None,) * 5:
            msg = (
                "Nothing was forgotten: say what to forget by ids, session, kind, before or query, "
                "or set all=True to forget everything of this project."
            )
            raise InvalidRequestError(msg)
        if isinstance(ids, str):
            msg = f"ids is one string. Write [{ids!r}] for one id."
            raise InvalidRequestError(msg)
        wanted = None if ids is None else list(ids)
        found: list[Memory] = []
        erased = not dry_run
        for source in self._meant(scope, by_id=wanted is not None):
            if not await source.provider.exists():
                continue
            within = only(source.owner, kind, session, until=before)
            some = await _meant(source, within, wanted, query)
            if with_history:
                some = await _with_history(source, some)
            found += some
            if some and not dry_run:
                # First, because what is deleted must not come back, whenever this is killed.
                tombstones = self._tombstones[self._sources.index(source)]
                await asyncio.to_thread(tombstones.add, [one.id for one in some])
                await delete(source.provider, some)
                erased &= erase and await purge(source.provider)
        found.sort(key=age)
        gone = {one.id for one in found}
        again = dict.fromkeys(old for one in found for old in one.supersedes if old not in gone)
        return Forgotten(tuple(found), dry_run, erased=erased, current_again=tuple(again))

    async def erase(self) -> bool:
        """Remove from the files what was deleted; return whether every store did."""
        done = [
            await purge(source.provider)
            for source in self._sources
            if await source.provider.exists()
        ]
        return False not in done

    def _meant(self, scope: str | None, *, by_id: bool) -> tuple[Source, ...]:
        if scope not in (None, "project", "user"):
            msg = f"scope is {scope!r}; forget what is of the 'project' or of the 'user'."
            raise InvalidRequestError(msg)
        if scope == "user":
            return self._sources[1:]
        # An id is meant wherever it is; everything else is meant of the project only.
        return self._sources if by_id and scope is None else self._sources[:1]


async def delete(provider: BaseEmbeddingProvider, some: Iterable[Memory]) -> None:
    """Delete *some* whole memories with all their parts."""
    await provider.delete([part for one in some for part in parts.part_ids(one)])


async def purge(provider: BaseEmbeddingProvider) -> bool:
    """Remove from the files of *provider* what was deleted; return whether that was done."""
    try:
        await provider.purge()
    except (UnsupportedOperationError, ProviderUnavailableError) as exc:
        # What was asked for is deleted, and the caller is told that it may still be in a file.
        log.warning("purge_failed", provider=provider.name, error_type=type(exc).__name__)
        return False
    return True


def whole(found: Iterable[Memory]) -> list[Memory]:
    """Return the memories of which *found* are all the parts."""
    together: dict[str, list[Memory]] = {}
    for one in found:
        together.setdefault(parts.whole_id(one.id), []).append(one)
    return [parts.join(some) if len(some) > 1 else some[0] for some in together.values()]


async def _meant(
    source: Source, within: Filter, wanted: list[str] | None, query: str | None
) -> list[Memory]:
    """Return the whole memories of *source* that meet every criterion."""
    if wanted is not None:
        records = await source.provider.get(dict.fromkeys(map(parts.whole_id, wanted)))
        found = await fetch(source, [one.id for one in records if within.matches(one.metadata)])
        if query is not None:
            about = {one.id for one in await _about(source, query, within)}
            found = [one for one in found if one.id in about]
        return found
    if query is not None:
        return await _about(source, query, within)
    return whole([one async for one in memories(source.provider, within)])


async def _about(source: Source, query: str, within: Filter) -> list[Memory]:
    """Return the memories that are beyond doubt about *query*."""
    check_query(query)
    terms = query_terms(query)
    provider = source.provider
    (vector,) = await provider.embedder.embed([query], purpose="query")
    lexical, dense = await asyncio.gather(
        provider.search_text(query, limit=CANDIDATES, where=within),
        provider.search(vector, limit=CANDIDATES, where=within, min_score=SIMILARITY),
    )
    found = {hit.id for hit in dense}
    found |= {one.id for one in map(from_record, lexical) if coverage(terms, one) == 1.0}
    return await fetch(source, sorted(found))


async def _with_history(source: Source, some: list[Memory]) -> list[Memory]:
    """Return *some*, and the memories whose place they took, however long ago."""
    found = {one.id: one for one in some}
    fresh = some
    while older := [old for one in fresh for old in one.supersedes if old not in found]:
        fresh = await fetch(source, older)
        found |= {one.id: one for one in fresh}
        if not fresh:
            break
    return list(found.values())
