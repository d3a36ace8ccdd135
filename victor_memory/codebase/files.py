"""What is indexed: the files of a directory that are worth it, and what each of them says.

Inside a git repository git itself says what exists (tracked, or untracked and not ignored);
elsewhere, or when git cannot be asked, the directory is walked under its `.gitignore` files.
`.victorignore` files, in git's syntax, apply everywhere. No symbolic link is ever followed.
`exclusions` says why the rest is left out.
"""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Literal, TypeAlias

from victor_memory._logging import get_logger
from victor_memory.codebase.exclusions import (
    BYTE_ORDER_MARKS,
    CONTROL_DIRECTORIES,
    IgnoreFiles,
    Omissions,
    Reason,
    is_vendored,
    refused_name,
)
from victor_memory.errors import InvalidRequestError

log = get_logger(__name__)
MAX_FILE_BYTES: Final = 1_000_000
"""A larger file is data more often than code."""
GIT_TIMEOUT: Final = 120.0

Signature: TypeAlias = tuple[int, int, int, int]
"""Inode, size, modification and change time: if equal, the bytes are very probably equal too."""


def check_root(root: str | os.PathLike[str]) -> Path:
    """Return *root* as an absolute path without links, if it is a directory that can be read.

    Raises:
        InvalidRequestError: it is empty, missing, a file, or closed to this user.

    """
    if not os.fspath(root):
        msg = "The root of the codebase is empty. Give a directory, for example '.'."
        raise InvalidRequestError(msg)
    try:
        found = Path(root).expanduser().resolve(strict=True)
        with os.scandir(found):
            return found
    except NotADirectoryError as exc:
        msg = f"{os.fspath(root)!r} is a file. Give the directory that holds it."
        raise InvalidRequestError(msg) from exc
    except (OSError, RuntimeError, ValueError) as exc:
        reason = "does not exist" if isinstance(exc, FileNotFoundError) else f"is closed: {exc}"
        msg = f"The directory {os.fspath(root)!r} {reason}. Check the path."
        raise InvalidRequestError(msg) from exc


def repository_of(root: Path) -> Path | None:
    """Return the top of the git working tree around *root*, if it is in one."""
    return next((one for one in (root, *root.parents) if (one / ".git").exists()), None)


def decode(data: bytes) -> str:
    r"""Return the text of a file with lines that end in \n.

    UTF-8, UTF-16 or UTF-32 by its mark; without one, UTF-8 if it is valid, else Latin-1. It never
    fails; what cannot be decoded, and NUL, become U+FFFD.
    """
    for mark, encoding in BYTE_ORDER_MARKS:
        if data.startswith(mark):
            text = data.decode(encoding, "replace")
            break
    else:
        try:
            text = data.decode()
        except UnicodeDecodeError:
            text = data.decode("latin-1")
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "\ufffd")


class SourceTree:
    """The directory *root*: which of its files are indexed, and their bytes.

    Raises:
        InvalidRequestError: *root* is not a directory that can be read.

    """

    def __init__(
        self, root: str | os.PathLike[str], *, max_file_bytes: int = MAX_FILE_BYTES
    ) -> None:
        self.root = check_root(root)
        self.base = os.path.join(self.root, "")  # noqa: PTH118 - the root, and its slash but once
        """What a path is appended to: with thousands of them, `Path` costs more than the system."""
        self.max_file_bytes = max_file_bytes

    def listing(self) -> Listing:
        """Return a listing of the files as they are when it is iterated."""
        check_root(self.root)
        return Listing(self)

    def signature(self, path: str) -> Signature | None:
        """Return what identifies this state of the file *path* without reading it."""
        try:
            found = os.lstat(self.base + path)
        except OSError:
            return None
        return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns

    def read(self, path: str) -> bytes | Reason | None:
        """Return the bytes of the file *path*, why it is left out, or `None` if it is gone."""
        # The file may have become anything since it was listed: a link is refused by the open
        # itself, and a pipe does not block it.
        flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
        try:
            opened = os.open(self.root / path, flags | getattr(os, "O_BINARY", 0))
            with os.fdopen(opened, "rb") as file:
                if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                    return Reason.SPECIAL
                data = file.read(self.max_file_bytes + 1)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError:
            return Reason.UNREADABLE
        return Reason.OVERSIZED if len(data) > self.max_file_bytes else data


class Listing:
    """The relative POSIX paths of a tree's files, found while it is iterated (once).

    `omissions` grows meanwhile; `source` and `note` are set once the first path is out.
    """

    def __init__(self, tree: SourceTree) -> None:
        self.source: Literal["git", "walk"] = "walk"
        self.note: str | None = None
        """Why the directory was walked although it is in a git repository."""
        self.omissions = Omissions()
        self._tree = tree
        self._own_rules = IgnoreFiles(tree.root, ".victorignore")
        self._vendored: dict[tuple[str, bool], str | None] = {}
        self._reported: set[str] = set()
        self._plain: dict[str, bool] = {"": True}

    def __iter__(self) -> Iterator[str]:
        root = self._tree.root
        repository = repository_of(root)
        if repository is None:
            yield from self._walk(None)
            return
        try:
            entries = _ask_git(root)
        except _GitError as exc:
            self._fall_back(str(exc))
            yield from self._walk(repository)
            return
        if not entries and repository != root:
            # An outer repository that ignores this directory has nothing to say about it.
            self._fall_back(f"the repository {repository} ignores this directory")
            yield from self._walk(None)
            return
        self.source = "git"
        yield from self._listed(entries, "")

    def _fall_back(self, reason: str) -> None:
        log.warning("git_listing_unusable", reason=reason)
        self.note = f"The files were listed without git: {reason}."

    # -- git --------------------------------------------------------------------------------------

    def _listed(self, entries: list[tuple[bytes, bool]], prefix: str) -> Iterator[str]:
        for raw, tracked in entries:
            try:
                path = prefix + raw.decode()
            except UnicodeDecodeError:
                self.omissions.add(prefix + raw.decode("utf-8", "backslashreplace"), Reason.NAME)
                continue
            if not tracked and path.endswith("/"):
                self.omissions.add(path, Reason.NESTED)
                continue
            try:
                found = os.lstat(self._tree.base + path)
            except (FileNotFoundError, NotADirectoryError):
                continue  # deleted, and git has not been told yet
            except OSError:
                self.omissions.add(path, Reason.UNREADABLE)
                continue
            if not self._in_plain_directory(path):
                self.omissions.add(path, Reason.SYMLINK)
            elif self._left_out_above(path, tracked=tracked):
                continue
            elif stat.S_ISDIR(found.st_mode):
                yield from self._submodule(path)
            elif self._wanted(path, found):
                yield path

    def _submodule(self, path: str) -> Iterator[str]:
        directory = self._tree.root / path
        if not (directory / ".git").exists():
            return  # not checked out
        try:
            entries = _ask_git(directory)
        except _GitError as exc:
            log.warning("git_listing_unusable", reason=str(exc))
            self.omissions.add(path + "/", Reason.UNREADABLE)
        else:
            yield from self._listed(entries, path + "/")

    def _in_plain_directory(self, path: str) -> bool:
        """Whether no directory on the way to *path* was replaced by a link."""
        parent = path.rpartition("/")[0]
        if parent not in self._plain:
            mode = os.lstat(self._tree.root / parent).st_mode
            self._plain[parent] = stat.S_ISDIR(mode) and self._in_plain_directory(parent)
        return self._plain[parent]

    def _left_out_above(self, path: str, *, tracked: bool) -> bool:
        """Whether a directory on the way to *path* is left out; reported once for each."""
        directory = self._vendored_directory(path.rpartition("/")[0], tracked)
        if directory is not None and directory not in self._reported:
            self._reported.add(directory)
            self.omissions.add(directory + "/", Reason.VENDORED)
        return directory is not None

    def _vendored_directory(self, directory: str, tracked: bool) -> str | None:  # noqa: FBT001 - part of the key
        """Return the topmost vendored directory at or above *directory*."""
        if not directory:
            return None
        key = directory, tracked
        if key not in self._vendored:
            found = self._vendored_directory(directory.rpartition("/")[0], tracked)
            if found is None and self._is_vendored(directory, tracked=tracked):
                found = directory
            self._vendored[key] = found
        return self._vendored[key]

    def _is_vendored(self, directory: str, *, tracked: bool) -> bool:
        top = "/" not in directory
        return is_vendored(self._tree.root / directory, tracked=tracked, top=top)

    # -- walking ----------------------------------------------------------------------------------

    def _walk(self, repository: Path | None) -> Iterator[str]:
        rules = IgnoreFiles(self._tree.root, ".gitignore", repository)
        pending = [""]
        while pending:
            directory = pending.pop()
            try:
                with os.scandir(self._tree.root / directory) as found:
                    entries = sorted(found, key=lambda entry: entry.name)
            except OSError:
                self.omissions.add(directory + "/", Reason.UNREADABLE)
                continue
            below = []
            for entry in entries:
                path = f"{directory}/{entry.name}" if directory else entry.name
                if not _is_utf8(path):
                    shown = os.fsencode(path).decode("utf-8", "backslashreplace")
                    self.omissions.add(shown, Reason.NAME)
                elif entry.name in CONTROL_DIRECTORIES:
                    continue
                elif entry.is_dir(follow_symlinks=False):
                    if not rules.ignores(path + "/") and self._enters(path):
                        below.append(path)
                elif not rules.ignores(path) and self._wanted(path, _status(entry)):
                    yield path
            pending += reversed(below)

    def _enters(self, directory: str) -> bool:
        if self._is_vendored(directory, tracked=False):
            self.omissions.add(directory + "/", Reason.VENDORED)
        elif self._own_rules.ignores(directory + "/"):
            self.omissions.add(directory + "/", Reason.IGNORED)
        else:
            return True
        return False

    # -- both -------------------------------------------------------------------------------------

    def _wanted(self, path: str, found: os.stat_result | None) -> bool:
        reason: Reason | None
        if found is None:
            reason = Reason.UNREADABLE
        elif stat.S_ISLNK(found.st_mode):
            reason = Reason.SYMLINK
        elif not stat.S_ISREG(found.st_mode):
            reason = Reason.SPECIAL
        elif self._own_rules.ignores(path):
            reason = Reason.IGNORED
        else:
            oversized = found.st_size > self._tree.max_file_bytes
            reason = refused_name(path) or (Reason.OVERSIZED if oversized else None)
        if reason is not None:
            self.omissions.add(path, reason)
        return reason is None


class _GitError(Exception):
    """Git could not list the files; the message says why, for a person."""


def _ask_git(directory: Path) -> list[tuple[bytes, bool]]:
    """Return what git lists in *directory*, and whether each is tracked.

    Raises:
        _GitError: git is missing, or refuses.

    """
    program = shutil.which("git")
    if program is None:
        msg = "git is not installed"
        raise _GitError(msg)
    # A hook or alias of the repository must not decide where git looks, and reading never writes.
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("GIT_") or name.startswith("GIT_CONFIG")
    } | {"LC_ALL": "C", "GIT_OPTIONAL_LOCKS": "0"}
    command = [program, "-c", "core.fsmonitor=false", "ls-files", "-z", "-t", "-co"]
    try:
        done = subprocess.run(  # noqa: S603 - a fixed command, without a shell
            [*command, "--exclude-standard"],
            cwd=directory,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=GIT_TIMEOUT,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as exc:
        raise _GitError(str(exc)) from exc
    if done.returncode:
        reason = done.stderr.decode("utf-8", "replace").strip().partition("\n")[0]
        raise _GitError(reason or f"git exited with {done.returncode}")
    # An unmerged file is listed once for each side.
    lines = dict.fromkeys(line for line in done.stdout.split(b"\0") if line)
    return list({line[2:]: line[:1] != b"?" for line in lines}.items())


def _is_utf8(path: str) -> bool:
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True


def _status(entry: os.DirEntry[str]) -> os.stat_result | None:
    try:
        return entry.stat(follow_symlinks=False)
    except OSError:
        return None
