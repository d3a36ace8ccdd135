"""Stores with one bug each, in how they are configured, opened, shared and used."""

import asyncio
from functools import partial

from pydantic import ConfigDict
from seeding import seeded

from victor_memory.providers.base import ProviderOptions
from victor_memory.providers.memory import MemoryProvider
from victor_memory.types import Hit, Traits

BUGS: dict[str, tuple[str, ...]] = {}
breaks = partial(seeded, BUGS, globals())


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
        await asyncio.wait_for(self.lock.acquire(), timeout=5)
        await asyncio.sleep(0.02)
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


@breaks("test_generation_changes_with_writes")
class SaysNothingOfDeletes(MemoryProvider):
    async def _delete(self, ids):
        before = self._changes
        deleted = await super()._delete(ids)
        self._changes = before
        return deleted


@breaks("test_generation_stays_without_writes")
class SpeaksOfChangeWhenRead(MemoryProvider):
    async def _search(self, vector, limit, where):
        self._changes += 1
        return await super()._search(vector, limit, where)
