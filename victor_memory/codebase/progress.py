"""What a run has to do, how far it is, and what it did."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol, TypeAlias

from victor_memory.codebase.exclusions import Omissions
from victor_memory.types import Record


@dataclass(frozen=True, slots=True)
class IndexProgress:
    """How far a run is. `files_total` is `None` while the files are still being looked for."""

    phase: Literal["wait", "scan", "index", "compact"]
    """`wait` is for another process that is building the same index."""
    files_done: int
    files_total: int | None
    chunks_written: int = 0


Progress: TypeAlias = Callable[[IndexProgress], None]


@dataclass(frozen=True, slots=True)
class IndexReport:
    """What a run did."""

    files_indexed: int = 0
    """New and changed files; those that another worktree had already written are among them."""
    files_unchanged: int = 0
    files_removed: int = 0
    """Files that are gone or left out now, and were in the index."""
    chunks_written: int = 0
    chunks_embedded: int = 0
    """Chunks that the model was given."""
    chunks_cached: int = 0
    """Chunks whose vectors were known already."""
    secrets_redacted: int = 0
    """Secrets that were taken out of files before they were embedded and stored."""
    seconds: float = 0.0
    source: str = "walk"
    """Who listed the files: `git`, or a `walk` of the directory."""
    left_out: Mapping[str, int] = field(default_factory=dict)
    """How many files, or whole directories, were left out for each reason."""
    left_out_examples: Mapping[str, Sequence[str]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    """What a person should know: no git, a chunker that failed."""

    @property
    def changed(self) -> bool:
        """Whether anything was written."""
        return bool(self.files_indexed or self.files_removed)


@dataclass(slots=True)
class Plan:
    """What separates the index from the files."""

    found: Mapping[str, str]
    """The digest of each file that belongs into the index."""
    changed: list[str]
    """Files that the index lacks, or knows with another content."""
    removed: list[str]
    garbage: bool
    """Whether the store is known to hold what no working tree sees."""
    signature: object = None
    """The state of the collection that this was found out about."""
    source: str = "walk"
    omissions: Omissions = field(default_factory=Omissions)
    notes: list[str] = field(default_factory=list)

    @property
    def pending(self) -> int:
        """How many files the index is behind."""
        return len(self.changed) + len(self.removed)

    def report(self) -> IndexReport:
        """Return the report of a run that did nothing about it."""
        return IndexReport(
            files_unchanged=len(self.found) - len(self.changed),
            source=self.source,
            left_out=dict(self.omissions.counts),
            left_out_examples={name: tuple(some) for name, some in self.omissions.examples.items()},
            notes=tuple(self.notes),
        )

    @property
    def clean(self) -> bool:
        """Whether there is nothing to do."""
        return not (self.changed or self.removed or self.garbage)


class IndexListener(Protocol):
    """Is told what this process changes in the store, in the event loop, after it was done."""

    def written(self, path: str, digest: str, records: Sequence[Record]) -> None:
        """Take note of one whole version; the records have vectors and terms."""

    def removed(self, path: str, digest: str) -> None:
        """Take note that nothing of a version is stored any more."""

    def reset(self) -> None:
        """Take note that nothing is stored any more."""
