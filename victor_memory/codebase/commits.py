"""The commits of a repository as git tells them: which there are, what each says and touches."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Final

from victor_memory._logging import get_logger
from victor_memory.errors import InvalidRequestError, ProviderUnavailableError

log = get_logger(__name__)
MAX_MESSAGE: Final = 4000
"""Characters kept of a message; longer ones quote logs, or list what a release has."""
MAX_FILES: Final = 200
"""Paths kept of a commit; one that touches more is about none of them."""
TIMEOUT: Final = 120.0
_BYTES_PER_READ: Final = 1 << 16
_HEAD: Final = 5
"""Hash, parents, time, author and message; paths follow."""
_LONGEST_FIELD: Final = 1 << 22
"""Bytes; git itself would print a message of any length."""

# Where hosting sites keep every proposal ever made is not the history of the code.
_REFS: Final = (
    "--exclude=refs/stash",
    "--exclude=refs/notes/*",
    "--exclude=refs/pull/*",
    "--exclude=refs/pull-requests/*",
    "--exclude=refs/merge-requests/*",
    "--all",
)
_NOISE: Final = re.compile(
    r"(?im)^(?:signed-off-by|co-authored-by|change-id|git-svn-id|cc|cr-commit-position):.*\n?"
)
_ADDRESS: Final = re.compile(r"\s?<[^<>\s@]+@[^<>\s]+>|\b[\w.+-]+@[\w-]+(?:\.[\w-]+)+\b")
_GAP: Final = re.compile(r"\n{3,}")


@dataclass(frozen=True, slots=True)
class Commit:
    """One commit; no e-mail address is kept."""

    sha: str
    parents: int
    author: str
    date: datetime
    """When the author made the change, in UTC."""
    subject: str
    body: str
    """The rest of the message, without sign-offs."""
    files: tuple[str, ...]
    """What it touches, `MAX_FILES` at most; for a merge, what it brought to its first parent."""
    changes: str
    """For each of `files` a letter: `A` added, `D` deleted, `M` modified, `T` its type changed."""
    file_count: int
    whole: bool = True
    """False where a shallow clone was cut off: what the commit touches is not known."""


class Repository:
    """The repository around the directory *root*, read only.

    Raises:
        InvalidRequestError: *root* is in no repository.
        ProviderUnavailableError: git is not installed, or refuses.

    """

    def __init__(self, root: str | os.PathLike[str]) -> None:
        self.root = Path(root)
        self._cut_off: frozenset[str] | None = None
        git = shutil.which("git")
        if git is None:
            msg = "The history is read with git, which is not installed. Install git."
            raise ProviderUnavailableError(msg)
        self._git = git
        try:
            self._ask("rev-parse", "--git-dir")
        except _GitError as exc:
            if "not a git repository" in str(exc):
                msg = (
                    f"{self.root} is in no git repository, so it has no history. Name a directory "
                    "of a clone, or run git init."
                )
                raise InvalidRequestError(msg) from exc
            raise _refused(self.root, exc) from exc

    def tips(self) -> str:
        """Return what changes whenever the set of reachable commits does."""
        with self._explained():
            cut_off = " ".join(sorted(self.cut_off()))
            return f"{self._ask('rev-list', '--no-walk', *_REFS)}|{cut_off}"

    def newest(self, limit: int | None) -> list[str]:
        """Return the hashes of the *limit* newest reachable commits, or of all, newest first."""
        some = () if limit is None else (f"--max-count={limit}",)
        with self._explained():
            return self._ask("rev-list", *some, *_REFS).split()

    def cut_off(self) -> frozenset[str]:
        """Return the commits whose parents a shallow clone lacks."""
        with self._explained():
            place = self._ask("rev-parse", "--git-path", "shallow")
        try:
            return frozenset((self.root / place).read_text("ascii").split())
        except (OSError, ValueError):
            return frozenset()

    def read(self, shas: Sequence[str]) -> Iterator[Commit]:
        """Yield the commits *shas* in order; memory is bounded, however many they are."""
        if not shas:
            return  # without any, git would show the current one
        cut_off = self.cut_off()
        done = 0
        try:
            for one in self._read(shas, cut_off, files=True):
                done += 1
                yield one
        except _GitError as exc:
            # A partial clone has no trees to compare, and they are not fetched for this.
            log.warning("history_without_files", error=str(exc))
            with self._explained():
                yield from self._read(shas[done:], cut_off, files=False)

    # -- git --------------------------------------------------------------------------------------

    def _read(
        self, shas: Sequence[str], cut_off: frozenset[str], *, files: bool
    ) -> Iterator[Commit]:
        mark = uuid.uuid4().hex
        # Only what shows files needs trees, which a partial clone lacks; names looked up in
        # .mailmap may need them too.
        author = "%aN" if files else "%an"
        fields = f"{mark}%x00%H%x00%P%x00%at%x00{author}%x00%B%x00"
        command = _WITH_FILES if files else ("rev-list",)
        given_so = ("--stdin", "--no-walk=unsorted", "--encoding=UTF-8", f"--format={fields}")
        with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as said:
            given.write("\n".join(shas).encode())
            given.seek(0)
            with subprocess.Popen(  # noqa: S603 - a fixed command, without a shell
                [self._git, *_OPTIONS, *command, *given_so],
                cwd=self.root, env=_environment(), stdin=given, stdout=subprocess.PIPE, stderr=said,
            ) as process:  # fmt: skip
                assert process.stdout is not None
                last: Commit | None = None
                try:
                    for one in _commits(_fields(process.stdout), mark, cut_off):
                        if last is not None:
                            yield last
                        last = one
                finally:
                    process.stdout.close()
                    if process.poll() is None:
                        process.terminate()
                    code = process.wait()
            if code > 0:
                said.seek(0)
                raise _GitError(said.read().decode("utf-8", "replace").strip())
            if last is not None:
                yield last  # what git says last is whole only if it ended well

    def _ask(self, *arguments: str) -> str:
        try:
            done = subprocess.run(  # noqa: S603 - a fixed command, without a shell
                [self._git, *_OPTIONS, *arguments],
                cwd=self.root,
                env=_environment(),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=TIMEOUT,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as exc:
            raise _GitError(str(exc)) from exc
        if done.returncode:
            raise _GitError(done.stderr.decode("utf-8", "replace").strip())
        return done.stdout.decode("utf-8", "surrogateescape").strip()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except _GitError as exc:
            raise _refused(self.root, exc) from exc


# What a person configured for their eyes must not change what is read; and git older than 2.45,
# which does not know the variable below, is kept from fetching by the protocols.
_OPTIONS: Final = tuple(
    "-c core.fsmonitor=false -c log.showSignature=false -c log.showRoot=true "
    "-c protocol.allow=never".split()
)


_WITH_FILES: Final = tuple(
    "log -z -m --first-parent --no-renames --no-relative --name-status".split()
)


class _GitError(Exception):
    """Git refused; the message says why."""


def _refused(root: Path, exc: Exception) -> ProviderUnavailableError:
    reason = str(exc).partition("\n")[0] or "git failed without a word"
    msg = f"The history of {root} cannot be read: {reason}. Check it with: git -C {root} log"
    return ProviderUnavailableError(msg)


def _environment() -> dict[str, str]:
    # A hook or alias of the repository must not decide where git looks; reading never writes, and
    # never fetches.
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("GIT_") or name.startswith("GIT_CONFIG")
    }
    return kept | {
        "LC_ALL": "C",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_TERMINAL_PROMPT": "0",
    }


def _fields(stream: IO[bytes]) -> Iterator[bytes]:
    """Yield what NULs end, each cut to a bounded length."""
    rest = b""
    while data := stream.read(_BYTES_PER_READ):
        *whole, rest = (rest + data).split(b"\0")
        yield from whole
        rest = rest[:_LONGEST_FIELD]
    if rest:
        yield rest


def _commits(fields: Iterator[bytes], mark: str, cut_off: frozenset[str]) -> Iterator[Commit]:
    """Put commits together: after the mark come five fields, then changes and paths by turns."""
    separator = mark.encode()
    head: list[str] = []
    paths: list[tuple[str, str]] = []
    count, change = 0, ""
    for field in fields:
        if field.endswith(separator):  # line feeds, or a heading, may be before it
            if head:
                yield _commit(head, paths, count, cut_off)
            head, paths, count, change = [], [], 0, ""
        elif len(head) < _HEAD:
            head.append(field.decode("utf-8", "replace"))
        elif not change:
            change = field.strip()[:1].decode("ascii", "replace")
        else:
            count += 1
            if len(paths) < MAX_FILES:
                paths.append((change, field.decode("utf-8", "backslashreplace")))
            change = ""
    if len(head) == _HEAD:
        yield _commit(head, paths, count, cut_off)


def _commit(
    head: list[str], paths: list[tuple[str, str]], count: int, cut_off: frozenset[str]
) -> Commit:
    sha, parents, seconds, author, message = head
    whole = sha not in cut_off
    subject, _, body = message.strip().partition("\n")
    body = _GAP.sub("\n\n", _ADDRESS.sub("", _NOISE.sub("", body[:MAX_MESSAGE])))
    return Commit(
        sha=sha,
        parents=len(parents.split()),
        author=_ADDRESS.sub("", author).strip(),
        date=_date(seconds),
        subject=_ADDRESS.sub("", subject[:MAX_MESSAGE]).strip(),
        body=body.strip(),
        files=tuple(path for _, path in paths) if whole else (),
        changes="".join(change for change, _ in paths) if whole else "",
        file_count=count if whole else 0,
        whole=whole,
    )


def _date(seconds: str) -> datetime:
    """Return the time; what no calendar has, as broken commits do, is the beginning of time."""
    try:
        return datetime.fromtimestamp(int(seconds), UTC)
    except (ValueError, OverflowError, OSError):
        return datetime.fromtimestamp(0, UTC)
