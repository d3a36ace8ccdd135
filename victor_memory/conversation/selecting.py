"""What of a store is meant: whose memories, which of them, in what order."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from datetime import datetime
from typing import Final, NamedTuple

from victor_memory.conversation import parts
from victor_memory.conversation.records import Memory, check_kind, check_time, from_record
from victor_memory.errors import InvalidRequestError
from victor_memory.filters import And, Filter, Not, Or, where
from victor_memory.providers.base import BaseEmbeddingProvider

MAX_LIMIT: Final = 1000
WHOLE: Final[Filter] = Or((Not(where("part", "exists")), where("part", "=", 0)))
"""One record of each memory: the only one, or the first part."""


class Source(NamedTuple):
    """Where memories are read: those in *provider* that *owner* matches."""

    provider: BaseEmbeddingProvider
    owner: Filter


def visible(session: str | None = None, agent: str | None = None) -> Filter:
    """Return what keeps out the notes that only other sessions and agents see."""
    seen: list[Filter] = [Not(where("scope", "in", ["session", "agent"]))]
    if session is not None:
        seen.append(And((where("scope", "=", "session"), where("session", "=", session))))
    if agent is not None:
        seen.append(And((where("scope", "=", "agent"), where("agent", "=", agent))))
    return Or(tuple(seen))


async def memories(provider: BaseEmbeddingProvider, within: Filter) -> AsyncIterator[Memory]:
    """Yield the memories in *provider* that match *within*, in no given order."""
    async for batch in provider.scan(within):
        for record in batch:
            yield from_record(record)


async def fetch(source: Source, identifiers: Iterable[str]) -> list[Memory]:
    """Return the memories of *source* with these ids, whole, in the order asked for.

    The id of a part stands for the whole; ids that *source* does not know are left out.
    """
    wanted = dict.fromkeys(parts.whole_id(one) for one in identifiers)
    records = await source.provider.get(wanted) if wanted else []
    found = [from_record(one) for one in records if source.owner.matches(one.metadata)]
    others = [other for one in found for other in parts.part_ids(one)[1:]]
    rest: dict[str, list[Memory]] = {}
    for one in await source.provider.get(others) if others else ():
        rest.setdefault(parts.whole_id(one.id), []).append(from_record(one))
    return [parts.join([one, *rest[one.id]]) if one.id in rest else one for one in found]


def only(
    owner: Filter,
    kinds: str | Iterable[str] | None = None,
    session: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> Filter:
    """Return *owner* and these *kinds*, in *session*, from *since* and before *until*."""
    every = [owner]
    if kinds is not None:
        chosen = [kinds] if isinstance(kinds, str) else kinds
        every.append(where("kind", "in", [check_kind(one) for one in chosen]))
    if session is not None:
        every.append(where("session", "=", session))
    if since is not None:
        every.append(where("created_ts", ">=", check_time(since).timestamp()))
    if until is not None:
        every.append(where("created_ts", "<", check_time(until).timestamp()))
    return And(tuple(every))


def check_query(query: object) -> None:
    """Refuse a query without a word."""
    if not isinstance(query, str) or not query.strip():
        msg = "The query is empty. Say what to look for."
        raise InvalidRequestError(msg)


def check_limit(limit: object) -> None:
    """Refuse a number of results that cannot be meant."""
    if isinstance(limit, bool) or not isinstance(limit, int) or not 1 <= limit <= MAX_LIMIT:
        msg = f"limit is {limit!r}; ask for 1 to {MAX_LIMIT} memories."
        raise InvalidRequestError(msg)


def age(memory: Memory) -> tuple[datetime, int, str]:
    """Return what orders memories by time; turns of one moment by their place."""
    return memory.created_at, memory.index or 0, memory.id
