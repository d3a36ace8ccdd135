"""What answers the host's command `code search "..."` once the user has asked for it.

The entry point that leads here is not part of this distribution: `install` writes it.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from victor_memory._logging import get_logger
from victor_memory.hosts.victor.live import live, project_root
from victor_memory.scope import directory

if TYPE_CHECKING:
    from victor_memory.codebase.answers import CodeHit
    from victor_memory.codebase.memory import SearchAnswer
    from victor_memory.runtime import MemoryRuntime

log = get_logger(__name__)
_SPECIAL: Final = re.compile(r"([*?\[\]\\!# ])")
"""What a glob does not take literally."""


async def code_search(
    query: str, path: str = ".", mode: str = "semantic", k: int = 10
) -> dict[str, Any]:
    """Return up to *k* places in the code below *path* that answer *query*, best first.

    *path* is a file or directory, from the host's project directory, as the places in the answer
    are. Whatever the *mode* (the host knows `semantic`, `hybrid` and `graph`), words, names and
    meaning all count. A failure is an answer, too: the host then searches for the literal text.
    """
    del mode
    root = project_root()
    try:
        where, answer = await live().use(root, lambda memory: _search(memory, root, query, path, k))
    except Exception as exc:  # noqa: BLE001 - the host has its own way to go on
        log.warning("host_tool_failed", operation="code_search", error_type=type(exc).__name__)
        return {"success": False, "error": f"victor_memory: {exc}"}
    results: list[Any] = [_place(hit, where, root) for hit in answer.hits]
    if answer.notice:
        results.append(f"victor_memory: {answer.notice}")
    return {"success": True, "results": results, "source": "victor_memory"}


def _place(hit: CodeHit, where: Path, root: Path) -> dict[str, Any]:
    path = os.path.relpath(where / hit.path, root)
    score = round(hit.score, 3)
    return {"path": path, "line": hit.start_line, "score": score, "content": hit.text}


async def _search(
    memory: MemoryRuntime, root: Path, query: str, path: str, limit: int
) -> tuple[Path, SearchAnswer]:
    """Return the directory that was searched, and what was found in it."""
    wanted = (root / path).resolve()
    if not wanted.is_file():
        wanted = directory(wanted)  # or say that there is none
    codebase, glob = memory.codebase, None
    if not wanted.is_relative_to(codebase.root):
        codebase = memory.codebase_at(wanted)
    elif wanted != codebase.root:
        inside = _SPECIAL.sub(r"\\\1", wanted.relative_to(codebase.root).as_posix())
        glob = f"{inside}/**" if wanted.is_dir() else inside if "/" in inside else f"/{inside}"
    answer = await codebase.search(query, limit=max(1, limit), path=glob)
    return codebase.root, answer
