"""What readers give is stored where it belongs, and how far they came is written down.

A batch is stored first and its cursor after it: whoever is killed in between stores it again, which
adds nothing, because the same thing has the same id.
"""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Final, TypeAlias

from victor_memory.conversation.memory import ConversationMemory
from victor_memory.conversation.records import USER, Memory, new_memory
from victor_memory.errors import InvalidRequestError, TransferError
from victor_memory.transfer.formats import detect
from victor_memory.transfer.lines import status_of
from victor_memory.transfer.model import Batch, Cursor, Entry, Note, Problem, Reader
from victor_memory.transfer.pending import Pending
from victor_memory.transfer.places import Projects, Source
from victor_memory.transfer.restoring import moved, moved_id
from victor_memory.transfer.state import Cursors

BATCH: Final = 2048
"""Turns and notes that are stored at once, at least, if there are so many."""
MAX_PROBLEMS: Final = 1000
"""A report names so many problems and counts the others."""


@dataclass(frozen=True, slots=True)
class ImportProgress:
    """How far an import is. Bytes that an earlier run has read count as done."""

    sources_done: int
    sources: int
    bytes_done: int
    bytes: int
    new: int
    """Turns and notes stored by now."""
    read: int
    """Turns and notes read by now."""


Progress: TypeAlias = Callable[[ImportProgress], None]


@dataclass(slots=True)
class ImportReport:
    """What an import did."""

    sources: int = 0
    """Sources that were read."""
    unchanged: int = 0
    """Sources that had nothing new."""
    read: int = 0
    """Turns, notes and memories that were read in them, for the projects that were asked for."""
    new: int = 0
    """Of these, what was not remembered yet."""
    formats: Counter[str] = field(default_factory=Counter)
    """How many sources there were of each format."""
    left_out: int = 0
    """Turns and notes of other projects."""
    elsewhere: set[str] = field(default_factory=set)
    """Those projects."""
    waiting: int = 0
    """Sources whose last line is still being written."""
    problems: list[Problem] = field(default_factory=list)
    """What was left out because it could not be read."""
    more_problems: int = 0

    def add(self, problems: Iterable[Problem]) -> None:
        """Count *problems*, and keep them unless there are too many."""
        for one in problems:
            if len(self.problems) < MAX_PROBLEMS:
                self.problems.append(one)
            else:
                self.more_problems += 1

    def include(self, other: ImportReport) -> None:
        """Add what *other* did of what this one was asked for."""
        self.read += other.read
        self.new += other.new
        self.add(other.problems)

    @property
    def changed(self) -> bool:
        """Whether there is anything to tell."""
        return bool(self.new or self.problems)


class Importer:
    """Stores what sources hold in the memories of the projects that it belongs to.

    Without *every*, only what belongs to *project* is taken; with *into*, everything is taken for
    *project*'s, wherever it was said. What a format does not tell the project of is *project*'s.
    When *stop* is set, the import ends after what it is just storing; the next one goes on.
    """

    def __init__(
        self,
        memories: Callable[[str], ConversationMemory],
        cursors: Cursors,
        project: str,
        *,
        every: bool = False,
        into: bool = False,
        stop: asyncio.Event | None = None,
    ) -> None:
        self._memories = memories
        self._pending = Pending(memories, cursors)
        self._cursors = cursors
        self._project = project
        self._every = every
        self._into = into
        self._stop = stop or asyncio.Event()
        self._forgotten = False
        self._projects = Projects()

    async def run(
        self,
        sources: Iterable[Source],
        progress: Progress | None = None,
        *,
        again: bool = False,
        forgotten: bool = False,
    ) -> ImportReport:
        """Import what is new in *sources*; with *again*, look at all of it.

        With *forgotten*, look at all of it too, and bring back what was forgotten.
        A source that cannot be read is a problem in the report, and the others are imported.

        Raises:
            VictorMemoryError: the memory cannot be written; what was stored before is kept.

        """
        wanted = list(sources)
        report = ImportReport()
        self._pending = Pending(self._memories, self._cursors)  # without what a failure left
        self._forgotten = forgotten
        seen = None if again or forgotten else await asyncio.to_thread(self._cursors.seen)
        sizes = [(status_of(one.path) or (0,))[0] for one in wanted]
        before = 0
        for number, (source, size) in enumerate(zip(wanted, sizes, strict=True)):
            if self._stop.is_set():
                break

            def advance(done: int, number: int = number, before: int = before) -> None:
                if progress is not None:
                    progress(
                        ImportProgress(
                            number, len(wanted), before + done, sum(sizes), report.new, report.read
                        )
                    )

            advance(0)
            try:
                await self._import(source, report, advance, seen)
            except TransferError as exc:
                report.add([Problem(str(source.path), 0, str(exc))])
            before += size
            advance(size)
        await self._store(report)
        if progress is not None and wanted:
            advance(sizes[-1])
        report.problems.sort(key=lambda one: (one.path, one.line))
        return report

    async def _import(
        self,
        source: Source,
        report: ImportReport,
        advance: Callable[[int], None],
        seen: Mapping[tuple[str, str], tuple[int, int, int]] | None,
    ) -> None:
        """Import *source*, unless it is as it was *seen*; all of it if that is `None`."""
        path = source.path.resolve()
        reader = source.reader or await asyncio.to_thread(detect, path)
        if reader is None:
            report.unchanged += 1
            return
        now = status_of(path)
        if seen is not None and now is not None and seen.get((str(path), reader.name)) == now:
            report.unchanged += 1
            return
        cursor, projects = None, set[str]()
        if seen is not None:
            cursor, projects = await asyncio.to_thread(self._cursors.get, path, reader.name)
        report.sources += 1
        report.formats[reader.name] += 1
        ids: dict[str, Mapping[str, str]] = {}
        batches = reader.batches(path, cursor, BATCH)
        while (batch := await asyncio.to_thread(next, batches, None)) is not None:
            report.add(batch.problems)
            mine, foreign = await asyncio.to_thread(self._sorted, batch)
            for project, entries in mine.items():
                if any(isinstance(one.said, Memory) for one in entries) and project not in ids:
                    ids[project] = await asyncio.to_thread(_new_ids, reader, path, project)
                self._add(project, entries, ids.get(project, {}), path, report)
                projects.add(project)
            report.left_out += foreign.total()
            report.elsewhere.update(foreign)
            report.waiting += batch.waiting
            # What begins in another project goes on there, and is not read on.
            ends = reader.one_home and bool(foreign) and not mine
            reached = replace(batch.cursor, seen=now) if ends else batch.cursor
            self._pending.reach(path, reader.name, reached, projects)
            if self._pending.count >= BATCH:
                await self._store(report)
            advance(batch.done)
            if ends or self._stop.is_set():
                return

    def _sorted(self, batch: Batch) -> tuple[dict[str, list[Entry]], Counter[str]]:
        """Return the entries to be stored by project, and how many are of which others."""
        mine: dict[str, list[Entry]] = defaultdict(list)
        foreign: Counter[str] = Counter()
        for entry in batch.entries:
            project = entry.project or (
                self._projects.of(entry.home) if entry.home else self._project
            )
            if self._into and project != USER:
                project = self._project
            if self._every or project in {self._project, USER}:
                mine[project].append(entry)
            else:
                foreign[project] += 1
        return mine, foreign

    def _add(
        self,
        project: str,
        entries: list[Entry],
        ids: Mapping[str, str],
        path: Path,
        report: ImportReport,
    ) -> None:
        """Let *entries* of *path* be stored in the memory of *project*."""
        report.read += len(entries)
        # What belongs to the user is stored through any project's memory.
        through = self._project if project == USER else project
        for entry in entries:
            said = entry.said
            try:
                if isinstance(said, Note):
                    # As it is, too: what is in history supersedes nothing of today.
                    said = new_memory(**asdict(said), project=project)
                elif isinstance(said, Memory):
                    said = moved(said, project, ids)
                elif entry.home:
                    said = replace(said, worktree=self._projects.worktree(entry.home))
            except InvalidRequestError as exc:
                report.add([Problem(str(path), entry.line, str(exc))])
            else:
                self._pending.add(through, said, path, entry.line)

    async def _store(self, report: ImportReport) -> None:
        new, problems = await self._pending.store(forgotten=self._forgotten)
        report.new += new
        report.add(problems)


def _new_ids(reader: Reader, path: Path, project: str) -> Mapping[str, str]:
    """Return the ids that memories of *path* get in *project*, where they are others."""
    return {
        one.id: identifier
        for one in _memories(reader.batches(path, Cursor(), BATCH))
        if one.project not in {project, USER} and (identifier := moved_id(one, project)) != one.id
    }


def _memories(batches: Iterator[Batch]) -> Iterator[Memory]:
    for batch in batches:
        for entry in batch.entries:
            if isinstance(entry.said, Memory):
                yield entry.said
