"""Transcripts of Claude Code: `~/.claude/projects/<directory>/<session>.jsonl`, one entry a line.

An entry has `type`, and where it is part of the conversation `uuid`, `sessionId`, `timestamp`,
`cwd`, `gitBranch` and `message`, whose content is a string or a list of blocks. Sub-agents
(`isSidechain`) get a session of their own. What is left out: thinking, what the harness puts into
messages for the model (`isMeta`, reminders, output of local commands), copies of another session
(`forkedFrom`), and titles whose conversation is not in the file, because they are of another one.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar, Final

from victor_memory.conversation.records import Turn
from victor_memory.transfer.lines import State, json_lines
from victor_memory.transfer.model import Batch, Cursor, Entry, Head, Note
from victor_memory.transfer.text import (
    call_text,
    clean,
    moment,
    plain_text,
    tool_text,
    without_blocks,
)

_KNOWN: Final = frozenset(
    "user assistant system summary file-history-snapshot queue-operation".split()
)
_INJECTED: Final = (
    "system-reminder", "local-command-stdout", "local-command-stderr", "local-command-caveat",
    "bash-stdout", "bash-stderr", "ide_opened_file", "ide_selection", "ide_diagnostics",
    "task-notification", "user-prompt-submit-hook", "session-start-hook",
)  # fmt: skip
_COMMAND: Final = re.compile(r"<command-name>\s*(.*?)\s*</command-name>", re.DOTALL)
_ARGUMENTS: Final = re.compile(r"<command-args>(.*?)</command-args>", re.DOTALL)
_TYPED: Final = re.compile(r"<bash-input>(.*?)</bash-input>", re.DOTALL)
_NOT_SAID: Final = ("[Request interrupted by user", "Caveat: The messages below were generated")
_MOST: Final = 200
"""How many tool calls without a result, titles without a message and messages are kept in mind."""


class ClaudeCode:
    """Reads transcripts of Claude Code."""

    name: ClassVar[str] = "claude-code"
    title: ClassVar[str] = "Claude Code transcripts"
    one_home: ClassVar[bool] = True

    def recognizes(self, head: Head) -> bool:
        """Return whether entries look like a transcript's."""
        return any(
            isinstance(one, dict)
            and one.get("type") in _KNOWN
            and ("sessionId" in one or "leafUuid" in one or "snapshot" in one)
            for one in head.documents
        )

    def places(self, root: Path) -> Iterable[Path]:
        """Return the transcripts of all projects, those of sub-agents among them."""
        del root  # the directory names are not unique: only a transcript tells where it was
        home = os.environ.get("CLAUDE_CONFIG_DIR") or "~/.claude"
        return sorted((Path(home).expanduser() / "projects").rglob("*.jsonl"))

    def batches(self, path: Path, since: Cursor | None, size: int) -> Iterator[Batch]:
        """Yield what the transcript *path* holds after *since*."""
        return json_lines(path, since, size, _Transcript(path).entries)


class _Transcript:
    """Makes entries of the lines of one transcript, one after another."""

    def __init__(self, path: Path) -> None:
        self._name, self._stem = path.name, path.stem
        self._line = 0
        self._state: State = {}

    def entries(self, entry: Any, line: int, state: State) -> Iterator[Entry]:
        """Yield what *entry* holds; see `lines.Convert`."""
        self._line, self._state = line, state
        kind = entry.get("type")
        if cwd := entry.get("cwd"):
            state.setdefault("home", cwd)
        if kind == "summary":
            yield from self._title(entry)
        elif kind in {"user", "assistant"} and not entry.get("forkedFrom"):
            yield from self._message(entry)

    def _message(self, entry: Mapping[str, Any]) -> Iterator[Entry]:
        session = entry.get("sessionId") or self._stem
        if entry.get("isSidechain"):
            session = f"{session}/{entry.get('agentId') or self._stem}"
        when, uuid = moment(entry.get("timestamp")), entry.get("uuid")
        place = {"session": session, "created_at": when, "branch": entry.get("gitBranch") or None}
        if uuid:
            self._remember("said", uuid, [session, entry.get("timestamp")])
        content = (entry.get("message") or {}).get("content")
        if entry.get("isCompactSummary"):
            yield from self._note(plain_text(content), session, when, 0.7)
        elif not entry.get("isMeta"):
            blocks = content if isinstance(content, list) else [{"type": "text", "text": content}]
            for block in blocks:
                yield from self._block(entry["type"], block, place)
        if uuid and (title := self._state.get("titles", {}).pop(uuid, None)):
            yield from self._note(title, session, when, 0.3)

    def _block(self, role: str, block: Any, place: Mapping[str, Any]) -> Iterator[Entry]:
        kind = block.get("type")
        if kind == "tool_use":
            name = str(block.get("name") or "tool")
            call = call_text(name, block.get("input"))
            self._remember("calls", str(block.get("id")), [name, call])
        elif kind == "tool_result":
            calls = self._state.get("calls", {})
            name, call = calls.pop(block.get("tool_use_id"), ("tool", "tool"))
            result = plain_text(block.get("content"))
            text = tool_text(name, call, result, failed=block.get("is_error") is True)
            yield self._turn(text, "tool", place, name)
        elif kind == "text" and isinstance(block.get("text"), str):
            text = _said(block["text"]) if role == "user" else clean(block["text"])
            if text and text != "(no content)":
                yield self._turn(text, role, place)

    def _turn(
        self, text: str, role: str, place: Mapping[str, Any], tool: str | None = None
    ) -> Entry:
        following = self._state.setdefault("next", {})
        index = following.get(place["session"], 0)
        following[place["session"]] = index + 1
        turn = Turn(
            clean(text), role=role, index=index, agent="claude-code",
            source=f"{self._name}:{self._line}", tool=tool, **place,
        )  # fmt: skip
        return Entry(turn, self._line, self._state.get("home"))

    def _title(self, entry: Mapping[str, Any]) -> Iterator[Entry]:
        leaf, text = entry.get("leafUuid"), entry.get("summary")
        if not isinstance(text, str) or not isinstance(leaf, str):
            return
        if place := self._state.get("said", {}).get(leaf):
            yield from self._note(text, place[0], moment(place[1]), 0.3)
        else:
            self._remember("titles", leaf, text)

    def _note(
        self, text: str, session: str, when: datetime | None, importance: float
    ) -> Iterator[Entry]:
        if text := clean(text):
            note = Note(
                text=text, kind="summary", session=session, agent="claude-code",
                source=f"{self._name}:{self._line}", importance=importance, created_at=when,
            )  # fmt: skip
            yield Entry(note, self._line, self._state.get("home"))

    def _remember(self, what: str, key: str, value: Any) -> None:
        """Keep *value* in mind, and forget the oldest when there are too many."""
        kept = self._state.setdefault(what, {})
        kept[key] = value
        while len(kept) > _MOST:
            del kept[next(iter(kept))]


def _said(text: str) -> str:
    """Return what the person typed of *text*."""
    if command := _COMMAND.search(text):
        arguments = _ARGUMENTS.search(text)
        given = arguments.group(1).strip() if arguments else ""
        return clean(f"{command.group(1)} {given}") if given else ""
    if typed := _TYPED.search(text):
        return clean(f"! {typed.group(1).strip()}")
    text = clean(without_blocks(text, _INJECTED))
    return "" if text.startswith(_NOT_SAID) else text
