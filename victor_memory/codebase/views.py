"""What each working tree sees of a collection that several of them share.

A view is the map from a tree's files to their digests. It lies beside the store's data as a log: a
first line that says whose it is, then one JSON object for each change. Appending one line is all
that a changed file costs, and all that another process has to read. Only who holds the build lock
writes; a line that a kill cut short is passed over, and the log then written anew.
"""

from __future__ import annotations

import json
import os
import tempfile
import threading
import uuid
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, TypeAlias

from victor_memory._logging import get_logger
from victor_memory.codebase.records import Version
from victor_memory.scope import identifier

log = get_logger(__name__)
DIRECTORY: Final = ".views"
FORMAT: Final = 1
SLACK: Final = 256_000
"""Bytes of changes that are appended, at least, before the log is written anew."""

Entries: TypeAlias = Mapping[str, tuple[str, int]]
"""Digest and number of chunks of each path."""
_NOTHING: Final = (0, 0, 0)


class View:
    """The files of one working tree, as far as they are indexed; kept in *file* if there is one."""

    def __init__(self, root: str, file: Path | None = None) -> None:
        self.root = root
        self.version = 0
        """Raised at each change, including those that other processes made."""
        self.known = file is not None
        """Whether anything can be said; if not, everything is accepted."""
        self._file = file
        self._entries: dict[str, tuple[str, int]] = {}
        self._log = ""
        """Which log was read: one that is written anew is another."""
        self._read = 0
        """Bytes of it that are known."""
        self._state = _NOTHING
        self._snapshot = 0
        """Bytes of the log when it was last written anew."""
        self._turn = threading.Lock()

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __contains__(self, path: object) -> bool:
        return path in self._entries

    def items(self) -> Iterator[Version]:
        """Yield each file's path and digest."""
        for path, (digest, _) in self._entries.items():
            yield path, digest

    def digest(self, path: str) -> str | None:
        """Return the content of *path* that is indexed."""
        found = self._entries.get(path)
        return found[0] if found else None

    def accepts(self, path: str, digest: str) -> bool:
        """Whether a record of *path* with the content *digest* is of this tree."""
        return not self.known or self.digest(path) == digest

    @property
    def chunks(self) -> int:
        """How many chunks the files were cut into."""
        return sum(count for _, count in self._entries.values())

    # -- kept up to date --------------------------------------------------------------------------

    def stale(self) -> bool:
        """Whether another process has written since the view was last read or written here."""
        return self._file is not None and _state(self._file) != self._state

    def sync(self) -> Entries:
        """Read what other processes wrote; return the files that are new or changed by it.

        A log that is missing or damaged is an empty view.
        """
        with self._turn:
            return self._sync() if self._file is not None and self.stale() else {}

    def _sync(self) -> Entries:
        assert self._file is not None
        before = self._entries
        try:
            entries = self._load(self._file)
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as exc:
            if not isinstance(exc, FileNotFoundError):
                log.warning("view_damaged", error=str(exc))
            entries, self._log, self._read, self._state = {}, "", 0, _state(self._file)
        self._entries = entries
        self.version += 1
        return {path: one for path, one in entries.items() if before.get(path) != one}

    def _load(self, file: Path) -> dict[str, tuple[str, int]]:
        """Return the files by the log, of which only what is new is read."""
        with file.open("rb") as stream:
            found = os.fstat(stream.fileno())
            head = stream.readline()
            name = str(_header(head)["id"])
            grown = name == self._log and found.st_size >= self._read
            entries = dict(self._entries) if grown else {}
            start = self._read if grown else len(head)
            stream.seek(start)
            lines = stream.read(found.st_size - start)
        complete = lines[: lines.rfind(b"\n") + 1]
        for line in complete.splitlines():
            change = json.loads(line)
            for path, (digest, count) in change["put"].items():
                entries[str(path)] = str(digest), int(count)
            for path in change["drop"]:
                entries.pop(path, None)
        self._log, self._read = name, start + len(complete)
        self._state = found.st_ino, found.st_size, found.st_mtime_ns
        if not grown:
            self._snapshot = self._read
        return entries

    def commit(self, put: Entries, drop: Collection[str] = ()) -> None:
        """Take over *put*, forget *drop*, and write that down. Call `sync` first, under the lock.

        Raises:
            OSError: the log cannot be written; the view is as it was.

        """
        with self._turn:
            self._commit(put, [path for path in drop if path in self._entries])

    def _commit(self, put: Entries, drop: Collection[str]) -> None:
        written = self._file is None or self._read
        if not put and not drop and self.known and written:
            return
        entries = {**self._entries, **put}
        for path in drop:
            del entries[path]
        if self._file is not None:
            change = _line({"put": put, "drop": drop})
            whole = self._state[1] == self._read and not self.stale()
            if self._read and whole and self._read + len(change) < 2 * self._snapshot + SLACK:
                with self._file.open("ab") as stream:
                    stream.write(change)
                self._read += len(change)
            else:
                self._rewrite(self._file, entries)
            self._state = _state(self._file)
        self._entries = entries
        self.known = True
        self.version += 1

    def touch(self) -> None:
        """Let other processes see that something was done to the collection."""
        if self._file is not None and self._read:
            with self._turn:
                os.utime(self._file)
                self._state = _state(self._file)

    def clear(self) -> None:
        """Forget everything, here and in the file."""
        if self._file is not None:
            self._file.unlink(missing_ok=True)
        self._entries = {}
        self._log, self._read, self._state = "", 0, _NOTHING
        self.version += 1

    def _rewrite(self, file: Path, entries: Entries) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        name = uuid.uuid4().hex
        head = {"format": FORMAT, "id": name, "root": self.root}
        packed = _line(head) + _line({"put": entries, "drop": ()})
        handle, temporary = tempfile.mkstemp(prefix=".", suffix=".new", dir=file.parent)
        try:
            with os.fdopen(handle, "wb") as stream:
                stream.write(packed)
            Path(temporary).replace(file)
        except OSError:
            with suppress(OSError):
                Path(temporary).unlink()
            raise
        self._log, self._read, self._snapshot = name, len(packed), len(packed)


class Views:
    """The views below *directory*, a collection's own; without one, of a store that is not shared.

    Not every store keeps its data in a directory of this machine. Then a collection belongs to one
    tree, and its view is found out by comparing.
    """

    def __init__(self, directory: Path | None, root: Path) -> None:
        self._directory = None if directory is None else directory / DIRECTORY
        name = f"{identifier(root)}.jsonl"
        self._file = None if self._directory is None else self._directory / name
        self.own = View(str(root), self._file)
        self._others: dict[str, View] = {}

    def signature(self) -> tuple[object, ...]:
        """Return what changes whenever anybody changes the collection."""
        if self._directory is None:
            return ()
        return tuple((file.name, _state(file)) for file in _logs(self._directory))

    def elsewhere(self) -> set[Version]:
        """Return the versions that other working trees see."""
        self._look()
        return {version for view in self._others.values() for version in view.items()}

    def drop_the_gone(self) -> None:
        """Remove the views of trees that are not there any more. Call it under the lock."""
        for file in () if self._directory is None else _logs(self._directory):
            root = _root(file)
            if file != self._file and (root is None or not Path(root).is_dir()):
                file.unlink(missing_ok=True)

    def clear(self) -> None:
        """Forget the views of all trees. Call it under the lock."""
        self._look()
        for view in (self.own, *self._others.values()):
            view.clear()

    def _look(self) -> None:
        found: dict[str, View] = {}
        for file in () if self._directory is None else _logs(self._directory):
            root = _root(file)
            if file == self._file or root is None or not Path(root).is_dir():
                continue
            known = self._others.get(file.name)
            found[file.name] = known if known and known.root == root else View(root, file)
            found[file.name].sync()
        self._others = found


def _logs(directory: Path) -> Iterable[Path]:
    try:
        return sorted(directory.glob("*.jsonl"))
    except OSError:
        return ()


def _root(file: Path) -> str | None:
    """Return whose log *file* is, or `None` if it is damaged."""
    try:
        with file.open("rb") as stream:
            return str(_header(stream.readline())["root"])
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _header(line: bytes) -> dict[str, Any]:
    head: dict[str, Any] = json.loads(line)
    if head["format"] != FORMAT:
        msg = f"a view of format {head['format']}"
        raise ValueError(msg)
    return head


def _line(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode() + b"\n"


def _state(file: Path) -> tuple[int, int, int]:
    """Return what changes when *file* does: inode, size and time."""
    try:
        found = file.stat()
    except OSError:
        return _NOTHING
    return found.st_ino, found.st_size, found.st_mtime_ns
