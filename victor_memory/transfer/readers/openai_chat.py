"""Chats as OpenAI's interfaces write them, and the conversations that ChatGPT exports.

A conversation is a list of messages (`role`, `content` as a string or parts, `tool_calls`), an
object with such a list under `messages`, or one with a tree of messages under `mapping`, of which
the branch that ends at `current_node` is read. A file holds one conversation, an array of them, or
one on each line. An array is read element by element, so its size does not matter.

Such files are written anew rather than appended to: when one has changed, all of it is read.
"""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO, ClassVar, Final

from victor_memory.conversation.records import Turn
from victor_memory.errors import TransferError
from victor_memory.transfer.lines import file_digest, status_of
from victor_memory.transfer.model import Batch, Cursor, Entry, Head, Problem
from victor_memory.transfer.text import call_text, clean, moment, plain_text, tool_text

MAX_VALUE: Final = 512 * 1024 * 1024
"""Characters of one conversation; a longer one ends the reading."""
_CHUNK: Final = 1024 * 1024
_SPOKEN: Final = frozenset({"user", "assistant"})
_SHOWN: Final = frozenset({"text", "multimodal_text", "code", "execution_output"})
"""What ChatGPT's contents may be, to be kept; others are its thoughts, browsing and settings."""


class OpenAIChat:
    """Reads chats of OpenAI's form and ChatGPT exports."""

    name: ClassVar[str] = "openai"
    title: ClassVar[str] = "OpenAI chat JSON and ChatGPT exports"
    one_home: ClassVar[bool] = False

    def recognizes(self, head: Head) -> bool:
        """Return whether it begins like a conversation, or an array of them or of messages."""
        if any(_is_conversation(one) for one in head.documents):
            return True
        text = head.data.lstrip(b"\xef\xbb\xbf \t\r\n")
        if not text.startswith((b"{", b"[")):
            return False
        if text.startswith(b"{"):
            return b'"mapping"' in text or (b'"messages"' in text and b'"role"' in text)
        return b'"mapping"' in text or b'"role"' in text or b'"messages"' in text

    def places(self, root: Path) -> Iterable[Path]:
        """Return nothing: such files are named by whoever wants them."""
        del root
        return ()

    def batches(self, path: Path, since: Cursor | None, size: int) -> Iterator[Batch]:
        """Yield the conversations in *path*, those after *since* if it has not changed."""
        seen, check = status_of(path), file_digest(path)
        after = since.offset if since is not None and since.check == check else 0
        entries: list[Entry] = []
        problems: list[Problem] = []
        number = done = 0
        for value, line, done in _values(path, problems):
            number += 1
            if number <= after:
                continue
            try:
                entries.extend(_turns(path, value, number, line))
            except (AttributeError, KeyError, TypeError, ValueError) as exc:
                why = f"not a conversation ({type(exc).__name__}: {exc})"
                problems.append(Problem(str(path), line, why))
            if len(entries) + len(problems) >= size:
                yield Batch(tuple(entries), tuple(problems), Cursor(number, 0, check), done)
                entries, problems[:] = [], []
        yield Batch(tuple(entries), tuple(problems), Cursor(number, 0, check, {}, seen), done)


def _is_conversation(value: Any) -> bool:
    if isinstance(value, list):
        return bool(value) and (_is_message(value[0]) or _is_conversation(value[0]))
    return isinstance(value, dict) and (
        isinstance(value.get("mapping"), dict)
        or (
            isinstance(messages := value.get("messages"), list)
            and all(isinstance(one, dict) for one in messages)
        )
    )


def _is_message(value: Any) -> bool:
    return isinstance(value, dict) and isinstance(value.get("role"), str)


# -- reading values one by one --------------------------------------------------------------------


def _values(path: Path, problems: list[Problem]) -> Iterator[tuple[Any, int, int]]:
    """Yield each conversation with the line it begins in and the bytes read so far.

    An array of messages is one conversation. Where the text is not JSON, the reading ends.
    """
    messages: list[Any] = []
    first, done = 1, 0
    source = _Values(path)
    try:
        for value, line in source:
            done = source.read
            if source.in_array and _is_message(value):
                first = first if messages else line
                messages.append(value)
            else:
                yield value, line, done
    except (ValueError, RecursionError) as exc:
        problems.append(Problem(str(path), source.line, f"not JSON from here on ({exc})"))
    if messages:
        yield messages, first, done


class _Values:
    """The JSON values of a file, one after another, or the elements of its one array."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.in_array = False
        self.line = 1
        """Where the value begins that is being read."""
        self.read = 0
        self._text, self._at, self._ended = "", 0, False
        self._decode = codecs.getincrementaldecoder("utf-8-sig")("replace").decode

    def __iter__(self) -> Iterator[tuple[Any, int]]:
        try:
            with self._path.open("rb") as stream:
                yield from self._scanned(stream)
        except OSError as exc:
            msg = f"{self._path} cannot be read: {exc}. Check the path and its permissions."
            raise TransferError(msg) from exc

    def _scanned(self, stream: BinaryIO) -> Iterator[tuple[Any, int]]:
        scan = json.JSONDecoder().raw_decode
        while not self._skip(" \t\r\n") and not self._ended:
            self._more(stream)
        if self._text[self._at : self._at + 1] == "[":
            self.in_array = True
            self._move(self._at + 1)
        between = " \t\r\n,]" if self.in_array else " \t\r\n"
        while self._skip(between) or not self._ended:
            try:
                value, end = scan(self._text, self._at)
            except ValueError:
                # Incomplete or damaged; twice as much is read, so this adds up to little.
                if self._ended or len(self._text) - self._at > MAX_VALUE:
                    raise
                self._more(stream)
                continue
            if end == len(self._text) and not self._ended:
                self._more(stream)  # a number may go on
                continue
            yield value, self.line
            self._move(end)

    def _more(self, stream: BinaryIO) -> None:
        size = max(_CHUNK, len(self._text) - self._at)
        raw = stream.read(size)
        self.read += len(raw)
        self._ended = len(raw) < size
        self._text = self._text[self._at :] + self._decode(raw, self._ended)
        self._at = 0

    def _skip(self, characters: str) -> bool:
        """Move to the next character that is none of these; return whether there is one."""
        at = self._at
        while at < len(self._text) and self._text[at] in characters:
            at += 1
        self._move(at)
        return at < len(self._text)

    def _move(self, at: int) -> None:
        self.line += self._text.count("\n", self._at, at)
        self._at = at


# -- conversations --------------------------------------------------------------------------------


def _turns(path: Path, value: Any, number: int, line: int) -> Iterator[Entry]:
    if isinstance(value, list):
        value = {"messages": value}
    identifier = value.get("conversation_id") or value.get("id") or value.get("session_id")
    session = (
        str(identifier) if identifier else path.stem if number == 1 else f"{path.stem}-{number}"
    )
    exported = isinstance(value.get("mapping"), dict)
    agent = "chatgpt" if exported else None
    home = value.get("cwd") if isinstance(value.get("cwd"), str) else None
    tags = (clean(str(value["title"])),) if str(value.get("title") or "").strip() else ()
    began = moment(value.get("create_time") or value.get("created_at") or value.get("created"))
    said = _exported(value) if exported else _messages(value["messages"])
    for index, (role, text, tool, when) in enumerate(said):
        if text := clean(text):
            turn = Turn(
                text, session, role, index, moment(when) or began, agent, f"{path.name}:{number}",
                0.5, tags, tool=tool,
            )  # fmt: skip
            yield Entry(turn, line, home)


def _messages(messages: Iterable[Mapping[str, Any]]) -> Iterator[tuple[str, str, str | None, Any]]:
    """Yield role, text, tool and time of each message of a chat, or item of a response."""
    calls: dict[str, tuple[str, str]] = {}
    for one in messages:
        role, kind = one.get("role"), one.get("type")
        when = one.get("created_at") or one.get("timestamp") or one.get("create_time")
        if role in _SPOKEN:
            yield str(role), plain_text(one.get("content")), None, when
            given = one.get("tool_calls") or []
            given = (
                [*given, {"function": one["function_call"]}] if one.get("function_call") else given
            )
            for call in given:
                function = call.get("function") or call.get("custom") or {}
                name = str(function.get("name") or "tool")
                key = str(call.get("id") or name)
                calls[key] = (
                    name,
                    call_text(name, function.get("arguments") or function.get("input")),
                )
        elif kind == "function_call":
            name = str(one.get("name") or "tool")
            calls[str(one.get("call_id"))] = name, call_text(name, one.get("arguments"))
        elif role in {"tool", "function"} or kind == "function_call_output":
            key = str(one.get("tool_call_id") or one.get("call_id") or one.get("name"))
            name = str(one.get("name") or "tool")
            name, call = calls.pop(key, (name, name))
            result = plain_text(one.get("content") if role else one.get("output"))
            yield "tool", tool_text(name, call, result), name, when


def _exported(value: Mapping[str, Any]) -> Iterator[tuple[str, str, str | None, Any]]:
    """Yield the same of the branch of an exported conversation that ends at its current node."""
    nodes = value["mapping"]
    at = value.get("current_node")
    if at not in nodes:
        at = max(nodes, key=lambda one: _created(nodes[one]), default=None)
    branch, passed = [], set()
    while at in nodes and at not in passed:
        passed.add(at)
        branch.append(nodes[at].get("message"))
        at = nodes[at].get("parent")
    calls: dict[str, str] = {}
    for message in filter(None, reversed(branch)):
        author, content = message.get("author") or {}, message.get("content") or {}
        role, when = author.get("role"), message.get("create_time")
        hidden = (message.get("metadata") or {}).get("is_visually_hidden_from_conversation")
        if hidden or content.get("content_type") not in _SHOWN:
            continue
        text = plain_text(content)
        recipient = message.get("recipient") or "all"
        if role == "assistant" and recipient != "all":
            calls[recipient] = call_text(recipient, text)
        elif role == "tool":
            name = str(author.get("name") or "tool")
            yield "tool", tool_text(name, calls.pop(name, name), text), name, when
        elif role in _SPOKEN:
            yield str(role), text, None, when


def _created(node: Mapping[str, Any]) -> float:
    return float((node.get("message") or {}).get("create_time") or 0)
