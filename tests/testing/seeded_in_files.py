"""Persistent stores with one bug each, in what is there after closing, killing, moving, sharing."""

import contextlib
import json
from dataclasses import replace
from functools import partial
from pathlib import Path

from journal_store import JournalProvider
from seeding import seeded

from victor_memory.errors import CorruptStoreError
from victor_memory.providers.memory import MemoryProvider

BUGS: dict[str, tuple[str, ...]] = {}
breaks = partial(seeded, BUGS, globals())
ALONE = replace(JournalProvider.traits, multi_process=False)


@breaks(
    "test_many_sessions",
    "test_another_dimension_is_refused",
    "test_another_metric_is_refused",
    "test_another_model_is_refused",
    "test_another_stores_data_is_refused",
    "test_any_directory",
    "test_collections_are_kept_apart",
    "test_damaged_manifest_is_refused",
    "test_deletes_are_kept",
    "test_directory_may_move",
    "test_full_disk_loses_nothing",
    "test_killed_writer_loses_nothing",
    "test_missing_manifest_is_refused",
    "test_newline_in_a_directory",
    "test_next_process_finds_the_data",
    "test_read_only_data",
    "test_recreate_ends_a_mismatch",
    "test_reopened_data_is_as_it_was",
    "test_reopened_data_is_found",
    "test_updates_are_kept",
)
class WritesTheLastEntryLater(JournalProvider):
    """An entry reaches the file with the next one."""

    traits = ALONE
    waiting = b""

    async def write(self, entry):
        await self.replay(entry)
        self.append(self.waiting)
        self.position += len(self.waiting)
        self.waiting = json.dumps(entry).encode() + b"\n"


@breaks("test_killed_writer_loses_nothing", "test_full_disk_loses_nothing", "test_read_only_data")
class WritesWhenClosed(JournalProvider):
    traits = ALONE
    waiting = b""

    async def write(self, entry):
        await self.replay(entry)
        self.waiting += json.dumps(entry).encode() + b"\n"

    async def _close(self):
        self.append(self.waiting)
        await super()._close()


@breaks(
    "test_deletes_are_kept", "test_killed_writer_loses_nothing", "test_next_process_finds_the_data"
)
class ForgetsDeletes(JournalProvider):
    traits = ALONE

    async def _delete(self, ids):
        return await MemoryProvider._delete(self, ids)


@breaks(
    "test_updates_are_kept",
    "test_killed_writer_loses_nothing",
    "test_many_sessions",
    "test_next_process_finds_the_data",
)
class ReplaysFirstVersions(JournalProvider):
    traits = ALONE
    replaying = True

    async def _open(self):
        await super()._open()
        self.replaying = False

    async def replay(self, entry):
        if self.replaying and "upsert" in entry:
            new = [one for one in entry["upsert"] if one["id"] not in self._records]
            entry = {"upsert": new}
        await super().replay(entry)


@breaks("test_clearing_is_kept", "test_collections_are_kept_apart")
class ForgetsClearing(JournalProvider):
    traits = ALONE

    async def _clear(self):
        await MemoryProvider._clear(self)


@breaks(
    "test_reopened_data_is_as_it_was",
    "test_any_id_comes_back",
    "test_any_metadata_key_comes_back",
    "test_any_metadata_value_comes_back",
    "test_any_text_comes_back",
    "test_contains_in_lists",
    "test_contains_in_strings",
    "test_delete_by_any_id",
    "test_delete_by_file",
    "test_long_text_comes_back",
    "test_nasty_fields",
    "test_nasty_values",
    "test_prefix",
    "test_similar_ids_are_different",
    "test_strings_are_ordered",
    "test_text_scores",
    "test_ties_by_id",
    "test_words_of_any_script_are_found",
)
class WritesAscii(JournalProvider):
    async def write(self, entry):
        text = json.dumps(entry, ensure_ascii=False)
        await super().write(json.loads(text.encode("ascii", "replace")))


@breaks(
    "test_reopened_data_is_found",
    "test_any_directory",
    "test_deletes_are_kept",
    "test_directory_may_move",
    "test_killed_writer_loses_nothing",
)
class IndexesWordsWhenWriting(JournalProvider):
    """The words of what was stored in a former life are not indexed."""

    traits = ALONE
    replaying = True

    async def _open(self):
        await super()._open()
        self.replaying = False

    async def replay(self, entry):
        await super().replay(entry)
        if self.replaying:
            self._terms.clear()


@breaks("test_full_disk_loses_nothing")
class IgnoresWriteErrors(JournalProvider):
    def append(self, line):
        with contextlib.suppress(OSError):
            super().append(line)


@breaks("test_full_disk_loses_nothing")
class StumblesOverTornLines(JournalProvider):
    def append(self, line):
        with self.path.open("ab") as file:
            file.write(line)

    async def catch_up(self):
        for line in self.path.read_bytes()[self.position :].splitlines(keepends=True):
            await self.replay(json.loads(line))
            self.position += len(line)


@breaks(
    "test_collections_are_kept_apart",
    "test_any_directory",
    "test_collections_are_separate",
    "test_drop",
    "test_missing_manifest_is_refused",
    "test_recreate",
    "test_recreate_ends_a_mismatch",
)
class HasOneFileForAll(JournalProvider):
    def place(self):
        return self.config.persist_directory


@breaks("test_directory_may_move")
class RemembersItsPath(JournalProvider):
    def place(self):
        note = self.directory / "path"
        self.directory.mkdir(parents=True, exist_ok=True)
        if not note.exists():
            note.write_text(str(self.directory), encoding="utf-8")
        return Path(note.read_text(encoding="utf-8"))


@breaks("test_any_directory")
class QuotesItsPath(JournalProvider):
    def place(self):
        return Path(str(self.directory).replace("%20", " ").replace("'", "''"))


@breaks(
    "test_construction_touches_nothing",
    "test_failed_opening_can_be_repeated",
    "test_place_under_a_file",
)
class MakesItsDirectoryAtOnce(JournalProvider):
    def __init__(self, config, *, embedder=None):
        super().__init__(config, embedder=embedder)
        if config.persist_directory is not None:
            config.persist_directory.mkdir(parents=True, exist_ok=True)


@breaks(
    "test_another_model_is_refused",
    "test_another_dimension_is_refused",
    "test_another_metric_is_refused",
    "test_another_stores_data_is_refused",
    "test_damaged_manifest_is_refused",
    "test_foreign_files_are_kept",
    "test_missing_manifest_is_refused",
)
class OverwritesTheManifest(JournalProvider):
    async def _write_manifest(self, manifest):
        return manifest

    async def _read_manifest(self):
        await super()._read_manifest()

    async def _holds_foreign_data(self):
        return False


@breaks("test_damaged_manifest_is_refused", "test_missing_manifest_is_refused")
class TakesDamageForAbsence(JournalProvider):
    async def _read_manifest(self):
        try:
            return await super()._read_manifest()
        except CorruptStoreError:
            (self.directory / "manifest.json").unlink()
            return None

    async def _holds_foreign_data(self):
        return (
            await super()._holds_foreign_data() and not (self.directory / "journal.jsonl").exists()
        )


@breaks("test_foreign_files_are_kept", "test_missing_manifest_is_refused")
class TakesAnyDirectory(JournalProvider):
    async def _holds_foreign_data(self):
        return False


@breaks(
    "test_drop",
    "test_missing_manifest_is_refused",
    "test_recreate",
    "test_recreate_ends_a_mismatch",
)
class DropsTheManifestOnly(JournalProvider):
    async def _drop(self):
        (self.directory / "manifest.json").unlink(missing_ok=True)

    async def _holds_foreign_data(self):
        return (
            await super()._holds_foreign_data() and not (self.directory / "journal.jsonl").exists()
        )


@breaks("test_read_only_data")
class TakesUnreadableForEmpty(JournalProvider):
    """It opens the file for writing even to read it, and what it cannot open is not there."""

    async def catch_up(self):
        with contextlib.suppress(PermissionError), self.path.open("rb+"):
            await super().catch_up()


@breaks("test_other_processes_are_seen", "test_two_providers_of_one_process")
class NeverLooksAgain(JournalProvider):
    """What others wrote is seen with the next write of its own."""

    looking = False

    async def _open(self):
        self.looking = True
        await super()._open()
        self.looking = False

    async def write(self, entry):
        self.looking = True
        await super().write(entry)
        self.looking = False

    async def catch_up(self):
        if self.looking:
            await super().catch_up()


@breaks("test_processes_store_the_same_records")
class WritesOverOthers(JournalProvider):
    async def write(self, entry):
        self.append(json.dumps(entry).encode() + b"\n")
        await self.catch_up()


@breaks("test_generation_tells_of_other_writers")
class TellsOfItsOwnWritesOnly(JournalProvider):
    async def _generation(self):
        return str(self.position)
