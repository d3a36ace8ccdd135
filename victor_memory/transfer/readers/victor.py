"""The conversations of Victor: the table `messages` of `<project>/.victor/project.db`.

The database is the host's, which may be writing to it: it is opened read-only. SQLite would still
create the files that readers of a write-ahead log share; so while there is no log, the file is read
as one that does not change, and what was read counts only if it did not.

Rows are read on from the highest row number so far. SQLite gives a number again after the highest
row is deleted, and the host replaces rows; so the cursor knows the message of its row, and all is
read again if that is another. A turn's index is its place by time among all rows of its session,
which replacing does not change.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, ClassVar, Final
from urllib.parse import quote

from victor_memory.conversation.records import Turn
from victor_memory.errors import TransferError
from victor_memory.transfer.lines import status_of, write_ahead_log
from victor_memory.transfer.model import Batch, Cursor, Entry, Head, Note, Problem
from victor_memory.transfer.text import call_text, clean, moment, tool_text

_MAGIC: Final = b"SQLite format 3\x00"
_NEEDED: Final = {"id", "session_id", "role", "content", "timestamp"}
_OPTIONAL: Final = ("tool_name", "tool_call_id", "metadata", "agent_id")
_ROLES: Final = frozenset({"user", "assistant"})
_TOOL_ROLES: Final = frozenset({"tool", "tool_call", "tool_result"})


class Victor:
    """Reads the host's conversations."""

    name: ClassVar[str] = "victor"
    title: ClassVar[str] = "Victor `project.db`"
    one_home: ClassVar[bool] = False

    def recognizes(self, head: Head) -> bool:
        """Return whether it is an SQLite database."""
        return head.data.startswith(_MAGIC)

    def places(self, root: Path) -> Iterable[Path]:
        """Return the database of the project at *root*."""
        path = root / ".victor" / "project.db"
        return [path] if path.is_file() else []

    def batches(self, path: Path, since: Cursor | None, size: int) -> Iterator[Batch]:
        """Yield the messages in *path* after *since*."""
        still = not write_ahead_log(path).exists()
        before = status_of(path)
        cursor = since
        if still:
            for batch in _read(path, cursor, size, immutable=True):
                if status_of(path) != before or write_ahead_log(path).exists():
                    break  # it changes after all: this batch may be torn
                yield batch
                cursor = batch.cursor
            else:
                return
        yield from _read(path, cursor, size, immutable=False)


def _read(path: Path, since: Cursor | None, size: int, *, immutable: bool) -> Iterator[Batch]:
    seen = status_of(path)
    query = "immutable=1" if immutable else "mode=ro"
    try:
        place = f"file:{quote(str(path.resolve()))}?{query}"
        # Batches may be asked for from one thread after another.
        opened = sqlite3.connect(place, uri=True, timeout=10, check_same_thread=False)
        with closing(opened) as database:
            database.row_factory = sqlite3.Row
            database.text_factory = lambda raw: raw.decode("utf-8", "replace")
            yield from _messages(path, database, since, size, seen)
    except sqlite3.Error as exc:
        msg = (
            f"{path} cannot be read: {exc}. Close the program that uses it, or copy it together "
            "with the files project.db-wal and project.db-shm beside it, and import the copy."
        )
        raise TransferError(msg) from exc


def _messages(
    path: Path,
    database: sqlite3.Connection,
    since: Cursor | None,
    size: int,
    seen: tuple[int, int, int] | None,
) -> Iterator[Batch]:
    has = {str(row["name"]) for row in database.execute("PRAGMA table_info(messages)")}
    if not has >= _NEEDED:
        msg = f"{path} has no table of messages as Victor writes it. Name the project's project.db."
        raise TransferError(msg)
    # One view of the data for all statements, also while the host writes.
    database.execute("BEGIN")
    homes = _homes(database)
    default = str(path.resolve().parent.parent) if path.parent.name == ".victor" else None
    row, noted, check = 0, 0, ""
    state: dict[str, Any] = {}
    if since is not None and since.check and since.check == _id_at(database, since.offset):
        row, check = since.offset, since.check
        state = json.loads(json.dumps(since.state))
        noted = int(state.get("summaries", 0))
    last = database.execute("SELECT max(rowid) FROM messages").fetchone()[0] or 0
    optional = ", ".join(one if one in has else f"NULL AS {one}" for one in _OPTIONAL)
    rows = database.execute(
        f"SELECT * FROM (SELECT rowid AS row, id, session_id, role, content, timestamp, {optional},"  # noqa: S608 - constants of this module
        " row_number() OVER (PARTITION BY session_id ORDER BY timestamp, rowid) - 1 AS place"
        " FROM messages WHERE session_id IN (SELECT session_id FROM messages WHERE rowid > ?))"
        " WHERE row > ? ORDER BY row",
        (row, row),
    )
    weight = (seen[0] if seen else 0) / max(last, 1)
    while True:
        entries: list[Entry] = []
        problems: list[Problem] = []
        read = rows.fetchmany(size)
        for one in read:
            row, check = one["row"], str(one["id"])
            home = homes.get(one["session_id"]) or default
            try:
                if (turn := _turn(path, one, state)) is not None:
                    entries.append(Entry(turn, row, home))
            except (TypeError, ValueError) as exc:
                problems.append(Problem(str(path), row, f"not a message ({exc})"))
        if not read:
            break
        yield Batch(
            tuple(entries), tuple(problems), Cursor(row, 0, check, dict(state)), int(row * weight)
        )
    summaries = list(_summaries(path, database, noted, homes, default))
    state["summaries"] = max((one.line for one in summaries), default=noted)
    yield Batch(tuple(summaries), (), Cursor(row, 0, check, state, seen), seen[0] if seen else 0)


def _turn(path: Path, row: sqlite3.Row, state: dict[str, Any]) -> Turn | None:
    role, text = str(row["role"]).lower(), clean(str(row["content"] or ""))
    tool = row["tool_name"]
    calls = state.setdefault("calls", {})
    if role == "tool_call":
        # Its text and its result's become one turn, as those of other agents do.
        calls[str(row["tool_call_id"])] = call_text(str(tool or "tool"), text)
        while len(calls) > 200:  # noqa: PLR2004 - calls without a result
            del calls[next(iter(calls))]
        return None
    if role in _TOOL_ROLES:
        name = str(tool or "tool")
        text = tool_text(name, calls.pop(str(row["tool_call_id"]), name), text)
        role, tool = "tool", name
    elif role not in _ROLES:
        return None
    if not text:
        return None
    metadata = _json(row["metadata"])
    return Turn(
        text, str(row["session_id"]), role, int(row["place"]), moment(row["timestamp"]), "victor",
        f"{path.name}:{row['row']}", tool=tool, speaker=row["agent_id"] or None,
        branch=metadata.get("git_branch") if isinstance(metadata.get("git_branch"), str) else None,
    )  # fmt: skip


def _summaries(
    path: Path,
    database: sqlite3.Connection,
    after: int,
    homes: Mapping[str, str],
    default: str | None,
) -> Iterator[Entry]:
    """Yield what the host has summed up when it made room in the context."""
    try:
        rows = database.execute(
            "SELECT rowid AS row, session_id, summary, created_at FROM context_summaries"
            " WHERE rowid > ? ORDER BY rowid",
            (after,),
        ).fetchall()
    except sqlite3.OperationalError:
        return  # a version without them
    for row in rows:
        if text := clean(str(row["summary"] or "")):
            note = Note(
                text=text, kind="summary", session=str(row["session_id"]), agent="victor",
                source=f"{path.name}:summary {row['row']}", importance=0.7,
                created_at=moment(row["created_at"]),
            )  # fmt: skip
            yield Entry(note, row["row"], homes.get(row["session_id"]) or default)


def _homes(database: sqlite3.Connection) -> dict[str, str]:
    try:
        rows = database.execute("SELECT session_id, project_path FROM sessions").fetchall()
    except sqlite3.OperationalError:
        return {}
    return {row["session_id"]: row["project_path"] for row in rows if row["project_path"]}


def _id_at(database: sqlite3.Connection, row: int) -> str | None:
    found = database.execute("SELECT id FROM messages WHERE rowid = ?", (row,)).fetchone()
    return str(found["id"]) if found else None


def _json(text: Any) -> dict[str, Any]:
    try:
        value = json.loads(text) if text else {}
    except (TypeError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}
