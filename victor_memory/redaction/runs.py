"""Long runs of the characters that keys are made of: found by leaps, not character by character.

All these characters are made one, all others a blank; then a search for sixteen of the one looks at
every sixteenth character only. An expression takes four times as long.
"""

from __future__ import annotations

from typing import Final

SHORTEST: Final = 16
"""Characters of the shortest run that is found."""
_CHARACTERS: Final = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.+/=~%"
"""Those of `_TOKEN` in `shapes`."""
_MARKS: Final = bytes(ord("x") if one in _CHARACTERS else ord(" ") for one in range(256))
_RUN: Final = b"x" * SHORTEST


def runs(text: str) -> list[tuple[int, int]]:
    """Return where each run begins and ends, in order."""
    # What is not ASCII is in no run: one question mark for each keeps the places.
    marks = text.encode("ascii", "replace").translate(_MARKS)
    found: list[tuple[int, int]] = []
    start = marks.find(_RUN)
    while start >= 0:
        end = marks.find(b" ", start + SHORTEST)
        if end < 0:
            end = len(marks)
        found.append((start, end))
        start = marks.find(_RUN, end)
    return found
