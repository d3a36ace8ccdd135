"""What a reader gives, and where it stopped: the shapes every format has in common."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypeAlias

if TYPE_CHECKING:
    from victor_memory.conversation.records import Memory, Turn


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """A durable note, with the fields that `ConversationMemory.remember` takes."""

    text: str
    kind: str = "fact"
    session: str | None = None
    agent: str | None = None
    source: str | None = None
    importance: float = 0.5
    created_at: datetime | None = None
    tags: tuple[str, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)


Said: TypeAlias = "Turn | Note | Memory"
"""A turn, a note, or a memory of our own export, which is stored as it is."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing to be remembered, and whose it is."""

    said: Said
    line: int
    """Where it was read: a line, or in a database the row, from 1."""
    home: str | None = None
    """The directory it was said in; `None` if the format does not tell."""
    project: str | None = None
    """The project, where the format names it itself."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that was left out because it could not be read."""

    path: str
    line: int
    """From 1; 0 if it is about the whole file."""
    reason: str


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far a source was read; equal bytes before it mean that reading can go on there."""

    offset: int = 0
    """In the reader's own unit: bytes, rows, conversations."""
    line: int = 0
    """How many lines lie before it."""
    check: str = ""
    """The fingerprint of what lies before it."""
    state: Mapping[str, Any] = field(default_factory=dict)
    """JSON: what the reader must know of the part before to read on."""
    seen: tuple[int, int, int] | None = None
    """Size, modification time in ns and inode of the source when all of it was read."""


@dataclass(frozen=True, slots=True)
class Batch:
    """What was read at once, and the cursor behind it."""

    entries: tuple[Entry, ...]
    problems: tuple[Problem, ...]
    cursor: Cursor
    done: int
    """Bytes of the source that have been read by now."""
    waiting: bool = False
    """Whether the source ends in the middle of something, which is still being written."""


@dataclass(frozen=True, slots=True)
class Head:
    """The beginning of a source, from which its format is recognised."""

    path: Path
    data: bytes
    """Up to the first 64 KiB."""
    documents: tuple[Any, ...]
    """The JSON values of the first complete lines."""


class Reader(Protocol):
    """One format. A reader writes nothing and knows no memory."""

    name: ClassVar[str]
    """As `--format` takes it."""
    title: ClassVar[str]
    one_home: ClassVar[bool]
    """Whether all of a source was said in one directory, so that the first entry tells."""

    def recognizes(self, head: Head) -> bool:
        """Return whether a source that begins with *head* is of this format."""
        ...

    def places(self, root: Path) -> Iterable[Path]:
        """Return the sources that the agent keeps, for the project at *root* and others."""
        ...

    def batches(self, path: Path, since: Cursor | None, size: int) -> Iterator[Batch]:
        """Yield what *path* holds after *since*, about *size* entries at a time, in order.

        A cursor that does not fit the source any more (rotated, truncated, rewritten) is
        ignored: all is read again, which adds nothing twice. The last batch has a cursor with
        `seen`, unless the source ends in the middle of something that is still being written.

        Raises:
            TransferError: the source cannot be read at all.

        """
        ...
