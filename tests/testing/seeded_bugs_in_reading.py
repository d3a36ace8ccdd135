"""Stores with one bug each, in what filters, words and the life of a provider mean."""

import asyncio
from functools import partial

from pydantic import ConfigDict
from seeding import seeded

from victor_memory.filters import And, Compare, Not, Or
from victor_memory.providers.base import BaseEmbeddingProvider, ProviderOptions
from victor_memory.providers.memory import MemoryProvider
from victor_memory.types import Hit, Traits

BUGS: dict[str, tuple[str, ...]] = {}
breaks = partial(seeded, BUGS, globals())

# -- filters: each bug is one condition understood differently, everywhere ------------------------


class Understood:
    """A filter tree with another meaning of its conditions."""

    def __init__(self, tree, store):
        self.tree, self.store = tree, store

    def matches(self, metadata):
        return self.holds(self.tree, metadata)

    def holds(self, tree, metadata):
        holds = partial(self.holds, metadata=metadata)
        match tree:
            case And(parts):
                return self.store.combine(tree, [holds(part) for part in parts])
            case Or(parts):
                return self.store.combine(tree, [holds(part) for part in parts])
            case Not(part):
                return self.store.negate(part, metadata, holds(part))
        return self.store.compare(tree, metadata.get(tree.field), metadata)


class FilterBug(MemoryProvider):
    """A store that understands filters by itself."""

    def compare(self, condition, value, metadata):
        return condition.matches(metadata)

    def combine(self, group, results):
        return all(results) if isinstance(group, And) else any(results)

    def negate(self, part, metadata, result):
        return not result

    def understood(self, where):
        return where and Understood(where, self)

    async def _search(self, vector, limit, where):
        return await super()._search(vector, limit, self.understood(where))

    async def _search_terms(self, terms, limit, where):
        return await super()._search_terms(terms, limit, self.understood(where))

    async def _delete_where(self, where):
        return await super()._delete_where(self.understood(where))

    async def _count(self, where):
        return await super()._count(self.understood(where))

    async def _scan(self, where, **options):
        async for batch in super()._scan(self.understood(where), **options):
            yield batch


@breaks("test_equal")
class ComparesWithoutCase(FilterBug):
    def compare(self, condition, value, metadata):
        if condition.op == "=" and isinstance(value, str) and isinstance(condition.value, str):
            return value.lower() == condition.value.lower()
        return super().compare(condition, value, metadata)


@breaks("test_not_equal", "test_missing_fields", "test_nested_values_are_opaque")
class SkipsNullsInNotEqual(FilterBug):
    def compare(self, condition, value, metadata):
        if condition.op == "!=" and value is None:
            return False
        return super().compare(condition, value, metadata)


@breaks("test_not_in", "test_in_nothing", "test_missing_fields")
class SkipsNullsInNotIn(FilterBug):
    def compare(self, condition, value, metadata):
        if condition.op == "not in" and value is None:
            return False
        return super().compare(condition, value, metadata)


@breaks("test_missing_fields", "test_and_or_not", "test_in_nothing")
class NotOfNullIsNull(FilterBug):
    def negate(self, part, metadata, result):
        if isinstance(part, Compare) and part.op != "exists" and metadata.get(part.field) is None:
            return False
        return super().negate(part, metadata, result)


@breaks("test_in")
class LooksAtTheFirstThousand(FilterBug):
    def compare(self, condition, value, metadata):
        if condition.op == "in":
            return Compare(condition.field, "in", condition.value[:1000]).matches(metadata)
        return super().compare(condition, value, metadata)


@breaks("test_in_nothing")
class InNothingIsNoCondition(FilterBug):
    def compare(self, condition, value, metadata):
        return condition.value == () or super().compare(condition, value, metadata)


@breaks(
    "test_numbers_are_ordered",
    "test_count",
    "test_ints_of_any_size",
    "test_json_filters",
    "test_large_ints_and_floats_are_exact",
    "test_large_ints_are_exact",
    "test_missing_fields",
    "test_nested_values_are_opaque",
    "test_strings_are_ordered",
)
class OrdersAsText(FilterBug):
    def compare(self, condition, value, metadata):
        if condition.op in ("<", ">") and isinstance(value, int | float | str):
            left, right = str(value), str(condition.value)
            return left < right if condition.op == "<" else left > right
        return super().compare(condition, value, metadata)


@breaks("test_strings_are_ordered")
class OrdersAsUtf16(FilterBug):
    def compare(self, condition, value, metadata):
        if (
            condition.op in ("<", ">")
            and isinstance(value, str)
            and isinstance(condition.value, str)
        ):
            left, right = value.encode("utf-16-be"), condition.value.encode("utf-16-be")
            return left < right if condition.op == "<" else left > right
        return super().compare(condition, value, metadata)


@breaks("test_booleans_are_not_numbers")
class TakesBooleansForNumbers(FilterBug):
    def compare(self, condition, value, metadata):
        if condition.op == "=" and isinstance(value, int | float):
            return value == condition.value
        return super().compare(condition, value, metadata)


@breaks(
    "test_ints_equal_floats",
    "test_booleans_are_not_numbers",
    "test_large_ints_and_floats_are_exact",
)
class TellsIntsFromFloats(FilterBug):
    def compare(self, condition, value, metadata):
        if condition.op == "=" and type(value) is not type(condition.value):
            return False
        return super().compare(condition, value, metadata)


@breaks(
    "test_large_ints_are_exact", "test_ints_of_any_size", "test_large_ints_and_floats_are_exact"
)
class ComparesAsDoubles(FilterBug):
    def compare(self, condition, value, metadata):
        if condition.op == "=" and isinstance(value, int) and abs(value) < 2**64:
            metadata = {**metadata, condition.field: value if value in (0, 1) else float(value)}
        return super().compare(condition, value, metadata)


@breaks("test_exists", "test_nested_values_are_opaque")
class ExistsThoughNull(FilterBug):
    def compare(self, condition, value, metadata):
        if condition.op == "exists":
            return (condition.field in metadata) is condition.value
        return super().compare(condition, value, metadata)


@breaks("test_prefix")
class TakesUnderscoresForWildcards(FilterBug):
    def compare(self, condition, value, metadata):
        if condition.op == "prefix" and isinstance(value, str):
            pairs = zip(value, condition.value, strict=False)
            enough = len(value) >= len(condition.value)
            return enough and all(wished in ("_", one) for one, wished in pairs)
        return super().compare(condition, value, metadata)


@breaks("test_contains_in_strings", "test_contains_in_lists")
class LooksIntoMappings(FilterBug):
    def compare(self, condition, value, metadata):
        if condition.op == "contains" and isinstance(value, dict):
            return condition.value in value
        return super().compare(condition, value, metadata)


@breaks("test_contains_in_lists")
class LooksIntoElements(FilterBug):
    def compare(self, condition, value, metadata):
        if condition.op == "contains" and isinstance(value, list):
            return any(str(condition.value) in str(one) for one in value)
        return super().compare(condition, value, metadata)


@breaks("test_nested_values_are_opaque")
class FollowsDots(FilterBug):
    def compare(self, condition, value, metadata):
        first, dot, rest = condition.field.partition(".")
        if dot and isinstance(metadata.get(first), dict):
            metadata = {condition.field: metadata[first].get(rest)}
        return super().compare(condition, value, metadata)


@breaks("test_nasty_values", "test_delete_by_file")
class DoublesQuotes(FilterBug):
    def compare(self, condition, value, metadata):
        if condition.op == "=" and isinstance(condition.value, str):
            return value == condition.value.replace("'", "''")
        return super().compare(condition, value, metadata)


@breaks("test_nasty_fields")
class FieldsHaveNoCase(FilterBug):
    def compare(self, condition, value, metadata):
        lowered = {key.lower(): one for key, one in metadata.items()}
        condition = Compare(condition.field.lower(), condition.op, condition.value)
        return super().compare(condition, value, lowered)


@breaks("test_and_or_not")
class NegatesTheFirstPart(FilterBug):
    """`NOT a AND b` without parentheses."""

    def negate(self, part, metadata, result):
        if isinstance(part, And) and part.parts:
            first, *rest = part.parts
            return not first.matches(metadata) and all(one.matches(metadata) for one in rest)
        return super().negate(part, metadata, result)


@breaks("test_empty_groups")
class OrOfNothingHolds(FilterBug):
    def combine(self, group, results):
        return super().combine(group, results) or not results


@breaks("test_large_filters")
class ForgetsLongFilters(FilterBug):
    def combine(self, group, results):
        return super().combine(group, results[:256])


@breaks("test_text_search_filters_like_scan")
class SearchesTextWithAnotherFilter(MemoryProvider):
    async def _search_terms(self, terms, limit, where):
        if isinstance(where, Compare) and where.op == "exists":
            where = None
        return await super()._search_terms(terms, limit, where)


# -- words ----------------------------------------------------------------------------------------


@breaks("test_full_text_is_its_own")
class OnlyClaimsFullText(MemoryProvider):
    _search_terms = BaseEmbeddingProvider._search_terms


@breaks(
    "test_given_terms_are_searched",
    "test_deleted_text_is_not_found",
    "test_parts_of_identifiers_are_found",
    "test_queries_have_no_syntax",
    "test_rare_words_count_more",
    "test_tasks_of_every_kind",
    "test_text_filter_before_limit",
    "test_text_hits_carry_the_record",
    "test_text_limit",
    "test_updated_text_is_searched",
    "test_words_are_found",
    "test_words_of_any_script_are_found",
)
class IndexesTheText(MemoryProvider):
    async def _upsert(self, records):
        await super()._upsert(records)
        for one in records:
            self._terms.put(one.id, one.text.lower().split())


@breaks("test_updated_text_is_searched", "test_tasks_of_every_kind")
class IndexesOnce(MemoryProvider):
    async def _upsert(self, records):
        known = {one.id: self._records[one.id].terms for one in records if one.id in self._records}
        await super()._upsert(records)
        for key, terms in known.items():
            self._terms.put(key, terms.split())


@breaks("test_deleted_text_is_not_found", "test_health_check_leaves_no_trace")
class KeepsDeletedWords(MemoryProvider):
    async def _open(self):
        await super()._open()
        self.ghosts = {}

    async def _delete(self, ids):
        self.ghosts.update({one: self._records[one] for one in ids if one in self._records})
        return await super()._delete(ids)

    async def _search_terms(self, terms, limit, where):
        ghosts = [
            Hit(one.id, one.text, 0.1)
            for one in self.ghosts.values()
            if where is None and {*terms} & {*one.terms.split()}
        ]
        return [*await super()._search_terms(terms, limit, where), *ghosts]


@breaks("test_rare_words_count_more")
class CountsWordsOnly(MemoryProvider):
    async def _search_terms(self, terms, limit, where):
        hits = await super()._search_terms(terms, 10_000, where)
        words = {one.id: self._records[one.id].terms.split() for one in hits}
        scored = [
            Hit(one.id, one.text, float(len({*words[one.id]} & {*terms})), one.metadata)
            for one in hits
        ]
        return sorted(scored, key=lambda hit: -hit.score)[:limit]


@breaks("test_text_scores", "test_more_words_count_more", "test_rare_words_count_more")
class RanksNegatively(MemoryProvider):
    """Smaller is better, as SQLite has it."""

    async def _search_terms(self, terms, limit, where):
        hits = await super()._search_terms(terms, limit, where)
        return [Hit(one.id, one.text, -one.score, one.metadata) for one in hits]


@breaks("test_text_filter_before_limit")
class FiltersTextAfterTheLimit(MemoryProvider):
    async def _search_terms(self, terms, limit, where):
        hits = await super()._search_terms(terms, limit, None)
        return [one for one in hits if where is None or where.matches(one.metadata)]


@breaks("test_queries_have_no_syntax")
class HasAQueryParser(MemoryProvider):
    async def _search_terms(self, terms, limit, where):
        if len(terms) > 1000 or "not" in terms or "near" in terms:
            msg = f"fts: syntax error in {' '.join(terms)}"
            raise ValueError(msg)
        return await super()._search_terms(terms, limit, where)


@breaks("test_end_of_long_text_is_found")
class IndexesTheBeginning(MemoryProvider):
    async def _upsert(self, records):
        await super()._upsert(records)
        for one in records:
            self._terms.put(one.id, one.terms.split()[:10_000])


# -- life -----------------------------------------------------------------------------------------


class LooseOptions(ProviderOptions):
    model_config = ConfigDict(extra="ignore")


@breaks("test_unknown_options_are_refused")
class IgnoresUnknownOptions(MemoryProvider):
    options_model = LooseOptions


class SilentOptions(ProviderOptions):
    cache: int = 0


@breaks("test_options_are_documented")
class LeavesOptionsUndocumented(MemoryProvider):
    options_model = SilentOptions


@breaks("test_class_says_what_it_is")
class HasNoTitle(MemoryProvider):
    title = " "


@breaks("test_nothing_is_printed")
class Prints(MemoryProvider):
    async def _search(self, vector, limit, where):
        print("searching")  # noqa: T201 - that is the bug
        return await super()._search(vector, limit, where)


@breaks("test_event_loops_in_turn")
class BelongsToALoop(MemoryProvider):
    async def _open(self):
        await super()._open()
        self.loop = asyncio.get_running_loop()

    async def _upsert(self, records):
        if self.loop is not asyncio.get_running_loop():
            msg = "attached to a different loop"
            raise RuntimeError(msg)
        await super()._upsert(records)


@breaks("test_cancelled_operations")
class StaysLocked(MemoryProvider):
    """What is cancelled half-way keeps the lock."""

    async def _open(self):
        await super()._open()
        self.lock = asyncio.Lock()

    async def _upsert(self, records):
        await asyncio.wait_for(self.lock.acquire(), timeout=2)
        await asyncio.sleep(0.001)
        await super()._upsert(records)
        self.lock.release()


@breaks("test_tasks_store_different_records", "test_tasks_of_every_kind")
class WritesBackACopy(MemoryProvider):
    async def _upsert(self, records):
        copy = dict(self._records)
        await asyncio.sleep(0)
        self._records = copy
        await super()._upsert(records)


@breaks("test_batches_appear_whole")
class StoresPieceByPiece(MemoryProvider):
    async def _upsert(self, records):
        await super()._upsert(records[:100])
        if len(records) > 100:
            await asyncio.sleep(0)
            await super()._upsert(records[100:])


@breaks(
    "test_public_half_is_inherited",
    "test_delete_document",
    "test_delete_returns_how_many_existed",
    "test_empty_collection",
    "test_ids_are_a_list",
    "test_nothing_is_printed",
    "test_opened_when_needed",
    "test_refused_calls_do_no_harm",
    "test_use_after_close",
)
class RaisesBareErrors(MemoryProvider):
    async def delete(self, ids):
        return await super().delete([self._records[one].id for one in ids])


@breaks(
    "test_get_keeps_the_order",
    "test_any_metadata_value_comes_back",
    "test_any_text_comes_back",
    "test_new_metadata_keys_at_any_time",
    "test_public_half_is_inherited",
)
class GetsInItsOwnOrder(MemoryProvider):
    async def get(self, ids, *, with_vectors=False):
        return sorted(await super().get(ids, with_vectors=with_vectors), key=lambda one: one.id)


@breaks("test_tasks_of_every_kind")
class BreaksReaders(MemoryProvider):
    """A reader that waits finds the rows gone."""

    traits = Traits(persistent=False, multi_process=False, full_text=True, exact=True)

    async def _search(self, vector, limit, where):
        hits = await super()._search(vector, limit, where)
        await asyncio.sleep(0)
        return [Hit(one.id, self._records[one.id].text, one.score, one.metadata) for one in hits]
