"""What a store finds for a question, as rows: for a collection that is not held in this process.

Words and vectors bring candidates, each on its own merit, and what stands beside the best of them
comes with them. How many records have a word, which says how rare it is, is not known but
estimated: exactly, if all of them are among what words found; else by the share of those that were
found by vectors, which do not look at words.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from victor_memory.conversation.selecting import Source
from victor_memory.filters import And, Filter, where
from victor_memory.retrieval.text import analyse

if TYPE_CHECKING:
    from victor_memory.conversation.asked import Asked
    from victor_memory.conversation.rows import Rows
    from victor_memory.types import Hit, Metadata, Record

CANDIDATES: Final = 180
"""How many records words and vectors bring each, at least: more than `scoring.POOL` looks at."""
SEEDS: Final = 12
"""How many of the best of each have what stands beside them read."""
REACH: Final = 2


async def gather(sources: Sequence[Source], within: Filter, asked: Asked, limit: int) -> Rows:
    """Return the candidates of *sources* that match *within*, with what stands beside them."""
    from victor_memory.conversation.rows import Extent, Rows

    found: list[Record] = []
    documents, having = 0, Counter[str]()
    for source in sources:
        if await source.provider.exists():
            records, count, words = await _candidates(source, within, asked, limit)
            found += records
            documents += count
            having.update(words)
    rows = Rows(Extent(documents, having))
    rows.add(found)
    return rows


async def _candidates(
    source: Source, within: Filter, asked: Asked, limit: int
) -> tuple[list[Record], int, Mapping[str, int]]:
    provider, inside = source.provider, And((source.owner, within))
    pool = max(CANDIDATES, 4 * limit)
    lexical, dense, count = await asyncio.gather(
        provider.search_text(asked.text, limit=pool, where=inside),
        provider.search(asked.vector, limit=pool, where=inside),
        provider.count(source.owner),
    )
    wanted = dict.fromkeys(hit.id for hit in (*lexical, *dense))
    records = await provider.get(wanted, with_vectors=True)
    places = {
        (hit.metadata["project"], hit.metadata["session"], hit.metadata["index"] + step)
        for hit in (*lexical[:SEEDS], *dense[:SEEDS])
        if {"session", "index"} <= hit.metadata.keys()
        for step in range(-REACH, REACH + 1)
    }
    if places:
        # Two conditions that all may meet, instead of one of a kind for each place: a store looks
        # at every record for each condition.
        sessions, indexes = ({place[at] for place in places} for at in (1, 2))
        beside = where("session", "in", sorted(sessions)), where("index", "in", sorted(indexes))
        async for batch in provider.scan(And((source.owner, *beside)), with_vectors=True):
            records += [
                one for one in batch if one.id not in wanted and _place(one.metadata) in places
            ]
    return records, count, _having(asked.terms, lexical, dense, pool, count)


def _place(metadata: Metadata) -> tuple[object, object, object]:
    return metadata.get("project"), metadata.get("session"), metadata.get("index")


def _having(
    terms: Sequence[str], lexical: Sequence[Hit], dense: Sequence[Hit], pool: int, count: int
) -> dict[str, int]:
    by_words = Counter(term for hit in lexical for term in set(analyse(hit.text)))
    if len(lexical) < pool:
        return {term: by_words[term] for term in terms}
    by_meaning = Counter(term for hit in dense for term in set(analyse(hit.text)))
    sample = max(1, len(dense))
    return {
        term: min(count, max(by_words[term], count * by_meaning[term] // sample)) for term in terms
    }
