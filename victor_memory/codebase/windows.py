"""Which lines of a file make a chunk: whole lines, cut where it costs least.

Whoever knows the text (`chunking` by its looks, `syntax` by its tree) says how bad it is to begin a
chunk with each line; the choice among those places is made here, once.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import Final

TARGET_CHARACTERS: Final = 1200
"""About what a person reads at a glance, and what an embedding model sees of a text."""
MAX_CHARACTERS: Final = 3000
"""No chunk is longer; a longer line is split."""
_LARGEST: Final = 1.6
"""Times the target: longer only where there is no place to cut."""
_SHORT_WEIGHT: Final = 2.0
_LONG_WEIGHT: Final = 2.6
"""What a chunk of no, or of double the wished size costs, on the scale of the costs of breaks."""
_PLACES: Final = 6
"""How many places to cut are considered in a text of the wished size."""


def lines_of(text: str) -> list[str]:
    """Return the lines of *text* with their ends; joined they are *text*."""
    # str.splitlines() would also split at form feeds and others that no editor counts.
    lines = [line + "\n" for line in text.split("\n")]
    last = lines.pop()[:-1]
    return [*lines, last] if last else lines


def windows(
    lines: Sequence[str], costs: Sequence[float], target: int = TARGET_CHARACTERS
) -> list[tuple[int, int]]:
    """Return half-open ranges of lines that cover all of them, the cheapest by border and size.

    *costs* says for each line how bad it is to begin a range with it; its scale is that of
    indentation: 1 a level. Sizes are near *target* characters, none beyond `MAX_CHARACTERS`; a line
    that alone is longer is a range of its own.

    Raises:
        ValueError: *target* is not from 1 to `MAX_CHARACTERS`.

    """
    if not 1 <= target <= MAX_CHARACTERS:
        msg = f"A target of {target} characters. Use 1 to {MAX_CHARACTERS}."
        raise ValueError(msg)
    if not lines:
        return []
    offsets = [0, *accumulate(map(len, lines))]
    places = _places(offsets, costs, target)
    most = min(target * _LARGEST, MAX_CHARACTERS)
    short, long = _SHORT_WEIGHT / target, _LONG_WEIGHT / target
    # The cheapest way to cut the text up to each place: its cost, and the place before.
    totals, before = [0.0], [0]
    first = 0
    for index in range(1, len(places)):
        place = places[index]
        end = offsets[place]
        while first < index - 1 and end - offsets[places[first]] > most:
            first += 1
        wished = end - target
        best, chosen = float("inf"), first
        for one in range(first, index):
            over = wished - offsets[places[one]]
            cost = totals[one] + (over * long if over > 0 else -over * short)
            if cost <= best:
                best, chosen = cost, one
        totals.append(best + (costs[place] if place < len(lines) else 0.0))
        before.append(chosen)
    borders = [len(places) - 1]
    while borders[-1]:
        borders.append(before[borders[-1]])
    numbers = [places[one] for one in reversed(borders)]
    return list(pairwise(numbers))


def _places(  # noqa: C901 - one pass over the lines
    offsets: Sequence[int], costs: Sequence[float], target: int
) -> list[int]:
    """Return the lines that may begin a range, with both ends of the text.

    Of each stretch of the text it is the cheapest, and both ends of every line that is longer, so
    that no two neighbours are further apart than the limit but for one line.
    """
    stretch = max(target // _PLACES, 1)
    places: list[int] = [0]
    best, least, beyond = 0, float("inf"), stretch
    previous = 0
    for number, (offset, cost) in enumerate(zip(offsets, costs, strict=False)):
        if offset >= beyond:
            if best > places[-1]:
                places.append(best)
            beyond = offset - offset % stretch + stretch
            least = float("inf")
            if offset - previous > stretch:
                if number - 1 > places[-1]:
                    places.append(number - 1)
                if number > places[-1]:
                    places.append(number)
        if cost <= least:
            best, least = number, cost
        previous = offset
    last = len(offsets) - 1
    if offsets[last] - previous > stretch and last - 1 > places[-1]:
        if best > places[-1] and best < last - 1:
            places.append(best)
        places.append(last - 1)
    elif places[-1] < best < last:
        places.append(best)
    places.append(last)
    return places
