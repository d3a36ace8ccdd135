"""The values that travel between layers: frozen, and free of any store's or model's types."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Vector: TypeAlias = npt.NDArray[np.float32]
    """One embedding: shape `(dimension,)`."""
    Vectors: TypeAlias = npt.NDArray[np.float32]
    """A batch of embeddings: shape `(n, dimension)`."""

Metadata: TypeAlias = Mapping[str, Any]
"""JSON values by name. Filters see top-level strings, numbers, booleans and lists of them."""


@dataclass(frozen=True, slots=True, eq=False)
class Record:
    """One stored piece of text.

    `terms` is what full-text search indexes: words separated by single spaces, already analysed
    (lower case, identifiers split, stemmed), so that every store ranks the same words. When it is
    `None`, the provider derives it from `text`.
    """

    id: str
    text: str
    vector: Vector | None = None
    """Shape `(dimension,)`; `None` only in what `scan` and `get` return without vectors."""
    metadata: Metadata = field(default_factory=dict)
    terms: str | None = None


@dataclass(frozen=True, slots=True)
class Hit:
    """One search result, best first in any list of hits.

    `score` is a similarity: higher is better. For dense search it is the cosine (-1..1), the inner
    product, or `1 / (1 + distance)` (0..1), by the collection's metric. For full-text search it is
    BM25-like: positive, comparable within one result list only.
    """

    id: str
    text: str
    score: float
    metadata: Metadata = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class EmbeddingSearchResult:
    """A hit in the agent host's shape: `score` is scaled to 0..1, higher is better."""

    file_path: str
    content: str
    score: float
    symbol_name: str | None = None
    line_number: int | None = None
    metadata: Metadata = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Traits:
    """What a store can and cannot do; the conformance kit holds a store to it."""

    persistent: bool
    """Data is there after `close()` and in the next process."""
    multi_process: bool
    """Several processes may write the same collection at once."""
    full_text: bool
    """The engine ranks words itself; without it the base class ranks all of them: correct, slow."""
    exact: bool
    """Dense search always returns the true nearest neighbours, at any size."""
    transactional: bool = False
    """One `upsert` call becomes visible whole or not at all."""
    remote: bool = False
    """Data lives in a server or object store rather than in `persist_directory`."""


@dataclass(frozen=True, slots=True)
class FallbackInfo:
    """Why another store answers than the one that was asked for."""

    requested: str
    reason: str


@dataclass(frozen=True, slots=True)
class StoreStats:
    """One collection, described. Sizes are bytes; `None` means the store cannot say."""

    provider: str
    collection: str
    records: int
    dimension: int | None
    metric: str
    embedder: str | None
    location: str | None = None
    disk_bytes: int | None = None
    fallback: FallbackInfo | None = None
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Symbol:
    """A name that code defines; lines are 1-based and inclusive."""

    name: str
    kind: str
    """`function`, `method`, `class`, `struct`, `interface`, `trait`, `enum`, `module`, `type`,
    `constant`, `variable`, `macro`, `heading` or `key`."""
    qualified: str
    """The name with those of what it lies in, outermost first, joined by dots."""
    signature: str
    """Its declaration on one line, without the body."""
    start_line: int
    end_line: int


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of a file worth finding on its own: lines are 1-based and inclusive."""

    path: str
    """Relative to the indexed root, POSIX separators."""
    start_line: int
    end_line: int
    text: str
    language: str | None = None
    symbol: str | None = None
    """The name of what the piece is, or lies in, with the one around it: `Client.get`."""
    defines: Sequence[Symbol] | None = None
    """What is defined in it; `None` where no syntax tree told."""


@dataclass(frozen=True, slots=True)
class MemoryScope:
    """Whose memory: one project (by default the repository around the working directory)."""

    project: str
    """Stable identifier, safe as a directory name."""
    root: str
    """Absolute path of the project's working tree."""
    labels: Sequence[str] = ()
