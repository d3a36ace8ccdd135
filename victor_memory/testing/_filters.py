"""Promises on filters: every store finds exactly what `Filter.matches` says, whatever the types."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest

from victor_memory.errors import InvalidRequestError
from victor_memory.filters import MAX_DEPTH, Filter, to_json, where
from victor_memory.providers.base import BaseEmbeddingProvider
from victor_memory.testing import _filter_cases as cases
from victor_memory.testing._data import ids, records, unit
from victor_memory.testing._harness import Promises, promise
from victor_memory.types import Record

BAD: tuple[object, ...] = (
    {"f": None},
    {"f": {"=": None}},
    {"f": {"like": "x"}},
    {"f": {"$eq": 1}},
    {"f": {"=": float("nan")}},
    {"f": {"<": float("inf")}},
    {"f": {"<": True}},
    {"f": {"=": [1]}},
    {"f": {"in": "text"}},
    {"f": {"in": [[1]]}},
    {"f": {"in": [None]}},
    {"f": {"prefix": 1}},
    {"f": {"exists": 1}},
    {"f": object()},
    {"": 1},
    {"and": [1]},
    "f = 1",
    ["f"],
    7,
)
"""What the filter language does not have."""


class FilterPromises(Promises):
    """Filters, by subject; `_filter_cases` holds the metadata and the filters."""

    @promise()
    async def test_equal(self, provider: BaseEmbeddingProvider) -> None:
        """`=` finds the records with that very string."""
        await self._agree(provider, cases.EQUALITY)

    @promise()
    async def test_not_equal(self, provider: BaseEmbeddingProvider) -> None:
        """`!=` finds every other record, those without the field included."""
        await self._agree(provider, cases.INEQUALITY)

    @promise()
    async def test_in(self, provider: BaseEmbeddingProvider) -> None:
        """`in` finds the records with one of the values, be they of several types or 1500."""
        await self._agree(provider, cases.MEMBERSHIP)

    @promise()
    async def test_not_in(self, provider: BaseEmbeddingProvider) -> None:
        """`not in` finds every other record, those without the field included."""
        await self._agree(provider, cases.NON_MEMBERSHIP)

    @promise()
    async def test_in_nothing(self, provider: BaseEmbeddingProvider) -> None:
        """`in` an empty list finds nothing, and `not in` finds everything."""
        await self._agree(provider, cases.EMPTY_LISTS)

    @promise()
    async def test_numbers_are_ordered(self, provider: BaseEmbeddingProvider) -> None:
        """`<`, `<=`, `>`, `>=` order numbers, negative and fractional, and ignore other types."""
        await self._agree(provider, cases.NUMBERS)

    @promise()
    async def test_strings_are_ordered(self, provider: BaseEmbeddingProvider) -> None:
        """`<`, `<=`, `>`, `>=` order strings by code point, and ignore other types."""
        await self._agree(provider, cases.STRING_ORDER)

    @promise()
    async def test_booleans_are_not_numbers(self, provider: BaseEmbeddingProvider) -> None:
        """A boolean never equals a number or a string, and is not ordered."""
        await self._agree(provider, cases.BOOLEANS)

    @promise()
    async def test_ints_equal_floats(self, provider: BaseEmbeddingProvider) -> None:
        """`1` and `1.0` are equal; `"1"` is neither."""
        await self._agree(provider, cases.INTS_AND_FLOATS)

    @promise()
    async def test_large_ints_are_exact(self, provider: BaseEmbeddingProvider) -> None:
        """Integers of 64 bits are compared exactly: 2**53 + 1 is not 2**53."""
        await self._agree(provider, cases.LARGE_INTS)

    @promise()
    async def test_large_ints_and_floats_are_exact(self, provider: BaseEmbeddingProvider) -> None:
        """An integer and a float are compared by their values: 2**53 + 1 is not 2.0**53."""
        await self._agree(provider, cases.LARGE_INTS_AND_FLOATS)

    @promise()
    async def test_ints_of_any_size(self, provider: BaseEmbeddingProvider) -> None:
        """Integers beyond 64 bits, even beyond the range of floats, are compared exactly."""
        await self._agree(provider, cases.HUGE_INTS)

    @promise()
    async def test_exists(self, provider: BaseEmbeddingProvider) -> None:
        """`exists` finds fields with any value but `None`: also empty, zero and false ones."""
        await self._agree(provider, cases.EXISTENCE)

    @promise()
    async def test_prefix(self, provider: BaseEmbeddingProvider) -> None:
        """`prefix` finds strings by their beginning; case matters and there are no wildcards."""
        await self._agree(provider, cases.PREFIXES)

    @promise()
    async def test_contains_in_strings(self, provider: BaseEmbeddingProvider) -> None:
        """`contains` finds a part of a string; case matters and there are no wildcards."""
        await self._agree(provider, cases.SUBSTRINGS)

    @promise()
    async def test_contains_in_lists(self, provider: BaseEmbeddingProvider) -> None:
        """`contains` finds an element of a list by value and type, not a part of an element."""
        await self._agree(provider, cases.ELEMENTS)

    @promise()
    async def test_nested_values_are_opaque(self, provider: BaseEmbeddingProvider) -> None:
        """A field is a top-level key: a dot in its name is a dot, and mappings equal nothing."""
        await self._agree(provider, cases.NESTED_VALUES)

    @promise()
    async def test_missing_fields(self, provider: BaseEmbeddingProvider) -> None:
        """A field that a record does not have fails every comparison; `not` turns that round."""
        await self._agree(provider, cases.MISSING)

    @promise()
    async def test_nasty_values(self, provider: BaseEmbeddingProvider) -> None:
        """Quotes, backslashes, wildcards and SQL in a value are that value."""
        await self._agree(provider, cases.NASTY_VALUES)

    @promise()
    async def test_nasty_fields(self, provider: BaseEmbeddingProvider) -> None:
        """Any string names a field: quotes, dots, SQL, and the names of a store's own columns."""
        await self._agree(provider, cases.NASTY_FIELDS)

    @promise()
    async def test_and_or_not(self, provider: BaseEmbeddingProvider) -> None:
        """`and`, `or` and `not` combine conditions in any nesting."""
        await self._agree(provider, cases.COMBINATIONS)

    @promise()
    async def test_empty_groups(self, provider: BaseEmbeddingProvider) -> None:
        """An `and` of nothing holds everywhere, an `or` of nothing nowhere."""
        await self._agree(provider, cases.EMPTY_GROUPS)

    @promise()
    async def test_large_filters(self, provider: BaseEmbeddingProvider) -> None:
        """Filters of 32 levels, or with hundreds of conditions, work."""
        await self._agree(provider, cases.LARGE_TREES)

    @promise()
    async def test_json_filters(self, provider: BaseEmbeddingProvider) -> None:
        """Filters may be written as JSON: several keys must all hold, a list means `in`."""
        await provider.upsert(records(20))
        for source, expected in (
            ({"n": 3}, 1),
            ({"n": [3, 4, 99]}, 2),
            ({"n": {">=": 3, "<": 6}}, 3),
            ({"n": {"<": 4}, "even": True}, 2),
            ({"or": [{"n": 1}, {"n": {">": 17}}]}, 3),
            ({"not": {"even": True}}, 10),
            ({"and": [{"even": False}, {"not": {"n": {"in": [1, 3]}}}]}, 8),
            ({}, 20),
            (None, 20),
        ):
            assert await provider.count(source) == expected, source

    @promise()
    async def test_bad_filters_are_refused(self, provider: BaseEmbeddingProvider) -> None:
        """A filter that the language does not have is a clear error everywhere, never ignored."""
        await provider.upsert(records(3))
        deep: dict[str, object] = {"f": 1}
        for _ in range(MAX_DEPTH + 1):
            deep = {"not": deep}
        calls: tuple[Callable[[Any], Awaitable[object]], ...] = (
            provider.count,
            provider.delete_where,
            lambda bad: provider.search(unit(0), where=bad),
            lambda bad: provider.search_text("text", where=bad),
            lambda bad: anext(provider.scan(bad)),
        )
        for bad in (*BAD, deep):
            for call in calls:
                with pytest.raises(InvalidRequestError):
                    await call(bad)
        assert await provider.count() == len(range(3))

    # -- the same filter everywhere ---------------------------------------------------------------

    @promise()
    async def test_search_filters_like_scan(self, provider: BaseEmbeddingProvider) -> None:
        """A filter means the same to `search` as to `scan`: every filter of these promises."""
        for given in cases.USUAL:
            await provider.clear_index()
            count = await _store(provider, given.rows)
            for tree in given.filters:
                hits = await provider.search(unit("query"), limit=count, where=tree)
                assert sorted(ids(hits)) == await _scanned(provider, tree), to_json(tree)

    @promise()
    async def test_text_search_filters_like_scan(self, provider: BaseEmbeddingProvider) -> None:
        """A filter means the same to `search_text` as to `scan`: every filter of these promises."""
        for given in cases.USUAL:
            await provider.clear_index()
            count = await _store(provider, given.rows)
            for tree in given.filters:
                hits = await provider.search_text("row", limit=count, where=tree)
                assert sorted(ids(hits)) == await _scanned(provider, tree), to_json(tree)

    @promise()
    async def test_delete_where_deletes_what_scan_finds(
        self, provider: BaseEmbeddingProvider
    ) -> None:
        """`delete_where` deletes and counts what `scan` finds, with every operator, and no more."""
        rows = [{"f": n, "s": f"s{n}", "l": [n, "x"]} for n in range(8)] + [{"g": 1}]
        for tree in (
            where("f", "=", 3),
            where("f", "!=", 3),
            where("f", "<", 3),
            where("f", "<=", 3),
            where("f", ">", 3),
            where("f", ">=", 3),
            where("f", "in", [1, 2, 99]),
            where("f", "not in", [1, 2]),
            where("f", "exists"),
            where("f", "exists", value=False),
            where("s", "prefix", "s1"),
            where("l", "contains", 4),
            where("s", "=", "s1' OR '1'='1"),
            where("absent", "=", 1),
        ):
            count = await _store(provider, rows)
            doomed = await _scanned(provider, tree)
            everything = await _scanned(provider, None)
            assert await provider.delete_where(tree) == len(doomed), to_json(tree)
            assert await _scanned(provider, None) == sorted({*everything} - {*doomed}), tree
            assert await provider.count() == count - len(doomed), to_json(tree)

    # -- how ------------------------------------------------------------------------------------

    async def _agree(self, provider: BaseEmbeddingProvider, given: cases.Cases) -> None:
        """Compare what *provider* finds with what `Filter.matches` says."""
        await _store(provider, given.rows)
        wrong = []
        for tree in given.filters:
            expected = {_name(n) for n, row in enumerate(given.rows) if tree.matches(row)}
            found = await _scanned(provider, tree)
            if found != sorted(expected) or await provider.count(tree) != len(expected):
                rows = {_name(n): row for n, row in enumerate(given.rows)}
                missed = [rows[one] for one in sorted(expected - {*found})]
                surplus = [rows[one] for one in found if one not in expected]
                wrong.append(f"{_shown(tree)}: misses {_shown(missed)}, adds {_shown(surplus)}")
        assert not wrong, "\n".join([f"{len(wrong)} of {len(given.filters)} filters", *wrong])


def _name(number: int) -> str:
    return f"row{number:04}"


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) < 200 else f"{text[:200]}…"  # noqa: PLR2004 - enough to see which one


async def _store(provider: BaseEmbeddingProvider, rows: Sequence[dict[str, Any]]) -> int:
    await provider.upsert(
        [Record(_name(n), "row", unit(n), row, terms="row") for n, row in enumerate(rows)]
    )
    return len(rows)


async def _scanned(provider: BaseEmbeddingProvider, tree: Filter | None) -> list[str]:
    return sorted([one.id async for batch in provider.scan(tree) for one in batch])
