"""What an agent's hook calls: one event is put on disk, and nothing else is done.

This module imports little of the standard library and nothing of ours, because a hook pays for a
whole process each time. What it queues is taken out by `victor_memory.transfer.queue`, in any later
process.

An entry is one file in `VICTOR_EMBEDDINGS_DIR/queue`, readable by its owner only. It is written
beside its place, synced and renamed, so it is there whole or not at all, whenever a process is
killed. An agent that keeps a transcript only gets a pointer to it queued, once however many events
there are until it is read: the transcript is the source, and the queue holds nothing of it.
"""

from __future__ import annotations

import os
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

VERSION = 1
DIRECTORY = "queue"
MAX_BYTES = 16 * 1024 * 1024
"""Of one event; a longer one is refused."""
SWITCH = "VICTOR_MEMORY_CAPTURE"
_ON = frozenset(["", "on", "1", "true", "t", "yes", "y"])
_OFF = frozenset(["off", "0", "false", "f", "no", "n"])
"""As `victor_memory.settings` reads the same variable."""
_TRANSCRIPTS = ("transcript_path", "agent_transcript_path")
_SAID = {"prompt": "user", "last_assistant_message": "assistant"}
"""The fields of a hook's event that hold what was said, and by whom."""


def queue_directory() -> str:
    """Return where the queue is, from the environment and without reading all settings."""
    base = os.environ.get("VICTOR_EMBEDDINGS_DIR") or os.path.join("~", ".victor", "embeddings")  # noqa: PTH118 - pathlib costs more than all of this
    return os.path.join(os.path.expanduser(base), DIRECTORY)  # noqa: PTH111, PTH118 - as above


def enqueue(event: Mapping[str, Any], directory: str | os.PathLike[str] | None = None) -> int:
    """Queue what *event* tells, durably; return how many entries that took.

    *event* is what a hook is given (with `transcript_path`, or with `session_id` and `prompt` or
    `last_assistant_message`; also what Codex gives to its `notify` program), or a turn: `text`,
    `session` and other fields of `victor_memory.conversation.records.Turn`, with the time in
    `created_at` as ISO 8601, and `project`, a directory in the project. An event that tells
    nothing takes none, and neither does a transcript that is queued already.

    Raises:
        InvalidRequestError: it is neither.
        OSError: the queue cannot be written.

    """
    place = os.fspath(directory) if directory is not None else queue_directory()
    cwd = event.get("cwd") or _here()
    if paths := [event[name] for name in _TRANSCRIPTS if isinstance(event.get(name), str)]:
        return sum(_point(place, {"transcript": one, "cwd": cwd}) for one in paths if one)
    if isinstance(thread := event.get("thread-id"), str):
        return _point(place, {"thread": thread, "cwd": cwd})
    if isinstance(event.get("text"), str) and isinstance(event.get("session"), str):
        return _put(place, {"turn": {**event, "project": event.get("project") or cwd}})
    if isinstance(session := event.get("session_id"), str):
        said = [
            {"text": event[name], "session": session, "role": role, "project": cwd}
            for name, role in _SAID.items()
            if isinstance(event.get(name), str) and event[name].strip()
        ]
        return sum(_put(place, {"turn": turn}) for turn in said)
    from victor_memory.errors import InvalidRequestError

    msg = (
        "There is nothing to capture in this event. Give a hook's JSON, which has session_id, or a "
        "turn with text and session; see docs/import-export.md."
    )
    raise InvalidRequestError(msg)


def _here() -> str:
    try:
        return os.getcwd()  # noqa: PTH109 - as above
    except OSError:
        return ""  # the directory is gone


def _point(place: str, pointer: dict[str, Any]) -> int:
    """Queue a pointer unless the same one is waiting."""
    from hashlib import sha256

    what = pointer.get("transcript") or pointer["thread"]
    name = f"pointer-{sha256(what.encode('utf-8', 'surrogatepass')).hexdigest()[:32]}.json"
    if os.path.exists(os.path.join(place, name)):  # noqa: PTH110, PTH118 - as above
        return 0
    return _put(place, pointer, name)


def _put(place: str, entry: dict[str, Any], name: str = "") -> int:
    """Write *entry* so that it is there whole, on disk, or not at all."""
    import json

    now = time.time_ns()
    content = json.dumps({"version": VERSION, "at": now / 1e9, **entry}).encode()
    unique = f"{now:020d}-{os.getpid()}-{os.urandom(4).hex()}"
    os.makedirs(place, mode=0o700, exist_ok=True)  # noqa: PTH103 - as above
    written = os.path.join(place, f".{unique}.tmp")  # noqa: PTH118 - as above
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    handle = os.open(written, flags, 0o600)
    try:
        view = memoryview(content)
        while view:
            view = view[os.write(handle, view) :]
        os.fsync(handle)
    finally:
        os.close(handle)
    os.replace(written, os.path.join(place, name or f"{unique}.json"))  # noqa: PTH105, PTH118 - as above
    if hasattr(os, "O_DIRECTORY"):
        handle = os.open(place, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
    return 1


def run(arguments: Sequence[str]) -> int:
    """Queue the event in *arguments*, or on standard input; return the exit code, 0 or 1.

    Never 2, which tells some agents to stop, and nothing goes to stdout, which some of them read.
    With `VICTOR_MEMORY_CAPTURE=off` the event is read and nothing else is done.
    """
    import json

    try:
        text = arguments[0] if arguments else sys.stdin.buffer.read(MAX_BYTES + 1)
        switch = os.environ.get(SWITCH, "").lower()
        if switch in _OFF:
            return 0
        if switch not in _ON:
            return _failed(f"{SWITCH} is {switch!r}; set it to on or off")
        if len(text) > MAX_BYTES:
            return _failed(f"the event is longer than {MAX_BYTES} bytes; leave some of it out")
        event = json.loads(text)
        if not isinstance(event, dict):
            return _failed("the event is not a JSON object")
        enqueue(event)
    except (OSError, ValueError) as exc:  # also what is not JSON, and InvalidRequestError
        return _failed(str(exc))
    return 0


def _failed(why: str) -> int:
    sys.stderr.write(f"error: nothing was captured: {why}\n")
    return 1
