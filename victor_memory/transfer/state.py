"""How far each source was read, in one small file beside the collections.

It belongs to the collections it speaks of: a cursor counts only while they are the ones it was
stored for. Whoever deletes a collection gets everything again by importing; whoever deletes this
file only makes the next import read more than it must, because nothing is stored twice.
"""

from __future__ import annotations

import functools
import json
import os
import sqlite3
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final, TypeVar

from victor_memory._logging import get_logger
from victor_memory.redaction import redact_secrets
from victor_memory.transfer.model import Cursor

log = get_logger(__name__)
NAME: Final = "imports-1.sqlite3"
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS cursors (
    scope TEXT NOT NULL, source TEXT NOT NULL, reader TEXT NOT NULL, cursor TEXT NOT NULL,
    seen TEXT, stamps TEXT NOT NULL, PRIMARY KEY (scope, source)
) WITHOUT ROWID
"""


_T = TypeVar("_T")


class Cursors:
    """The cursors of one *scope*: a project, or all of them.

    *stamp* tells which collection a project has now: a cursor that was stored for another one does
    not count. Without a *directory* nothing is kept. Where the file cannot be used, that is logged,
    and sources are read from their beginning.
    """

    def __init__(self, directory: Path | None, scope: str, stamp: Callable[[str], str]) -> None:
        self._path = directory / NAME if directory is not None else None
        self._scope = scope
        self._stamp = stamp

    def seen(self) -> dict[tuple[str, str], tuple[int, int, int]]:
        """Return what each source, by its reader, was like when all of it was read."""
        rows = self._done(
            lambda database: database.execute(
                "SELECT source, reader, seen, stamps FROM cursors"
                " WHERE scope = ? AND seen IS NOT NULL",
                (self._scope,),
            ).fetchall()
        )
        current = functools.cache(self._stamp)
        return {
            (source, reader): tuple(json.loads(seen))
            for source, reader, seen, stamps in rows or ()
            if all(current(one) == stamp for one, stamp in json.loads(stamps).items())
        }

    def get(self, source: Path, reader: str) -> tuple[Cursor | None, set[str]]:
        """Return how far *source* was read by *reader*, and for which projects."""
        row = self._done(
            lambda database: database.execute(
                "SELECT cursor, stamps FROM cursors WHERE scope = ? AND source = ? AND reader = ?",
                (self._scope, str(source), reader),
            ).fetchone()
        )
        if row is None:
            return None, set()
        stamps: dict[str, str] = json.loads(row[1])
        if any(self._stamp(project) != stamp for project, stamp in stamps.items()):
            return None, set()
        values = json.loads(row[0])
        values["seen"] = tuple(values["seen"]) if values["seen"] else None
        return Cursor(**values), set(stamps)

    def put(self, reached: Mapping[tuple[Path, str], tuple[Cursor, Iterable[str]]]) -> None:
        """Store how far each source was read by its reader, for the collections of which projects.

        All of it or nothing, durably.
        """
        current = functools.cache(self._stamp)
        rows = []
        for (source, reader), (cursor, projects) in reached.items():
            seen = json.dumps(cursor.seen) if cursor.seen is not None else None
            stamps = json.dumps({project: current(project) for project in projects})
            kept = json.dumps(_without_secrets(asdict(cursor))), seen, stamps
            rows.append((self._scope, str(source), reader, *kept))
        self._done(
            lambda database: database.executemany(
                "INSERT OR REPLACE INTO cursors VALUES (?, ?, ?, ?, ?, ?)", rows
            )
        )

    def _done(self, work: Callable[[sqlite3.Connection], _T]) -> _T | None:
        if self._path is None:
            return None
        try:
            if not self._path.exists():
                self._path.parent.mkdir(parents=True, exist_ok=True)
                os.close(os.open(self._path, os.O_CREAT | os.O_WRONLY, 0o600))
            with closing(sqlite3.connect(self._path, timeout=10)) as database, database:
                database.execute(_SCHEMA)
                return work(database)
        except (sqlite3.Error, OSError) as exc:
            log.warning("import_cursors_unusable", path=str(self._path), error=str(exc))
            self._path = None
            return None


def _without_secrets(value: Any) -> Any:
    """Return a JSON *value* without the secrets in its strings: readers keep what tools were told.

    Only by the built-in rules. What others would take out, they do when the turn is stored.
    """
    match value:
        case str():
            return redact_secrets(value).text
        case dict():
            return {key: _without_secrets(one) for key, one in value.items()}
        case list() | tuple():
            return [_without_secrets(one) for one in value]
    return value
