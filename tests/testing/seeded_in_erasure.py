"""Persistent stores with one bug each in what a purge removes, and what it leaves."""

import asyncio
from functools import partial

from journal_store import JournalProvider
from seeding import seeded

BUGS: dict[str, tuple[str, ...]] = {}
breaks = partial(seeded, BUGS, globals())


@breaks("test_purged_bytes_are_gone", "test_purged_space_is_free")
class OnlyCompacts(JournalProvider):
    """Deleting and replacing leave the lines of before."""

    async def _purge(self):
        await self._compact()


@breaks("test_purged_space_is_free")
class KeepsACopyInAnotherForm(JournalProvider):
    """What was purged is there in a form that a search for its bytes does not find."""

    async def _purge(self):
        kept = self.path.read_bytes().translate(bytes(reversed(range(256))))
        await super()._purge()
        self.path.with_name("old.bin").write_bytes(kept)


@breaks("test_purged_bytes_are_gone")
class KeepsTheLastDeleted(JournalProvider):
    """A note of what was deleted stays beside the data."""

    async def _delete(self, ids):
        with self.path.with_name("deleted.txt").open("a", encoding="utf-8") as file:
            file.writelines(f"{one.text}\n" for one in self._records.values() if one.id in ids)
            file.truncate(4096)
        return await super()._delete(ids)


@breaks("test_purge_keeps_the_rest")
class LosesMetadata(JournalProvider):
    async def _purge(self):
        for one in [*self._records.values()]:
            one.metadata.pop("even", None)
        await super()._purge()


@breaks("test_purge_is_no_end")
class CannotPurgeNothing(JournalProvider):
    async def _purge(self):
        if not self._records:
            raise ValueError
        await super()._purge()


@breaks("test_purge_loses_no_write")
class WritesWhatItReadBefore(JournalProvider):
    """Reading and writing anew are two steps, with other writers in between."""

    async def _purge(self):
        rest = {**self._records}
        await asyncio.sleep(0.05)
        with self.lock:
            await self.catch_up()
            self._records = rest
            for one in rest.values():
                self._terms.put(one.id, (one.terms or "").split())
            self._changed()
            kept, self.position = self.catch_up, len(self.path.read_bytes())

            async def skip():
                return

            self.catch_up = skip
            try:
                await super()._purge()
            finally:
                self.catch_up = kept
            await self.catch_up()


@breaks("test_purge_disturbs_no_reader", "test_purge_loses_no_write")
class IsEmptyMeanwhile(JournalProvider):
    """A reader finds nothing until everything is written again."""

    async def _purge(self):
        with self.lock:
            await self.catch_up()
            rest = [*self._records.values()]
            await self.write({"clear": True})
            await asyncio.sleep(0.2)
            await self._upsert(rest)
            self._records = {one.id: one for one in rest}
            await super()._purge()


@breaks("test_purge_disturbs_no_reader")
class ReadersFailOnceItIsReplaced(JournalProvider):
    """Whoever opened the file before takes another one for damaged."""

    async def catch_up(self):
        before, read = self.birth, self.position
        await super().catch_up()
        if before == b"" and read and self.birth != before:
            self.birth = before
            msg = "the file is another one"
            raise RuntimeError(msg)

    async def _purge(self):
        self.birth = b"our own"
        await super()._purge()
