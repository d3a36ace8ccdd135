"""Checks of the fields of a memory, with the next step in each message."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from victor_memory.errors import InvalidRequestError

_COMMIT: Final = re.compile(r"[0-9a-f]{7,64}")


def is_index(index: object) -> bool:
    """Whether *index* is a position that every store can keep."""
    return isinstance(index, int) and not isinstance(index, bool) and 0 <= index < 2**63


def name(field: str, value: object) -> None:
    """Refuse a *value* of *field* that is not a string with something in it."""
    if not isinstance(value, str) or not value.strip():
        msg = f"{field} is {value!r}; give a non-empty string, or leave it out."
        raise InvalidRequestError(msg)


def strings(field: str, values: object) -> tuple[str, ...]:
    """Return the distinct strings that *field* lists."""
    if values == ():  # nearly always, and asking for a Sequence takes its time
        return ()
    if isinstance(values, str) or not isinstance(values, Sequence):
        msg = f"{field} is {values!r}; give a list of strings."
        raise InvalidRequestError(msg)
    for one in values:
        name(f"An element of {field}", one)
    return tuple(dict.fromkeys(values))


def commits(values: object) -> tuple[str, ...]:
    """Return the distinct names of commits in *values*."""
    found = strings("commits", values)
    for one in found:
        if not _COMMIT.fullmatch(one):
            msg = f"{one!r} is no commit. Give 7 to 64 hexadecimal digits, as 'git log' shows them."
            raise InvalidRequestError(msg)
    return found


def metadata(values: object) -> Mapping[str, Any]:
    """Return *values* if it maps names to values."""
    if type(values) is dict and not values:
        return values
    if not isinstance(values, Mapping) or not all(isinstance(key, str) for key in values):
        msg = f"metadata is {values!r}; give a mapping of names to JSON values."
        raise InvalidRequestError(msg)
    return values
