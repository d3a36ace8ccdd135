"""How chunks are kept: the shape of their records, and which file versions the store holds in full.

A version is a file's path and the digest of its content. Every record says which version it was
cut from, and into how many pieces, so a version is complete exactly if all its pieces are there.
Several versions of one file can be stored at once, under different ids: a version is written beside
the one it replaces, and the worktrees of a repository share what they have in common. A process may
be killed between any two writes: an incomplete version is completed, or removed, by the next run.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from victor_memory.retrieval.text import index_terms
from victor_memory.types import Chunk, Record

if TYPE_CHECKING:
    from victor_memory.codebase.chunking import Chunker
    from victor_memory.redaction import Redactor
    from victor_memory.types import Vectors

KIND: Final = "code"
"""Records of any other kind in the collection are somebody else's: never read, never removed."""
FORMAT: Final = 4
"""Raise it when files are cut, analysed or embedded differently: all are then indexed anew."""
_DIGEST_BYTES: Final = 16
_PATH_WEIGHT: Final = 2
"""How often the words of a file's name count as words of its chunks; its directories count once."""

Version: TypeAlias = tuple[str, str]
"""A file's path, and the digest of one content it has or had."""


def recipe(chunkers: Sequence[Chunker], redactors: Sequence[Redactor] = ()) -> bytes:
    """Return what identifies how files become records, for `file_hash`."""
    names = [f"{type(one).__module__}.{type(one).__qualname__}" for one in chunkers]
    names += [
        f"redactor {getattr(one, '__module__', '')}.{getattr(one, '__qualname__', type(one))}"
        for one in redactors
    ]
    packed = "\n".join([str(FORMAT), *names]).encode()
    return hashlib.blake2b(packed, digest_size=_DIGEST_BYTES).digest()


def file_hash(data: bytes, made_by: bytes) -> str:
    """Return the digest of a file's bytes under the recipe *made_by*."""
    return hashlib.blake2b(data, digest_size=_DIGEST_BYTES, person=made_by).hexdigest()


def chunk_id(path: str, digest: str, index: int) -> str:
    """Return the id of the chunk number *index* of the file *path* with the content *digest*."""
    packed = f"{path}\0{digest}\0{index}".encode()
    return hashlib.blake2b(packed, digest_size=_DIGEST_BYTES).hexdigest()


def embedding_text(chunk: Chunk) -> str:
    """Return what the model is given for *chunk*: where it is, what it is called, what it says."""
    # The language also keeps a text of signs alone from having no vector at all.
    return f"{chunk.language or 'text'} {chunk.path}\n{chunk.symbol or ''}\n{chunk.text}"


def terms(chunk: Chunk) -> str:
    """Return what full-text search finds *chunk* by."""
    said = f"{chunk.symbol}\n{chunk.text}" if chunk.symbol else chunk.text
    return f"{_path_terms(chunk.path)} {index_terms(said)}".strip()


@lru_cache(maxsize=256)
def _path_terms(path: str) -> str:
    directories, _, name = path.rpartition("/")
    stem = name.partition(".")[0] or name
    return " ".join(
        [index_terms(directories), index_terms(name), *[index_terms(stem)] * (_PATH_WEIGHT - 1)]
    )


@dataclass(frozen=True, slots=True)
class CutFile:
    """One whole file, cut: *terms* are those of each chunk."""

    path: str
    digest: str
    chunks: Sequence[Chunk]
    terms: Sequence[str]


def records(file: CutFile, vectors: Vectors | None) -> Iterator[Record]:
    """Return the records of *file*, in order; *vectors* has shape `(chunks, dimension)`."""
    for index, chunk in enumerate(file.chunks):
        yield Record(
            chunk_id(file.path, file.digest, index),
            chunk.text.rstrip(),
            None if vectors is None else vectors[index],
            _metadata(file, chunk, index),
            file.terms[index],
        )


def _metadata(file: CutFile, chunk: Chunk, index: int) -> dict[str, Any]:
    text = chunk.text.rstrip()
    blank_lines = chunk.text.count("\n", len(text)) - chunk.text.endswith("\n")
    metadata: dict[str, Any] = {
        "kind": KIND,
        "file_path": chunk.path,
        "file_hash": file.digest,
        "chunk_index": index,
        "chunk_count": len(file.chunks),
        "line_number": chunk.start_line,
        "end_line": max(chunk.start_line, chunk.end_line - blank_lines),
        "language": chunk.language,
        "symbol_name": chunk.symbol,
    }
    if chunk.defines is not None:
        metadata["defines"] = list(dict.fromkeys(one.qualified for one in chunk.defines))
    if chunk.defines:
        metadata["kinds"] = list(dict.fromkeys(one.kind for one in chunk.defines))
        # Text, because a store indexes each number of a list, and nobody looks for these.
        metadata["starts"] = " ".join(map(str, sorted({one.start_line for one in chunk.defines})))
    return metadata


class StoredFiles:
    """Which versions a store holds. Built from a scan, then kept up with what is written."""

    def __init__(self) -> None:
        self._complete: dict[str, dict[str, int]] = {}
        """Path, digest, number of chunks."""
        self._partial: dict[Version, set[int]] = {}
        """The chunks that are there of versions that are not complete."""
        self._counts: dict[Version, int] = {}
        self.strays: list[str] = []
        """Ids of chunk records that no version accounts for."""

    def add(self, found: Iterable[Record]) -> None:
        """Take note of *found*, a part of a scan; call `settle` after the last part."""
        for record in found:
            metadata = record.metadata
            if metadata.get("kind") != KIND:
                continue
            path, digest = metadata.get("file_path"), metadata.get("file_hash")
            index, count = metadata.get("chunk_index"), metadata.get("chunk_count")
            if (
                not isinstance(path, str)
                or not isinstance(digest, str)
                or not isinstance(index, int)
                or not isinstance(count, int)
                or record.id != chunk_id(path, digest, index)
            ):
                self.strays.append(record.id)
                continue
            self._partial.setdefault((path, digest), set()).add(index)
            self._counts[path, digest] = count

    def settle(self) -> None:
        """Decide which versions are complete."""
        for version, count in self._counts.items():
            if len(self._partial[version]) == count:
                del self._partial[version]
                path, digest = version
                self._complete.setdefault(path, {})[digest] = count
        self._counts.clear()

    def versions(self) -> Iterator[Version]:
        """Yield every version of which anything is stored."""
        for path, found in self._complete.items():
            for digest in found:
                yield path, digest
        yield from self._partial

    def complete(self) -> Iterator[tuple[str, tuple[str, int]]]:
        """Yield each path with the digest and the number of chunks of a complete version."""
        for path, found in self._complete.items():
            for version in found.items():
                yield path, version

    def of(self, path: str) -> set[str]:
        """Return the digests of *path* of which anything is stored."""
        partial = {digest for one, digest in self._partial if one == path}
        return partial.union(self._complete.get(path, ()))

    def count(self, path: str, digest: str) -> int | None:
        """Return into how many chunks a version was cut, if it is stored completely."""
        return self._complete.get(path, {}).get(digest)

    def ids(self, version: Version) -> list[str]:
        """Return the ids of what is stored of *version*."""
        count = self.count(*version)
        indexes = self._partial.get(version, ()) if count is None else range(count)
        return [chunk_id(*version, index) for index in indexes]

    def put(self, version: Version, count: int) -> None:
        """Take note that *version* is now stored completely."""
        self._partial.pop(version, None)
        path, digest = version
        self._complete.setdefault(path, {})[digest] = count

    def drop(self, version: Version) -> None:
        """Take note that nothing of *version* is stored any more."""
        self._partial.pop(version, None)
        path, digest = version
        found = self._complete.get(path, {})
        found.pop(digest, None)
        if not found:
            self._complete.pop(path, None)

    def forget(self, paths: Iterable[str]) -> None:
        """Drop what is known of *paths*, before they are read again."""
        for path in paths:
            for digest in self.of(path):
                self.drop((path, digest))
