"""The conversation memory as a provider of the host's memory coordinator.

This module imports the host, by which it is loaded.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from victor.storage.memory import MemoryQuery, MemoryResult, MemoryType

from victor_memory.errors import InvalidRequestError
from victor_memory.filters import And, where
from victor_memory.hosts.victor.capture import capture
from victor_memory.hosts.victor.live import live, project_root

if TYPE_CHECKING:
    from victor_memory.conversation.records import Memory
    from victor_memory.runtime import MemoryRuntime

KEY: Final = "victor_key"
"""The field of a memory's metadata that holds the keys the host stored it under."""
_FILTERS: Final = ("kinds", "session")


class ConversationProvider:
    """Searches, stores and gets what was said and decided in the host's current project."""

    @property
    def memory_type(self) -> MemoryType:
        """Which of the host's memories this is."""
        return MemoryType.CONVERSATION

    def is_available(self) -> bool:
        """Whether it can be asked: nothing is opened to find out."""
        return True

    async def search(self, query: MemoryQuery) -> list[MemoryResult]:
        """Return the memories that answer *query*, best first, relevance from 0 to 1.

        `filters` may have `kinds` and `session`. The query's own `session_id` restricts nothing:
        what other sessions said is what a memory is asked for.

        Raises:
            InvalidRequestError: the query is empty, or a filter is unknown.

        """
        chosen = dict(query.filters or {})
        if unknown := sorted(chosen.keys() - set(_FILTERS)):
            msg = f"Unknown filter {', '.join(unknown)}. Use: {', '.join(_FILTERS)}."
            raise InvalidRequestError(msg)
        root = project_root()
        await capture().caught_up(root)
        found = await live().use(
            root,
            lambda memory: memory.conversation.recall(
                query.query, limit=query.limit, min_score=query.min_relevance or None, **chosen
            ),
        )
        return [_result(one.memory, one.score) for one in found]

    async def store(self, key: str, value: Any, metadata: dict[str, Any] | None = None) -> None:
        """Remember the text of *value* under *key*, in place of what had that key.

        `kind`, `importance` and `tags` in *metadata* are the memory's own; the rest is kept too.

        Raises:
            InvalidRequestError: there is nothing in *value* that can be remembered.

        """
        rest = dict(metadata or {})
        own = {name: rest.pop(name) for name in ("kind", "importance", "tags") if name in rest}

        async def remember(memory: MemoryRuntime) -> None:
            before = await _under(memory, key)
            done = await memory.conversation.remember(
                str(value), source="victor", metadata={**rest, KEY: [key]}, **own
            )
            now = done.memory
            if key not in _keys(now):
                # It was said before, in other words or under another key.
                await _put_under(memory, now, [*_keys(now), key])
            for one in before:
                if one.id == now.id:
                    continue
                if others := [name for name in _keys(one) if name != key]:
                    await _put_under(memory, one, others)
                else:
                    # Overwritten, not forgotten: the store need not be rewritten for it.
                    await memory.conversation.forget(ids=[one.id], erase=False)

        await live().use(project_root(), remember)

    async def get(self, key: str) -> MemoryResult | None:
        """Return what was stored under *key*, or the memory with that id, if there is one."""

        async def look(memory: MemoryRuntime) -> Memory | None:
            kept = await _under(memory, key)
            return kept[0] if kept else await memory.conversation.get(key)

        found = await live().use(project_root(), look)
        return None if found is None else _result(found, 1.0)


async def _under(memory: MemoryRuntime, key: str) -> list[Memory]:
    """Return the memories of this project that were stored under *key*, the newest first."""
    from victor_memory.conversation.records import META, from_record

    conversation = memory.conversation
    within = And((where("project", "=", conversation.project), where(META + KEY, "contains", key)))
    found = [
        from_record(record)
        async for batch in conversation.provider.scan(within)
        for record in batch
    ]
    return sorted(found, key=lambda one: one.created_at, reverse=True)


def _keys(memory: Memory) -> Sequence[str]:
    """Return the keys that *memory* was stored under."""
    keys: Sequence[str] = memory.metadata.get(KEY, ())
    return keys


async def _put_under(memory: MemoryRuntime, known: Memory, keys: Sequence[str]) -> None:
    """Have *known*, which is stored already, found under *keys*."""
    from victor_memory.conversation.records import META

    provider = memory.conversation.provider
    for record in await provider.get([known.id], with_vectors=True):
        named = {**record.metadata, META + KEY: list(keys)}
        await provider.upsert([replace(record, metadata=named)])


def _result(memory: Memory, relevance: float) -> MemoryResult:
    said = {"kind": memory.kind, "session": memory.session, "role": memory.role}
    return MemoryResult(
        source=MemoryType.CONVERSATION,
        content=memory.text,
        relevance=min(1.0, max(0.0, relevance)),
        id=memory.id,
        metadata={
            **{name: value for name, value in memory.metadata.items() if name != KEY},
            **{name: value for name, value in said.items() if value},
        },
        timestamp=memory.created_at.timestamp(),
    )
