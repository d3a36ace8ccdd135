"""How rows become an answer: words, meaning, what stands around, who said it, when, how important.

*Words.* BM25 where a term counts for a turn also if it was said next to it: with a share, by how
far, and with the best of what the turn and its neighbours give. What is asked for and the words
that find it are often said in neighbouring turns. Texts shorter than the mean are not preferred for
being short.

*Meaning.* Cosines, from the best to the `POOL`-th, as 1 to 0.

*Both* are added. How much words count adapts to question and collection: as much as the text that
has most of the question's words has of them, rare words counting more. A question in other words
than the answer's is left to meaning.

*Around.* A turn receives shares of its neighbours' scores, of the best turn of its session, and of
what its session as a whole is worth by BM25. Then it is raised if the person asked about said it,
and if its time is the one asked for; last, a little, if it is new or important.

The order comes from these sums. The score a caller sees is that order on an absolute scale; see
`calibration`.

Sources: BM25 (Robertson and Zaragoza, 2009); passages scored with their surroundings (Fernandez,
Losada and Azzopardi, 2011, on sentence retrieval).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from victor_memory.conversation.calibration import confidence
from victor_memory.retrieval.bm25 import B

if TYPE_CHECKING:
    from victor_memory.conversation.asked import Asked
    from victor_memory.conversation.rows import Floats, Ints, Mask, Rows
    from victor_memory.conversation.times import Period

K1: Final = 0.9
"""Lower than for documents: in a turn a word said twice says little more than once."""
SHORTEST: Final = 0.5
"""Share of the mean length from which a text is not preferred for being shorter."""
WINDOW: Final = (0.4, 0.2)
"""What a term in the turn one or two places away, on either side, is worth."""
DENSE_WEIGHT: Final = 0.35
LEAST_LEXICAL_WEIGHT: Final = 0.1
BACKGROUND: Final = 400
"""Texts that a collection is thought to be larger by where the share of a question is judged: of
three notes, how many have a word does not tell how rare it is."""
BACKGROUND_SHARE: Final = 0.01
"""Share of those that have a word."""
PEAK_RANK: Final = 20
"""Words tell apart what they find if the best has clearly more than the one at this place."""
PEAKED: Final = 0.35
SHORT_QUESTION: Final = 8
"""Terms beyond which a vector, which stands for all of them at once, says less and less."""
POOL: Final = 150
"""The nearest vectors that count as near at all."""
USUAL_WIDTH: Final = 0.2
"""How far the nearest and the `POOL`-th cosine usually lie apart."""
LEAST_WIDTH: Final = 1e-6
"""Cosines that differ by less are the same."""
NEIGHBOUR_SHARES: Final = (0.15, 0.05)
SESSION_BEST_SHARE: Final = 0.3
SESSION_WORDS_SHARE: Final = 0.2
SESSION_MEANING_SHARE: Final = 0.15
NOTE_WEIGHT: Final = 1.7
"""Notes stand alone; this is what a good turn has from its surroundings. So neither kind wins."""
ROLE_SHARE: Final = 0.3
SPEAKER_SHARE: Final = 0.25
TIME_SHARE: Final = 1.0
RECENCY_SHARE: Final = 0.05
IMPORTANCE_SHARE: Final = 0.05
HALF_LIFE_DAYS: Final = 30.0
YEARS_BACK: Final = 5
"""How many years a month without a year may mean, where nothing was said in the latest."""
DAY: Final = 86_400.0


@dataclass(frozen=True, slots=True)
class _Term:
    weight: float
    """How rare it is (idf)."""
    telling: float
    """The same as if the collection were part of a larger one; see `BACKGROUND`."""
    rows: Ints
    """The rows that have it."""
    worth: Floats | None = None
    """What it, or a neighbour's, gives each row, in units of `weight`; `None` if it is nowhere."""

    def at(self, row: int) -> bool:
        return bool((self.rows == row).any())

    def near(self, row: int) -> bool:
        return self.worth is not None and bool(self.worth[row])


@dataclass(frozen=True, slots=True)
class Ranked:
    """The best rows of a question, one of each memory, best first."""

    rows: Sequence[int]
    scores: Sequence[float]
    parts: Sequence[dict[str, float]]


def rank(rows: Rows, asked: Asked, mask: Mask, limit: int) -> Ranked:
    """Return up to *limit* of the *rows* in *mask* that answer what was *asked*."""
    if not mask.any():
        return Ranked((), (), ())
    window, plain, known = _words(rows, asked.terms)
    window, plain = np.where(mask, window, 0), np.where(mask, plain, 0)
    near, cosine, lift = _meaning(rows, asked, mask)
    best_text = int(plain.argmax())
    coverage = _share(known, lambda term: term.at(best_text))
    trust = coverage * min(1.0, _peak(window, mask) / PEAKED)
    words = LEAST_LEXICAL_WEIGHT + (1 - LEAST_LEXICAL_WEIGHT) * trust
    meaning = DENSE_WEIGHT * min(1.0, SHORT_QUESTION / max(1, len(known)))
    share = meaning / (meaning + words)
    best_words = float(window.max()) or 1.0
    lexical = (1 - share) * plain / best_words
    passed = (1 - share) * (window - plain) / best_words
    dense = share * near
    own = lexical + passed + dense
    neighbours = passed + _beside(rows, own)
    session = _sessions(rows, own, known, cosine)
    note = rows.column("place") < 0
    for one in (lexical, dense):
        one[note] *= NOTE_WEIGHT
    total = lexical + dense + neighbours + session
    total[~mask] = 0
    speaker = total * _said(rows, asked)
    time = total * _when(rows, asked.periods, mask)
    relevant = total + speaker + time
    days = np.maximum(0.0, (asked.now.timestamp() - rows.column("created")) / DAY)
    recency = relevant * RECENCY_SHARE * 0.5 ** (days / HALF_LIFE_DAYS)
    importance = relevant * IMPORTANCE_SHARE * (rows.column("importance") - 0.5)
    final = relevant + recency + importance
    found = _best(rows, final, limit)
    if not found:
        return Ranked((), (), ())
    top = float(final[found[0]])
    near_best = _told(known, lambda term: term.near(found[0]))
    in_text = _told(known, lambda term: term.at(best_text))
    sure = confidence(lift, near_best, in_text, rows.documents)
    scale = sure / top
    named = {
        "lexical": lexical,
        "dense": dense,
        "neighbours": neighbours,
        "session": session,
        "speaker": speaker,
        "time": time,
        "recency": recency,
        "importance": importance,
    }
    shares = [{name: scale * float(one[row]) for name, one in named.items()} for row in found]
    return Ranked(found, [scale * float(final[row]) for row in found], shares)


def _words(rows: Rows, terms: Sequence[str]) -> tuple[Floats, Floats, list[_Term]]:
    """Return what words give each row with its surroundings, what alone, and what is known of each.

    Source of the score of a row alone: BM25.
    """
    count = len(rows.memories)
    window, plain = np.zeros(count, np.float32), np.zeros(count, np.float32)
    known: list[_Term] = []
    longer = np.maximum(SHORTEST, rows.column("length") / rows.mean_length)
    norms = (K1 * (1 - B + B * longer)).astype(np.float32)
    ways = rows.column("before"), rows.column("after")
    for term in terms:
        where, hits = rows.postings(term)
        having = rows.having(term, len(where))
        weight = math.log1p(max(0.0, rows.documents - having + 0.5) / (having + 0.5))
        usual = having + BACKGROUND * BACKGROUND_SHARE
        telling = math.log1p((rows.documents + BACKGROUND - usual + 0.5) / (usual + 0.5))
        if not len(where):
            known.append(_Term(weight, telling, where))
            continue
        given = (hits * (K1 + 1) / (hits + norms[where])).astype(np.float32)
        plain[where] += weight * given
        worth = np.zeros(count, np.float32)
        worth[where] = given
        for way in ways:
            there, passed = where, given
            for share in WINDOW:
                there = way[there]
                kept = there >= 0
                there, passed = there[kept], passed[kept]
                # A row stands before one row only, so that no row occurs twice.
                worth[there] = np.maximum(worth[there], share * passed)
        window += weight * worth
        known.append(_Term(weight, telling, where, worth))
    return window, plain, known


def _share(known: Sequence[_Term], there: Callable[[_Term], bool]) -> float:
    """Return which share of the question's weight here the terms that are *there* have."""
    every = sum(term.weight for term in known)
    return sum(term.weight for term in known if there(term)) / every if every else 0.0


def _told(known: Sequence[_Term], there: Callable[[_Term], bool]) -> float:
    """Return the same of the question's weight anywhere."""
    every = sum(term.telling for term in known)
    return sum(term.telling for term in known if there(term)) / every if every else 0.0


def _meaning(rows: Rows, asked: Asked, mask: Mask) -> tuple[Floats, Floats, float]:
    """Return how near each row is, from 0 to 1, its cosine, and how far the best is above all."""
    vectors = rows.vectors
    query = np.asarray(asked.vector, np.float32)
    query = query / (float(np.linalg.norm(query)) or 1.0)
    if vectors.shape[1] != len(query):
        nothing = np.zeros(len(vectors), np.float32)
        return nothing, nothing, 0.0
    # Not `@`: on a busy machine its threads wait longer for each other than one takes to read.
    cosine = np.einsum("ij,j->i", vectors, query)
    some = cosine[mask]
    place = max(0, len(some) - POOL)
    bound, top = float(np.partition(some, place)[place]), float(some.max())
    few = len(some) <= POOL
    if few:
        # The farthest of a few is not far: nearness is not stretched beyond what it usually is.
        bound = min(bound, top - USUAL_WIDTH)
    near = np.maximum(1 / POOL if few else 0.0, (cosine - bound) / max(top - bound, LEAST_WIDTH))
    near = np.where(mask, near, 0).astype(np.float32)
    return near, cosine, top - float(cosine[rows.column("live")].mean())


def _peak(window: Floats, mask: Mask) -> float:
    """Return how far the best stands out by words, from 0 (many are as good) to 1."""
    count = int(mask.sum())
    place = min(PEAK_RANK, count // PEAK_RANK)
    best = float(window.max())
    if not place or not best:
        return PEAKED
    return 1.0 - float(np.partition(window, -place - 1)[-place - 1]) / best


def _scaled(values: Floats) -> Floats:
    best = float(values.max())
    return values / best if best > 0 else values


def _beside(rows: Rows, own: Floats) -> Floats:
    """Return shares of what stands around each row; a place without a row counts 0."""
    padded = np.append(own, np.float32(0))
    around = np.zeros(len(own), np.float32)
    for way in ("before", "after"):
        step = np.append(rows.column(way), -1)
        there = step
        for share in NEIGHBOUR_SHARES:
            around += share * padded[there[:-1]]
            there = step[there]
    return around


def _sessions(rows: Rows, own: Floats, known: Sequence[_Term], cosine: Floats) -> Floats:
    """Return what each turn has from its session; notes have nothing."""
    count, place = rows.places, rows.column("place")
    if not count:
        return np.zeros(len(own), np.float32)
    inside = place >= 0
    best = np.zeros(count, np.float32)
    np.maximum.at(best, place[inside], own[inside])
    lengths = rows.place_lengths()
    norms = K1 * (1 - B + B * lengths / max(1.0, float(lengths.mean())))
    words = np.zeros(count, np.float32)
    for term in known:
        where = term.rows[place[term.rows] >= 0]
        if len(where):
            said = np.bincount(place[where], minlength=count)
            having = int((said > 0).sum())
            rare = math.log1p((count - having + 0.5) / (having + 0.5))
            words += (rare * said * (K1 + 1) / (said + norms)).astype(np.float32)
    sizes = np.maximum(1, np.bincount(place[inside], minlength=count))
    theme = np.bincount(place[inside], cosine[inside], count) / sizes
    theme = np.maximum(0.0, theme - theme.mean())
    worth = (
        SESSION_BEST_SHARE * best
        + SESSION_WORDS_SHARE * _scaled(words)
        + SESSION_MEANING_SHARE * _scaled(theme)
    )
    return np.where(inside, worth[np.maximum(place, 0)], 0).astype(np.float32)


def _said(rows: Rows, asked: Asked) -> Floats:
    """Return what share of its score a row gains because of who said it."""
    gain = np.zeros(len(rows.memories), np.float32)
    if roles := asked.roles():
        gain[rows.chosen("role", roles)] = ROLE_SHARE
    for label in ("speaker", "role"):
        if names := asked.speaker(rows.values(label)):
            gain[rows.chosen(label, names)] = SPEAKER_SHARE
    return gain


def _when(rows: Rows, periods: Sequence[Period], mask: Mask) -> Floats:
    """Return what share of its score a row gains because of when it was said."""
    fit = np.zeros(len(rows.memories), np.float32)
    created = rows.column("created")
    for period in periods:
        last = YEARS_BACK if period.any_year else 0
        for back in range(last + 1):
            one = period.years_back(back) if back else period
            start, end = one.start.timestamp(), one.end.timestamp()
            inside = (created >= start) & (created < end)
            if not (inside & mask).any():
                continue
            length = max(DAY, end - start)
            # People tell in this week what was last week: after the end it halves with each length.
            fading = np.where(created >= end, 0.5 ** (1 + (created - end) / length), 0.0)
            fit = np.maximum(fit, np.where(inside, 1.0, fading)).astype(np.float32)
            break
    return TIME_SHARE * fit


def _best(rows: Rows, final: Floats, limit: int) -> list[int]:
    """Return the best row of each of the *limit* best memories, best first, ties by id."""
    whole, found = rows.column("whole"), dict[int, int]()
    positive = np.flatnonzero(final > 0)
    size = min(len(positive), 4 * limit)
    while positive.size:
        top = positive[np.argpartition(-final[positive], size - 1)[:size]]
        tied = sorted(top.tolist(), key=lambda row: (-final[row], _identifier(rows, row)))
        found = {}
        for row in tied:
            found.setdefault(int(whole[row]), row)
        if len(found) >= limit or size == len(positive):
            break
        size = min(len(positive), 4 * size)
    return list(found.values())[:limit]


def _identifier(rows: Rows, row: int) -> str:
    memory = rows.memories[row]
    return memory.id if memory else ""
