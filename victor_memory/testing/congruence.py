"""The same random operations on a store and on `memory`: whatever they return must be equal.

Equal scores may come in any order of their records where a limit cuts through them, and scores
within `TOLERANCE` count as equal. A failure names the seed and the number of the operation:
`check_congruence(make, seed=..., operations=...)` repeats it.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, ClassVar, Final

import numpy as np
import numpy.typing as npt

from victor_memory.filters import And, Filter, Not, Or, where
from victor_memory.providers.base import BaseEmbeddingProvider
from victor_memory.providers.memory import MemoryProvider
from victor_memory.testing._data import DIMENSION, as_json, ids
from victor_memory.testing._harness import Harness, Promises, promise
from victor_memory.types import Hit, Record

TOLERANCE: Final = 1e-3
EVERYTHING: Final = 10_000
RECALL: Final = 0.95

WORDS: Final = (
    "token session cache parser index vector memory store query filter score error retry lock "
    "commit branch merge chunk symbol naïve 検索 parseHTTPHeader snake_case_name o'clock 42"
).split()
NAMES: Final = ("kind", "n", "flag", "tags", "it's", "a.b", "ключ")
VALUES: Final[tuple[Any, ...]] = (
    "fact", "task", "Fact", "", "it's", 'q"q', "100%", "日本", 0, 1, 2, 5, -3, 1.0, 2.5, -0.5,
    2**53, 2**53 + 1, True, False,
)  # fmt: skip
STRUCTURES: Final[tuple[Any, ...]] = (None, [], ["fact", 1, True], [2.5, "it's"], {"n": 1})


class Congruence:
    """Two providers and a source of chance; `step` does one operation on both and compares."""

    def __init__(self, make: Callable[[], BaseEmbeddingProvider], seed: int) -> None:
        self._make = make
        self._random = random.Random(seed)  # noqa: S311 - reproducible, not secret
        self.store = make()
        config = self.store.config.replace(vector_store="memory", extra_config={})
        self.reference = MemoryProvider(config)
        self._found = self._wanted = 0
        self._operations: dict[Callable[[], Awaitable[None]], int] = {
            self._upsert: 30,
            self._search: 25,
            self._search_text: 12,
            self._delete: 8,
            self._delete_where: 3,
            self._get: 8,
            self._count: 8,
            self._scan: 4,
            self._compact: 1,
            self._clear: 1,
        }
        if self.store.traits.persistent:
            self._operations[self._reopen] = 2
        self.number = 0
        self.doing = "open"

    async def step(self) -> None:
        """Do one random operation."""
        self.number += 1
        (operation,) = self._random.choices([*self._operations], [*self._operations.values()])
        await operation()

    async def finish(self) -> None:
        """Compare everything there is, and what an approximate store found."""
        self._note("compare everything")
        await self._compare_contents(None)
        recall = self._found / self._wanted if self._wanted else 1.0
        wished = 1.0 if self.store.traits.exact else RECALL
        assert recall >= wished, f"recall is {recall}"

    async def close(self) -> None:
        """Close both."""
        await self.store.close()
        await self.reference.close()

    # -- writes -----------------------------------------------------------------------------------

    async def _upsert(self) -> None:
        batch = [self._record() for _ in range(self._random.choice((1, 1, 1, 3, 8)))]
        self._note("upsert", batch)
        _equal(await self.store.upsert(batch), await self.reference.upsert(batch))

    async def _delete(self) -> None:
        doomed = [self._id() for _ in range(self._random.choice((1, 1, 4)))]
        self._note("delete", doomed)
        _equal(await self.store.delete(doomed), await self.reference.delete(doomed))

    async def _delete_where(self) -> None:
        tree = And((self._filter(1), self._filter(1)))
        self._note("delete_where", tree)
        _equal(await self.store.delete_where(tree), await self.reference.delete_where(tree))
        await self._compare_contents(None)

    async def _clear(self) -> None:
        if self._random.random() < 0.2:  # noqa: PLR2004 - rare, or there is never much to compare
            self._note("clear_index")
            await self.store.clear_index()
            await self.reference.clear_index()

    async def _compact(self) -> None:
        self._note("compact")
        await self.store.compact()

    async def _reopen(self) -> None:
        self._note("close and open again")
        await self.store.close()
        self.store = self._make()
        await self._compare_contents(None)

    # -- reads ------------------------------------------------------------------------------------

    async def _get(self) -> None:
        asked = [self._id() for _ in range(6)]
        self._note("get", asked)
        found = await self.store.get(asked, with_vectors=True)
        wanted = await self.reference.get(asked, with_vectors=True)
        _equal(ids(found), ids(wanted))
        for one, other in zip(found, wanted, strict=True):
            _same_record(one, other)

    async def _count(self) -> None:
        tree = self._maybe_filter()
        self._note("count", tree)
        _equal(await self.store.count(tree), await self.reference.count(tree))

    async def _scan(self) -> None:
        tree = self._maybe_filter()
        self._note("scan", tree)
        await self._compare_contents(tree)

    async def _compare_contents(self, tree: Filter | None) -> None:
        size = self._random.choice((1, 7, 1000))
        found = [
            one
            async for batch in self.store.scan(tree, with_vectors=True, batch_size=size)
            for one in batch
        ]
        wanted = [
            one async for batch in self.reference.scan(tree, with_vectors=True) for one in batch
        ]
        _equal(sorted(ids(found)), sorted(ids(wanted)))
        by_id = {one.id: one for one in wanted}
        for one in found:
            _same_record(one, by_id[one.id])

    async def _search_text(self) -> None:
        query = " ".join(self._random.choices(WORDS, k=self._random.choice((1, 1, 2, 4))))
        tree = self._maybe_filter()
        limit = self._random.choice((1, 3, 10, EVERYTHING))
        self._note("search_text", query, limit, tree)
        hits = await self.store.search_text(query, limit=limit, where=tree)
        every = await self.reference.search_text(query, limit=EVERYTHING, where=tree)
        by_id = {one.id: one for one in every}
        # Engines weigh words a little differently: which records match is promised, not the order.
        _equal(len(hits), min(limit, len(every)))
        _equal([hit.id for hit in hits if hit.id not in by_id], [])
        _in_order(hits)
        for hit in hits:
            _same_content(hit, by_id[hit.id])

    async def _search(self) -> None:
        vector, tree = self._vector(), self._maybe_filter()
        limit = self._random.choice((1, 3, 10, 50, EVERYTHING))
        every = await self.reference.search(vector, limit=EVERYTHING, where=tree)
        least = None
        if every and self._random.random() < 0.3:  # noqa: PLR2004 - now and then
            least = self._random.choice(every).score - 10 * TOLERANCE
        self._note("search", vector.tolist(), limit, least, tree)
        hits = await self.store.search(vector, limit=limit, where=tree, min_score=least)
        scores = {one.id: one for one in every}
        _in_order(hits)
        _equal([hit.id for hit in hits if hit.id not in scores], [])
        for hit in hits:
            _same_content(hit, scores[hit.id])
            difference = abs(hit.score - scores[hit.id].score)
            assert difference < TOLERANCE, f"{hit} and {scores[hit.id]} differ by {difference}"
        self._judge(hits, every, limit, least)

    def _judge(self, hits: list[Hit], every: list[Hit], limit: int, least: float | None) -> None:
        """Check that *hits* are the best of *every*, scores within the tolerance being equal."""
        floor = -np.inf if least is None else least
        certain = [one for one in every if one.score >= floor + TOLERANCE]
        possible = [one for one in every if one.score >= floor - TOLERANCE]
        wanted = certain[:limit]
        missing = [one for one in wanted if one.id not in {hit.id for hit in hits}]
        # Those that tie with the last hit may have lost their place to another of the same score.
        worst = hits[-1].score if len(hits) == limit else -np.inf
        missing = [one for one in missing if one.score > worst + 2 * TOLERANCE]
        self._wanted += len(wanted)
        self._found += len(wanted) - len(missing)
        assert len(hits) <= min(limit, len(possible)), f"{len(hits)} hits of {len(possible)}"
        if self.store.traits.exact:
            assert missing == [], "not found"

    # -- chance -----------------------------------------------------------------------------------

    def _note(self, operation: str, *arguments: object) -> None:
        self.doing = f"{operation}({', '.join(map(repr, arguments))})"

    def _id(self) -> str:
        return f"id {self._random.randrange(80)}'"

    def _record(self) -> Record:
        words = self._random.choices(WORDS, k=self._random.randrange(12))
        names = self._random.sample(NAMES, self._random.randrange(5))
        metadata = {name: self._random.choice((*VALUES, *STRUCTURES)) for name in names}
        return Record(self._id(), " ".join(words), self._vector(), metadata)

    def _vector(self) -> npt.NDArray[np.float32]:
        if self._random.random() < 0.3:  # noqa: PLR2004 - often enough for ties
            vector = [0.0] * DIMENSION
            vector[self._random.randrange(4)] = 1.0
        else:
            vector = [self._random.gauss(0.0, 0.3) for _ in range(DIMENSION)]
        return np.asarray(vector, dtype=np.float32)

    def _maybe_filter(self) -> Filter | None:
        return self._filter(2) if self._random.random() < 0.6 else None  # noqa: PLR2004 - mostly

    def _filter(self, depth: int) -> Filter:
        kind = self._random.random()
        if depth and kind < 0.45:  # noqa: PLR2004 - about half of them are trees
            parts = tuple(self._filter(depth - 1) for _ in range(self._random.randrange(1, 4)))
            group: Sequence[Filter] = (And(parts), Or(parts), Not(parts[0]))
            return self._random.choice(group)
        name = self._random.choice((*NAMES, "absent"))
        scalar = self._random.choice(VALUES)
        several = self._random.sample(VALUES, self._random.randrange(4))
        text = self._random.choice([one for one in VALUES if isinstance(one, str)])
        ordered = self._random.choice([one for one in VALUES if not isinstance(one, bool)])
        conditions: Sequence[Filter] = (
            where(name, "=", scalar),
            where(name, "!=", scalar),
            where(name, "in", several),
            where(name, "not in", several),
            where(name, "exists", self._random.random() < 0.5),  # noqa: PLR2004 - either
            where(name, "prefix", text),
            where(name, "contains", scalar),
            where(name, "<", ordered),
            where(name, "<=", ordered),
            where(name, ">", ordered),
            where(name, ">=", ordered),
        )
        return self._random.choice(conditions)


async def check_congruence(
    make: Callable[[], BaseEmbeddingProvider], *, seed: int = 1, operations: int = 300
) -> None:
    """Do *operations* random operations on a store and on `memory`, and compare what they return.

    *make* returns a new provider of one collection, which is empty at first; a persistent store is
    closed and made again now and then.

    Raises:
        AssertionError: they differ, or the store failed; the message says where.

    """
    pair = Congruence(make, seed)
    try:
        for _ in range(operations):
            await pair.step()
        await pair.finish()
    except Exception as exc:
        msg = (
            f"{pair.store.title} is not congruent with memory under {pair.store.metric!r}: "
            f"seed {seed}, operation {pair.number} of {operations}: {pair.doing}: {exc}"
        )
        raise AssertionError(msg) from exc
    finally:
        await pair.close()


class CongruencePromises(Promises):
    """The store and `memory` return the same; a campaign raises the numbers."""

    congruence_operations: ClassVar[int] = 300
    congruence_seeds: ClassVar[Sequence[int]] = (1,)

    @promise()
    async def test_congruence_under_cosine(self, harness: Harness) -> None:
        """Under `cosine` random operations return what `memory` returns."""
        for seed in self.congruence_seeds:
            await self._check(harness, seed, "cosine")

    @promise()
    async def test_congruence_under_euclidean(self, harness: Harness) -> None:
        """Under `euclidean` random operations return what `memory` returns."""
        for seed in self.congruence_seeds:
            await self._check(harness, 1000 + seed, "euclidean")

    @promise()
    async def test_congruence_under_dot(self, harness: Harness) -> None:
        """Under `dot` random operations return what `memory` returns."""
        for seed in self.congruence_seeds:
            await self._check(harness, 2000 + seed, "dot")

    async def _check(self, harness: Harness, seed: int, metric: str) -> None:
        collection = f"{harness.collection}-{metric}-{seed}"
        await check_congruence(
            lambda: harness.make(collection=collection, distance_metric=metric),
            seed=seed,
            operations=self.congruence_operations,
        )


def _equal(found: object, wanted: object) -> None:
    assert found == wanted, f"{found!r} instead of {wanted!r}"


def _in_order(hits: Sequence[Hit]) -> None:
    keys = [(-hit.score, hit.id) for hit in hits]
    assert keys == sorted(keys), f"not best first, ties by id: {keys}"


def _same_content(found: Hit | Record, wanted: Hit | Record) -> None:
    _equal(found.text, wanted.text)
    _equal(as_json(found.metadata), as_json(wanted.metadata))


def _same_record(found: Record, wanted: Record) -> None:
    _same_content(found, wanted)
    assert found.vector is not None
    assert wanted.vector is not None
    assert np.allclose(found.vector, wanted.vector, atol=TOLERANCE), f"another vector: {found.id}"
