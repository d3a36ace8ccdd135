"""Stores with one bug each, in what they keep of records and collections."""

import fnmatch
import unicodedata
from dataclasses import replace
from functools import partial

import numpy as np
from seeding import seeded

from victor_memory.providers.memory import MemoryProvider

BUGS: dict[str, tuple[str, ...]] = {}
breaks = partial(seeded, BUGS, globals())


@breaks("test_vector_comes_back", "test_scan_with_vectors")
class ReturnsDoubles(MemoryProvider):
    async def _get(self, ids, *, with_vectors):
        return [_double(one) for one in await super()._get(ids, with_vectors=with_vectors)]

    async def _scan(self, where, **options):
        async for batch in super()._scan(where, **options):
            yield [_double(one) for one in batch]


def _double(record):
    return record if record.vector is None else replace(record, vector=record.vector.astype(float))


@breaks(
    "test_vector_length_is_kept",
    "test_dot_scores",
    "test_euclidean_scores",
    "test_upsert_takes_any_iterable",
)
class NormalisesVectors(MemoryProvider):
    async def _upsert(self, records):
        await super()._upsert([replace(one, vector=_normal(one.vector)) for one in records])


def _normal(vector):
    return vector / max(float(np.linalg.norm(vector)), 1e-30)


@breaks("test_vectors_come_only_when_asked_for")
class AlwaysReturnsVectors(MemoryProvider):
    async def _get(self, ids, *, with_vectors):
        return await super()._get(ids, with_vectors=True)


@breaks("test_any_text_comes_back", "test_long_text_comes_back")
class StripsText(MemoryProvider):
    async def _upsert(self, records):
        await super()._upsert([replace(one, text=one.text.strip()) for one in records])


@breaks("test_long_text_comes_back")
class CutsLongText(MemoryProvider):
    async def _upsert(self, records):
        await super()._upsert([replace(one, text=one.text[:65_536]) for one in records])


@breaks("test_nul_is_kept_or_refused")
class CutsAtNul(MemoryProvider):
    async def _upsert(self, records):
        await super()._upsert([replace(one, text=one.text.partition("\0")[0]) for one in records])


@breaks("test_similar_ids_are_different")
class NormalisesIds(MemoryProvider):
    async def _upsert(self, records):
        await super()._upsert([replace(one, id=_nfc(one.id)) for one in records])

    async def _get(self, ids, *, with_vectors):
        found = await super()._get([*map(_nfc, ids)], with_vectors=with_vectors)
        given = {_nfc(one): one for one in ids}
        return [replace(one, id=given[one.id]) for one in found]


def _nfc(text):
    return unicodedata.normalize("NFC", text)


@breaks("test_any_metadata_value_comes_back", "test_types_of_a_key_may_differ")
class DropsNone(MemoryProvider):
    async def _upsert(self, records):
        await super()._upsert(
            [
                replace(one, metadata={k: v for k, v in one.metadata.items() if v is not None})
                for one in records
            ]
        )


@breaks("test_any_metadata_key_comes_back", "test_nasty_fields")
class KeepsItsOwnColumns(MemoryProvider):
    async def _upsert(self, records):
        await super()._upsert(
            [
                replace(one, metadata={k: v for k, v in one.metadata.items() if k != "_distance"})
                for one in records
            ]
        )


@breaks(
    "test_new_metadata_keys_at_any_time",
    "test_any_metadata_key_comes_back",
    "test_any_metadata_value_comes_back",
    "test_index_documents",
)
class SharesColumns(MemoryProvider):
    """All records of a batch get all of its keys, as rows of one table do."""

    async def _upsert(self, records):
        columns = {key: None for one in records for key in one.metadata}
        await super()._upsert([replace(one, metadata=columns | one.metadata) for one in records])


@breaks("test_what_is_returned_is_the_callers")
class SharesMetadata(MemoryProvider):
    async def _get(self, ids, *, with_vectors):
        found = await super()._get(ids, with_vectors=with_vectors)
        return [replace(one, metadata=self._records[one.id].metadata) for one in found]


@breaks("test_large_batches")
class HasABatchLimit(MemoryProvider):
    async def _get(self, ids, *, with_vectors):
        return await super()._get(ids[:40], with_vectors=with_vectors)


@breaks(
    "test_upsert_replaces",
    "test_cancelled_operations",
    "test_compact_changes_nothing",
    "test_count",
    "test_delete_where_deletes_what_scan_finds",
    "test_filters_see_updates",
    "test_index_document_replaces",
    "test_scan_yields_each_record_once",
    "test_search_sees_updates",
    "test_stats",
    "test_tasks_of_every_kind",
    "test_tasks_store_the_same_records",
)
class AppendsInsteadOfReplacing(MemoryProvider):
    """The old row stays beside the new one, under the same id."""

    async def _upsert(self, records):
        for record in records:
            if record.id in self._records:
                old = self._records[record.id]
                self._records[f"{record.id}\0{len(self._records)}"] = old
        await super()._upsert(records)


@breaks(
    "test_public_half_is_inherited",
    "test_bad_records_are_refused",
    "test_bad_vectors_are_refused",
    "test_clear_index",
    "test_common_words_alone_are_searched",
    "test_compact_changes_nothing",
    "test_deleted_text_is_not_found",
    "test_embedded_documents",
    "test_end_of_long_text_is_found",
    "test_event_loops_in_turn",
    "test_given_terms_are_searched",
    "test_just_stored_text_is_found",
    "test_more_words_count_more",
    "test_parts_of_identifiers_are_found",
    "test_queries_have_no_syntax",
    "test_rare_words_count_more",
    "test_refused_calls_do_no_harm",
    "test_tasks_of_every_kind",
    "test_text_filter_before_limit",
    "test_text_hits_carry_the_record",
    "test_text_limit",
    "test_text_scores",
    "test_updated_text_is_searched",
    "test_upsert_takes_any_iterable",
    "test_what_is_returned_is_the_callers",
    "test_what_was_given_is_copied",
    "test_words_are_found",
    "test_words_of_any_script_are_found",
)
class StoresWithoutChecking(MemoryProvider):
    async def upsert(self, records):
        async with self._operation("upsert"):
            ready = {one.id: one for one in records}
            await self._upsert(list(ready.values()))
            return len(ready)


# -- collections ------------------------------------------------------------------------------------


@breaks("test_delete_returns_how_many_existed", "test_empty_collection")
class CountsWhatWasAsked(MemoryProvider):
    async def _delete(self, ids):
        await super()._delete(ids)
        return len(ids)


@breaks("test_deleted_records_are_gone", "test_delete_document")
class KeepsDeletedVectors(MemoryProvider):
    async def _delete(self, ids):
        before = self._rows()
        count = await super()._delete(ids)
        self._matrix = before
        return count


@breaks("test_delete_by_any_id")
class DeletesByPattern(MemoryProvider):
    async def _delete(self, ids):
        found = [one for one in self._records if any(fnmatch.fnmatchcase(one, id_) for id_ in ids)]
        return await super()._delete(found)


@breaks("test_deleted_ids_can_be_used_again")
class BuriesIds(MemoryProvider):
    async def _open(self):
        await super()._open()
        self.tombstones = set()

    async def _delete(self, ids):
        count = await super()._delete(ids)
        self.tombstones.update(ids)
        return count

    async def _get(self, ids, *, with_vectors):
        alive = [one for one in ids if one not in self.tombstones]
        return await super()._get(alive, with_vectors=with_vectors)


@breaks(
    "test_delete_where_deletes_what_scan_finds",
    "test_delete_by_file",
    "test_deleted_text_is_not_found",
)
class DeletesEverything(MemoryProvider):
    async def _delete_where(self, where):
        count = await super()._delete_where(where)
        await self._clear()
        return count


@breaks("test_count", "test_booleans_are_not_numbers")
class CachesCounts(MemoryProvider):
    async def _count(self, where):
        if where is None:
            return await super()._count(where)
        cache = self.__dict__.setdefault("counts", {})
        return cache.setdefault(where, await super()._count(where))


@breaks(
    "test_scan_yields_each_record_once",
    "test_scan_in_batches",
    "test_scan_of_what_matches",
    "test_tasks_store_different_records",
)
class LosesTheLastPage(MemoryProvider):
    async def _scan(self, where, *, with_vectors, batch_size):
        page = min(batch_size, 100)
        async for batch in super()._scan(where, with_vectors=with_vectors, batch_size=page):
            if len(batch) == page or len(self._records) < page:
                yield batch


@breaks("test_scan_in_batches", "test_scan_beside_writers", "test_scan_of_what_matches")
class RepeatsAtPageBorders(MemoryProvider):
    async def _scan(self, where, *, with_vectors, batch_size):
        last = []
        async for batch in super()._scan(where, with_vectors=with_vectors, batch_size=batch_size):
            yield [*last, *batch]
            last = batch[-1:]


@breaks("test_scan_of_what_matches", "test_scan_in_batches", "test_scan_may_be_abandoned")
class ScansInOneBatch(MemoryProvider):
    async def _scan(self, where, *, with_vectors, batch_size):
        everything = []
        async for batch in super()._scan(where, with_vectors=with_vectors, batch_size=batch_size):
            everything.extend(batch)
        yield everything


@breaks("test_scan_may_be_abandoned", "test_scan_beside_writers")
class LocksWhileScanning(MemoryProvider):
    scanning = False

    async def _scan(self, where, *, with_vectors, batch_size):
        self.scanning = True
        async for batch in super()._scan(where, with_vectors=with_vectors, batch_size=batch_size):
            yield batch
        self.scanning = False

    async def _upsert(self, records):
        if self.scanning:
            msg = "database is locked"
            raise RuntimeError(msg)
        await super()._upsert(records)


@breaks("test_clear_index", "test_text_search_filters_like_scan")
class KeepsTheWordsOnClearing(MemoryProvider):
    async def _clear(self):
        self._records.clear()
        self._changed()


@breaks("test_secrets_are_not_shown")
class TellsEverything(MemoryProvider):
    async def _details(self):
        return {**self.config.model_dump(), "key": self.config.api_key}


@breaks("test_compact_changes_nothing")
class CompactsTooMuch(MemoryProvider):
    async def _compact(self):
        await self._delete(list(self._records)[-1:])
