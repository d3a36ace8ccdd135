"""Texts that no model takes as they are: too long, or not text outside Python."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from victor_memory.types import Vectors


def encodable(text: str) -> str:
    """Return *text* with `?` for lone surrogates, which exist in Python's strings alone."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode(errors="replace").decode()
    return text


def pieces(texts: Sequence[str], longest: int) -> list[tuple[int, str]]:
    """Return *texts* in pieces of *longest* characters or less, with the index of their text."""
    return [
        (owner, part)
        for owner, text in enumerate(texts)
        for part in cut(encodable(text), max(1, -(-len(text) // longest)))
    ]


def cut(text: str, parts: int) -> list[str]:
    """Return *text* in *parts* pieces of about equal length, between words where there are any."""
    edges = [0]
    for part in range(1, parts):
        target = len(text) * part // parts
        space = text.rfind(" ", edges[-1] + 1, target + 1)
        edges.append(space if space > (edges[-1] + target) // 2 else target)
    return [text[start:end] for start, end in zip(edges, [*edges[1:], len(text)], strict=True)]


def pool(vectors: Vectors, owners: Sequence[int], weights: Sequence[int], count: int) -> Vectors:
    """Return *count* unit vectors: the weighted mean of the *vectors* that each of them owns.

    What is not a usable vector stays one (zero, or not finite), for the embedder's check to find.
    """
    import numpy as np

    with np.errstate(invalid="ignore", over="ignore"):
        pooled = np.zeros((count, vectors.shape[1]), dtype=np.float32)
        shares = np.asarray(weights, dtype=np.float32)[:, None]
        np.add.at(pooled, np.asarray(owners), unit(vectors) * shares)
        return unit(pooled)


def unit(vectors: Vectors) -> Vectors:
    """Return *vectors* with length 1; a zero vector stays zero."""
    import numpy as np

    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    lengths[lengths == 0] = 1
    scaled: Vectors = vectors / lengths
    return scaled
