"""Which project a transcript belongs to, and where agents keep their transcripts."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from victor_memory.errors import InvalidRequestError
from victor_memory.scope import identifier, project_scope
from victor_memory.transfer.formats import READERS
from victor_memory.transfer.model import Reader


@dataclass(frozen=True, slots=True)
class Source:
    """Something to import. Without a reader, its format is told by its content."""

    path: Path
    reader: Reader | None = None


class Projects:
    """From the directory that something was said in to its project, each looked up once."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[str, str | None]] = {}

    def of(self, directory: str) -> str:
        """Return the project around *directory*, which may be gone.

        What is left of a removed directory tells if that is in a repository, as it is for a
        removed worktree or subdirectory. Otherwise the directory itself was the project.
        """
        return self._found(directory)[0]

    def worktree(self, directory: str) -> str | None:
        """Return the root of the working tree around *directory*; `None` if that is gone."""
        return self._found(directory)[1]

    def _found(self, directory: str) -> tuple[str, str | None]:
        if directory not in self._known:
            try:
                scope = project_scope(directory)
            except InvalidRequestError:
                self._known[directory] = self._left(Path(directory)), None
            else:
                self._known[directory] = scope.project, scope.root
        return self._known[directory]

    @staticmethod
    def _left(directory: Path) -> str:
        """Return the project of a directory that is gone."""
        for above in directory.parents:
            try:
                scope = project_scope(above)
            except InvalidRequestError:
                continue
            # In a repository, not merely below a directory that is one by itself.
            return scope.project if _is_repository(Path(scope.root)) else identifier(directory)
        return identifier(directory)


def _is_repository(root: Path) -> bool:
    return (root / ".git").exists()


def kept_by_agents(root: Path, reader: Reader | None = None) -> Iterator[Source]:
    """Yield what the agents on this machine keep, for the project at *root* and others."""
    for one in READERS if reader is None else (reader,):
        for path in one.places(root):
            yield Source(path, one)


def named_by_person(paths: Iterable[str | Path], reader: Reader | None = None) -> Iterator[Source]:
    """Yield the files in *paths*; of a directory, those below it that could be transcripts.

    Raises:
        InvalidRequestError: there is no such file or directory.

    """
    for given in paths:
        path = Path(given).expanduser()
        if path.is_dir():
            for at, directories, files in os.walk(path):
                directories.sort()
                for name in sorted(files):
                    if name.endswith((".jsonl", ".json", ".md", ".db")):
                        yield Source(Path(at, name), reader)
        elif path.is_file():
            yield Source(path, reader)
        else:
            msg = f"There is no file {str(given)!r}. Name a transcript, or a directory of them."
            raise InvalidRequestError(msg)


def thread(identifier: str) -> Path | None:
    """Return the rollout of the Codex thread *identifier*, if it is there."""
    codex = next(one for one in READERS if one.name == "codex")
    ending = f"-{identifier}.jsonl"
    return next((one for one in codex.places(Path()) if one.name.endswith(ending)), None)
