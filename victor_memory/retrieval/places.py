"""Files that are rarely meant: tests, examples, documents, old code, and mere declarations."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final


@dataclass(frozen=True, slots=True)
class Place:
    """A kind of file that is rarely meant, and the (stemmed) words that say it is meant."""

    name: str
    factor: float
    pattern: re.Pattern[str]
    asked_by: frozenset[str]


PLACES: Final = (
    Place(
        "test",
        0.4,
        re.compile(
            r"(?:^|/)(?:tests?|specs?|__tests__|testdata|test_\w+|fixtures?|mocks?|__mocks__|e2e"
            r"|bench(?:marks?)?)/|(?:^|/)(?:test_[^/]*|conftest|[^/]*(?:[_.](?:test|spec|bench)"
            r"|Tests?|Spec))\.\w+$"
        ),
        frozenset(["test", "spec", "fixtur", "mock", "bench", "benchmark", "pytest", "unittest"]),
    ),
    Place(
        "example",
        0.5,
        re.compile(r"(?:^|/)(?:examples?|samples?|demos?|playground|tutorials?|sandbox)/"),
        frozenset(["exampl", "sampl", "demo", "tutori"]),
    ),
    Place(
        "document",
        0.5,
        re.compile(
            r"(?i)(?:^|/)(?:docs?|website|changelog[^/]*)/|\.(?:md|mdx|rst|txt|adoc)$"
            r"|(?:^|/)(?:authors|changelog|changes|history|licen[cs]e|news|readme)[^/]*$"
        ),
        frozenset(["doc", "document", "readm", "changelog", "guid", "licens", "contribut"]),
    ),
    Place(
        "legacy",
        0.6,
        re.compile(r"(?i)(?:^|/)_?(?:deprecated|legacy|compat|compatibility|v1)(?:[/._]|$)"),
        frozenset(["deprec", "legaci", "compat", "v1"]),
    ),
)
_DECLARATION: Final = re.compile(r"\.(?:d\.ts|pyi|h|hh|hpp|hxx|mli|fsi|hs-boot)$")
DECLARATION_FACTOR: Final = 0.8
"""For a file that only declares what another candidate of the same name implements."""


@lru_cache(maxsize=65536)
def _places_of(path: str) -> tuple[Place, ...]:
    return tuple(one for one in PLACES if one.pattern.search(path))


@lru_cache(maxsize=65536)
def _declared_in(path: str) -> str | None:
    """Return the name that *path* shares with what it declares; `None` if it does not declare."""
    found = _DECLARATION.search(path)
    return path[: found.start()] if found else None


class Places:
    """The factors of some *paths* for a query of the stemmed words *terms*."""

    def __init__(self, terms: frozenset[str], paths: Iterable[str]) -> None:
        self._terms = terms
        self._implemented = frozenset(
            path.rpartition(".")[0] for path in paths if _declared_in(path) is None
        )

    def factor(self, path: str) -> float:
        """Return what the scores of the chunks of *path* are multiplied by, 0..1."""
        factor = DECLARATION_FACTOR if _declared_in(path) in self._implemented else 1.0
        for one in _places_of(path):
            if one.asked_by.isdisjoint(self._terms):
                factor *= one.factor
        return factor
