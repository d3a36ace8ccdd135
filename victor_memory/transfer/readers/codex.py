"""Rollouts of Codex: `~/.codex/sessions/YYYY/MM/DD/rollout-*.jsonl`, one record a line.

Since September 2025 a record is `{"timestamp", "type", "payload"}`; the types that matter are
`session_meta` (id, directory, branch), `response_item` (what the model saw and said),
`turn_context` (the directory, later) and `compacted`. `event_msg` mostly repeats for the screen
what `response_item` says; what both say counts once. Before, the first line was the session and
each other line an item, without times; the directory stands in the first message, which describes
the environment. Reasoning is left out, and so are instructions that Codex puts into messages.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar, Final

from victor_memory.conversation.records import Turn
from victor_memory.transfer.lines import State, json_lines
from victor_memory.transfer.model import Batch, Cursor, Entry, Head, Note
from victor_memory.transfer.text import call_text, clean, moment, plain_text, tool_text

_RECORDS: Final = frozenset(
    "session_meta response_item event_msg turn_context compacted world_state".split()
)
_INJECTED: Final = (
    "<environment_context>", "<user_instructions>", "<permissions instructions>", "<INSTRUCTIONS>",
    "<collaboration_mode>", "<multi_agent_mode>", "<apps_instructions>", "<skill>",
    "<turn_aborted>",
    "<user_shell_command>", "<subagent_notification>", "# AGENTS.md", "You are `/root`",
)  # fmt: skip
_REQUEST: Final = "## My request for Codex:"
_WRAPPED: Final = re.compile(r"\s*<(\w[\w -]*)>.*</\1>\s*", re.DOTALL)
"""A message that is one element is not what a person typed."""
_CWD: Final = re.compile(r"<cwd>\s*(.*?)\s*</cwd>|Current working directory:\s*(\S.*)")
_CALLS: Final = frozenset(
    "function_call custom_tool_call local_shell_call tool_search_call".split()
)
_EVENT_ROLES: Final = {
    "user_message": "user", "agent_message": "assistant",
    "UserMessage": "user", "AgentMessage": "assistant",
}  # fmt: skip
_MOST: Final = 200
"""How many tool calls without a result are kept in mind."""


class Codex:
    """Reads rollouts of Codex, older and present ones."""

    name: ClassVar[str] = "codex"
    title: ClassVar[str] = "Codex rollouts"
    one_home: ClassVar[bool] = True

    def recognizes(self, head: Head) -> bool:
        """Return whether records look like a rollout's, of either form."""
        for one in head.documents:
            if not isinstance(one, dict):
                continue
            if one.get("type") in _RECORDS and isinstance(one.get("payload"), dict):
                return True
            if one.get("record_type") == "state" or {"id", "timestamp", "instructions"} <= set(one):
                return True
        return False

    def places(self, root: Path) -> Iterable[Path]:
        """Return the rollouts of all projects, archived ones too."""
        del root  # rollouts are kept by date
        home = Path(os.environ.get("CODEX_HOME") or "~/.codex").expanduser()
        kept = (home / "sessions", home / "archived_sessions")
        return sorted(one for place in kept for one in place.rglob("rollout-*.jsonl"))

    def batches(self, path: Path, since: Cursor | None, size: int) -> Iterator[Batch]:
        """Yield what the rollout *path* holds after *since*."""
        return json_lines(path, since, size, _Rollout(path).entries)


class _Rollout:
    """Makes entries of the records of one rollout, one after another."""

    def __init__(self, path: Path) -> None:
        self._name, self._stem = path.name, path.stem
        self._line = 0
        self._state: State = {}

    def entries(self, record: Any, line: int, state: State) -> Iterator[Entry]:
        """Yield what *record* holds; see `lines.Convert`."""
        self._line, self._state = line, state
        payload, kind, when = record.get("payload"), record.get("type"), record.get("timestamp")
        if not isinstance(payload, dict):  # the older form: the item itself, or the session
            if kind is None and isinstance(record.get("id"), str):
                self._session(record)
            elif kind is not None:
                yield from self._item(record, state.get("began"))
        elif kind == "session_meta":
            self._session(payload)
        elif kind == "turn_context" and payload.get("cwd"):
            state.setdefault("home", payload["cwd"])
        elif kind == "response_item":
            yield from self._item(payload, when)
        elif kind == "event_msg":
            yield from self._event(payload, when)
        elif kind == "compacted" and (text := clean(str(payload.get("message") or ""))):
            note = Note(
                text=text, kind="summary", session=state.get("session") or self._stem,
                agent="codex", source=f"{self._name}:{line}", importance=0.7,
                created_at=moment(when),
            )  # fmt: skip
            yield Entry(note, line, state.get("home"))

    def _session(self, meta: Mapping[str, Any]) -> None:
        """Note whose the following items are; a fork begins with its parent's, again."""
        state = self._state
        state["session"] = meta.get("id") or meta.get("session_id") or self._stem
        state["began"] = meta.get("timestamp")
        state["branch"] = (meta.get("git") or {}).get("branch")
        if meta.get("cwd"):
            state.setdefault("home", meta["cwd"])

    def _event(self, event: Mapping[str, Any], when: Any) -> Iterator[Entry]:
        kind, item = str(event.get("type")), event.get("item") or {}
        if kind == "item_completed":
            kind = str(item.get("type"))
            text = plain_text(item.get("content")) or str(item.get("text") or "")
        else:
            text = str(event.get("message") or "")
        yield from self._message(_EVENT_ROLES.get(kind), text, when, event=True)

    def _item(self, item: Mapping[str, Any], when: Any) -> Iterator[Entry]:
        kind = str(item.get("type"))
        key = str(item.get("call_id") or item.get("id"))
        calls = self._state.setdefault("calls", {})
        if kind == "message":
            yield from self._message(item.get("role"), plain_text(item.get("content")), when)
        elif kind in _CALLS:
            name = str(item.get("name") or "shell")
            given = item.get("arguments") or item.get("input") or item.get("action")
            calls[key] = [name, call_text(name, given)]
            while len(calls) > _MOST:
                del calls[next(iter(calls))]
        elif kind.endswith("_call_output"):
            name, call = calls.pop(key, ("tool", "tool"))
            result, failed = _output(item.get("output"))
            yield self._turn(tool_text(name, call, result, failed=failed), "tool", when, name)
        elif kind == "web_search_call":
            text = call_text("web_search", item.get("action"))
            yield self._turn(text, "tool", when, "web_search")

    def _message(self, role: Any, text: str, when: Any, *, event: bool = False) -> Iterator[Entry]:
        if role == "user":
            if (found := _CWD.search(text)) and text.lstrip().startswith("<environment_context>"):
                self._state.setdefault("home", found.group(1) or found.group(2))
            _, wrapped, asked = text.rpartition(_REQUEST)
            text = asked if wrapped else text
            if text.lstrip().startswith(_INJECTED) or _WRAPPED.fullmatch(text):
                return
        if role not in {"user", "assistant"} or not (text := clean(text)):
            return
        if not self._told(f"{role} {text}", event=event):
            yield self._turn(text, str(role), when)

    def _told(self, text: str, *, event: bool) -> bool:
        """Return whether the same was told already, as an item or as an event, whichever this is.

        Each of them answers for one of the other kind, so that what is said twice stays twice.
        """
        key = hashlib.sha256(text.encode()).hexdigest()[:16]
        unmatched = self._state.setdefault("unmatched", [])
        if [key, not event] in unmatched:
            unmatched.remove([key, not event])
            return True
        unmatched.append([key, event])
        del unmatched[:-_MOST]
        return False

    def _turn(self, text: str, role: str, when: Any, tool: str | None = None) -> Entry:
        session = self._state.get("session") or self._stem
        following = self._state.setdefault("next", {})
        index = following.get(session, 0)
        following[session] = index + 1
        turn = Turn(
            clean(text), session, role, index, moment(when), "codex",
            f"{self._name}:{self._line}", tool=tool, branch=self._state.get("branch"),
        )  # fmt: skip
        return Entry(turn, self._line, self._state.get("home"))


def _output(output: Any) -> tuple[str, bool]:
    """Return what a tool answered, and whether it failed; earlier versions wrap it in JSON."""
    if isinstance(output, str) and output.startswith("{"):
        try:
            wrapped = json.loads(output)
        except ValueError:
            return output, False
        if isinstance(wrapped, dict) and isinstance(wrapped.get("output"), str):
            code = (wrapped.get("metadata") or {}).get("exit_code", 0)
            return wrapped["output"], code != 0
    if isinstance(output, dict):
        return plain_text(output.get("content")), output.get("success") is False
    return plain_text(output), False
