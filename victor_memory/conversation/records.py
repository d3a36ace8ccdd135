"""What is remembered, as values, and how each value is kept as a `Record` of a store.

A record's metadata has these keys, which filters may use; a field that is not set has no key:

| key | value |
|---|---|
| `kind` | one of `KINDS` |
| `project` | whose memory it is |
| `session`, `index` | the conversation it comes from, and the position in it |
| `role`, `agent`, `source` | who said it, in which agent, and where it was read |
| `importance` | 0 to 1 |
| `created_at`, `created_ts` | the time as ISO 8601 in UTC, and as seconds since 1970 |
| `tags`, `links` | lists of strings |
| `meta.NAME` | the field `NAME` of the memory's own metadata |
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, cast, get_args

from victor_memory.errors import CorruptStoreError, InvalidRequestError
from victor_memory.filters import is_number
from victor_memory.retrieval.text import index_terms
from victor_memory.types import Hit, Metadata, Record, StoreStats

if TYPE_CHECKING:
    from victor_memory.types import Vector

Kind: TypeAlias = Literal["fact", "decision", "preference", "task", "summary", "error_fix", "turn"]
"""`turn` is something that was said; the others are durable notes."""
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
META: Final = "meta."
_ID_VERSION: Final = 1
"""Part of every id: to be raised if what makes two memories the same ever changes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """One remembered text. Build it with `new_memory`, which checks everything.

    The same thing has the same `id`, whoever adds it and however often: a note is its project,
    kind and text; a turn is also its session, its role and, where it was given, its index.
    """

    id: str
    text: str
    kind: Kind
    project: str
    session: str | None = None
    index: int | None = None
    """Position in the session, from 0; only turns have one."""
    role: str | None = None
    agent: str | None = None
    source: str | None = None
    importance: float = 0.5
    created_at: datetime
    """When it was said or learned, in UTC."""
    tags: tuple[str, ...] = ()
    links: tuple[str, ...] = ()
    """Ids of turns, `path@digest` of files, commits: what the memory rests on."""
    metadata: Metadata = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Turn:
    """Something that was said in a session, to be added with `ConversationMemory.add_turns`.

    Without *index* it comes after the session's turns so far, and saying the same words again in
    the same role is the same turn; give the index to keep both.
    """

    text: str
    session: str
    role: str | None = None
    index: int | None = None
    created_at: datetime | None = None
    """Time of the turn; now, if it is not given."""
    agent: str | None = None
    source: str | None = None
    importance: float = 0.5
    tags: Sequence[str] = ()
    links: Sequence[str] = ()
    metadata: Metadata = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Remembered:
    """What became of a text: the memory as it is stored, and whether it was stored now."""

    memory: Memory
    new: bool
    """Whether it was not there before; otherwise the stored one is left as it was."""
    redacted: tuple[str, ...] = ()
    """What was removed from it before it was stored."""


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What was deleted, or would be if it was a dry run."""

    memories: tuple[Memory, ...]
    dry_run: bool


@dataclass(frozen=True, slots=True)
class Session:
    """One conversation: its number of turns, and the times of its first and last memory."""

    id: str
    turns: int
    first: datetime
    last: datetime


@dataclass(frozen=True, slots=True)
class ConversationStatus:
    """How much a project remembers, by kind, and where."""

    project: str
    memories: int
    kinds: Mapping[str, int]
    store: StoreStats


def new_memory(
    text: str,
    *,
    project: str,
    kind: str = "fact",
    session: str | None = None,
    index: int | None = None,
    role: str | None = None,
    agent: str | None = None,
    source: str | None = None,
    importance: float = 0.5,
    created_at: datetime | None = None,
    tags: Sequence[str] = (),
    links: Sequence[str] = (),
    metadata: Metadata | None = None,
) -> Memory:
    """Return a checked memory with its id; *created_at* is now if it is not given.

    Raises:
        InvalidRequestError: a field has a value that cannot be remembered.

    """
    if not isinstance(text, str) or not text.strip():
        msg = f"There is nothing to remember in {text!r}. Give a text with at least one word."
        raise InvalidRequestError(msg)
    checked = check_kind(kind)
    if checked == "turn" and session is None:
        msg = "A turn belongs to a session. Give its session, or choose another kind."
        raise InvalidRequestError(msg)
    if index is not None and (checked != "turn" or not _is_index(index)):
        msg = f"index is {index!r}; it is the position of a turn in its session, from 0."
        raise InvalidRequestError(msg)
    if not is_number(importance) or not 0 <= importance <= 1:
        msg = f"importance is {importance!r}; give a number from 0 (trivial) to 1 (vital)."
        raise InvalidRequestError(msg)
    names = {"project": project, "session": session, "role": role, "agent": agent, "source": source}
    for name, value in names.items():
        if value is not None or name == "project":
            _check_name(name, value)
    said = (session, role, index) if checked == "turn" else ()
    return Memory(
        id=_identity(text, project, checked, *said),
        text=text,
        kind=checked,
        project=project,
        session=session,
        index=index,
        role=role,
        agent=agent,
        source=source,
        importance=float(importance),
        created_at=datetime.now(UTC) if created_at is None else check_time(created_at),
        tags=_strings("tags", tags),
        links=_strings("links", links),
        metadata=dict(_check_metadata(metadata or {})),
    )


def at_index(memory: Memory, index: int) -> Memory:
    """Return *memory* at the position *index*, under the id it had without one."""
    return dataclasses.replace(memory, index=index)


def to_record(memory: Memory, vector: Vector | None = None) -> Record:
    """Return *memory* as a record; its tags are found like words of its text."""
    known: dict[str, Any] = {
        "kind": memory.kind,
        "project": memory.project,
        "session": memory.session,
        "index": memory.index,
        "role": memory.role,
        "agent": memory.agent,
        "source": memory.source,
        "importance": memory.importance,
        "created_at": memory.created_at.isoformat(),
        "created_ts": memory.created_at.timestamp(),
        "tags": list(memory.tags) or None,
        "links": list(memory.links) or None,
    }
    metadata = {key: value for key, value in known.items() if value is not None}
    metadata.update((META + key, value) for key, value in memory.metadata.items())
    terms = index_terms("\n".join((memory.text, *memory.tags))) if memory.tags else None
    return Record(memory.id, memory.text, vector, metadata, terms)


def from_record(record: Record | Hit) -> Memory:
    """Return the memory that *record*, or a hit on it, keeps.

    Raises:
        CorruptStoreError: the record was not made by `to_record`.

    """
    kept = record.metadata
    try:
        return Memory(
            id=record.id,
            text=record.text,
            kind=cast("Kind", kept["kind"]),
            project=kept["project"],
            session=kept.get("session"),
            index=kept.get("index"),
            role=kept.get("role"),
            agent=kept.get("agent"),
            source=kept.get("source"),
            importance=kept["importance"],
            created_at=datetime.fromisoformat(kept["created_at"]),
            tags=tuple(kept.get("tags", ())),
            links=tuple(kept.get("links", ())),
            metadata={k.removeprefix(META): v for k, v in kept.items() if k.startswith(META)},
        )
    except (KeyError, TypeError, ValueError) as exc:
        msg = (
            f"The record {record.id!r} is not a conversation memory: {type(exc).__name__}: {exc}. "
            "Point VICTOR_EMBEDDINGS_DIR at a directory of its own for the conversation memory."
        )
        raise CorruptStoreError(msg) from exc


def check_kind(kind: object) -> Kind:
    """Return *kind* if it is one of `KINDS`."""
    if kind not in KINDS:
        msg = f"Unknown kind {kind!r}. Use one of: {', '.join(KINDS)}."
        raise InvalidRequestError(msg)
    return kind


def check_time(moment: object) -> datetime:
    """Return *moment* in UTC if it is a time with a time zone."""
    if not isinstance(moment, datetime) or moment.utcoffset() is None:
        msg = (
            f"The time {moment!r} has no time zone. Use for example datetime.now(UTC), or "
            "moment.astimezone() for a local time."
        )
        raise InvalidRequestError(msg)
    try:
        return moment.astimezone(UTC)
    except OverflowError as exc:
        msg = f"The time {moment!r} lies outside the years 1 to 9999. Correct it."
        raise InvalidRequestError(msg) from exc


def _identity(text: str, *place: object) -> str:
    """Return the digest of what makes a memory the same as another: white space does not."""
    words = " ".join(unicodedata.normalize("NFC", text).split())
    parts = json.dumps([_ID_VERSION, *place, words], ensure_ascii=False)
    try:
        return hashlib.sha256(parts.encode()).hexdigest()[:32]
    except UnicodeEncodeError as exc:
        msg = (
            "The text or one of its names holds a lone surrogate, which no store can keep. "
            "Decode its source with errors='replace'."
        )
        raise InvalidRequestError(msg) from exc


def _is_index(index: object) -> bool:
    return isinstance(index, int) and not isinstance(index, bool) and 0 <= index < 2**63


def _check_name(name: str, value: object) -> None:
    if not isinstance(value, str) or not value.strip():
        msg = f"{name} is {value!r}; give a non-empty string, or leave it out."
        raise InvalidRequestError(msg)


def _strings(name: str, values: object) -> tuple[str, ...]:
    if isinstance(values, str) or not isinstance(values, Sequence):
        msg = f"{name} is {values!r}; give a list of strings."
        raise InvalidRequestError(msg)
    for one in values:
        _check_name(f"An element of {name}", one)
    return tuple(dict.fromkeys(values))


def _check_metadata(metadata: object) -> Mapping[str, Any]:
    if not isinstance(metadata, Mapping) or not all(isinstance(key, str) for key in metadata):
        msg = f"metadata is {metadata!r}; give a mapping of names to JSON values."
        raise InvalidRequestError(msg)
    return metadata
