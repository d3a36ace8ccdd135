"""Texts of transcripts: what an agent puts into them for the model, and tools' long outputs.

A call of a tool and its result become one short turn. What a tool printed is mostly the content of
files, which the codebase memory has, as it is now; what was done, and how it ended, is what a
conversation is asked about later. So the beginning and the end of a result are kept, and the end
gets more, because that is where failures are.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from victor_memory.conversation import fence

CALL_CHARACTERS: Final = 400
RESULT_HEAD: Final = 200
RESULT_TAIL: Final = 600
_MAIN_ARGUMENTS: Final = (
    "command", "cmd", "script", "file_path", "notebook_path", "path", "pattern", "query", "url",
    "description", "prompt", "skill", "subject", "message",
)  # fmt: skip
"""The arguments of tools that say what was done, whatever the tool; others follow as JSON."""
_OURS: Final = re.compile(r"victor[-_]memory")
_OUR_PROGRAM: Final = re.compile(r"\bvictor-memory\s+[a-z]|-m\s+victor_memory\b")
_ESCAPES: Final = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)")


def clean(text: str) -> str:
    """Return *text* without what no store keeps: lone surrogates, NUL, terminal escapes."""
    if "\x00" in text or "\x1b" in text:
        text = _ESCAPES.sub("", text).replace("\x00", "")
    try:
        text.encode()
    except UnicodeEncodeError:
        text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text.strip()


def without_blocks(text: str, names: Iterable[str]) -> str:
    """Return *text* without the elements `<name ...>...</name>` of these *names*."""
    if "<" not in text:
        return text
    for name in names:
        if f"<{name}" in text:
            text = re.sub(rf"<{name}\b[^>]*>.*?(?:</{name}>|\Z)", "", text, flags=re.DOTALL)
    return text.strip()


def plain_text(content: Any) -> str:
    """Return the text of a message's content: a string, or a list of strings and parts."""
    if isinstance(content, str):
        return content
    if isinstance(content, Mapping):
        content = content.get("parts") or [content]
    if not isinstance(content, list):
        return ""
    parts = []
    for part in content:
        if isinstance(part, str):
            parts.append(part)
        elif isinstance(part, Mapping):
            text = part.get("text")
            if isinstance(text, Mapping):  # {"text": {"value": "..."}}
                text = text.get("value")
            if isinstance(text, str):
                parts.append(text)
    return "\n".join(one for one in parts if one)


def call_text(name: str, arguments: Any) -> str:
    """Return one short text that says which tool was called, with what."""
    if isinstance(arguments, str):
        with contextlib.suppress(ValueError):
            arguments = json.loads(arguments)
    if isinstance(arguments, Mapping):
        main = [arguments[one] for one in _MAIN_ARGUMENTS if arguments.get(one)]
        shown = " ".join(_words(one) for one in main) if main else _words(arguments)
    else:
        shown = _words(arguments)
    return _cut(f"{name}: {shown}" if shown else name, CALL_CHARACTERS, 0)


def result_text(result: str) -> str:
    """Return the beginning and the end of what a tool answered."""
    return _cut(result, RESULT_HEAD, RESULT_TAIL)


def tool_text(name: str, call: str, result: str, *, failed: bool = False) -> str:
    """Return the text of a call of the tool *name* and its result.

    What our own tools and program answered is left out: it was remembered before.
    """
    ours = _OURS.search(name) or _OUR_PROGRAM.search(call)
    # Before it is cut, which would take one of the marks away.
    shown = "" if ours else result_text(fence.strip(clean(result)))
    state = "failed: " if failed else ""
    return f"{call}\n-> {state}{shown}" if shown or failed else call


def moment(value: Any) -> datetime | None:
    """Return a time written as ISO 8601, or as seconds or milliseconds since 1970.

    A time without a zone is taken for local time. `None` if it is no time.
    """
    try:
        if isinstance(value, bool) or value is None:
            return None
        if isinstance(value, int | float):
            return datetime.fromtimestamp(value / 1000 if value > 1e11 else value, UTC)  # noqa: PLR2004 - the year 5138 in seconds
        if isinstance(value, str):
            try:
                return moment(float(value))
            except ValueError:
                return datetime.fromisoformat(value.strip()).astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        pass
    return None


def _words(value: Any) -> str:
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return " ".join(value)
    if value is None or value == {}:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _cut(text: str, head: int, tail: int) -> str:
    text = text.strip()
    left_out = len(text) - head - tail
    if left_out <= len(" [... 00000 characters ...] "):
        return text
    end = text[len(text) - tail :].lstrip() if tail else ""
    return f"{text[:head].rstrip()} [... {left_out} characters ...] {end}".rstrip()
