"""The formats that can be imported, in the order in which they are recognised."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from victor_memory.errors import InvalidRequestError, TransferError
from victor_memory.transfer.model import Head, Reader
from victor_memory.transfer.readers.claude_code import ClaudeCode
from victor_memory.transfer.readers.codex import Codex
from victor_memory.transfer.readers.markdown import Markdown
from victor_memory.transfer.readers.openai_chat import OpenAIChat
from victor_memory.transfer.readers.own_export import OwnExport
from victor_memory.transfer.readers.plain_jsonl import PlainJsonl
from victor_memory.transfer.readers.victor import Victor

READERS: Final[tuple[Reader, ...]] = (
    Victor(), OwnExport(), ClaudeCode(), Codex(), OpenAIChat(), PlainJsonl(), Markdown(),
)  # fmt: skip
_HEAD: Final = 64 * 1024
_LONG: Final = 1024 * 1024
"""The first line may hold all instructions of an agent."""
_LINES: Final = 30


def named(name: str) -> Reader:
    """Return the reader of the format *name*.

    Raises:
        InvalidRequestError: there is no such format.

    """
    for reader in READERS:
        if reader.name == name:
            return reader
    msg = f"Unknown format {name!r}. Use one of: {', '.join(one.name for one in READERS)}."
    raise InvalidRequestError(msg)


def detect(path: Path) -> Reader | None:
    """Return the reader that recognises *path* by its content; `None` for an empty file.

    Raises:
        TransferError: the file cannot be read, or its format is unknown.

    """
    try:
        with path.open("rb") as stream:
            data = stream.read(_HEAD)
            if b"\n" not in data:
                data += stream.readline(_LONG)
    except OSError as exc:
        msg = f"{path} cannot be read: {exc}. Check the path and its permissions."
        raise TransferError(msg) from exc
    if not data.strip():
        return None
    head = Head(path, data, tuple(_documents(data)))
    for reader in READERS:
        if reader.recognizes(head):
            return reader
    if not data.rstrip(b"\r\n").count(b"\n") and path.suffix == ".jsonl":
        return None  # its first line is being written, or longer than what was looked at
    packed = data.startswith((b"\x28\xb5\x2f\xfd", b"\x1f\x8b", b"PK"))
    advice = "Unpack it first" if packed else "Name its format with --format"
    names = ", ".join(one.name for one in READERS)
    msg = f"The format of {path} is not recognised. {advice}; formats are: {names}."
    raise TransferError(msg)


def _documents(data: bytes) -> list[Any]:
    found = []
    for line in data.removeprefix(b"\xef\xbb\xbf").split(b"\n")[:_LINES]:
        try:
            found.append(json.loads(line))
        except (ValueError, RecursionError):
            continue
    return found
