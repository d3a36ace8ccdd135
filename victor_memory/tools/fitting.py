"""How an answer is kept within the tokens it may have."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, TypeVar

CHARACTERS_PER_TOKEN: Final = 4
"""About what one token of a language model is of code or English."""
CUT: Final = " [...]"
T = TypeVar("T")


def tokens(characters: int) -> int:
    """Return about how many tokens so many characters are."""
    return -(-characters // CHARACTERS_PER_TOKEN)


def fitting(items: Sequence[T], budget: int, size: Callable[[T], int]) -> tuple[list[T], int]:
    """Return those of *items* that fit into *budget* tokens, and how many do not.

    *size* is in characters. The first is always there; what is too long makes room for what is
    shorter and comes after it.
    """
    kept: list[T] = []
    left = budget
    for one in items:
        needed = tokens(size(one))
        if needed <= left or not kept:
            kept.append(one)
            left -= needed
    return kept, len(items) - len(kept)


def shortened(text: str, budget: int) -> str:
    """Return *text*, or as much of its beginning as *budget* tokens are, marked as cut."""
    most = budget * CHARACTERS_PER_TOKEN
    if len(text) <= most:
        return text
    beginning = text[: most - len(CUT)]
    words = beginning.rsplit(None, 1)[0] if " " in beginning else beginning
    return (words or beginning) + CUT
