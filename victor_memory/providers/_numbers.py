"""Numbers as text that sorts as they do, for stores that compare only text exactly."""

from __future__ import annotations

from decimal import Decimal
from functools import lru_cache
from typing import Final

_BIAS: Final = 50_000
"""Makes every exponent positive: those of floats and of the ints we accept are within +-20,000."""
_COMPLEMENT: Final = str.maketrans("0123456789", "9876543210")


@lru_cache(maxsize=4096)  # the same small numbers come again and again: lines, counts
def sortable(value: float) -> str:
    """Return text that sorts, by code points, exactly as the ints and floats it was made from.

    Ints of any size and floats may be mixed: `1` and `1.0` give the same text, `2**53` and
    `2**53 + 1` different ones.
    """
    # A float that is not integral is told from every int and every other float by its shortest
    # decimal, because the numbers that round to it contain no other float and no int.
    exact = Decimal(int(value)) if value == int(value) else Decimal(repr(value))
    sign, digits, _ = exact.as_tuple()
    if not exact:
        return "o"
    text = f"{exact.adjusted() + _BIAS:06d}" + "".join(map(str, digits)).strip("0")
    # Of negative numbers the longer is the smaller, so their end must sort after every digit.
    return f"n{text.translate(_COMPLEMENT)}~" if sign else f"p{text}"
