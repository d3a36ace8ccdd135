"""What is remembered, as values, and how each value is kept as a `Record` of a store.

A record's metadata has these keys, which filters may use; a field that is not set has no key:

| key | value |
|---|---|
| `kind` | one of `KINDS` |
| `project` | whose memory it is |
| `session`, `index` | the conversation it comes from, and the position in it |
| `role`, `speaker`, `agent` | who said it: as what, under which name, in which agent |
| `tool`, `source` | the tool that was called or answered, and where it was read |
| `branch`, `worktree` | the git branch, and the root of the working tree, it was said in |
| `scope` | one of `SCOPES`; no key means `project` |
| `importance` | 0 to 1 |
| `created_at`, `created_ts` | the time as ISO 8601 in UTC, and as seconds since 1970 |
| `tags`, `links`, `files`, `commits` | lists of strings |
| `supersedes` | ids of the memories that this one takes the place of |
| `part`, `parts` | which part of a long text this is, and of how many; see `parts` |
| `stored_ts` | when it was written into the store, in seconds since 1970 |
| `meta.NAME` | the field `NAME` of the memory's own metadata |
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, cast, get_args

from victor_memory.conversation import checks
from victor_memory.conversation.identity import identity, normal
from victor_memory.errors import CorruptStoreError, InvalidRequestError
from victor_memory.filters import is_number
from victor_memory.retrieval.text import index_terms
from victor_memory.types import Hit, Metadata, Record, StoreStats

if TYPE_CHECKING:
    from victor_memory.types import Vector

Kind: TypeAlias = Literal["fact", "decision", "preference", "task", "summary", "error_fix", "turn"]
"""`turn` is something that was said; the others are durable notes."""
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
Scope: TypeAlias = Literal["project", "user", "session", "agent"]
"""Who sees a memory: the project, all projects of the user, or one session or agent of it."""
SCOPES: Final[tuple[Scope, ...]] = get_args(Scope)
USER: Final = "user"
"""The project, and the collection, of what is remembered for every project of the user."""
META: Final = "meta."


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """One remembered text. Build it with `new_memory`, which checks everything.

    The same thing has the same `id`, whoever adds it and however often: a note is its project,
    kind and text, and its session or agent if only they see it; a turn is also its session, its
    role and, where it was given, its index.
    """

    id: str
    text: str
    kind: Kind
    project: str
    session: str | None = None
    index: int | None = None
    """Position in the session, from 0; only turns have one."""
    role: str | None = None
    """As what it was said: `user`, `assistant`, `tool`, `system` or what the host calls it."""
    speaker: str | None = None
    """Name of who said it."""
    tool: str | None = None
    """Name of the tool that was called or answered."""
    agent: str | None = None
    branch: str | None = None
    worktree: str | None = None
    """Root of the working tree it was said in."""
    source: str | None = None
    importance: float = 0.5
    created_at: datetime
    """When it was said or learned, in UTC."""
    tags: tuple[str, ...] = ()
    links: tuple[str, ...] = ()
    """Ids of the turns and notes that the memory rests on."""
    files: tuple[str, ...] = ()
    """Files it rests on, as `path@digest`; see `lineage.file_link`."""
    commits: tuple[str, ...] = ()
    """Commits it rests on."""
    scope: Scope = "project"
    supersedes: tuple[str, ...] = ()
    """Ids of the memories that this one takes the place of."""
    part: int = 0
    parts: int = 1
    """Which part of a long text this is, and of how many."""
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
    speaker: str | None = None
    tool: str | None = None
    branch: str | None = None
    worktree: str | None = None
    files: Sequence[str] = ()
    commits: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Remembered:
    """What became of a text: the memory as it is stored, and whether it was stored now."""

    memory: Memory
    """What was stored, or what was there already and says the same."""
    new: bool
    """Whether it was not there before; otherwise the stored one is left as it was."""
    redacted: tuple[str, ...] = ()
    """What was removed from it before it was stored."""
    superseded: tuple[Memory, ...] = ()
    """What it took the place of."""
    similar: tuple[Memory, ...] = ()
    """Notes about the same, nearest first, that it neither repeats nor clearly supersedes."""


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What was deleted, or would be if it was a dry run."""

    memories: tuple[Memory, ...]
    dry_run: bool
    erased: bool = False
    """Whether nothing of it is in the files any more."""
    current_again: tuple[str, ...] = ()
    """Ids of what the forgotten had superseded, and nothing supersedes now."""


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
    speaker: str | None = None,
    tool: str | None = None,
    branch: str | None = None,
    worktree: str | None = None,
    files: Sequence[str] = (),
    commits: Sequence[str] = (),
    scope: str = "project",
    supersedes: Sequence[str] = (),
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
    if checked == "turn" and supersedes:
        msg = "A turn is what was said, and supersedes nothing. Remember a note that does."
        raise InvalidRequestError(msg)
    if index is not None and (checked != "turn" or not checks.is_index(index)):
        msg = f"index is {index!r}; it is the position of a turn in its session, from 0."
        raise InvalidRequestError(msg)
    if not is_number(importance) or not 0 <= importance <= 1:
        msg = f"importance is {importance!r}; give a number from 0 (trivial) to 1 (vital)."
        raise InvalidRequestError(msg)
    checks.name("project", project)
    names = {"session": session, "role": role, "speaker": speaker, "tool": tool, "agent": agent}
    names |= {"branch": branch, "worktree": worktree, "source": source}
    for name, value in names.items():
        if value is not None:
            checks.name(name, value)
    seen_by = _seen_by(scope, checked, session, agent)
    said = (session, role, index) if checked == "turn" else seen_by
    return Memory(
        id=identity(text, project, checked, *said),
        text=text,
        kind=checked,
        project=project,
        session=session,
        index=index,
        role=role,
        speaker=speaker,
        tool=tool,
        agent=agent,
        branch=branch,
        worktree=worktree,
        source=source,
        importance=float(importance),
        created_at=datetime.now(UTC) if created_at is None else check_time(created_at),
        tags=checks.strings("tags", tags),
        links=checks.strings("links", links),
        files=checks.strings("files", files),
        commits=checks.commits(commits),
        scope=check_scope(scope),
        supersedes=checks.strings("supersedes", supersedes),
        metadata=dict(checks.metadata(metadata or {})),
    )


def at_index(memory: Memory, index: int) -> Memory:
    """Return *memory* at the position *index*, under the id it had without one."""
    return dataclasses.replace(memory, index=index)


def renewed(memory: Memory, after: str) -> Memory:
    """Return *memory* under another id: said again *after* the memory of that id took its place."""
    return dataclasses.replace(memory, id=identity("", memory.id, after))


def same_words(one: Memory, other: Memory) -> bool:
    """Whether both are of one kind and say the same, white space aside."""
    return one.kind == other.kind and normal(one.text) == normal(other.text)


def to_record(memory: Memory, vector: Vector | None = None, stored_ts: float = 0.0) -> Record:
    """Return *memory* as a record; its tags are found like words of its text."""
    known: dict[str, Any] = {
        "kind": memory.kind,
        "project": memory.project,
        "session": memory.session,
        "index": memory.index,
        "role": memory.role,
        "speaker": memory.speaker,
        "tool": memory.tool,
        "agent": memory.agent,
        "branch": memory.branch,
        "worktree": memory.worktree,
        "source": memory.source,
        "importance": memory.importance,
        "created_at": memory.created_at.isoformat(),
        "created_ts": memory.created_at.timestamp(),
        "tags": list(memory.tags) or None,
        "links": list(memory.links) or None,
        "files": list(memory.files) or None,
        "commits": list(memory.commits) or None,
        "scope": memory.scope if memory.scope != "project" else None,
        "supersedes": list(memory.supersedes) or None,
        "part": memory.part if memory.parts > 1 else None,
        "parts": memory.parts if memory.parts > 1 else None,
        "stored_ts": stored_ts or None,
    }
    metadata = {key: value for key, value in known.items() if value is not None}
    metadata.update((META + key, value) for key, value in memory.metadata.items())
    labelled = memory.tags or memory.speaker
    terms = index_terms("\n".join((spoken(memory), *memory.tags))) if labelled else None
    return Record(memory.id, memory.text, vector, metadata, terms)


def spoken(memory: Memory) -> str:
    """Return what is embedded and searched for words: the text, under its speaker's name."""
    return f"{memory.speaker}: {memory.text}" if memory.speaker else memory.text


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
            speaker=kept.get("speaker"),
            tool=kept.get("tool"),
            agent=kept.get("agent"),
            branch=kept.get("branch"),
            worktree=kept.get("worktree"),
            source=kept.get("source"),
            importance=kept["importance"],
            created_at=datetime.fromisoformat(kept["created_at"]),
            tags=tuple(kept.get("tags", ())),
            links=tuple(kept.get("links", ())),
            files=tuple(kept.get("files", ())),
            commits=tuple(kept.get("commits", ())),
            scope=kept.get("scope", "project"),
            supersedes=tuple(kept.get("supersedes", ())),
            part=kept.get("part", 0),
            parts=kept.get("parts", 1),
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


def check_scope(scope: object) -> Scope:
    """Return *scope* if it is one of `SCOPES`."""
    if scope not in SCOPES:
        msg = f"Unknown scope {scope!r}. Use one of: {', '.join(SCOPES)}."
        raise InvalidRequestError(msg)
    return scope


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


def _seen_by(
    scope: str, kind: Kind, session: str | None, agent: str | None
) -> tuple[str | None, ...]:
    """Return what a note that only one session or agent sees is told from others by."""
    if kind == "turn" and scope != "project":
        msg = f"A turn belongs to its project; its scope cannot be {scope!r}. Remember a note."
        raise InvalidRequestError(msg)
    owner = {"session": session, "agent": agent}.get(scope, "")
    if owner is None:
        msg = f"The scope {scope!r} needs to know which {scope} it is. Give {scope}=NAME."
        raise InvalidRequestError(msg)
    return (scope, owner) if owner else ()
