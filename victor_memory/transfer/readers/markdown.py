"""Markdown: a conversation, if headings or bold words say who speaks; otherwise notes.

`## User`, `### Assistant`, `**Ann:**` begin a turn. In a file without them each section is a note:
its heading, with those above it, and what stands below. Headings inside code blocks are code.
Such a file is rewritten rather than appended to, so all of it is read whenever it has changed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import ClassVar, Final, TypeAlias

from victor_memory.conversation.records import Turn
from victor_memory.errors import TransferError
from victor_memory.transfer.lines import file_digest, status_of
from victor_memory.transfer.model import Batch, Cursor, Entry, Head, Note, Problem
from victor_memory.transfer.text import clean

MAX_BYTES: Final = 64 * 1024 * 1024
_ROLES: Final = {
    "user": "user", "human": "user", "me": "user", "you": "user", "prompt": "user",
    "assistant": "assistant", "ai": "assistant", "model": "assistant", "bot": "assistant",
    "chatgpt": "assistant", "claude": "assistant", "codex": "assistant", "gemini": "assistant",
    "copilot": "assistant", "victor": "assistant", "response": "assistant",
    "system": "system", "tool": "tool",
}  # fmt: skip
_BOLD: Final = re.compile(r"\*\*\s*([\w .'-]{1,40}?)\s*(?::\s*\*\*|\*\*\s*:)\s*")
_Spoken: TypeAlias = tuple[str, str, str, int]
"""Role, name, text and line of a turn."""
_LEAST_BOLD: Final = 2
"""Bold words that begin paragraphs are speakers only if a known role is among them."""


class Markdown:
    """Reads Markdown files, as conversations or as notes."""

    name: ClassVar[str] = "markdown"
    title: ClassVar[str] = "Markdown"
    one_home: ClassVar[bool] = False

    def recognizes(self, head: Head) -> bool:
        """Return whether the name says so; any text could be Markdown."""
        return head.path.suffix.lower() in {".md", ".markdown", ".mdx"}

    def places(self, root: Path) -> Iterable[Path]:
        """Return nothing: such files are named by whoever wants them."""
        del root
        return ()

    def batches(self, path: Path, since: Cursor | None, size: int) -> Iterator[Batch]:
        """Yield what *path* holds, if it has changed since."""
        seen = status_of(path)
        check = file_digest(path)
        if since is not None and since.check == check:
            yield Batch((), (), Cursor(since.offset, 0, check, {}, seen), since.offset)
            return
        length = seen[0] if seen else 0
        if length > MAX_BYTES:
            msg = f"{path} is longer than {MAX_BYTES} bytes. Split it, or convert it to JSON lines."
            raise TransferError(msg)
        raw = path.read_bytes()
        text = raw.decode("utf-8", "replace")
        problems = []
        if "\ufffd" in text and b"\xef\xbf\xbd" not in raw:
            line = text[: text.index("\ufffd")].count("\n") + 1
            problems.append(Problem(str(path), line, "not UTF-8; unknown bytes were replaced"))
        when = datetime.fromtimestamp(seen[1] / 1e9, UTC) if seen else None
        entries = list(_entries(path, text, when))
        for first in range(0, max(len(entries), 1), size):
            some = tuple(entries[first : first + size])
            ended = first + size >= len(entries)
            cursor = Cursor(length, 0, check, {}, seen) if ended else Cursor()
            yield Batch(some, tuple(problems), cursor, length if ended else 0)
            problems = []


def _entries(path: Path, text: str, when: datetime | None) -> Iterator[Entry]:
    """Yield turns if the text is a conversation, and notes otherwise."""
    sections = _sections(text)
    said = _headed(sections) or _spoken(text)
    for index, (role, name, body, line) in enumerate(said):
        speaker = None if name.lower() in _ROLES or _role(name) else name
        source = f"{path.name}:{line}"
        turn = Turn(body, path.stem, role, index, when, None, source, speaker=speaker)
        yield Entry(turn, line)
    if said:
        return
    above: list[tuple[int, str]] = []
    for level, title, content, line in sections:
        above = [*(one for one in above if one[0] < level), (level, title)]
        if body := clean(content):
            heading = " / ".join(name for _, name in above if name)
            noted = f"{heading}\n\n{body}" if heading else body
            yield Entry(Note(text=noted, source=f"{path.name}:{line}", created_at=when), line)


def _headed(sections: list[tuple[int, str, str, int]]) -> list[_Spoken]:
    """Return what follows headings that name a role, with the headings in between."""
    said: list[_Spoken] = []
    for level, title, body, line in sections:
        if role := _role(title):
            said.append((role, title, clean(body), line))
        elif said:
            role, name, before, begun = said[-1]
            parts = [before, f"{'#' * level} {title}", clean(body)]
            said[-1] = role, name, "\n\n".join(one for one in parts if one), begun
    return [one for one in said if one[2]]


def _sections(text: str) -> list[tuple[int, str, str, int]]:
    """Return the level, title, body and line of each section; level 0 stands before the first."""
    from markdown_it import MarkdownIt

    lines = text.split("\n")
    first = 0
    if lines[0].strip() == "---" and "---" in (rest := [one.strip() for one in lines[1:]]):
        first = rest.index("---") + 2  # front matter
    parser = MarkdownIt("commonmark", {"maxNesting": 20})
    tokens = parser.parse("\n".join(["", *lines[first:]]))
    found = [(0, "", first, first)]
    for number, token in enumerate(tokens):
        if token.type == "heading_open" and token.level == 0 and token.map:
            begin, end = token.map[0] + first - 1, token.map[1] + first - 1
            found.append((int(token.tag[1:]), tokens[number + 1].content, begin, end))
    ends = [*(begin for _, _, begin, _ in found[1:]), len(lines)]
    return [
        (level, title.strip(), "\n".join(lines[end:until]), begin + 1)
        for (level, title, begin, end), until in zip(found, ends, strict=True)
    ]


def _spoken(text: str) -> list[_Spoken]:
    """Return what follows names in bold, as `**Ann:** Hello`."""
    pieces: list[tuple[str, str, list[str], int]] = []
    fenced = False
    for number, line in enumerate(text.split("\n"), 1):
        fenced ^= line.lstrip().startswith(("```", "~~~"))
        begun = None if fenced else _BOLD.match(line)
        if begun:
            name = begun.group(1)
            pieces.append((_role(name) or "user", name, [line[begun.end() :]], number))
        elif pieces:
            pieces[-1][2].append(line)
    names = {name.lower() for _, name, _, _ in pieces}
    if len(pieces) < _LEAST_BOLD or not names & set(_ROLES):
        return []
    said = [(role, name, clean("\n".join(body)), line) for role, name, body, line in pieces]
    return [one for one in said if one[2]]


def _role(title: str) -> str | None:
    """Return the role that a heading names in its first word, alone or before a mark."""
    plain = re.sub(r"[*_`#\U0001f300-\U0001faff]", "", title).strip()
    found = re.match(r"([A-Za-z]+)\s*(?:$|[:\-(\u2013\u2014\u00b7|,@])", plain)
    return _ROLES.get(found.group(1).lower()) if found else None
