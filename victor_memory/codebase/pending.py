"""Chunks that are cut and not stored yet: found by their words while a model is still at work."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence

from victor_memory.codebase.records import CutFile, records
from victor_memory.filters import Filter
from victor_memory.retrieval.bm25 import InvertedIndex
from victor_memory.types import Hit, Record


class PendingChunks:
    """The files on their way into the store. The words are indexed when somebody searches."""

    def __init__(self) -> None:
        self._files: dict[str, CutFile] = {}
        self._chunks = 0
        self._index = InvertedIndex()
        self._indexed: dict[str, tuple[CutFile, list[Record]]] = {}
        self._records: dict[str, Record] = {}
        self._turn = threading.Lock()

    def __len__(self) -> int:
        return self._chunks

    def digest(self, path: str) -> str | None:
        """Return the content of *path* that is on its way."""
        found = self._files.get(path)
        return found.digest if found else None

    def add(self, file: CutFile) -> None:
        """Take note of *file*, in the place of what was known of its path."""
        self.discard([file.path])
        self._files[file.path] = file
        self._chunks += len(file.chunks)

    def discard(self, paths: Iterable[str]) -> None:
        """Forget *paths*, which are stored now."""
        for path in paths:
            gone = self._files.pop(path, None)
            self._chunks -= len(gone.chunks) if gone else 0

    def clear(self) -> None:
        """Forget everything."""
        self._files, self._chunks = {}, 0
        with self._turn:
            self._index.clear()
            self._indexed.clear()
            self._records.clear()

    def search(self, terms: Sequence[str], limit: int, where: Filter | None = None) -> list[Hit]:
        """Return up to *limit* chunks that share a term with *terms*, best first (BM25).

        The metadata are those of stored records. Safe to call in a thread; the first call may have
        to index thousands of chunks.
        """
        if not self._files and not self._indexed:
            return []
        with self._turn:
            self._catch_up(dict(self._files))
            accept = None if where is None else lambda key: where.matches(self._of(key).metadata)
            return [
                Hit(key, self._of(key).text, score, self._of(key).metadata)
                for key, score in self._index.search(terms, limit, accept)
            ]

    def _of(self, key: str) -> Record:
        return self._records[key]

    def _catch_up(self, files: dict[str, CutFile]) -> None:
        for path, (file, known) in list(self._indexed.items()):
            if files.get(path) is not file:
                for one in known:
                    self._index.remove(one.id)
                    del self._records[one.id]
                del self._indexed[path]
        for path, file in files.items():
            if path not in self._indexed:
                made = list(records(file, None))
                for one in made:
                    self._index.put(one.id, (one.terms or "").split())
                    self._records[one.id] = one
                self._indexed[path] = file, made
