"""What was read and is not stored yet, of however many sources, and the cursors behind it.

It is stored in large batches, because each write of a store costs the same for one turn and for
thousands, and agents keep thousands of short transcripts. The cursors are written after all that
lies before them.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TypeVar

from victor_memory.conversation.memory import ConversationMemory
from victor_memory.conversation.records import Memory, Turn
from victor_memory.errors import InvalidRequestError
from victor_memory.transfer.model import Cursor, Problem
from victor_memory.transfer.state import Cursors

_T = TypeVar("_T")


@dataclass(slots=True)
class _Project:
    turns: list[tuple[Problem, Turn]] = field(default_factory=list)
    memories: list[tuple[Problem, Memory]] = field(default_factory=list)


class Pending:
    """Gathers for the memories of several projects, and stores."""

    def __init__(self, memories: Callable[[str], ConversationMemory], cursors: Cursors) -> None:
        self._memories = memories
        self._cursors = cursors
        self._projects: dict[str, _Project] = defaultdict(_Project)
        self._reached: dict[tuple[Path, str], tuple[Cursor, frozenset[str]]] = {}
        self.count = 0
        """How many turns and memories wait."""

    def add(self, project: str, said: Turn | Memory, path: Path, line: int) -> None:
        """Let *said*, read in a *line* of *path*, be stored in the memory of *project*."""
        place = Problem(str(path), line, "")
        if isinstance(said, Turn):
            self._projects[project].turns.append((place, said))
        else:
            self._projects[project].memories.append((place, said))
        self.count += 1

    def reach(self, path: Path, reader: str, cursor: Cursor, projects: Iterable[str]) -> None:
        """Let *cursor* be written when all that was added before is stored."""
        self._reached[path, reader] = cursor, frozenset(projects)

    async def store(self, *, forgotten: bool) -> tuple[int, list[Problem]]:
        """Store everything; return how much was new, and what cannot be kept.

        What was forgotten stays so, unless *forgotten*.

        Raises:
            VictorMemoryError: a memory cannot be written; no cursor is.

        """
        new, problems = 0, list[Problem]()
        for project, wanted in self._projects.items():
            memory = self._memories(project)
            turns = partial(memory.add_turns, forgotten=forgotten)
            new += await _stored(turns, wanted.turns, problems)
            memories = partial(memory.restore, forgotten=forgotten)
            new += await _stored(memories, wanted.memories, problems)
        if self._reached:
            await asyncio.to_thread(self._cursors.put, self._reached)
        self._projects.clear()
        self._reached.clear()
        self.count = 0
        return new, problems


async def _stored(
    store: Callable[[list[_T]], Awaitable[int]],
    wanted: list[tuple[Problem, _T]],
    problems: list[Problem],
) -> int:
    """Store what is *wanted* at once; if something of it cannot be kept, each half by itself."""
    if not wanted:
        return 0
    try:
        return await store([one for _, one in wanted])
    except InvalidRequestError as exc:
        if len(wanted) == 1:
            ((place, _),) = wanted
            problems.append(Problem(place.path, place.line, str(exc)))
            return 0
    middle = len(wanted) // 2
    first = await _stored(store, wanted[:middle], problems)
    return first + await _stored(store, wanted[middle:], problems)
