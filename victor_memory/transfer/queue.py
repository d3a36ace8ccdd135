"""What hooks have queued, taken out: into the memory, durably, and then off the disk.

One process takes out at a time, under a lock that the system gives back when its holder is killed.
An entry is first moved to `taken`, so that a transcript that is pointed to again meanwhile is
pointed to again; what a killed process has left there, the next one does. An entry is deleted when
what it holds is stored. Whoever is killed in between stores it again, which adds nothing, because
the same thing has the same id. So nothing is lost and nothing is there twice.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Final

from filelock import FileLock, Timeout

from victor_memory._logging import get_logger
from victor_memory.conversation.memory import ConversationMemory
from victor_memory.conversation.records import Turn
from victor_memory.errors import InvalidRequestError
from victor_memory.transfer.capture import VERSION
from victor_memory.transfer.importing import Importer, ImportReport
from victor_memory.transfer.model import Problem
from victor_memory.transfer.places import Projects, Source, thread
from victor_memory.transfer.text import clean, moment

log = get_logger(__name__)
LOCK: Final = ".lock"
TAKEN: Final = "taken"
DAMAGED: Final = "damaged"
STALE_SECONDS: Final = 600.0
"""An unfinished entry so old was left by a process that was killed while it wrote it."""
_TURN_FIELDS: Final = {one.name for one in fields(Turn)} - {"text", "session", "created_at"}


@dataclass(frozen=True, slots=True)
class _Taken:
    """An entry that this process has taken: what it says, and the file that goes in the end."""

    file: Path
    value: dict[str, Any]


class Queue:
    """The queue in *directory*, which need not exist."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def waiting(self) -> int:
        """Return how many entries wait, those that a killed process had taken among them."""
        taken = self.directory / TAKEN
        return len(list(self.directory.glob("*.json"))) + len(list(taken.glob("*.json")))

    def damaged(self) -> list[Path]:
        """Return the entries that could not be understood and were set aside."""
        return sorted((self.directory / DAMAGED).glob("*.json"))

    async def drain(
        self,
        memories: Callable[[str], ConversationMemory],
        importer: Callable[[str], Importer],
        report: ImportReport,
    ) -> bool:
        """Store what is queued; return false if another process is at it.

        *importer* returns what imports a transcript of a project. What could not be understood is
        set aside in `damaged`, and a problem in *report*.

        Raises:
            VictorMemoryError: a memory cannot be written; what was not stored stays queued.

        """
        if not self.directory.is_dir() or not self.waiting():
            return True
        lock = FileLock(self.directory / LOCK, thread_local=False)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            return False
        except NotImplementedError:
            # No locks on this file system. Two who take out do twice the work, and no harm.
            log.warning("queue_lock_unusable", path=str(self.directory))
        try:
            entries = await asyncio.to_thread(self._take, report)
            await self._turns([one for one in entries if "turn" in one.value], memories, report)
            for one in entries:
                if "turn" not in one.value:
                    await self._transcript(one, importer, report)
        finally:
            lock.release()
        return True

    def _take(self, report: ImportReport) -> list[_Taken]:
        taken = self.directory / TAKEN
        taken.mkdir(mode=0o700, exist_ok=True)
        # A pointer may take the place of one that was left there, and says the same.
        names = {one.name for one in taken.glob("*.json")}
        for file in self.directory.glob("*.json"):
            with suppress(FileNotFoundError):
                file.replace(taken / file.name)
                names.add(file.name)
        limit = time.time() - STALE_SECONDS
        for file in self.directory.glob(".*.tmp"):
            with suppress(FileNotFoundError):
                if file.stat().st_mtime < limit:
                    file.unlink()
        entries = []
        for name in sorted(names):
            file = taken / name
            try:
                entries.append(_Taken(file, _understood(file.read_bytes())))
            except FileNotFoundError:
                continue  # somebody else was quicker, where there are no locks
            except ValueError as exc:
                self._set_aside(file, str(exc), report)
        return entries

    def _set_aside(self, file: Path, why: str, report: ImportReport) -> None:
        place = self.directory / DAMAGED
        place.mkdir(mode=0o700, exist_ok=True)
        file.replace(place / file.name)
        log.warning("queue_entry_damaged", entry=file.name, error=why)
        report.add([Problem(str(place / file.name), 0, why)])

    async def _turns(
        self,
        entries: list[_Taken],
        memories: Callable[[str], ConversationMemory],
        report: ImportReport,
    ) -> None:
        projects = Projects()
        mine: dict[str, list[tuple[_Taken, Turn]]] = defaultdict(list)
        for one in entries:
            try:
                turn, home = _turn(one.value)
                project = await asyncio.to_thread(projects.of, home)
                if turn.worktree is None:
                    turn = replace(turn, worktree=projects.worktree(home))
                mine[project].append((one, turn))
            except (TypeError, ValueError) as exc:
                self._set_aside(one.file, str(exc), report)
        for project, some in mine.items():
            memory = memories(project)
            try:
                report.new += await memory.add_turns(turn for _, turn in some)
            except InvalidRequestError:
                for one, turn in some:  # one of them, or some, cannot be kept
                    try:
                        report.new += await memory.add_turns([turn])
                    except InvalidRequestError as exc:
                        self._set_aside(one.file, str(exc), report)
            report.read += len(some)
            for one, _ in some:
                one.file.unlink(missing_ok=True)

    async def _transcript(
        self, entry: _Taken, importer: Callable[[str], Importer], report: ImportReport
    ) -> None:
        if "transcript" in entry.value:
            path: Path | None = Path(str(entry.value["transcript"]))
        else:
            path = await asyncio.to_thread(thread, str(entry.value["thread"]))
        if path is None or not await asyncio.to_thread(path.is_file):
            report.add([Problem(str(path or entry.file), 0, "the queued transcript is gone")])
        else:
            project = Projects().of(str(entry.value.get("cwd") or path.parent))
            done = await importer(project).run([Source(path)])
            report.include(done)
            # The hook ran where the agent was by then; the transcript says where it began.
            for began in done.elsewhere:
                report.include(await importer(began).run([Source(path)]))
        entry.file.unlink(missing_ok=True)


def _understood(data: bytes) -> dict[str, Any]:
    value = json.loads(data)
    if not isinstance(value, dict):
        msg = "not a JSON object"
        raise ValueError(msg)  # noqa: TRY004 - what is wrong is the data, not an argument
    if value.get("version") != VERSION:
        msg = f"of version {value.get('version')!r}; this one reads {VERSION}"
        raise ValueError(msg)
    if not any(isinstance(value.get(one), kind) for one, kind in _KINDS.items()):
        msg = f"none of {', '.join(_KINDS)}"
        raise ValueError(msg)
    return value


_KINDS: Final[dict[str, type]] = {"turn": dict, "transcript": str, "thread": str}


def _turn(value: dict[str, Any]) -> tuple[Turn, str]:
    """Return the turn of an entry, and the directory it was said in."""
    said = value["turn"]
    text, session = said.get("text"), said.get("session")
    if not isinstance(text, str) or not isinstance(session, str):
        msg = "a turn without text and session"
        raise ValueError(msg)  # noqa: TRY004 - as above
    given = {name: said[name] for name in _TURN_FIELDS if said.get(name) is not None}
    # Nobody gave a time: it is when it was queued, not when it is taken out.
    when = moment(said.get("created_at")) or moment(value.get("at"))
    given.setdefault("source", "capture")
    turn = Turn(clean(text), session, created_at=when, **given)
    return turn, str(said.get("project") or ".")
