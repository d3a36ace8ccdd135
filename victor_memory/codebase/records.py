"""How chunks are kept: the shape of their records, and which files the store holds in full.

The store is the only state. Every record says which file and content it was cut from, and into how
many pieces, so a file is complete in the index exactly if all its pieces of one content are there
and nothing else is. A process may be killed between any two writes: whatever is not complete is
written again by the next run, under the same ids.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Final

from victor_memory.retrieval.text import analyse, index_terms
from victor_memory.types import Chunk, Record

if TYPE_CHECKING:
    from victor_memory.codebase.chunking import Chunker
    from victor_memory.types import Vectors

KIND: Final = "code"
"""Records of any other kind in the collection are somebody else's: never read, never removed."""
FORMAT: Final = 1
"""Raise it when files are cut, analysed or embedded differently: all are then indexed anew."""
_DIGEST_BYTES: Final = 16
_PATH_WEIGHT: Final = 2
"""How often the words of a file's name count as words of its chunks; its directories count once."""


def recipe(chunkers: Sequence[Chunker]) -> bytes:
    """Return what identifies how files become records, for `file_hash`."""
    names = [f"{type(one).__module__}.{type(one).__qualname__}" for one in chunkers]
    packed = "\n".join([str(FORMAT), *names]).encode()
    return hashlib.blake2b(packed, digest_size=_DIGEST_BYTES).digest()


def file_hash(data: bytes, made_by: bytes) -> str:
    """Return the digest of a file's bytes under the recipe *made_by*."""
    return hashlib.blake2b(data, digest_size=_DIGEST_BYTES, person=made_by).hexdigest()


def chunk_id(path: str, index: int) -> str:
    """Return the id of the chunk number *index* of the file *path*."""
    return hashlib.blake2b(f"{path}\0{index}".encode(), digest_size=_DIGEST_BYTES).hexdigest()


def embedding_text(chunk: Chunk) -> str:
    """Return what the model is given for *chunk*: where it is, what it is called, what it says."""
    # The language also keeps a text of signs alone from having no vector at all.
    return f"{chunk.language or 'text'} {chunk.path}\n{chunk.symbol or ''}\n{chunk.text}"


def terms(chunk: Chunk) -> str:
    """Return what full-text search finds *chunk* by."""
    directories, _, name = chunk.path.rpartition("/")
    stem = name.partition(".")[0] or name
    where = [*analyse(directories), *analyse(name), *analyse(stem) * (_PATH_WEIGHT - 1)]
    return " ".join([*where, index_terms(f"{chunk.symbol or ''}\n{chunk.text}")])


def records(chunks: Sequence[Chunk], digest: str, vectors: Vectors) -> Iterator[Record]:
    """Return the records of one whole file, whose content is *digest*."""
    for index, (chunk, vector) in enumerate(zip(chunks, vectors, strict=True)):
        text = chunk.text.rstrip()
        blank_lines = chunk.text.count("\n", len(text)) - chunk.text.endswith("\n")
        metadata = {
            "kind": KIND,
            "file_path": chunk.path,
            "file_hash": digest,
            "chunk_index": index,
            "chunk_count": len(chunks),
            "line_number": chunk.start_line,
            "end_line": max(chunk.start_line, chunk.end_line - blank_lines),
            "language": chunk.language,
            "symbol_name": chunk.symbol,
        }
        yield Record(chunk_id(chunk.path, index), text, vector, metadata, terms(chunk))


class StoredFiles:
    """What a store holds of each file. Built from a scan, then kept up with what is written."""

    def __init__(self) -> None:
        self._complete: dict[str, tuple[str, int]] = {}
        self._rows: dict[str, dict[int, tuple[str, int]]] = {}
        self.strays: list[str] = []
        """Ids of chunk records that no file accounts for."""

    def add(self, found: Iterable[Record]) -> None:
        """Take note of *found*, a part of the scan."""
        for record in found:
            metadata = record.metadata
            if metadata.get("kind") != KIND:
                continue
            path, index = metadata.get("file_path"), metadata.get("chunk_index")
            if not isinstance(path, str) or not isinstance(index, int):
                self.strays.append(record.id)
                continue
            if record.id == chunk_id(path, index):
                content = str(metadata.get("file_hash")), int(metadata.get("chunk_count") or 0)
                self._rows.setdefault(path, {})[index] = content
            else:
                self.strays.append(record.id)

    def settle(self) -> None:
        """Decide which files are complete, after the last `add`."""
        for path, rows in list(self._rows.items()):
            content, *others = set(rows.values())
            if not others and rows.keys() == set(range(content[1])):
                self._complete[path] = content
                del self._rows[path]

    def __iter__(self) -> Iterator[str]:
        yield from self._complete
        yield from self._rows

    def __contains__(self, path: object) -> bool:
        return path in self._complete or path in self._rows

    def __len__(self) -> int:
        return len(self._complete) + len(self._rows)

    def digest(self, path: str) -> str | None:
        """Return the content of *path* that is stored completely, and nothing else of the file."""
        found = self._complete.get(path)
        return found[0] if found else None

    def ids(self, path: str, beyond: int = 0) -> list[str]:
        """Return the ids of what is stored of *path*, from the chunk *beyond* on."""
        complete = self._complete.get(path)
        indexes = range(complete[1]) if complete else self._rows.get(path, {})
        return [chunk_id(path, index) for index in indexes if index >= beyond]

    def forget(self, paths: Iterable[str]) -> None:
        """Drop what is known of *paths*, before they are read again."""
        for path in paths:
            self.drop(path)

    def put(self, path: str, digest: str, count: int) -> None:
        """Take note that *path* is now stored completely."""
        self._rows.pop(path, None)
        self._complete[path] = digest, count

    def drop(self, path: str) -> None:
        """Take note that nothing of *path* is stored any more."""
        self._rows.pop(path, None)
        self._complete.pop(path, None)

    @property
    def chunks(self) -> int:
        """How many chunks there are."""
        complete = sum(count for _, count in self._complete.values())
        return complete + sum(len(rows) for rows in self._rows.values())
