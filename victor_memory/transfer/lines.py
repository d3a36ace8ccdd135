"""Files of lines, read in batches and gone on with later, however large they are."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, Final, TypeAlias

from victor_memory.errors import TransferError
from victor_memory.transfer.model import Batch, Cursor, Entry, Problem

MAX_LINE: Final = 64 * 1024 * 1024
"""Bytes; a longer line is reported and skipped."""
SAMPLE: Final = 4096
"""Bytes at the beginning, and before the cursor, that tell whether a file is the same."""
State: TypeAlias = dict[str, Any]
Convert: TypeAlias = Callable[[Any, int, State], Iterator[Entry]]
"""From a line's JSON value, its number and the state, which it may change, to entries."""


def json_lines(path: Path, since: Cursor | None, size: int, convert: Convert) -> Iterator[Batch]:
    """Yield what *convert* makes of the lines of *path* after *since*; see `Reader.batches`.

    A last line without its end is taken if it is a whole JSON value, and waits otherwise.

    Raises:
        TransferError: the file cannot be read.

    """
    try:
        with path.open("rb") as stream:
            yield from _batches(path, stream, since, size, convert)
    except OSError as exc:
        msg = f"{path} cannot be read: {exc}. Check the path and its permissions."
        raise TransferError(msg) from exc


def _batches(
    path: Path, stream: BinaryIO, since: Cursor | None, size: int, convert: Convert
) -> Iterator[Batch]:
    status = os.fstat(stream.fileno())
    if since is None or since.check != fingerprint(stream, since.offset):
        since = Cursor()
    # A copy that shares nothing: a batch that is not stored must leave no trace.
    state: State = json.loads(json.dumps(since.state))
    offset, line = since.offset, since.line
    stream.seek(offset)
    if offset and stream.read(1) == b"\n":
        offset += 1  # the end of a line that was taken without it
    entries: list[Entry] = []
    problems: list[Problem] = []
    whole = True

    def cursor(*, ended: bool) -> Cursor:
        check = fingerprint(stream, offset)
        stream.seek(offset)
        seen = (status.st_size, status.st_mtime_ns, status.st_ino) if ended else None
        return Cursor(offset, line, check, json.loads(json.dumps(state)), seen)

    for raw, end, complete in _lines(stream, offset):
        value, reason = _parsed(raw)
        if reason and not complete:
            whole = False
            break
        offset, line = end, line + 1
        if reason:
            problems.append(Problem(str(path), line, reason))
        elif value is not None:
            try:
                entries.extend(convert(value, line, state))
            except (AttributeError, KeyError, TypeError, ValueError) as exc:
                reason = f"not what this format has there ({type(exc).__name__}: {exc})"
                problems.append(Problem(str(path), line, reason))
        if len(entries) + len(problems) >= size:
            yield Batch(tuple(entries), tuple(problems), cursor(ended=False), offset)
            entries, problems = [], []
    yield Batch(tuple(entries), tuple(problems), cursor(ended=whole), offset, not whole)


def _parsed(raw: bytes | None) -> tuple[Any, str]:
    """Return the JSON value of a line, `None` for an empty one, and why there is none."""
    if raw is None:
        return None, f"longer than {MAX_LINE} bytes"
    try:
        return json.loads(raw) if raw.strip() else None, ""
    except (ValueError, RecursionError) as exc:
        return None, f"not JSON ({exc})"


def _lines(stream: BinaryIO, offset: int) -> Iterator[tuple[bytes | None, int, bool]]:
    """Yield each line, `None` for one that is too long, the offset behind it, and if it ended."""
    while True:
        stream.seek(offset)
        raw: bytes | None = stream.readline(MAX_LINE)
        if not raw:
            return
        offset += len(raw)
        complete = raw.endswith(b"\n")
        if not complete and len(raw) == MAX_LINE:
            raw = None
            while rest := stream.readline(MAX_LINE):
                offset += len(rest)
                if complete := rest.endswith(b"\n"):
                    break
        yield raw, offset, complete


def fingerprint(stream: BinaryIO, offset: int) -> str:
    """Return the digest of the first and the last bytes before *offset*, and of the offset."""
    if offset == 0:
        return ""
    stream.seek(0)
    digest = hashlib.sha256(f"{offset}\n".encode() + stream.read(min(offset, SAMPLE)))
    stream.seek(max(0, offset - SAMPLE))
    digest.update(stream.read(offset - stream.tell()))
    return digest.hexdigest()


def file_digest(path: Path) -> str:
    """Return the digest of all of *path*.

    Raises:
        TransferError: the file cannot be read.

    """
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as exc:
        msg = f"{path} cannot be read: {exc}. Check the path and its permissions."
        raise TransferError(msg) from exc


def status_of(path: Path) -> tuple[int, int, int] | None:
    """Return what changes when *path* does: its size, modification time and inode.

    The write-ahead log of a database counts as part of it.
    """
    try:
        status = path.stat()
    except OSError:
        return None
    size, changed = status.st_size, status.st_mtime_ns
    if path.suffix == ".db":
        try:
            log = write_ahead_log(path).stat()
        except OSError:
            pass
        else:
            size, changed = size + log.st_size, max(changed, log.st_mtime_ns)
    return size, changed, status.st_ino


def write_ahead_log(path: Path) -> Path:
    """Return where SQLite keeps what is not in the database *path* itself yet."""
    return path.with_name(path.name + "-wal")
