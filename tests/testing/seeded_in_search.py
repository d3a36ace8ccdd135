"""Stores with one bug each, in what they find by vector and by words."""

import zlib
from dataclasses import replace
from functools import partial

from seeding import seeded

from victor_memory.filters import Compare
from victor_memory.providers.base import BaseEmbeddingProvider
from victor_memory.providers.memory import MemoryProvider
from victor_memory.types import Hit

BUGS: dict[str, tuple[str, ...]] = {}
breaks = partial(seeded, BUGS, globals())


@breaks("test_cosine_scores", "test_search_sees_updates")
class ScalesCosines(MemoryProvider):
    """Scores are (1 + cosine) / 2, as several engines have them."""

    async def _search(self, vector, limit, where):
        hits = await super()._search(vector, limit, where)
        if self.metric != "cosine":
            return hits
        return [replace(one, score=(1 + one.score) / 2) for one in hits]


@breaks("test_euclidean_scores")
class SquaresDistances(MemoryProvider):
    async def _search(self, vector, limit, where):
        hits = await super()._search(vector, limit, where)
        if self.metric != "euclidean":
            return hits
        return [replace(one, score=1 / (1 + (1 / one.score - 1) ** 2)) for one in hits]


@breaks("test_dot_scores")
class IgnoresTheMetric(MemoryProvider):
    async def _open(self):
        await super()._open()
        if self.metric == "dot":
            self.metric = "cosine"


@breaks(
    "test_best_first",
    "test_cosine_scores",
    "test_dot_scores",
    "test_euclidean_scores",
    "test_indexed_document_is_found",
    "test_search_sees_updates",
    "test_shorter_lists_are_prefixes",
    "test_ties_by_id",
    "test_zero_is_a_point",
)
class ReturnsDistances(MemoryProvider):
    async def _search(self, vector, limit, where):
        hits = await super()._search(vector, limit, where)
        return [replace(one, score=1 - one.score) for one in hits]


@breaks(
    "test_limit",
    "test_cosine_scores",
    "test_dot_scores",
    "test_euclidean_scores",
    "test_filter_before_limit",
    "test_min_score",
    "test_nearest_of_many",
    "test_search_filters_like_scan",
    "test_search_similar_filters",
    "test_shorter_lists_are_prefixes",
    "test_zero_is_a_point",
)
class ReturnsOneTooFew(MemoryProvider):
    async def _search(self, vector, limit, where):
        return (await super()._search(vector, limit, where))[: max(1, limit - 1)]


@breaks("test_nearest_of_many")
class SearchesAPart(MemoryProvider):
    """An index that looks into some of its cells only."""

    async def _search(self, vector, limit, where):
        found = await super()._search(vector, len(self._records), where)
        if len(found) > 1000:
            found = [one for one in found if zlib.crc32(one.id.encode()) % 4]
        return found[:limit]


@breaks(
    "test_hits_carry_the_record",
    "test_embedded_documents",
    "test_index_document_replaces",
    "test_indexed_document_is_found",
    "test_what_is_returned_is_the_callers",
)
class LeavesOutMetadata(MemoryProvider):
    async def _search(self, vector, limit, where):
        return [
            Hit(one.id, one.text, one.score) for one in await super()._search(vector, limit, where)
        ]


@breaks(
    "test_filter_nobody_passes",
    "test_filter_before_limit",
    "test_filters_see_updates",
    "test_search_filters_like_scan",
    "test_search_similar_filters",
)
class IgnoresFilters(MemoryProvider):
    async def _search(self, vector, limit, where):
        return await super()._search(vector, limit, None)


@breaks("test_filter_before_limit", "test_search_similar_filters")
class FiltersAfterTheLimit(MemoryProvider):
    async def _search(self, vector, limit, where):
        hits = await super()._search(vector, limit, None)
        return [one for one in hits if where is None or where.matches(one.metadata)]


@breaks("test_search_filters_like_scan")
class FiltersTwoWays(MemoryProvider):
    """Search has a filter of its own, which does not know `contains`."""

    async def _search(self, vector, limit, where):
        if isinstance(where, Compare) and where.op == "contains":
            where = replace(where, op="=")
        return await super()._search(vector, limit, where)


@breaks("test_search_sees_updates", "test_tasks_store_the_same_records", "test_upsert_replaces")
class KeepsOldVectors(MemoryProvider):
    async def _upsert(self, records):
        known = [one.id for one in records if one.id in self._records]
        kept = {one: self._records[one].vector for one in known}
        await super()._upsert(
            [replace(one, vector=kept.get(one.id, one.vector)) for one in records]
        )


@breaks(
    "test_filters_see_updates",
    "test_index_document_replaces",
    "test_tasks_of_every_kind",
    "test_upsert_replaces",
)
class MergesMetadata(MemoryProvider):
    async def _upsert(self, records):
        await super()._upsert(
            [
                replace(one, metadata={**self._records[one.id].metadata, **one.metadata})
                if one.id in self._records
                else one
                for one in records
            ]
        )


@breaks("test_zero_is_a_point")
class DividesByZero(MemoryProvider):
    async def _upsert(self, records):
        if any(not one.vector.any() for one in records):
            msg = "zero vector"
            raise ZeroDivisionError(msg)
        await super()._upsert(records)


# -- words ------------------------------------------------------------------------------------------


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
