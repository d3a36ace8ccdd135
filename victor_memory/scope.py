"""Which project and which index a path belongs to: the worktrees of a repository share both."""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
from pathlib import Path

from victor_memory.errors import InvalidRequestError
from victor_memory.types import MemoryScope


def project_scope(path: str | Path = ".") -> MemoryScope:
    """Return the project around *path*: its repository, or the directory itself.

    The worktrees and subdirectories of a repository share one project, because it is identified by
    the git common directory.

    Raises:
        InvalidRequestError: there is no such directory.

    """
    here = directory(path)
    common = _git(here, "rev-parse", "--path-format=absolute", "--git-common-dir")
    top = _git(here, "rev-parse", "--show-toplevel")
    if common is None or top is None:
        return MemoryScope(project=identifier(here), root=str(here))
    repository = Path(common).resolve()
    home = repository.parent if repository.name == ".git" else repository
    return MemoryScope(project=identifier(home), root=str(Path(top).resolve()))


def index_home(root: Path) -> Path:
    """Return the directory whose index *root* shares: its place in the main working tree.

    Outside linked worktrees that is *root* itself. Git is not asked, because only its files tell
    what holds whatever the environment says: a linked worktree has a `.git` file, which names a
    directory in whose `commondir` the repository is named.
    """
    for top in (root, *root.parents):
        pointer = top / ".git"
        if pointer.is_dir():
            break
        if not pointer.is_file():
            continue
        try:
            private = top / pointer.read_text("utf-8", "surrogateescape").partition(": ")[2].strip()
            common = private / (private / "commondir").read_text("utf-8", "surrogateescape").strip()
            repository = common.resolve(strict=True)
        except (OSError, RuntimeError, ValueError):
            break  # a submodule, or nothing that git would understand
        home = repository.parent if repository.name == ".git" else repository
        return home / root.relative_to(top)
    return root


def current_branch(root: Path) -> str | None:
    """Return the branch that is checked out in the working tree at *root*; `None` if none is.

    Git is not started: its `HEAD` file says it.
    """
    pointer = root / ".git"
    try:
        if pointer.is_file():
            private = pointer.read_text("utf-8", "surrogateescape").partition(": ")[2].strip()
            pointer = root / private
        head = (pointer / "HEAD").read_text("utf-8", "surrogateescape").strip()
    except OSError:
        return None
    return head.removeprefix("ref: refs/heads/") if head.startswith("ref: refs/heads/") else None


def directory(path: str | Path) -> Path:
    """Return *path* resolved, if it is a directory.

    Raises:
        InvalidRequestError: it is not.

    """
    try:
        here = Path(path).expanduser().resolve()
        found = here.is_dir()
    except (OSError, RuntimeError, ValueError) as exc:
        msg = f"The path {str(path)!r} cannot be used: {exc}. Name an existing directory."
        raise InvalidRequestError(msg) from exc
    if not found:
        what = "is not a directory" if here.exists() else "does not exist"
        msg = f"{str(path)!r} {what}. Name an existing directory, for example '.'."
        raise InvalidRequestError(msg)
    return here


def identifier(path: Path) -> str:
    """Return a name for *path* that is stable, readable and safe as a directory name."""
    slug = re.sub(r"[^A-Za-z0-9._-]+", "-", path.name).strip("-.") or "root"
    digest = hashlib.sha256(str(path).encode("utf-8", "surrogateescape")).hexdigest()
    return f"{slug[:40]}-{digest[:12]}"


def _git(directory: Path, *arguments: str) -> str | None:
    """Return what git answers in *directory*, or `None` if there is no git or no repository."""
    git = shutil.which("git")
    if git is None:
        return None
    try:
        done = subprocess.run(  # noqa: S603 - fixed arguments, no shell
            [git, "-C", str(directory), *arguments],
            capture_output=True,
            check=False,
            timeout=10,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    answer = done.stdout.decode("utf-8", "surrogateescape").rstrip("\n")
    return answer if done.returncode == 0 and answer else None
