"""Ranking of fused candidates by what code says about itself: names, definitions, places.

Each signal has a name and is kept, so that a result can say why it stands where it does:

    score = (text + file_name + directory + path_meaning + file + definition + symbol) * place
    score = (score + name_meaning) * repeat

`text` is the fused score. `file_name`, `directory`, `definition` and `symbol` say how much of the
query the chunk's path, the names it defines and the name it lies in account for, `path_meaning` and
`name_meaning` how near they are to it by meaning, `file` how much else in the file was found.
`place` demotes tests, examples and the like unless they are asked for, and `repeat` each further
chunk of a file, so that one file cannot fill the list but may be in it several times.
"""

from __future__ import annotations

import heapq
import math
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, NamedTuple, TypeAlias

from victor_memory.retrieval import questions
from victor_memory.retrieval.definitions import definitions
from victor_memory.retrieval.fusion import Fused, from_worst
from victor_memory.retrieval.places import Places
from victor_memory.retrieval.text import STOP_WORDS, query_terms, split_identifier, stem

FILE_NAME: Final = 0.55
FILE_NAME_WHOLE: Final = 0.3
"""Added when every word of the file's name is in the query, and in part when some are."""
FILE_IS_NAMED: Final = 0.6
"""Added when the query has the file's name itself, capitalised as the names of types are."""
DIRECTORY: Final = 0.25
DEFINES_NAME: Final = 0.65
"""Added when the chunk defines an identifier that the query spells out."""
DEFINES_CAPITALISED: Final = 0.4
"""Added when it defines a capitalised word of the query, which may be one of plain English."""
DEFINES_WORDS: Final = 0.4
SYMBOL: Final = 0.15
FILE: Final = 0.35
FILE_MEANING: Final = 0.1
"""For the nearest three chunks of a file by meaning."""
PATH_MEANING: Final = 0.3
"""Added for the path that is nearest to the query by meaning, and nothing for the farthest."""
NAME_MEANING: Final = 0.3
"""Of how much farther a chunk's names are from the query than the nearest in its file: that which
function of a file is meant does not change which file is."""
NAMED: Final = 50
"""Chunks whose names are compared by meaning, those of the best score."""
PREFIX: Final = 0.7
"""How much a word that begins another counts as that word: `config` for `configuration`."""
TELLING_WORDS: Final = 3
"""Words that make a name fit a query completely: a longer query does not need a longer name."""


class Candidate(NamedTuple):
    """One chunk that a search returned."""

    key: str
    path: str
    text: str
    language: str | None
    fused: Fused
    defines: Sequence[str] | None = None
    """Names that the chunk defines, qualified or not; `None` to find them in its text."""
    symbol: str | None = None
    """The qualified name of what it is or lies in."""


@dataclass(frozen=True, slots=True)
class Ranked:
    """A candidate's key, its final score, and the named parts of that score."""

    key: str
    score: float
    parts: Mapping[str, float]


Near: TypeAlias = Callable[[Sequence[str]], Sequence[float]]
"""Returns how near each text is to the query: the cosine of their vectors."""


class _Scored(NamedTuple):
    """What is sorted: a score, negative so that the best is the least, and then the key."""

    negative: float
    key: str
    candidate: Candidate
    definition: float = 0.0
    symbol: float = 0.0
    named: float = 0.0


_WORD: Final = re.compile(r"\w+")


@lru_cache(maxsize=16384)
def _words(identifier: str) -> frozenset[str]:
    """Return the stemmed words of *identifier*, single letters aside."""
    return frozenset(stem(one) for one in split_identifier(identifier) if len(one) > 1)


def _all_words(text: str) -> frozenset[str]:
    return frozenset(one for word in _WORD.findall(text) for one in _words(word))


@lru_cache(maxsize=65536)
def _symbol_words(name: str) -> frozenset[str]:
    return _all_words(name.replace(".", " "))


def _stem_of(path: str) -> str:
    return path.rpartition("/")[2].partition(".")[0]


@lru_cache(maxsize=16384)
def _path_words(path: str) -> tuple[frozenset[str], frozenset[str]]:
    """Return the words of the file's name without extensions, and those of its directories only."""
    directories, _, name = path.rpartition("/")
    own = _all_words(name.partition(".")[0] or name)
    return own, _all_words(directories) - own


class _Names(NamedTuple):
    """The bare names that a chunk defines, in the forms that queries are compared with."""

    bare: frozenset[str]
    words: tuple[frozenset[str], ...]
    """Of each name."""
    all_words: frozenset[str]


def _defined(one: Candidate) -> _Names:
    if one.defines is None:
        return _defined_in(one.text, one.language)
    return _names(tuple(one.defines))


@lru_cache(maxsize=4096)
def _defined_in(text: str, language: str | None) -> _Names:
    return _names(tuple(one.name for one in definitions(text, language)))


@lru_cache(maxsize=65536)
def _names(defined: tuple[str, ...]) -> _Names:
    bare = frozenset(map(questions.bare, defined))
    words = tuple(found for one in bare if (found := _words(one)))
    return _Names(bare, words, frozenset[str]().union(*words))


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


@dataclass(frozen=True, slots=True)
class _File:
    """What a file adds to each of its chunks, and the factor for where it is."""

    name: float
    directory: float
    meaning: float
    found: float
    place: float


class _Query:
    """A query, with the weight of its words among the files in question."""

    def __init__(self, query: str, paths: frozenset[str]) -> None:
        words = frozenset(one for one in _all_words(query) if one not in STOP_WORDS)
        terms = words.union(query_terms(query))
        self.names = questions.query_names(query)
        self._capitalised = questions.capitalised(query)
        self._lower_names = frozenset(one.lower() for one in self.names)
        self._plain = not self.names and not self._capitalised
        """Whether it has only words in which names are not told from others."""
        self.places = Places(terms, paths)
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

    def file_name(self, path: str) -> float:
        """Return what the name of the file *path* adds."""
        own, _ = _path_words(path)
        named = FILE_IS_NAMED if _stem_of(path) in self._capitalised else 0.0
        covered = self.coverage(own)
        if not covered:
            return named
        likest = (max(self._likeness[one].values()) for one in own & self._likeness.keys())
        whole = math.fsum(likest) / len(own) * min(1.0, 2 * covered)
        return named + FILE_NAME * covered + FILE_NAME_WHOLE * whole

    def symbol(self, name: str | None) -> float:
        """Return what lying in *name* adds."""
        shared = _symbol_words(name) & self._weights.keys() if name else ()
        return SYMBOL * min(1.0, math.fsum(map(self._weights.__getitem__, shared)) / self._whole)

    def definition(self, defined: _Names) -> float:
        """Return what a chunk that defines the names *defined* adds."""
        if self._plain and defined.all_words.isdisjoint(self._weights):
            return 0.0
        named = 0.0
        if self.names:
            if not self.names.isdisjoint(defined.bare):
                named = 1.0
            elif any(one.lower() in self._lower_names for one in defined.bare):
                named = 0.7
        worded = 0.0
        if not defined.all_words.isdisjoint(self._weights):
            for words in defined.words:
                if shared := words & self._weights.keys():
                    known = math.fsum(map(self._weights.__getitem__, shared))
                    worded = max(worded, min(1.0, known / self._whole) * len(shared) / len(words))
        typed = 0.0 if self._capitalised.isdisjoint(defined.bare) else DEFINES_CAPITALISED
        return DEFINES_NAME * named + DEFINES_WORDS * worded + typed


def rank(
    query: str, candidates: Sequence[Candidate], limit: int, near: Near | None = None
) -> list[Ranked]:
    """Return the best *limit* of *candidates* for *query*, best first, ties by key.

    *near* says how near texts are to the query by meaning; without it, only words are compared.
    """
    paths = sorted({one.path for one in candidates})
    asked = _Query(query, frozenset(paths))
    if not questions.asks(query):
        near = None  # a name is compared by its words
    meant = from_worst(dict(zip(paths, near(paths), strict=True))) if near else {}
    squares: defaultdict[str, list[float]] = defaultdict(list)
    nearest: defaultdict[str, list[float]] = defaultdict(list)
    for one in candidates:
        squares[one.path].append(one.fused.score**2)
        nearest[one.path].append(one.fused.dense)
    # fsum, here and above: the last bit of a sum must not depend on the order of its parts.
    found = {path: math.fsum(values) for path, values in squares.items()}
    most = max(found.values(), default=0.0) or 1.0
    files = {
        path: _File(
            asked.file_name(path),
            DIRECTORY * asked.coverage(_path_words(path)[1]),
            PATH_MEANING * meant.get(path, 0.0),
            FILE * math.sqrt(found[path] / most)
            + FILE_MEANING * math.fsum(heapq.nlargest(3, nearest[path])) / 3,
            asked.places.factor(path),
        )
        for path in paths
    }
    # The same for hundreds of candidates: nothing is made here that only the best need.
    added = {
        path: one.name + one.directory + one.meaning + one.found for path, one in files.items()
    }
    scored: list[_Scored] = []
    for one in candidates:
        path = one.path
        definition, symbol = asked.definition(_defined(one)), asked.symbol(one.symbol)
        total = one.fused.score + added[path] + definition + symbol
        scored.append(_Scored(-total * files[path].place, one.key, one, definition, symbol))
    if near:
        scored = _by_names(scored, near)
    return [
        Ranked(
            one.key,
            -score * factor,
            {
                **_text_parts(one),
                "file_name": files[one.path].name,
                "directory": files[one.path].directory,
                "path_meaning": files[one.path].meaning,
                "file": files[one.path].found,
                "definition": definition,
                "symbol": symbol,
                "name_meaning": named,
                "place": files[one.path].place,
                "repeat": factor,
            },
        )
        for (score, _, one, definition, symbol, named), factor in _spread(
            scored, limit, questions.repeat(query)
        )
    ]


def _by_names(scored: list[_Scored], near: Near) -> list[_Scored]:
    """Return *scored*, each less by how far its names are behind the nearest in its file.

    The names of the best are compared; those of the others count as the farthest of these.
    """
    scored.sort()
    best = [entry.candidate for entry in scored[:NAMED]]
    like = near([f"{one.symbol or ''} {' '.join(one.defines or ())}" for one in best])
    least = min(like, default=0.0)
    most: dict[str, float] = {}
    for one, likeness in zip(best, like, strict=True):
        most[one.path] = max(likeness, most.get(one.path, least))
    named = []
    for entry, likeness in zip(scored, [*like, *[least] * (len(scored) - len(like))], strict=True):
        behind = most.get(entry.candidate.path, least) - likeness
        less = min(NAME_MEANING * behind, -entry.negative)  # no score is below nothing
        named.append(entry._replace(negative=entry.negative + less, named=-less) if less else entry)
    return named


def rank_alike(candidates: Sequence[Candidate], limit: int) -> list[Ranked]:
    """Return the best *limit* of *candidates* by their fused scores alone, best first.

    For what is like a piece of code: there are no words of a question to look for.
    """
    scored = [_Scored(-one.fused.score, one.key, one) for one in candidates]
    return [
        Ranked(one.key, -score * factor, {**_text_parts(one), "repeat": factor})
        for (score, _, one, *_), factor in _spread(scored, limit, questions.REPEAT)
    ]


def _text_parts(one: Candidate) -> dict[str, float]:
    return {"lexical": one.fused.lexical, "dense": one.fused.dense, "text": one.fused.score}


def _spread(scored: list[_Scored], limit: int, share: float) -> list[tuple[_Scored, float]]:
    """Return the best after demoting each further chunk of a file, each with its factor."""
    seen: defaultdict[str, int] = defaultdict(int)
    spread = []
    for entry in sorted(scored):  # no two keys are equal, so that nothing behind them is compared
        path = entry.candidate.path
        factor = share ** seen[path]
        seen[path] += 1
        spread.append((entry.negative * factor, entry.key, entry, factor))
    return [(entry, factor) for _, _, entry, factor in heapq.nsmallest(limit, spread)]
