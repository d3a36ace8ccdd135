"""Stores with one bug each: one filter condition understood differently, everywhere."""

from functools import partial

from seeding import seeded

from victor_memory.filters import And, Compare, Not, Or
from victor_memory.providers.memory import MemoryProvider

BUGS: dict[str, tuple[str, ...]] = {}
breaks = partial(seeded, BUGS, globals())


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
