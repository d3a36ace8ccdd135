"""The vectors of a SQLite collection in memory, brought up to date before each search.

It relies on what `_sqlite_records` promises: a stored version of a record never changes, and each
has a higher key than all before it. So whatever other processes write, the rows above the highest
known key are all that is new, and a row that is gone does no harm: the search that meets its key
finds no record for it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from victor_memory.providers._scores import similarities

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from victor_memory.config import Metric
    from victor_memory.providers._sqlite_records import RecordFile
    from victor_memory.types import Vector, Vectors

SPARE: Final = 1.25
"""Room for new rows, as a share of those there are; when it is used up, all are read anew."""
LOOK_AGAIN: Final = 100
"""Searches after which a collection that was too large is measured again."""
ROUNDING: Final = 1e-5
"""How far, in relation, two scores may differ that would be equal without rounding."""


class VectorCache:
    """At most *capacity* vectors; a larger collection is not kept at all."""

    def __init__(self, dimension: int, metric: Metric, capacity: int) -> None:
        self._dimension = dimension
        self._metric = metric
        self._capacity = capacity
        self._waits = 1
        self._rows = self._last = 0
        self._loaded = False
        self._empty(0)

    def __len__(self) -> int:
        return self._rows

    def refresh(self, file: RecordFile) -> bool:
        """Read what is new in *file*; return whether the cache can be searched now.

        It cannot at first, because a program that searches once is better off without, and where
        there are too many vectors. Called in a transaction, in which what is found is then read.
        """
        if self._waits:
            self._waits -= 1
            return False
        if not self._loaded and not self._load(file):
            return False
        return self._append(file) or self._load(file)

    def nearest(self, vector: Vector, count: int) -> list[int]:
        """Return the keys of the *count* nearest vectors, and of those that tie with the last."""
        import numpy as np

        rows = self._rows
        scores = self._scores(vector)
        scores[self._gone[:rows]] = -np.inf
        if count >= rows:
            best = np.flatnonzero(scores > -np.inf)
        else:
            least = np.partition(scores, rows - count)[rows - count]
            # What is equal but for rounding ties too: it is ranked again by the caller.
            best = np.flatnonzero(scores >= least - ROUNDING * max(1.0, abs(least)))
            best = best[scores[best] > -np.inf]
        found: list[int] = self._keys[best].tolist()
        return found

    def discard(self, keys: Iterable[int]) -> None:
        """Leave *keys*, whose records are gone, out of later searches."""
        import numpy as np

        # The keys ascend: each row is where it would have to be put.
        self._gone[np.searchsorted(self._keys[: self._rows], list(keys))] = True

    def _scores(self, vector: Vector) -> Vector:
        import numpy as np

        matrix = self._matrix[: self._rows]
        if self._metric == "euclidean":
            return similarities(matrix, vector, self._metric)
        # Under cosine the rows have length 1, and the query's length leaves the order as it is.
        # Unlike `matrix @ vector` this takes one thread: on a busy machine several wait for each
        # other, for many times as long as one takes.
        scores: Vector = np.einsum("ij,j->i", matrix, vector)
        return scores

    def _load(self, file: RecordFile) -> bool:
        """Read all vectors; return whether there is room for them."""
        rows = file.count(None)
        if rows > self._capacity:
            self._empty(0)
            self._waits = LOOK_AGAIN
            return False
        self._empty(int(rows * SPARE) + 1000)
        self._loaded = self._append(file)
        return self._loaded

    def _append(self, file: RecordFile) -> bool:
        """Read the rows above the highest known key; return whether there was room for them."""
        for keys, vectors in file.vectors(self._last):
            if self._rows + len(keys) > len(self._keys):
                return False
            part = slice(self._rows, self._rows + len(keys))
            self._keys[part], self._matrix[part] = keys, self._shaped(vectors)
            self._rows += len(keys)
            self._last = int(keys[-1])
        return True

    def _shaped(self, vectors: Vectors) -> Vectors:
        import numpy as np

        if self._metric != "cosine":
            return vectors
        shaped: Vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        return shaped

    def _empty(self, room: int) -> None:
        import numpy as np

        self._rows = self._last = 0
        self._loaded = False
        self._keys: npt.NDArray[np.int64] = np.zeros(room, np.int64)
        self._gone: npt.NDArray[np.bool_] = np.zeros(room, np.bool_)
        self._matrix: Vectors = np.zeros((room, self._dimension), np.float32)
