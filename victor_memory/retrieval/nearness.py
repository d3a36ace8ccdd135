"""How near names and paths are to a query by meaning: their vectors, remembered."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from threading import Lock
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from victor_memory.types import Vector, Vectors

ROOM: Final = 8192
"""Texts whose vectors are kept: 12 MB at 384 dimensions."""


class NameVectors:
    """The vectors that *embed* has for short texts, while there is room; threads take turns."""

    def __init__(self, embed: Callable[[Sequence[str]], Vectors], room: int = ROOM) -> None:
        self._embed = embed
        self._room = room
        self._turn = Lock()
        self._rows: dict[str, int] = {}
        self._vectors = np.empty((0, 0), dtype=np.float32)

    def learn(self, texts: Sequence[str]) -> None:
        """Have the vectors of the first of *texts* ready, as many as leave room for others."""
        with self._turn:
            self._add(list(dict.fromkeys(texts))[: self._room // 2])

    def near(self, vector: Vector, texts: Sequence[str]) -> list[float]:
        """Return the cosine of each of *texts* with the unit *vector*."""
        if not texts:
            return []
        distinct = list(dict.fromkeys(texts))
        if len(distinct) > self._room:
            found = self._embed(distinct) @ vector
        else:
            with self._turn:
                found = self._kept(distinct) @ vector
        likeness = dict(zip(distinct, found.tolist(), strict=True))
        return [likeness[text] for text in texts]

    def _kept(self, texts: list[str]) -> Vectors:
        self._add(texts)
        return self._vectors[[self._rows[text] for text in texts]]

    def _add(self, texts: list[str]) -> None:
        new = [text for text in texts if text not in self._rows]
        if len(self._rows) + len(new) > self._room:
            self._rows.clear()
            new = texts
        if not new:
            return
        vectors = self._embed(new)
        if not self._vectors.size:
            self._vectors = np.empty((self._room, vectors.shape[1]), dtype=np.float32)
        start = len(self._rows)
        self._vectors[start : start + len(new)] = vectors
        self._rows.update(zip(new, range(start, start + len(new)), strict=True))
