"""What is known about reading a project's conversations: how far, when, and what went wrong.

Kept in `VICTOR_EMBEDDINGS_DIR/hosts/victor/<project>.json`, so that a host that starts knows at
once whether there is anything new, and `doctor` what became of the last import.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, TypeAlias

from victor_memory.scope import identifier
from victor_memory.settings import MemorySettings

Signature: TypeAlias = tuple[int, ...]
"""Size and time in ns of the database and of its log: another one means that it was written."""
_VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class State:
    """How far one project was read."""

    signature: Signature | None = None
    """The database as it was just before it was read; `None` if that is to be done again."""
    at: str | None = None
    """When, as ISO 8601 in UTC."""
    turns: int = 0
    """How many were remembered by then, all imports together."""
    error: str | None = None


def database(root: Path) -> Path:
    """Return where the host keeps the conversations of the project at *root*."""
    return root / os.environ.get("VICTOR_DIR_NAME", ".victor") / "project.db"


def signature(root: Path) -> Signature | None:
    """Return what changes when the host writes a conversation; `None` if there is none yet."""
    path = database(root)
    try:
        main = path.stat()
    except OSError:
        return None
    try:
        log = path.with_name(f"{path.name}-wal").stat()
    except OSError:
        return main.st_size, main.st_mtime_ns
    # Whoever opens the database may leave an empty log, and has written nothing.
    written = (log.st_size, log.st_mtime_ns) if log.st_size else ()
    return main.st_size, main.st_mtime_ns, *written


def state_path(root: Path) -> Path:
    """Return where the state of the project at *root* is kept.

    Raises:
        ConfigurationError: an environment variable has a value that cannot be used.

    """
    home = MemorySettings().embeddings_dir.expanduser()
    return home / "hosts" / "victor" / f"{identifier(root)}.json"


def read_state(root: Path) -> State:
    """Return the state of the project at *root*; an empty one if there is none to be read.

    Raises:
        ConfigurationError: an environment variable has a value that cannot be used.

    """
    try:
        kept = json.loads(state_path(root).read_text("utf-8"))
        if kept.pop("version") != _VERSION:
            return State()
        signed = kept.pop("signature")
        return State(signature=None if signed is None else tuple(signed), **kept)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return State()  # lost or foreign: the next import reads all, and adds nothing twice


def write_state(root: Path, state: State) -> None:
    """Keep *state*, whole or not at all."""
    path = state_path(root)
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(f".{os.getpid()}.tmp")
    draft.write_text(json.dumps({"version": _VERSION, **asdict(state)}), "utf-8")
    draft.replace(path)
