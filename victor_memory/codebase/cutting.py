"""From a file to what is stored of it: read, without secrets, in chunks, with its terms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from victor_memory.codebase.chunking import Chunker, cut, cut_lines
from victor_memory.codebase.exclusions import refused_content
from victor_memory.codebase.files import SourceTree, decode
from victor_memory.codebase.records import CutFile, file_hash, recipe, terms
from victor_memory.codebase.secrets import redact_source
from victor_memory.errors import PluginError

if TYPE_CHECKING:
    from victor_memory.redaction import Redactor


@dataclass(frozen=True, slots=True)
class Cutting:
    """What became of a file."""

    file: CutFile | None = None
    """`None` if it is gone, or left out."""
    problems: Sequence[str] = ()
    secrets: int = 0
    """How many were taken out."""


class Cutter:
    """Cuts files of *tree*; its *recipe* identifies how."""

    def __init__(
        self, tree: SourceTree, chunkers: Sequence[Chunker] = (), redactors: Sequence[Redactor] = ()
    ) -> None:
        self.tree = tree
        self.recipe = recipe(chunkers, redactors)
        self.portable = not (chunkers or redactors)
        """Whether another process can do the same: it has no objects of third parties."""
        self._chunkers = tuple(chunkers)
        self._redactors = tuple(redactors)

    def cut(self, path: str) -> Cutting:
        """Return the file *path*, cut by whoever knows its language."""
        return self._cut(path, by_lines=False)

    def cut_lines(self, path: str, problem: str) -> Cutting:
        """Return the file *path*, cut at lines because of *problem*."""
        done = self._cut(path, by_lines=True)
        return Cutting(done.file, (*done.problems, problem), done.secrets)

    def _cut(self, path: str, *, by_lines: bool) -> Cutting:
        data = self.tree.read(path)
        if not isinstance(data, bytes) or refused_content(path, data):
            return Cutting()
        try:
            text, secrets = redact_source(decode(data), self._redactors)
        except PluginError as exc:
            # Rather not found than stored with what the redactor would have taken out.
            return Cutting(problems=[f"{path} is left out: {exc}"])
        found = (cut_lines(path, text), []) if by_lines else cut(path, text, self._chunkers)
        chunks, problems = found
        # A file of blanks keeps one chunk, so that the store knows the file.
        kept = [one for one in chunks if one.text.strip()] or chunks[:1]
        digest = file_hash(data, self.recipe)
        return Cutting(CutFile(path, digest, kept, [terms(one) for one in kept]), problems, secrets)
