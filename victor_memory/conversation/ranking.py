"""How candidates become an answer: two scores, the turns around, the session, age and importance.

The words a query shares with a text and the nearness of their vectors are normalised and added.
How much words count adapts to the query: the more of its words the best text has, the more. Then a
turn receives shares of what the turns beside it and the best of its session have, because what is
asked for and the words that find it are often said in neighbouring turns.

The order comes from these sums; the score a caller sees is on an absolute scale: it is also low for
everything when nothing that was found answers the query.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple

from victor_memory.conversation.records import Memory, from_record
from victor_memory.retrieval.fusion import fuse
from victor_memory.retrieval.text import analyse, query_terms
from victor_memory.types import Hit

DENSE_WEIGHT: Final = 0.4
LEAST_LEXICAL_WEIGHT: Final = 0.5
"""Weight of words where the best text has none of the query's; 1 where it has all of them."""
NEIGHBOUR_SHARES: Final = (0.3, 0.15)
"""What a turn receives of the turns one and two places away, on either side."""
SESSION_SHARE: Final = 0.25
"""What a turn receives of the best turn of its session."""
NOTE_WEIGHT: Final = 1.7
"""Notes stand alone; this is what a good turn has from its surroundings. So neither kind wins."""
RECENCY_SHARE: Final = 0.05
IMPORTANCE_SHARE: Final = 0.05
HALF_LIFE_DAYS: Final = 30.0
REACH: Final = len(NEIGHBOUR_SHARES)
SEEDS: Final = 4
"""How many of the best candidates have the turns around them read; more found nothing more."""
JUDGED: Final = 5
"""How many of the best candidates say how well the query is answered at all."""


@dataclass(frozen=True, slots=True)
class Recalled:
    """A memory that was found, with its score from 0 to 1 and why it has it."""

    memory: Memory
    score: float
    parts: Mapping[str, float]
    """What adds up to the score: `lexical`, `dense`, `recency`, `importance`, and for turns
    `neighbours` and `session`."""


class Span(NamedTuple):
    """The turns of a session from the index *first* to *last*."""

    project: str
    session: str
    first: int
    last: int


@dataclass(slots=True)
class _Candidate:
    memory: Memory
    lexical: float = 0.0
    dense: float = 0.0
    similarity: float = 0.0

    @property
    def own(self) -> float:
        return self.lexical + self.dense


class Ranking:
    """The candidates of one query."""

    def __init__(self, query: str, lexical: Sequence[Hit], dense: Sequence[Hit]) -> None:
        """Score the hits on words and the hits on vectors, each list best first."""
        self._terms = query_terms(query)
        self._found = {hit.id: _Candidate(from_record(hit)) for hit in (*dense, *lexical)}
        words = LEAST_LEXICAL_WEIGHT
        if lexical:
            best = self._found[lexical[0].id].memory
            words += (1 - LEAST_LEXICAL_WEIGHT) * coverage(self._terms, best)
        share = DENSE_WEIGHT / (DENSE_WEIGHT + words)
        fused = fuse(
            {hit.id: hit.score for hit in lexical}, {hit.id: hit.score for hit in dense}, share
        )
        for key, scores in fused.items():
            self._found[key].lexical = (1 - share) * scores.lexical
            self._found[key].dense = share * scores.dense
        for hit in dense:
            self._found[hit.id].similarity = min(1.0, max(0.0, hit.score))

    def _best(self) -> list[_Candidate]:
        return sorted(self._found.values(), key=lambda one: (-one.own, one.memory.id))

    def around(self) -> list[Span]:
        """Return the places around the best turns, where there may be turns not found yet."""
        known = {_place(one.memory) for one in self._found.values()}
        spans: list[Span] = []
        for candidate in self._best()[:SEEDS]:
            session, index = _place(candidate.memory)
            if index is not None:
                first, last = max(0, index - REACH), index + REACH
                if not known.issuperset((session, one) for one in range(first, last + 1)):
                    spans.append(Span(*session, first, last))
        return spans

    def add(self, memories: Iterable[Memory]) -> None:
        """Let *memories* be found by what stands beside them."""
        for memory in memories:
            self._found.setdefault(memory.id, _Candidate(memory))

    def answer(self, now: datetime) -> list[Recalled]:
        """Return every candidate with its score, best first, ties by id."""
        turns: defaultdict[tuple[tuple[str, str], int], float] = defaultdict(float)
        sessions: defaultdict[tuple[str, str], float] = defaultdict(float)
        for one in self._found.values():
            session, index = _place(one.memory)
            if index is not None:
                turns[session, index] = max(turns[session, index], one.own)
                sessions[session] = max(sessions[session], one.own)
        parts = {key: _parts(one, turns, sessions) for key, one in self._found.items()}
        best = max((sum(part.values()) for part in parts.values()), default=0.0)
        if not best:
            return []
        scale = self._confidence() / best
        found = [_recalled(self._found[key].memory, parts[key], scale, now) for key in parts]
        return sorted(found, key=lambda one: (-one.score, one.memory.id))

    def _confidence(self) -> float:
        """Return how well the best candidates answer the query, from 0 to 1."""
        return max(
            (coverage(self._terms, one.memory) + one.similarity) / 2
            for one in self._best()[:JUDGED]
        )


def coverage(terms: Sequence[str], memory: Memory) -> float:
    """Return which share of the query's *terms* is in the text or the tags of *memory*."""
    if not terms:
        return 0.0
    there = set(analyse("\n".join((memory.text, *memory.tags))))
    return sum(term in there for term in terms) / len(terms)


def _place(memory: Memory) -> tuple[tuple[str, str], int | None]:
    return (memory.project, memory.session or ""), memory.index


def _parts(
    candidate: _Candidate,
    turns: Mapping[tuple[tuple[str, str], int], float],
    sessions: Mapping[tuple[str, str], float],
) -> dict[str, float]:
    session, index = _place(candidate.memory)
    if index is None:
        own = {"lexical": candidate.lexical, "dense": candidate.dense}
        return {key: NOTE_WEIGHT * value for key, value in own.items()}
    return {
        "lexical": candidate.lexical,
        "dense": candidate.dense,
        "neighbours": sum(
            share
            * (turns.get((session, index - step), 0.0) + turns.get((session, index + step), 0.0))
            for step, share in enumerate(NEIGHBOUR_SHARES, 1)
        ),
        "session": SESSION_SHARE * sessions[session],
    }


def _recalled(memory: Memory, parts: dict[str, float], scale: float, now: datetime) -> Recalled:
    relevance = scale * sum(parts.values())
    rest = 1.0 - RECENCY_SHARE - IMPORTANCE_SHARE
    days = max(0.0, (now - memory.created_at).total_seconds() / 86_400)
    shares = {key: scale * rest * value for key, value in parts.items()}
    # Both count only as far as the memory is relevant: nothing is found for being new.
    shares["recency"] = relevance * RECENCY_SHARE * 0.5 ** (days / HALF_LIFE_DAYS)
    shares["importance"] = relevance * IMPORTANCE_SHARE * memory.importance
    return Recalled(memory, min(1.0, sum(shares.values())), shares)
