"""What makes the host load us: the changes outside of this distribution, planned, made and undone.

* `<host's home>/plugins/victor_memory/plugin.py`, two lines by which every agent gets our tools;
* with `code_search`, a distribution of one entry point beside the host's own, by which the host's
  command `code search` asks us; `pip uninstall victor-memory-code-search` removes it, too;
* the host's cache of entry points, if it does not know this distribution yet, is removed: the host
  makes a new one.

The store and the memory need nothing: the host finds them by this distribution's entry point.
"""

from __future__ import annotations

import base64
import hashlib
import importlib.metadata
import os
import shutil
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from victor_memory.errors import HostError

HOST: Final = "victor-ai"
CODE_SEARCH: Final = "victor-memory-code-search"
"""The distribution that `code_search` writes."""
_VERSION: Final = "1.0"
"""Its version: to be raised if what it holds ever changes."""
_ENTRY_POINTS: Final = """\
[victor.tool_callables]
code_search = victor_memory.hosts.victor.code_search:code_search
"""
_SHIM: Final = '''\
"""Written by `victor-memory install-host victor`, which also removes it: `--uninstall`."""

from victor_memory.hosts.victor import Plugin

__all__ = ["Plugin"]
'''
_TOOLS: Final = "the tools of victor-memory in every agent"
_SEARCH: Final = "`code search` of the host answered by victor-memory"
_CACHE: Final = "the host's cache of entry points, which it makes anew"


@dataclass(frozen=True, slots=True)
class Change:
    """One file to be written or removed, or one that is as it should be."""

    action: Literal["write", "remove", "keep"]
    path: Path
    what: str
    """What the file is for, in words for the user."""
    text: str | None = None
    """What is to be in a file that is written."""

    def __str__(self) -> str:
        """Say it in one line."""
        return f"{self.action} {self.path} ({self.what})"


def host_version() -> str | None:
    """Return the version of the host in this environment; `None` if it is not installed."""
    try:
        return importlib.metadata.version(HOST)
    except importlib.metadata.PackageNotFoundError:
        return None


def host_home() -> Path:
    """Return the host's directory of the user: by the passwd entry, whatever `HOME` says."""
    from victor.config.secure_paths import get_victor_dir

    return Path(get_victor_dir())


def shim_path(home: Path) -> Path:
    """Return the file by which the host finds our tools, below its directory *home*."""
    return home / "plugins" / "victor_memory" / "plugin.py"


def plan(
    *, uninstall: bool = False, code_search: bool | None = None, home: Path | None = None
) -> list[Change]:
    """Return what is to be changed, and what is as it should be; nothing is touched.

    *code_search* decides who answers the host's `code search`; `None` leaves that as it is, except
    that *uninstall* gives it back. *home* stands for the host's directory of the user.

    Raises:
        HostError: the host is not installed beside this package, or a file of somebody
            else's is in the way.

    """
    if host_version() is None:
        msg = (
            f"{HOST} is not installed in this environment, so nothing here could load us. Install "
            "victor-memory where the host is (pip install victor-memory), and run this from there."
        )
        raise HostError(msg)
    shim = shim_path(home or host_home())
    changes = [_change(shim, None if uninstall else _SHIM, _TOOLS)]
    if uninstall or code_search is not None:
        search = bool(code_search) and not uninstall
        for path, text in _distribution().items():
            changes.append(_change(path, text if search else None, _SEARCH))
    cache = Path.home() / ".victor" / "cache" / "entrypoints.json"
    if _is_stale(cache):
        changes.append(Change("remove", cache, _CACHE))
    return changes


def apply(changes: Sequence[Change]) -> None:
    """Make *changes*, each whole or not at all.

    Raises:
        HostError: a file cannot be written or removed; what came before it is done.

    """
    for change in changes:
        try:
            if change.action == "write":
                _write(change.path, change.text or "")
            elif change.action == "remove":
                change.path.unlink(missing_ok=True)
                _remove_empty(change.path.parent)
        except OSError as exc:
            msg = (
                f"{change.path} could not be changed: {exc}. Check its permissions, or run this as "
                "the user who installed the host; doing it again is safe."
            )
            raise HostError(msg) from exc


def code_search_installed() -> bool:
    """Return whether the entry point for `code search` is there."""
    try:
        importlib.metadata.distribution(CODE_SEARCH)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def _change(path: Path, text: str | None, what: str) -> Change:
    """Return what makes the file at *path* be *text*, or not be if that is `None`."""
    try:
        present = path.read_text("utf-8")
    except FileNotFoundError:
        present = None
    except (OSError, UnicodeDecodeError) as exc:
        msg = f"{path} cannot be read: {exc}. Move it out of the way and try again."
        raise HostError(msg) from exc
    if present == text:
        return Change("keep", path, what, text)
    if what is _TOOLS and present is not None and "victor-memory install-host" not in present:
        msg = f"{path} was not written by this program. Move it out of the way and try again."
        raise HostError(msg)
    return Change("remove" if text is None else "write", path, what, text)


def _distribution() -> dict[Path, str]:
    """Return the files of the distribution that answers `code search`, by path.

    They lie where the host's own distribution does, so that the host sees them.
    """
    site = Path(str(importlib.metadata.distribution(HOST).locate_file("")))
    folder = f"{CODE_SEARCH.replace('-', '_')}-{_VERSION}.dist-info"
    texts = {
        "METADATA": f"Metadata-Version: 2.1\nName: {CODE_SEARCH}\nVersion: {_VERSION}\n"
        "Summary: Has victor-memory answer `code search` of the agent host Victor\n"
        "Requires-Dist: victor-memory\n",
        "INSTALLER": "victor-memory\n",
        "entry_points.txt": _ENTRY_POINTS,
    }
    rows = [f"{folder}/{file},{_digest(text)},{len(text)}" for file, text in texts.items()]
    texts["RECORD"] = "\n".join([*rows, f"{folder}/RECORD,,", ""])
    return {site / folder / file: text for file, text in texts.items()}


def _digest(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"sha256={base64.urlsafe_b64encode(digest).rstrip(b'=').decode()}"


def _is_stale(cache: Path) -> bool:
    """Return whether the host would not find us because it looks into *cache* instead."""
    with suppress(OSError):
        return "victor_memory.hosts.victor" not in cache.read_text("utf-8", "replace")
    return False


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    draft.write_text(text, "utf-8")
    draft.replace(path)


def _remove_empty(folder: Path) -> None:
    """Remove *folder*, if it was made for a file of ours and nothing else is in it."""
    if folder.name == "victor_memory":
        shutil.rmtree(folder / "__pycache__", ignore_errors=True)
    if folder.name == "victor_memory" or folder.suffix == ".dist-info":
        with suppress(OSError):
            folder.rmdir()
