"""What a search returns: whole, readable pieces of code, and a map of the files they are in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final

from victor_memory.codebase.found import FoundChunk
from victor_memory.retrieval.ranking import Ranked
from victor_memory.retrieval.text import query_terms, stem

CHARACTERS_PER_TOKEN: Final = 4
"""About what one token of a language model is of code or English."""
MERGED_CHARACTERS: Final = 1500
"""Neighbouring chunks become one piece up to this size."""
SHORT: Final = 500
"""Characters up to which a hit is shown whole."""
TELLING: Final = 0.4
"""A definition stays that has more than this share of the query's words that the best one has."""
BLANK_LINES: Final = 3
"""Between two chunks that still are neighbours."""
SPANS_PER_FILE: Final = 3
MAPPED_FILES: Final = 10
NAMES_PER_FILE: Final = 6

_OVERVIEW: Final = frozenset(
    map(
        stem,
        "architecture overview structure organized organised layers pipeline lifecycle".split(),
    )
)
"""Stems of words that ask for the whole."""


@dataclass(frozen=True, slots=True)
class CodeHit:
    """A piece of code that answers the query; lines are 1-based and inclusive."""

    path: str
    start_line: int
    end_line: int
    symbol: str | None
    language: str | None
    score: float
    """Higher is better; comparable within one answer only."""
    text: str
    parts: Mapping[str, float]
    """What the score is made of: see `victor_memory.retrieval.ranking`."""

    @property
    def tokens(self) -> int:
        """About how many tokens a language model reads."""
        return -(-len(self.text) // CHARACTERS_PER_TOKEN)


@dataclass(frozen=True, slots=True)
class MappedFile:
    """One of the files that have most to do with a question, and what they define about it."""

    path: str
    score: float
    symbols: tuple[str, ...]


def pieces(
    ranked: Iterable[tuple[FoundChunk, Ranked]], limit: int, words: Sequence[str] = ()
) -> list[CodeHit]:
    """Return up to *limit* hits, best first; neighbours are one hit.

    A file is in the answer with `SPANS_PER_FILE` pieces at most. *words* are the query's: what is
    defined at the edges of a chunk and has little to do with them is left out of its hit.
    """
    found: list[CodeHit] = []
    alone: dict[int, FoundChunk] = {}
    of_file: dict[str, list[int]] = {}
    for chunk, scored in ranked:
        one = _hit(chunk, scored)
        places = of_file.setdefault(chunk.path, [])
        for place in places:
            if (merged := _merged(found[place], one)) is not None:
                found[place] = merged
                alone.pop(place, None)
                break
        else:
            if len(found) < limit and len(places) < SPANS_PER_FILE:
                alone[len(found)] = chunk
                places.append(len(found))
                found.append(one)
    if words:
        for place, chunk in alone.items():
            found[place] = _trimmed(found[place], chunk.starts, words)
    return found


def _hit(chunk: FoundChunk, scored: Ranked) -> CodeHit:
    return CodeHit(
        path=chunk.path,
        start_line=chunk.start_line,
        end_line=chunk.end_line,
        symbol=chunk.symbol,
        language=chunk.language,
        score=scored.score,
        text=chunk.text,
        parts=scored.parts,
    )


def _trimmed(hit: CodeHit, starts: Sequence[int], words: Sequence[str]) -> CodeHit:
    """Return *hit* without the definitions at its edges that have few of the *words*."""
    if len(hit.text) <= SHORT or not starts:
        return hit
    lines = hit.text.split("\n")
    first = hit.start_line
    borders = sorted(
        {0, len(lines), *(one - first for one in starts if 0 < one - first < len(lines))}
    )
    told = []
    for start, stop in pairwise(borders):
        said = "\n".join(lines[start:stop]).lower()
        told.append(sum(word in said for word in words))
    best = max(told)
    # Where another has two of the words, one in common may be chance.
    least = max(TELLING * best, 1.0 if best > 1 else 0.0)
    kept = [number for number, count in enumerate(told) if count > least]
    if not kept or len(kept) == len(told):
        return hit
    start, stop = borders[kept[0]], borders[kept[-1] + 1]
    while stop > start + 1 and not lines[stop - 1].strip():
        stop -= 1
    return replace(
        hit,
        start_line=first + start,
        end_line=first + stop - 1,
        text="\n".join(lines[start:stop]),
    )


def _merged(better: CodeHit, other: CodeHit) -> CodeHit | None:
    """Return both as one piece, if they are neighbours and it is not too long."""
    if len(better.text) + len(other.text) > MERGED_CHARACTERS:
        return None
    first, second = sorted((better, other), key=lambda one: one.start_line)
    blank = second.start_line - first.end_line - 1
    if not 0 <= blank <= BLANK_LINES:
        return None
    text = first.text + "\n" * (blank + 1) + second.text
    return replace(better, start_line=first.start_line, end_line=second.end_line, text=text)


def within(hits: Sequence[CodeHit], budget: int | None) -> list[CodeHit]:
    """Return as many of *hits* as fit into *budget* tokens; the first is cut to fit if it must be.

    A hit that is too long makes room for shorter ones after it.
    """
    if budget is None:
        return list(hits)
    kept: list[CodeHit] = []
    left = budget
    for hit in hits:
        if hit.tokens <= left:
            kept.append(hit)
            left -= hit.tokens
        elif not kept:
            kept.append(_cut(hit, left * CHARACTERS_PER_TOKEN))
            left = 0
    return kept


def _cut(hit: CodeHit, characters: int) -> CodeHit:
    """Return the first lines of *hit*, or what fits of the first."""
    lines: list[str] = []
    for line in hit.text.split("\n"):
        if sum(map(len, lines)) + len(lines) + len(line) > characters:
            break
        lines.append(line)
    text = "\n".join(lines) if lines else hit.text[:characters]
    return replace(hit, text=text, end_line=hit.start_line + max(0, len(lines) - 1))


def asks_for_overview(query: str) -> bool:
    """Return whether *query* is about how things hang together, and not about one place."""
    return not _OVERVIEW.isdisjoint(query_terms(query))


def mapped(ranked: Iterable[tuple[FoundChunk, Ranked]]) -> tuple[MappedFile, ...]:
    """Return the files of *ranked* chunks, best first, with names that those chunks define."""
    scores: dict[str, float] = {}
    names: dict[str, dict[str, None]] = {}
    for chunk, scored in ranked:
        scores.setdefault(chunk.path, scored.score)
        names.setdefault(chunk.path, {}).update(dict.fromkeys(chunk.names()))
    best = sorted(scores, key=lambda path: (-scores[path], path))[:MAPPED_FILES]
    return tuple(
        MappedFile(path, scores[path], tuple(names[path])[:NAMES_PER_FILE]) for path in best
    )
