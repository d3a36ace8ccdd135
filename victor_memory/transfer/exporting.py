"""The memory written out: as JSON lines, which are imported as they were, and as Markdown.

The first line of the JSON says what it is and whose: `{"schema": "victor-memory.export/1",
"project": ...}`. Each other line is a memory: its `id`, `kind`, `text` and `created_at` (ISO 8601,
UTC), and those fields of `victor_memory.conversation.records.Memory` that are not the default.
Memories stand in the order of their times, so two exports of equal memories are equal.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import AsyncIterator, Iterator
from datetime import datetime
from typing import Any, Final, Literal, TypeAlias, get_args

from victor_memory.conversation import parts
from victor_memory.conversation.memory import ConversationMemory
from victor_memory.conversation.records import Memory, from_record
from victor_memory.errors import InvalidRequestError
from victor_memory.filters import And, Filter, where
from victor_memory.transfer.readers.own_export import SCHEMA

Form: TypeAlias = Literal["jsonl", "markdown"]
FORMS: Final[tuple[Form, ...]] = get_args(Form)
_AT_ONCE: Final = 500
_SKIPPED: Final = {"part", "parts", "project"}
_DEFAULTS: Final = {
    one.name: one.default for one in dataclasses.fields(Memory) if one.name not in _SKIPPED
}


async def exported(
    memory: ConversationMemory, form: str = "jsonl", *, session: str | None = None
) -> AsyncIterator[str]:
    """Yield the text of the export, piece by piece: all of *memory*, or one *session* of it.

    Raises:
        InvalidRequestError: there is no such form.

    """
    if form not in FORMS:
        msg = f"Unknown form {form!r}. Use one of: {', '.join(FORMS)}."
        raise InvalidRequestError(msg)
    order = await _order(memory, session, by_session=form == "markdown")
    if form == "jsonl":
        yield _line({"schema": SCHEMA, "project": memory.project})
        async for one in _whole(memory, order):
            yield _line(as_values(one))
        return
    yield f"# Memory of {memory.project}\n"
    written: str | None = None
    notes = False
    async for one in _whole(memory, order):
        if one.session is None and not notes:
            notes = True
            yield "\n## Notes\n"
        elif one.session is not None and one.session != written:
            written = one.session
            yield f"\n## Session {_on_one_line(one.session)}\n"
        yield _section(one)


def as_values(memory: Memory) -> dict[str, Any]:
    """Return *memory* as JSON values, without what is as it usually is."""
    values: dict[str, Any] = {}
    for name, default in _DEFAULTS.items():
        value = getattr(memory, name)
        if isinstance(value, datetime):
            values[name] = value.isoformat()
        elif isinstance(value, tuple):
            values |= {name: list(value)} if value else {}
        elif value not in (default, {}):
            values[name] = value
    return values


async def _order(
    memory: ConversationMemory, session: str | None, *, by_session: bool
) -> list[list[str]]:
    """Return the ids of all parts of each memory, in the order in which they are written."""
    keys: list[tuple[Any, ...]] = []
    within: Filter = where("project", "=", memory.project)
    if session is not None:
        within = And((within, where("session", "=", session)))
    async for batch in memory.provider.scan(within):
        for record in batch:
            one = from_record(record)
            if one.part == 0:
                placed = (one.index is None, one.index or 0, one.id)
                time = one.created_at
                group = (one.session is None, one.session or "") if by_session else ()
                keys.append((*group, time, *placed, parts.part_ids(one)))
    keys.sort(key=lambda key: key[:-1])
    return [key[-1] for key in keys]


async def _whole(memory: ConversationMemory, order: list[list[str]]) -> AsyncIterator[Memory]:
    for first in range(0, len(order), _AT_ONCE):
        some = order[first : first + _AT_ONCE]
        records = await memory.provider.get([part for ids in some for part in ids])
        found = {record.id: from_record(record) for record in records}
        for ids in some:
            # A memory that was forgotten meanwhile, or is just being, is not written.
            if all(part in found for part in ids):
                yield parts.join(found[part] for part in ids)


def _line(values: dict[str, Any]) -> str:
    return json.dumps(values, ensure_ascii=False) + "\n"


def _section(memory: Memory) -> str:
    what = memory.speaker or memory.role if memory.kind == "turn" else memory.kind
    named = f"{what or 'turn'}, {memory.tool}" if memory.tool else what or "turn"
    lines = [f"\n### {_on_one_line(named)} - {memory.created_at:%Y-%m-%d %H:%M:%S} UTC\n\n"]
    lines.extend(f"- {_on_one_line(one)}\n" for one in _about(memory))
    if len(lines) > 1:
        lines.append("\n")
    return "".join((*lines, memory.text.rstrip(), "\n"))


def _about(memory: Memory) -> Iterator[str]:
    yield f"id: `{memory.id}`"
    if memory.importance != 0.5 and memory.kind != "turn":  # noqa: PLR2004 - the default
        yield f"importance: {memory.importance:g}"
    for name in ("agent", "branch", "source"):
        if value := getattr(memory, name):
            yield f"{name}: {value}"
    for name in ("tags", "files", "commits", "links", "supersedes"):
        if values := getattr(memory, name):
            yield f"{name}: {', '.join(values)}"


def _on_one_line(text: str) -> str:
    return " ".join(text.split())
