"""The tools that remember and recall: each takes checked arguments and returns a `Result`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from victor_memory.tools import results
from victor_memory.tools.code import rounded
from victor_memory.tools.fitting import fitting, shortened
from victor_memory.tools.rendering import fenced, inline

if TYPE_CHECKING:
    from victor_memory.conversation.ranking import Recalled
    from victor_memory.conversation.records import Memory
    from victor_memory.runtime import MemoryRuntime
    from victor_memory.tools.arguments import (
        MemoryContext,
        MemoryForget,
        MemoryRecall,
        MemoryRemember,
        MemoryStatus,
        MemoryTimeline,
    )

_SHOWN: Final = 1000
"""Tokens of which a memory is shown where it was not asked for; a note is a sentence or two."""


async def memory_recall(memory: MemoryRuntime, given: MemoryRecall) -> results.Memories:
    """Search what was said and decided in the current project."""
    from victor_memory.conversation.calibration import DEFAULT_MIN_SCORE

    found = await memory.conversation.recall(
        given.query,
        limit=given.limit,
        kinds=given.kinds,
        since=_utc(given.since),
        until=_utc(given.until),
        include_superseded=given.include_superseded,
        # An agent takes what it is given for an answer: what is likely none is not given.
        min_score=DEFAULT_MIN_SCORE,
    )
    kept, left_out = fitting([_recalled(one, given.budget) for one in found], given.budget, _size)
    notice = None if kept else "Nothing that is remembered fits. Try once with other words."
    return results.Memories(results=kept, left_out=left_out, notice=notice)


async def memory_remember(memory: MemoryRuntime, given: MemoryRemember) -> results.Stored:
    """Store one statement in the memory of the current project, or of the user."""
    done = await memory.conversation.remember(
        given.text,
        kind=given.kind,
        importance=given.importance,
        scope=given.scope,
        tags=given.tags or (),
        files=given.files or (),
        supersedes=given.supersedes or (),
        source="agent",
    )
    return results.Stored(
        memory=_memory(done.memory, _SHOWN),
        new=done.new,
        redacted=list(done.redacted),
        supersedes=[_memory(one, _SHOWN) for one in done.superseded],
        similar=[_memory(one, _SHOWN) for one in done.similar],
    )


async def memory_context(memory: MemoryRuntime, given: MemoryContext) -> results.Context:
    """Put together what both memories know about a task, within a budget."""
    built = await memory.context(given.query, budget=given.budget)
    return results.Context(
        text="\n\n".join(f"{inline(one.title)}\n{fenced(one.text)}" for one in built.items),
        items=[
            results.ContextItem(kind=one.kind, place=one.place, title=one.title, tokens=one.tokens)
            for one in built.items
        ],
        tokens=built.tokens,
        notice=built.notice,
    )


async def memory_forget(memory: MemoryRuntime, given: MemoryForget) -> results.Forgotten:
    """Delete memories of the current project by id."""
    gone = await memory.conversation.forget(ids=given.ids)
    forgotten = [one.id for one in gone.memories]
    return results.Forgotten(
        forgotten=forgotten,
        unknown=[one for one in given.ids if one not in forgotten],
        erased=gone.erased,
        current_again=list(gone.current_again),
    )


async def memory_timeline(memory: MemoryRuntime, given: MemoryTimeline) -> results.Memories:
    """Return what was said and noted, oldest first."""
    found = await memory.conversation.timeline(
        since=_utc(given.since),
        until=_utc(given.until),
        kinds=given.kinds,
        session=given.session,
        limit=given.limit,
    )
    kept, left_out = fitting([_memory(one, given.budget) for one in found], given.budget, _size)
    return results.Memories(results=kept, left_out=left_out)


async def memory_status(memory: MemoryRuntime, given: MemoryStatus) -> results.Status:
    """Return how much is remembered and indexed, and whether that is up to date."""
    del given
    said = await memory.conversation.status()
    code = await memory.codebase.status()
    behind = (
        f"{code.stale_files} files are not indexed as they are now." if code.stale_files else None
    )
    return results.Status(
        project=said.project,
        root=code.root,
        memories=said.memories,
        kinds=dict(said.kinds),
        files=code.files,
        chunks=code.chunks,
        stale_files=code.stale_files,
        store=code.store.provider,
        embedder=code.store.embedder or "",
        notice=behind,
    )


def _recalled(one: Recalled, budget: int) -> results.Memory:
    found = _memory(one.memory, budget, one.excerpt)
    found.score = round(one.score, 3)
    found.why = rounded(one.parts)
    found.context = [
        results.Beside(speaker=_who(turn), text=shortened(turn.text, budget // 8))
        for turn in one.context
    ] or None
    found.superseded_by = one.superseded_by
    found.amended_by = one.amended_by
    found.stale = list(one.stale) or None
    return found


def _memory(memory: Memory, budget: int, excerpt: str = "") -> results.Memory:
    """Return *memory* as a result; a long text has half of *budget* at most."""
    return results.Memory(
        id=memory.id,
        text=shortened(excerpt or memory.text, budget // 2),
        kind=memory.kind,
        created_at=memory.created_at.isoformat(),
        session=memory.session,
        speaker=_who(memory),
    )


def _who(memory: Memory) -> str | None:
    return memory.speaker or memory.role


def _size(one: results.Memory) -> int:
    return len(one.text) + sum(len(turn.text) for turn in one.context or ())


def _utc(moment: datetime | None) -> datetime | None:
    """Return *moment* in UTC; without a zone it is the local time."""
    return None if moment is None else moment.astimezone(UTC)
