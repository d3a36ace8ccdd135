"""Fusion of lexical and dense hits into one list, by their scores and not their ranks alone.

Scores say how much better one hit is than the next; ranks forget it. BM25 and cosines are brought
to the same scale within one result list, and then mixed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Fused(NamedTuple):
    """What each search says about one record, both 0..1, and their mixture."""

    lexical: float
    dense: float
    score: float


def from_zero(scores: Mapping[str, float]) -> dict[str, float]:
    """Return *scores* divided by the best of them: for scores whose zero means no match (BM25).

    >>> from_zero({"a": 12.0, "b": 3.0})
    {'a': 1.0, 'b': 0.25}
    """
    best = max(scores.values(), default=0.0)
    return {key: max(0.0, score) / best if best > 0 else 0.0 for key, score in scores.items()}


def from_worst(scores: Mapping[str, float]) -> dict[str, float]:
    """Return *scores* stretched to 0..1: for scores that only compare within a list (cosines).

    When all are equal, each is 1.

    >>> from_worst({"a": 0.75, "b": 0.5, "c": 0.25})
    {'a': 1.0, 'b': 0.5, 'c': 0.0}
    """
    best, worst = max(scores.values(), default=0.0), min(scores.values(), default=0.0)
    width = best - worst
    return {key: (score - worst) / width if width > 0 else 1.0 for key, score in scores.items()}


def fuse(
    lexical: Mapping[str, float],
    dense: Mapping[str, float],
    dense_share: float,
    lexical_power: float = 1.0,
) -> dict[str, Fused]:
    """Return every record of either search with its mixed score, best first, ties by key.

    *lexical* and *dense* map keys to raw scores, higher is better. *dense_share* is 0 for lexical
    alone and 1 for dense alone. A record that one search did not return has 0 from it. With a
    *lexical_power* below 1, the best by words is less far above the others.
    """
    words = {key: score**lexical_power for key, score in from_zero(lexical).items()}
    meaning = from_worst(dense)
    fused = {
        key: Fused(
            words.get(key, 0.0),
            meaning.get(key, 0.0),
            (1 - dense_share) * words.get(key, 0.0) + dense_share * meaning.get(key, 0.0),
        )
        for key in words.keys() | meaning.keys()
    }
    return dict(sorted(fused.items(), key=lambda item: (-item[1].score, item[0])))
