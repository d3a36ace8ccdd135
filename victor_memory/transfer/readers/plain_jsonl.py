"""Plain JSON lines: one turn or note a line, under the names most programs use.

| what | names, the first that is there counts |
|---|---|
| the text | `text`, `content`, `message`, `body` |
| the session | `session`, `session_id`, `conversation_id`, `thread_id`, else the file's name |
| who said it | `role`, `sender`, `author`; `speaker`, `name` |
| the time | `created_at`, `timestamp`, `time`, `date`, `ts` |
| the directory | `cwd`, `project_path` |
| other | `kind`, `index`, `agent`, `tool` or `tool_name`, `tags`, `importance`, `branch` |
| anything | `metadata`, an object |

A line whose `kind` is that of a note is a note; all others are turns.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, ClassVar, Final

from victor_memory.conversation.records import KINDS, Turn
from victor_memory.transfer.lines import State, json_lines
from victor_memory.transfer.model import Batch, Cursor, Entry, Head, Note
from victor_memory.transfer.text import clean, moment, plain_text

_TEXT: Final = ("text", "content", "message", "body")
_SESSION: Final = ("session", "session_id", "conversation_id", "thread_id")
_ROLE: Final = ("role", "sender", "author")
_SPEAKER: Final = ("speaker", "name")
_TIME: Final = ("created_at", "timestamp", "time", "date", "ts")
_HOME: Final = ("cwd", "project_path")
_TOOL: Final = ("tool", "tool_name")


class PlainJsonl:
    """Reads JSON lines with a text in each."""

    name: ClassVar[str] = "jsonl"
    title: ClassVar[str] = "plain JSON lines"
    one_home: ClassVar[bool] = False

    def recognizes(self, head: Head) -> bool:
        """Return whether the first values are objects with a text."""
        return any(
            isinstance(one, dict) and _first(one, _TEXT) is not None for one in head.documents
        )

    def places(self, root: Path) -> Iterable[Path]:
        """Return nothing: such files are named by whoever wants them."""
        del root
        return ()

    def batches(self, path: Path, since: Cursor | None, size: int) -> Iterator[Batch]:
        """Yield the lines of *path* after *since*."""

        def entries(value: Any, line: int, state: State) -> Iterator[Entry]:
            text = clean(plain_text(_first(value, _TEXT)))
            if not text:
                msg = f"no text under {', '.join(_TEXT)}"
                raise ValueError(msg)
            home = _first(value, _HOME)
            yield Entry(_said(value, text, path, line, state), line, home)

        return json_lines(path, since, size, entries)


def _said(value: dict[str, Any], text: str, path: Path, line: int, state: State) -> Turn | Note:
    session = _name(_first(value, _SESSION))
    when = moment(_first(value, _TIME))
    agent, source = _name(value.get("agent")), f"{path.name}:{line}"
    importance = float(value.get("importance", 0.5))
    tags = tuple(str(one) for one in value.get("tags") or ())
    metadata = dict(value.get("metadata") or {})
    kind = value.get("kind", "turn")
    if kind in KINDS and kind != "turn":
        return Note(
            text=text, kind=kind, session=session, agent=agent, source=source,
            importance=importance, created_at=when, tags=tags, metadata=metadata,
        )  # fmt: skip
    session = session or path.stem
    following = state.setdefault("next", {})
    given = value.get("index")
    index = given if isinstance(given, int) else following.get(session, 0)
    following[session] = index + 1
    return Turn(
        text, session, _name(_first(value, _ROLE)), index, when, agent, source, importance, tags,
        metadata=metadata, speaker=_name(_first(value, _SPEAKER)),
        tool=_name(_first(value, _TOOL)), branch=_name(value.get("branch")),
    )  # fmt: skip


def _first(value: dict[str, Any], names: tuple[str, ...]) -> Any:
    return next((value[one] for one in names if value.get(one) not in (None, "")), None)


def _name(value: Any) -> str | None:
    if isinstance(value, dict):  # {"role": "user"}, {"name": "Ann"}
        value = value.get("role") or value.get("name")
    text = clean(str(value)) if value is not None else ""
    return text or None
