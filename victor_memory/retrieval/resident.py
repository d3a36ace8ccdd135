"""A collection held in memory: exact dense search and BM25 over numpy arrays, kept up by groups.

Rows come and go in groups (the chunks of one file, say). New groups become a small segment; small
segments are merged, and removed rows left behind, as they pile up. Scores are those of `bm25` and
of an exact store; the number of documents and of those with a term, which BM25 weighs words by,
count removed rows until the next merge.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from itertools import count
from operator import itemgetter
from threading import RLock
from typing import TYPE_CHECKING, Any, Final, Generic, NamedTuple, TypeVar

import numpy as np

from victor_memory.retrieval.bm25 import K1, B

if TYPE_CHECKING:
    import numpy.typing as npt

    from victor_memory.types import Vector

    Mask = npt.NDArray[np.bool_]
    Ints = npt.NDArray[np.int32]
    Floats = npt.NDArray[np.float32]

SEGMENTS: Final = 8
"""More are merged into one."""
DEAD_SHARE: Final = 0.25
"""Removed rows are left behind when they are more than this share."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Row(Generic[T]):
    """One document: `item` is what a search returns, `terms` are analysed and space-separated."""

    key: str
    item: T
    terms: str
    vector: Vector | None
    """Shape `(dimension,)`; for cosine of any length. `None` is found by words only."""


_BY_SCORE: Final = itemgetter(0, 1)


class Scored(NamedTuple, Generic[T]):
    """A row that was found: higher scores are better."""

    key: str
    item: T
    score: float


@dataclass(slots=True)
class _Segment(Generic[T]):
    """Rows and, for each term in them, where it occurs: postings sorted by term, then row."""

    keys: list[str]
    items: list[T]
    groups: list[Hashable]
    live: Mask
    lengths: Ints
    vectors: Floats
    """Shape `(rows, dimension)`; a row without a vector is all zeros."""
    dense: Mask
    """Which rows have a vector."""
    terms: Ints
    """The distinct terms, sorted."""
    offsets: Ints
    """Of the postings of each term, and the end."""
    rows: Ints
    counts: Ints

    def postings(self, term: int) -> slice:
        found = int(np.searchsorted(self.terms, term))
        if found == len(self.terms) or self.terms[found] != term:
            return slice(0, 0)
        return slice(int(self.offsets[found]), int(self.offsets[found + 1]))


class ResidentIndex(Generic[T]):
    """Rows in memory under the *metric* `cosine`, `dot` or `euclidean`; threads take turns.

    Sources: BM25 as in `bm25`; brute-force nearest neighbours.
    """

    def __init__(self, metric: str = "cosine") -> None:
        self._metric = metric
        self._turn = RLock()
        self._words: defaultdict[str, int] = defaultdict(count().__next__)
        self._segments: list[_Segment[T]] = []
        self._places: dict[Hashable, tuple[_Segment[T], int, int]] = {}
        self._waiting: dict[Hashable, list[Row[T]]] = {}

    def __len__(self) -> int:
        with self._turn:
            self._settle()
            return sum(int(one.live.sum()) for one in self._segments)

    def __contains__(self, group: object) -> bool:
        return group in self._waiting or group in self._places

    def groups(self) -> list[Hashable]:
        """Return the groups there are, in no given order."""
        return [*self._places, *self._waiting]

    def put(self, group: Hashable, rows: Iterable[Row[T]]) -> None:
        """Add *rows* as *group*, replacing what it had."""
        with self._turn:
            self.remove(group)
            self._waiting[group] = list(rows)

    def remove(self, group: Hashable) -> None:
        """Forget *group*; an unknown one is fine."""
        with self._turn:
            self._waiting.pop(group, None)
            if group in self._places:
                segment, start, stop = self._places.pop(group)
                segment.live[start:stop] = False

    # -- searching --------------------------------------------------------------------------------

    def search(
        self,
        terms: Sequence[str],
        vector: Vector | None,
        limit: int,
        accept: Callable[[T], bool] | None = None,
    ) -> tuple[list[Scored[T]], list[Scored[T]]]:
        """Return up to *limit* rows that have any of *terms*, and as many nearest to *vector*.

        Both lists are best first, ties by key; only rows whose item *accept* likes are in them.
        """
        with self._turn:
            self._settle()
            masks = [self._mask(one, accept) for one in self._segments]
            lexical = self._lexical(terms, limit, masks) if terms else []
            dense = [] if vector is None else self._dense(vector, limit, masks)
        return lexical, dense

    def _mask(self, segment: _Segment[T], accept: Callable[[T], bool] | None) -> Mask:
        mask = segment.live.copy()
        if accept is not None:
            rows = np.flatnonzero(mask)
            mask[rows] = [accept(segment.items[row]) for row in rows.tolist()]
        return mask

    def _lexical(self, terms: Sequence[str], limit: int, masks: list[Mask]) -> list[Scored[T]]:
        total = sum(len(one.keys) for one in self._segments)
        length = sum(int(one.lengths.sum()) for one in self._segments)
        if not total or not length:
            return []
        asked = [self._words[one] for one in dict.fromkeys(terms) if one in self._words]
        spans = [[one.postings(term) for term in asked] for one in self._segments]
        weights = []
        for number in range(len(asked)):
            having = sum(span[number].stop - span[number].start for span in spans)
            weights.append(math.log1p((total - having + 0.5) / (having + 0.5)))
        scores = []
        for segment, found in zip(self._segments, spans, strict=True):
            own = np.zeros(len(segment.keys), dtype=np.float32)
            norms = K1 * (1 - B + B * segment.lengths * (total / length))
            for span, weight in zip(found, weights, strict=True):
                rows, counts = segment.rows[span], segment.counts[span]
                # Each row is in a term's postings once, so that this adds to each once.
                own[rows] += weight * (K1 + 1) * counts / (counts + norms[rows])
            scores.append(own)
        return self._best(scores, limit, masks, least=0.0)

    def _dense(self, vector: Vector, limit: int, masks: list[Mask]) -> list[Scored[T]]:
        query = np.asarray(vector, dtype=np.float32)
        if self._metric == "cosine":
            query = _unit(query[np.newaxis])[0]
        scores = []
        for segment in self._segments:
            if not segment.dense.any():
                scores.append(np.zeros(len(segment.keys), dtype=np.float32))
            elif self._metric == "euclidean":
                distance = np.linalg.norm(segment.vectors - query, axis=1)
                scores.append((1 / (1 + distance)).astype(np.float32))
            else:
                # Not `@`: on a busy machine its threads spend longer waiting for each other than
                # one takes to read the vectors.
                scores.append(np.einsum("ij,j->i", segment.vectors, query))
        dense = [mask & one.dense for mask, one in zip(masks, self._segments, strict=True)]
        return self._best(scores, limit, dense, least=-math.inf)

    def _best(
        self, scores: list[Floats], limit: int, masks: list[Mask], *, least: float
    ) -> list[Scored[T]]:
        found: list[tuple[float, str, T]] = []
        for segment, own, mask in zip(self._segments, scores, masks, strict=True):
            rows = np.flatnonzero(mask & (own > least))
            if len(rows) > limit:
                # All that tie with the last are kept, so that the key can decide.
                bound = np.partition(own[rows], len(rows) - limit)[len(rows) - limit]
                rows = rows[own[rows] >= bound]
            keys, items = segment.keys, segment.items
            found += [
                (score, keys[row], items[row])
                for row, score in zip(rows.tolist(), (-own[rows]).tolist(), strict=True)
            ]
        found.sort(key=_BY_SCORE)
        return [Scored(key, item, -score) for score, key, item in found[:limit]]

    # -- segments ---------------------------------------------------------------------------------

    def _settle(self) -> None:
        """Make a segment of what waits, and merge when there are many, or much of them is dead."""
        if self._waiting:
            self._append(self._new_segment(self._waiting))
            self._waiting = {}
        rows = sum(len(one.keys) for one in self._segments)
        dead = rows - sum(int(one.live.sum()) for one in self._segments)
        if dead > DEAD_SHARE * rows:
            self._append(_merged(self._segments), instead=self._segments)
        elif len(self._segments) > SEGMENTS:
            # The largest stays: it is as good as it gets, and copying it would cost the most.
            largest = max(self._segments, key=lambda one: len(one.keys))
            others = [one for one in self._segments if one is not largest]
            self._append(_merged(others), instead=others)

    def _append(self, new: _Segment[T], instead: Sequence[_Segment[T]] = ()) -> None:
        replaced = set(map(id, instead))
        self._segments = [one for one in self._segments if id(one) not in replaced]
        self._segments.append(new)
        start = 0
        for stop in range(1, len(new.groups) + 1):
            if stop == len(new.groups) or new.groups[stop] != new.groups[start]:
                self._places[new.groups[start]] = new, start, stop
                start = stop

    def _new_segment(self, waiting: dict[Hashable, list[Row[T]]]) -> _Segment[T]:
        rows = [row for one in waiting.values() for row in one]
        split = [row.terms.split() for row in rows]
        lengths = np.fromiter(map(len, split), np.int32, len(rows))
        words = np.fromiter(
            (self._words[word] for one in split for word in one), np.int64, int(lengths.sum())
        )
        where = np.repeat(np.arange(len(rows), dtype=np.int64), lengths)
        packed, counts = np.unique(words * max(1, len(rows)) + where, return_counts=True)
        terms, offsets, places = _postings(packed // max(1, len(rows)), packed % max(1, len(rows)))
        width = max((len(one.vector) for one in rows if one.vector is not None), default=0)
        vectors = np.zeros((len(rows), width), dtype=np.float32)
        dense = np.fromiter((one.vector is not None for one in rows), np.bool_, len(rows))
        for number, one in enumerate(rows):
            if one.vector is not None:
                vectors[number] = one.vector
        return _Segment(
            keys=[row.key for row in rows],
            items=[row.item for row in rows],
            groups=[group for group, some in waiting.items() for _ in some],
            live=np.ones(len(rows), dtype=np.bool_),
            lengths=lengths,
            vectors=_unit(vectors) if self._metric == "cosine" else vectors,
            dense=dense,
            terms=terms,
            offsets=offsets,
            rows=places,
            counts=counts.astype(np.int32),
        )


def _postings(words: npt.NDArray[np.int64], rows: npt.NDArray[np.int64]) -> tuple[Ints, Ints, Ints]:
    """Return the distinct terms of sorted *words*, the offsets of each, and *rows*."""
    terms, starts = np.unique(words, return_index=True)
    offsets = np.append(starts, len(words))
    return terms.astype(np.int32), offsets.astype(np.int32), rows.astype(np.int32)


def _merged(segments: Sequence[_Segment[T]]) -> _Segment[T]:
    """Return one segment of the live rows of *segments*."""
    words, rows, counts = [], [], []
    start = 0
    for one in segments:
        # The new number of each live row.
        number = np.cumsum(one.live) - 1 + start
        kept = one.live[one.rows]
        words.append(np.repeat(one.terms, np.diff(one.offsets))[kept])
        rows.append(number[one.rows[kept]])
        counts.append(one.counts[kept])
        start += int(one.live.sum())
    word, row, how_often = map(np.concatenate, (words, rows, counts))
    order = np.lexsort((row, word))
    terms, offsets, places = _postings(word[order].astype(np.int64), row[order].astype(np.int64))
    width = max(one.vectors.shape[1] for one in segments)
    return _Segment(
        keys=[key for one in segments for key in _live(one.keys, one.live)],
        items=[item for one in segments for item in _live(one.items, one.live)],
        groups=[group for one in segments for group in _live(one.groups, one.live)],
        live=np.ones(start, dtype=np.bool_),
        lengths=np.concatenate([one.lengths[one.live] for one in segments]),
        vectors=np.concatenate(
            [
                one.vectors[one.live]
                if one.vectors.shape[1] == width
                else np.zeros((int(one.live.sum()), width), dtype=np.float32)
                for one in segments
            ]
        ),
        dense=np.concatenate([one.dense[one.live] for one in segments]),
        terms=terms,
        offsets=offsets,
        rows=places,
        counts=how_often[order],
    )


def _live(values: list[Any], live: Mask) -> Iterable[Any]:
    return (value for value, kept in zip(values, live.tolist(), strict=True) if kept)


def _unit(vectors: Floats) -> Floats:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    lengths[lengths == 0] = 1
    unit: Floats = (vectors / lengths).astype(np.float32, copy=False)
    return unit
