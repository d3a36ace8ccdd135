"""How code is found in one collection: candidates by words and by meaning, and one ranking.

Candidates come from this process's copy of the collection where there is one, and from the store
otherwise; both say the same. Chunks that are not stored yet are found by their words.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Final

from victor_memory.codebase.answers import CodeHit, MappedFile, mapped, pieces, within
from victor_memory.codebase.found import FoundChunk
from victor_memory.codebase.request import SearchRequest, likeness
from victor_memory.embedders.base import QuickEmbedder
from victor_memory.errors import InvalidRequestError
from victor_memory.filters import where
from victor_memory.retrieval.fusion import Fused, fuse
from victor_memory.retrieval.questions import dense_share, lexical_power, query_names
from victor_memory.retrieval.ranking import Candidate, Near, Ranked, rank, rank_alike
from victor_memory.retrieval.text import query_terms
from victor_memory.types import Hit

if TYPE_CHECKING:
    from victor_memory.codebase.pending import PendingChunks
    from victor_memory.codebase.resident import ResidentChunks
    from victor_memory.providers.base import BaseEmbeddingProvider
    from victor_memory.retrieval.nearness import NameVectors
    from victor_memory.types import Record, Vector

POOL: Final = 300
"""Chunks taken from each search before ranking, at least; ten are taken for each result."""
POOL_WITHOUT_COPY: Final = 100
"""The same in a collection that is too large for a copy: a store takes longer for each."""
RANKED: Final = 120
"""Of these, how many of the best are ranked for a question, at least; five for each result. Where a
name is asked for, all are: what defines it may say it less often than what uses it."""
MAX_POOL: Final = 10_000
AT_ONCE: Final = 1000
"""Candidates that are ranked in the event loop; more would keep its other tasks waiting."""
RELATED_SHARE: Final = 0.5
"""Of the dense score, for what is like a piece of code."""
RELATED_TERMS: Final = 64
TELLING_LENGTH: Final = 3
"""Characters of a word that is worth looking for inside of others."""
SPARE: Final = 3
"""Ranked chunks for each result: neighbours become one."""

Accept = Callable[[str, str], bool]
"""Whether a path with a digest is what the working tree holds."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a search found."""

    hits: tuple[CodeHit, ...]
    files: tuple[MappedFile, ...]
    """The files that have most to do with the query, best first."""


@dataclass(frozen=True, slots=True)
class _Query:
    """What candidates are looked for by."""

    words: str
    vector: Vector | None
    accept: Callable[[FoundChunk], bool] | None


class CodeSearch:
    """Finds chunks in *provider*, whatever the state of the files is."""

    def __init__(
        self, provider: BaseEmbeddingProvider, resident: ResidentChunks | None = None
    ) -> None:
        self._provider = provider
        self._resident = resident
        self._names: NameVectors | None = None

    async def warm(self, paths: Sequence[str]) -> None:
        """Have ready what searches need to know about *paths*."""
        if names := self._name_vectors():
            await self._provider.embedder.load()
            await asyncio.to_thread(names.learn, paths)

    async def find(
        self,
        asked: SearchRequest,
        *,
        accept: Accept | None = None,
        pending: PendingChunks | None = None,
    ) -> Found:
        """Return the hits for *asked*, best first.

        Only what *accept* says is current is found; *pending* chunks always are.

        Raises:
            InvalidRequestError: a place that is to be related to is not in the index.

        """
        if asked.mode == "related":
            ranked = await self._related(asked, accept)
        elif asked.mode == "symbol":
            ranked = await self._named(asked, accept, pending)
        else:
            ranked = await self._matching(asked, accept, pending)
        words = () if asked.mode == "related" else _telling(asked.query)
        hits = within(pieces(ranked, asked.limit, words), asked.budget)
        return Found(tuple(hits), mapped(ranked))

    # -- modes ------------------------------------------------------------------------------------

    async def _matching(
        self, asked: SearchRequest, accept: Accept | None, pending: PendingChunks | None
    ) -> list[tuple[FoundChunk, Ranked]]:
        vector = None
        if asked.mode != "lexical":
            vector = (await self._provider.embedder.embed([asked.query], purpose="query"))[0]
        words = "" if asked.mode == "semantic" else asked.query
        query = _Query(words, vector, asked.accepts())
        lexical, dense = await self._candidates(query, asked, accept, pending)
        share = {"lexical": 0.0, "semantic": 1.0}.get(asked.mode, dense_share(asked.query))
        near = self._near(vector)
        if len(lexical) + len(dense) <= AT_ONCE:
            # A few milliseconds: less than the way to a thread and back on a busy machine.
            return _ranked(asked, lexical, dense, share, near)
        return await asyncio.to_thread(_ranked, asked, lexical, dense, share, near)

    def _near(self, vector: Vector | None) -> Near | None:
        """Return what tells how near names are to *vector*, if the model is quick enough for it."""
        if vector is None or (names := self._name_vectors()) is None:
            return None
        return partial(names.near, vector)

    def _name_vectors(self) -> NameVectors | None:
        embedder = self._provider.embedder
        if self._names is None and isinstance(embedder, QuickEmbedder):
            from victor_memory.retrieval.nearness import NameVectors

            self._names = NameVectors(embedder.embed_now)
        return self._names

    async def _named(
        self, asked: SearchRequest, accept: Accept | None, pending: PendingChunks | None
    ) -> list[tuple[FoundChunk, Ranked]]:
        """Return the chunks that define what the query names, the best fitting name first."""
        also = asked.accepts()

        def fits(one: FoundChunk) -> bool:
            return (also is None or also(one)) and _fit(asked.query, one) > 0

        query = _Query(asked.query, None, fits)
        found, _ = await self._candidates(query, asked, accept, pending)
        fused = fuse({one.id: score for one, score in found}, {}, 0.0)
        chunks = {one.id: one for one, _ in found}
        ranked = rank(asked.query, _candidates_of(fused, chunks), len(found))
        ranked.sort(key=lambda one: -_fit(asked.query, chunks[one.key]))
        return [(chunks[one.key], one) for one in ranked]

    async def _related(
        self, asked: SearchRequest, accept: Accept | None
    ) -> list[tuple[FoundChunk, Ranked]]:
        """Return the chunks that are like the place which the query names, without the place."""
        import numpy as np

        path, start, end = asked.place()
        origin: list[tuple[FoundChunk, Record]] = []
        async for batch in self._provider.scan(where("file_path", "=", path), with_vectors=True):
            for record in batch:
                one = FoundChunk.of(record.id, record.text, record.metadata)
                if one and one.end_line >= start and (end is None or one.start_line <= end):
                    origin.append((one, record))
        if accept is not None:
            origin = [pair for pair in origin if accept(*pair[0].version)]
        if not origin:
            msg = (
                f"{asked.query!r} is not in the index. Name an indexed place: a path below the "
                "root, with a line or lines if you like, as 'src/app.py:120-140'."
            )
            raise InvalidRequestError(msg)
        vectors = [record.vector for _, record in origin if record.vector is not None]
        vector = np.mean(vectors, axis=0) if vectors else None
        here = {one.id for one, _ in origin}
        also = asked.accepts()

        def elsewhere(one: FoundChunk) -> bool:
            return one.id not in here and (also is None or also(one))

        text = "\n".join(one.text for one, _ in origin)
        words = " ".join(query_terms(text)[:RELATED_TERMS])
        lexical, dense = await self._candidates(_Query(words, vector, elsewhere), asked, accept)
        chunks = {one.id: one for one, _ in (*lexical, *dense)}
        fused = fuse(_scores(lexical), _scores(dense), RELATED_SHARE)
        ranked = rank_alike(_candidates_of(fused, chunks), asked.limit * SPARE)
        return [(chunks[one.key], one) for one in ranked]

    # -- candidates -------------------------------------------------------------------------------

    async def _candidates(
        self,
        query: _Query,
        asked: SearchRequest,
        accept: Accept | None,
        pending: PendingChunks | None = None,
    ) -> tuple[list[tuple[FoundChunk, float]], list[tuple[FoundChunk, float]]]:
        """Return chunks that share words with *query*, and chunks near to its vector."""
        small = self._resident is None or self._resident.fits
        pool = min(MAX_POOL, max(POOL if small else POOL_WITHOUT_COPY, 10 * asked.limit))
        index = await self._resident.current() if self._resident is not None else None
        if index is not None:
            terms = query_terms(query.words) if query.words else ()
            # Less than a millisecond or two.
            found = index.search(terms, query.vector, pool, query.accept)
            lexical, dense = ([(one.item, one.score) for one in some] for some in found)
        else:
            lexical, dense = await self._stored(query, asked, accept, pool)
        if pending is not None and len(pending) and query.words:
            terms = query_terms(query.words)
            waiting = await asyncio.to_thread(pending.search, terms, pool, asked.condition())
            new = _accepted(waiting, query.accept, None)
            # What is on its way replaces what is stored of the same file.
            lexical = [pair for pair in lexical if pending.digest(pair[0].path) is None] + new
            dense = [pair for pair in dense if pending.digest(pair[0].path) is None]
        return lexical, dense

    async def _stored(
        self, query: _Query, asked: SearchRequest, accept: Accept | None, pool: int
    ) -> tuple[list[tuple[FoundChunk, float]], list[tuple[FoundChunk, float]]]:
        """Ask the store, and look deeper while what is accepted here is too little of it."""
        condition = asked.condition()

        async def by_words() -> list[Hit]:
            if not query.words:
                return []
            return await self._provider.search_text(query.words, limit=pool, where=condition)

        async def by_meaning() -> list[Hit]:
            if query.vector is None:
                return []
            return await self._provider.search(query.vector, limit=pool, where=condition)

        while True:
            words, meaning = await asyncio.gather(by_words(), by_meaning())
            exhausted = max(len(words), len(meaning)) < pool or pool >= MAX_POOL
            lexical = _accepted(words, query.accept, accept)
            dense = _accepted(meaning, query.accept, accept)
            if exhausted or len({one.id for one, _ in (*lexical, *dense)}) >= asked.limit:
                return lexical, dense
            pool = min(MAX_POOL, pool * 4)


def _accepted(
    hits: Sequence[Hit], wanted: Callable[[FoundChunk], bool] | None, accept: Accept | None
) -> list[tuple[FoundChunk, float]]:
    found = []
    for hit in hits:
        one = FoundChunk.of(hit.id, hit.text, hit.metadata)
        if one is None or (accept is not None and not accept(*one.version)):
            continue
        if wanted is None or wanted(one):
            found.append((one, hit.score))
    return found


def _ranked(
    asked: SearchRequest,
    lexical: Sequence[tuple[FoundChunk, float]],
    dense: Sequence[tuple[FoundChunk, float]],
    share: float,
    near: Near | None,
) -> list[tuple[FoundChunk, Ranked]]:
    chunks = {one.id: one for one, _ in (*lexical, *dense)}
    fused = fuse(_scores(lexical), _scores(dense), share, lexical_power(asked.query))
    if not query_names(asked.query):
        fused = dict(islice(fused.items(), max(RANKED, 5 * asked.limit)))
    ranked = rank(asked.query, _candidates_of(fused, chunks), asked.limit * SPARE, near)
    return [(chunks[one.key], one) for one in ranked]


def _scores(found: Sequence[tuple[FoundChunk, float]]) -> dict[str, float]:
    return {one.id: score for one, score in found}


def _candidates_of(fused: Mapping[str, Fused], chunks: Mapping[str, FoundChunk]) -> list[Candidate]:
    return [
        Candidate(key, one.path, one.text, one.language, score, one.definitions, one.symbol)
        for key, score in fused.items()
        if (one := chunks[key])
    ]


def _telling(query: str) -> tuple[str, ...]:
    """Return the terms of *query* that can be looked for in a text: its words' stems."""
    return tuple(one for one in query_terms(query) if len(one) >= TELLING_LENGTH)


def _fit(name: str, one: FoundChunk) -> float:
    return max((likeness(name, given) for given in one.names()), default=0.0)
