"""One similarity for every store: higher is better, whatever the engine calls it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from victor_memory.config import Metric
    from victor_memory.types import Vector, Vectors


def from_distance(distance: float, metric: Metric) -> float:
    """Return the similarity for a distance: `1 - cos`, the Euclidean distance, or `1 - dot`."""
    return 1.0 / (1.0 + distance) if metric == "euclidean" else 1.0 - distance


def unit_interval(score: float, metric: Metric) -> float:
    """Return *score* scaled to 0..1 as the host expects; negative cosines count as 0."""
    if metric == "dot":
        return 1.0 / (1.0 + math.exp(-max(-60.0, min(60.0, score))))
    return max(0.0, min(1.0, score))


def similarities(matrix: Vectors, query: Vector, metric: Metric) -> Vector:
    """Return the exact similarity of each row of *matrix* to *query*, computed in float32."""
    import numpy as np

    if metric == "euclidean":
        return np.asarray(1.0 / (1.0 + np.linalg.norm(matrix - query, axis=1)), dtype=np.float32)
    products = matrix @ query
    if metric == "dot":
        return np.asarray(products, dtype=np.float32)
    norms = np.linalg.norm(matrix, axis=1) * np.linalg.norm(query)
    return np.asarray(products / np.maximum(norms, 1e-30), dtype=np.float32)
