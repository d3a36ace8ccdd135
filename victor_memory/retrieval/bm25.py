"""An in-memory inverted index ranked by BM25 (Robertson and Zaragoza, 2009; idf as in Lucene)."""

from __future__ import annotations

import heapq
import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from typing import Final

K1: Final = 1.2
B: Final = 0.75


class InvertedIndex:
    """Term -> documents, kept up to date under `put` and `remove`. For one writer at a time."""

    def __init__(self) -> None:
        self._postings: defaultdict[str, dict[str, int]] = defaultdict(dict)
        self._terms: dict[str, tuple[str, ...]] = {}
        self._lengths: dict[str, int] = {}
        self._total = 0

    def __len__(self) -> int:
        return len(self._terms)

    def put(self, key: str, terms: Iterable[str]) -> None:
        """Index the document *key* under *terms*, replacing what it had."""
        self.remove(key)
        counts = Counter(terms)
        for term, count in counts.items():
            self._postings[term][key] = count
        length = counts.total()
        self._terms[key] = tuple(counts)
        self._lengths[key] = length
        self._total += length

    def remove(self, key: str) -> None:
        """Forget the document *key*; an unknown key is fine."""
        for term in self._terms.pop(key, ()):
            postings = self._postings[term]
            del postings[key]
            if not postings:
                del self._postings[term]
        self._total -= self._lengths.pop(key, 0)

    def clear(self) -> None:
        """Forget every document."""
        self.__init__()  # type: ignore[misc]  # the constructor takes nothing and does only this

    def search(
        self, terms: Iterable[str], limit: int, accept: Callable[[str], bool] | None = None
    ) -> list[tuple[str, float]]:
        """Return up to *limit* `(key, score)` pairs, best first, ties by key.

        Any of *terms* may match. *accept* leaves documents out before the limit is applied.
        """
        average = self._total / len(self._terms) if self._terms else 1.0
        scores: defaultdict[str, float] = defaultdict(float)
        for term in terms:
            postings = self._postings.get(term)
            if not postings:
                continue
            idf = math.log1p((len(self._terms) - len(postings) + 0.5) / (len(postings) + 0.5))
            for key, count in postings.items():
                norm = K1 * (1 - B + B * self._lengths[key] / average)
                scores[key] += idf * count * (K1 + 1) / (count + norm)
        found = ((key, score) for key, score in scores.items() if accept is None or accept(key))
        return heapq.nsmallest(limit, found, key=lambda pair: (-pair[1], pair[0]))
