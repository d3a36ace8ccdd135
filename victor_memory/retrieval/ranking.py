"""Ranking of fused candidates by what code says about itself: names, definitions, places.

Each signal has a name and is kept, so that a result can say why it stands where it does:

    score = (text + file_name + directory + definition + file) * place * repeat

`text` is the fused score. `file_name`, `directory` and `definition` say how much of the query the
chunk's path and the names it defines account for, `file` how much else in the file was found.
`place` demotes tests, examples and the like unless they are asked for, and `repeat` each further
chunk of a file, so that one file cannot fill the list but may be in it several times.
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final

from victor_memory.retrieval.definitions import definitions
from victor_memory.retrieval.fusion import Fused
from victor_memory.retrieval.text import STOP_WORDS, query_terms, split_identifier, stem

FILE_NAME: Final = 0.5
FILE_NAME_WHOLE: Final = 0.3
"""Added when every word of the file's name is in the query, and in part when some are."""
DIRECTORY: Final = 0.2
DEFINES_NAME: Final = 0.8
"""Added when the chunk defines an identifier that the query spells out."""
DEFINES_WORDS: Final = 0.35
FILE: Final = 0.3
REPEAT: Final = 0.85
PREFIX: Final = 0.7
"""How much a word that begins another counts as that word: `config` for `configuration`."""
TELLING_WORDS: Final = 3
"""Words that make a name fit a query completely: a longer query does not need a longer name."""

DENSE_SHARE: Final = 0.4
LEAST_DENSE_SHARE: Final = 0.1
SHORT_QUERY: Final = 16
"""Terms up to which a query has one meaning; in a long text the words tell more."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One chunk that a search returned."""

    key: str
    path: str
    text: str
    language: str | None
    fused: Fused


@dataclass(frozen=True, slots=True)
class Ranked:
    """A candidate's key, its final score, and the named parts of that score."""

    key: str
    score: float
    parts: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class _Place:
    """A kind of file that is rarely meant, and the (stemmed) words that say it is meant."""

    name: str
    factor: float
    pattern: re.Pattern[str]
    asked_by: frozenset[str]


_PLACES: Final = (
    _Place(
        "test",
        0.4,
        re.compile(
            r"(?:^|/)(?:tests?|specs?|__tests__|testdata|test_\w+|fixtures?|mocks?|__mocks__|e2e"
            r"|bench(?:marks?)?)/|(?:^|/)(?:test_[^/]*|conftest|[^/]*(?:[_.](?:test|spec|bench)"
            r"|Tests?|Spec))\.\w+$"
        ),
        frozenset(["test", "spec", "fixtur", "mock", "bench", "benchmark", "pytest", "unittest"]),
    ),
    _Place(
        "example",
        0.5,
        re.compile(r"(?:^|/)(?:examples?|samples?|demos?|playground|tutorials?|sandbox)/"),
        frozenset(["exampl", "sampl", "demo", "tutori"]),
    ),
    _Place(
        "document",
        0.5,
        re.compile(
            r"(?i)(?:^|/)(?:docs?|website|changelog[^/]*)/|\.(?:md|mdx|rst|txt|adoc)$"
            r"|(?:^|/)(?:authors|changelog|changes|history|licen[cs]e|news|readme)[^/]*$"
        ),
        frozenset(["doc", "document", "readm", "changelog", "guid", "licens", "contribut"]),
    ),
    _Place(
        "legacy",
        0.6,
        re.compile(r"(?i)(?:^|/)_?(?:deprecated|legacy|compat|compatibility|v1)(?:[/._]|$)"),
        frozenset(["deprec", "legaci", "compat", "v1"]),
    ),
)
_DECLARATION: Final = re.compile(r"\.(?:d\.ts|pyi|h|hh|hpp|hxx|mli|fsi|hs-boot)$")
DECLARATION_FACTOR: Final = 0.8
"""For a file that only declares what another candidate of the same name implements."""

_WORD: Final = re.compile(r"\w+")
_SEPARATOR: Final = re.compile(r"::|->|[.#:]")
_IDENTIFIER: Final = re.compile(r"[A-Za-z_$][\w$]*(?:(?:\.|::|#|->)[A-Za-z_]\w*)*[?!]?")
_CODE_SHAPED: Final = re.compile(r"\w_\w|[a-z0-9][A-Z]|[A-Z]{2,}[a-z]|[.#:>]")


def dense_share(query: str) -> float:
    """Return the share of the dense score that suits *query*: less for a long one.

    >>> dense_share("where are tokens checked?"), round(dense_share("word " * 9), 1)
    (0.4, 0.4)
    """
    count = len(query_terms(query))
    return max(LEAST_DENSE_SHARE, DENSE_SHARE * min(1.0, SHORT_QUERY / max(1, count)))


def query_names(query: str) -> frozenset[str]:
    """Return the identifiers that *query* spells out: words that look like code, or its only word.

    >>> sorted(query_names("how does HTTPServer.close_all work"))
    ['close_all']
    """
    words = _IDENTIFIER.findall(query)
    alone = len(query.split()) == 1
    return frozenset(
        name
        for one in words
        if (alone or _CODE_SHAPED.search(one.strip("_")))
        and len(name := _SEPARATOR.split(one)[-1].rstrip("?!")) > 1  # not the g of e.g.
    )


@lru_cache(maxsize=16384)
def _words(identifier: str) -> frozenset[str]:
    """Return the stemmed words of *identifier*, single letters aside."""
    return frozenset(stem(one) for one in split_identifier(identifier) if len(one) > 1)


def _all_words(text: str) -> frozenset[str]:
    return frozenset(one for word in _WORD.findall(text) for one in _words(word))


@lru_cache(maxsize=16384)
def _path_words(path: str) -> tuple[frozenset[str], frozenset[str]]:
    """Return the words of the file's name without extensions, and those of its directories only."""
    directories, _, name = path.rpartition("/")
    own = _all_words(name.partition(".")[0] or name)
    return own, _all_words(directories) - own


@lru_cache(maxsize=4096)
def _defined(text: str, language: str | None) -> frozenset[str]:
    return frozenset(
        _SEPARATOR.split(one.name)[-1].rstrip("?!") for one in definitions(text, language)
    )


def _likeness(asked: str, given: str) -> float:
    if asked == given:
        return 1.0
    # An abbreviation of three letters is common (`req`, `msg`); a shared beginning of the query's
    # word needs one more to mean anything.
    short, long = 3, 4
    if (len(given) >= short and asked.startswith(given)) or (
        len(asked) >= long and given.startswith(asked)
    ):
        return PREFIX
    return 0.0


class _Query:
    """A query, with the weight of its words among the files in question."""

    def __init__(self, query: str, paths: frozenset[str]) -> None:
        words = frozenset(one for one in _all_words(query) if one not in STOP_WORDS)
        terms = words.union(query_terms(query))
        self.names = query_names(query)
        self._lower_names = frozenset(one.lower() for one in self.names)
        self._places = [one for one in _PLACES if one.asked_by.isdisjoint(terms)]
        in_paths = frozenset(part for path in paths for one in _path_words(path) for part in one)
        self._likeness = {
            part: found
            for part in in_paths
            if (found := {word: like for word in words if (like := _likeness(word, part))})
        }
        """For each word of a path that has any: the query's words it is like, and how much."""
        seen = Counter(
            word
            for path in paths
            for word in {word for part in _path_words(path) for word in self._matched(part)}
        )
        # A word that is in every path (the project's name) tells no file from another.
        self._weights = {word: math.log1p(len(paths) / (1 + seen[word])) for word in words}
        self._whole = sum(sorted(self._weights.values(), reverse=True)[:TELLING_WORDS]) or 1.0

    def _matched(self, words: frozenset[str]) -> dict[str, float]:
        """Return the query's words that *words* account for, and how well."""
        best: dict[str, float] = {}
        for part in words & self._likeness.keys():
            for word, like in self._likeness[part].items():
                best[word] = max(like, best.get(word, 0.0))
        return best

    def coverage(self, words: frozenset[str]) -> float:
        """Return how much of the query *words* account for, 0..1."""
        matched = self._matched(words)
        found = math.fsum(self._weights[word] * like for word, like in matched.items())
        return min(1.0, found / self._whole)

    def file_name(self, own: frozenset[str]) -> float:
        """Return what a file's name with the words *own* adds."""
        covered = self.coverage(own)
        if not covered:
            return 0.0
        likest = (max(self._likeness[one].values()) for one in own & self._likeness.keys())
        return FILE_NAME * covered + FILE_NAME_WHOLE * sum(likest) / len(own) * min(
            1.0, 2 * covered
        )

    def definition(self, defined: frozenset[str]) -> float:
        """Return what a chunk that defines the names *defined* adds."""
        named = 0.0
        if self.names:
            if not self.names.isdisjoint(defined):
                named = 1.0
            elif any(one.lower() in self._lower_names for one in defined):
                named = 0.7
        worded = 0.0
        for name in defined:
            if words := _words(name):
                shared = words & self._weights.keys()
                known = math.fsum(self._weights[one] for one in shared)
                covered = min(1.0, known / self._whole)
                worded = max(worded, covered * len(shared) / len(words))
        return DEFINES_NAME * named + DEFINES_WORDS * worded

    def place(self, path: str, implemented: frozenset[str]) -> float:
        """Return the factor for where *path* is; *implemented* are the other files' bare names."""
        factor = math.prod(one.factor for one in self._places if one.pattern.search(path))
        declares = _DECLARATION.search(path)
        if declares and path[: declares.start()] in implemented:
            factor *= DECLARATION_FACTOR
        return factor


def rank(query: str, candidates: Sequence[Candidate], limit: int) -> list[Ranked]:
    """Return the best *limit* of *candidates* for *query*, best first, ties by key."""
    paths = frozenset(one.path for one in candidates)
    asked = _Query(query, paths)
    implemented = frozenset(
        path.rpartition(".")[0] for path in paths if not _DECLARATION.search(path)
    )
    squares: defaultdict[str, list[float]] = defaultdict(list)
    for one in candidates:
        squares[one.path].append(one.fused.score**2)
    # fsum, here and above: the last bit of a sum must not depend on the order of its parts.
    found = {path: math.fsum(values) for path, values in squares.items()}
    most = max(found.values(), default=0.0) or 1.0
    of_file = {
        path: {
            "file_name": asked.file_name(_path_words(path)[0]),
            "directory": DIRECTORY * asked.coverage(_path_words(path)[1]),
            "file": FILE * math.sqrt(found[path] / most),
        }
        for path in paths
    }
    place = {path: asked.place(path, implemented) for path in paths}
    ranked: list[tuple[str, Ranked]] = []
    for one in candidates:
        added = {
            "text": one.fused.score,
            **of_file[one.path],
            "definition": asked.definition(_defined(one.text, one.language)),
        }
        parts = {
            "lexical": one.fused.lexical,
            "dense": one.fused.dense,
            **added,
            "place": place[one.path],
        }
        ranked.append((one.path, Ranked(one.key, sum(added.values()) * place[one.path], parts)))
    return _spread(ranked)[:limit]


def _spread(ranked: list[tuple[str, Ranked]]) -> list[Ranked]:
    """Return *ranked* in order after demoting each further chunk of a file."""
    seen: Counter[str] = Counter()
    spread = []
    for path, one in sorted(ranked, key=lambda pair: (-pair[1].score, pair[1].key)):
        repeat = REPEAT ** seen[path]
        seen[path] += 1
        parts = {**one.parts, "repeat": repeat}
        spread.append(replace(one, score=one.score * repeat, parts=parts))
    return sorted(spread, key=lambda one: (-one.score, one.key))
