"""Promises on data that must not be opened: refused with a clear error, and left as it was."""

from __future__ import annotations

import json
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

import pytest

from victor_memory.embedders.base import EmbedderInfo
from victor_memory.embedders.hashing import HashingEmbedder
from victor_memory.errors import (
    CorruptStoreError,
    DimensionMismatchError,
    EmbedderMismatchError,
    ProviderUnavailableError,
    StoreMismatchError,
    VictorMemoryError,
)
from victor_memory.providers._lifecycle import MANIFEST_NAME
from victor_memory.testing._data import ids, record, records, unit
from victor_memory.testing._harness import Harness, Promises, promise

DAMAGED: Final = (
    b"",
    b"{",
    b"null",
    b"[]",
    b"{}",
    b'{"schema_version": "x"}',
    b"\xff\xfe\x00\x00",
    b"\0" * 400,
)


class OtherEmbedder(HashingEmbedder):
    """Makes vectors of the same dimension, which nevertheless mean something else."""

    def _load_model(self) -> EmbedderInfo:
        info = super()._load_model()
        return EmbedderInfo(info.type, "another-model", info.dimension, info.digest)


class ErrorPromises(Promises):
    """What is refused, and what is kept."""

    # -- another model or metric ------------------------------------------------------------------

    @promise("persistent")
    async def test_another_dimension_is_refused(self, harness: Harness) -> None:
        """Data embedded with another dimension is an `EmbedderMismatchError`, and is kept."""
        await self._refused(harness, EmbedderMismatchError, embedding_model_name="hashing-64")

    @promise("persistent")
    async def test_another_model_is_refused(self, harness: Harness) -> None:
        """Data embedded by another model of the same dimension is an `EmbedderMismatchError`."""
        await self._refused(
            harness, EmbedderMismatchError, embedder=OtherEmbedder(harness.config())
        )

    @promise("persistent")
    async def test_another_metric_is_refused(self, harness: Harness) -> None:
        """Data written under another metric is a `StoreMismatchError`, and is kept."""
        await self._refused(harness, StoreMismatchError, distance_metric="dot")

    @promise("persistent")
    async def test_recreate_ends_a_mismatch(self, harness: Harness) -> None:
        """`recreate` replaces data of another model by an empty collection that works."""
        await _fill(harness)
        provider = harness.make(embedding_model_name="hashing-48")
        await provider.recreate()
        assert await provider.count() == 0
        await provider.index_document("new", "text")
        await provider.close()
        again = harness.make(embedding_model_name="hashing-48")
        assert [one.content for one in await again.search_similar("text")] == ["text"]

    # -- another program's data -------------------------------------------------------------------

    @promise("files")
    async def test_another_stores_data_is_refused(self, harness: Harness) -> None:
        """A manifest of another store, or of a newer version, is a `StoreMismatchError`."""
        manifest = await _fill(harness)
        original = manifest.read_bytes()
        for change in ({"provider": "another-store"}, {"schema_version": 10_000}):
            manifest.write_text(json.dumps({**json.loads(original), **change}), encoding="utf-8")
            with pytest.raises(StoreMismatchError) as caught:
                await harness.make().initialize()
            _is_readable(caught.value)
        manifest.write_bytes(original)
        await _is_untouched(harness)

    @promise("files")
    async def test_damaged_manifest_is_refused(self, harness: Harness) -> None:
        """A manifest that cannot be read is a `CorruptStoreError`, never an empty memory."""
        manifest = await _fill(harness)
        original = manifest.read_bytes()
        for damaged in DAMAGED:
            manifest.write_bytes(damaged)
            with pytest.raises(CorruptStoreError) as caught:
                await harness.make().count()
            _is_readable(caught.value)
            assert manifest.read_bytes() == damaged
        manifest.write_bytes(original)
        await _is_untouched(harness)

    @promise("files")
    async def test_missing_manifest_is_refused(self, harness: Harness) -> None:
        """Data whose manifest is gone is a `StoreMismatchError`, and is kept."""
        manifest = await _fill(harness)
        original = manifest.read_bytes()
        manifest.unlink()
        with pytest.raises(StoreMismatchError):
            await harness.make().count()
        manifest.write_bytes(original)
        await _is_untouched(harness)

    @promise("files")
    async def test_foreign_files_are_kept(self, harness: Harness) -> None:
        """A directory with somebody else's files is a `StoreMismatchError`, and they are kept."""
        directory = harness.make().directory
        directory.mkdir(parents=True)
        theirs = directory / "thesis.txt"
        theirs.write_text("ten years of work", encoding="utf-8")
        for use in ("initialize", "count", "recreate", "clear_index", "drop"):
            with pytest.raises(StoreMismatchError) as caught:
                await getattr(harness.make(), use)()
            _is_readable(caught.value)
        assert [path.name for path in directory.iterdir()] == ["thesis.txt"]
        assert theirs.read_text(encoding="utf-8") == "ten years of work"

    # -- a place that cannot be used --------------------------------------------------------------

    @promise("files")
    async def test_place_under_a_file(self, harness: Harness, tmp_path: Path) -> None:
        """A directory that cannot be created is a `ProviderUnavailableError`."""
        file = tmp_path / "file"
        file.write_text("not a directory", encoding="utf-8")
        for place in (file, file / "below"):
            provider = harness.make(persist_directory=place)
            with pytest.raises(ProviderUnavailableError) as caught:
                await provider.upsert([record("a")])
            _is_readable(caught.value)
        assert file.read_text(encoding="utf-8") == "not a directory"

    @promise("files")
    @pytest.mark.skipif(sys.platform != "linux", reason="takes rights from root, as Linux does")
    async def test_read_only_directory(self, harness: Harness) -> None:
        """A directory that may not be written to is a `ProviderUnavailableError`."""
        harness.directory.mkdir()
        harness.directory.chmod(0o555)
        worker = harness.start(unprivileged=True)
        answer = await worker.ask("attempt", request="upsert", texts={"a": "text"})
        assert _refusal(answer) == "ProviderUnavailableError", answer
        assert list(harness.directory.iterdir()) == []
        harness.directory.chmod(0o755)
        assert await worker.ask("upsert", texts={"a": "text"}) == 1

    @promise("files")
    @pytest.mark.skipif(sys.platform != "linux", reason="takes rights from root, as Linux does")
    async def test_read_only_data(self, harness: Harness) -> None:
        """Data that may only be read is read or refused; writing is an error; all of it is kept."""
        await _fill(harness)
        places = [harness.directory, *harness.directory.rglob("*")]
        modes = {place: place.stat().st_mode for place in places}
        try:
            for place, mode in modes.items():
                place.chmod(mode & 0o555)
            reader = harness.start(unprivileged=True)
            found = await reader.ask("attempt", request="dump")
            assert _refusal(found) or sorted(found) == ids(records(10)), found
            writer = harness.start(unprivileged=True)
            refused = await writer.ask("attempt", request="upsert", texts={"a": "text"})
            assert _refusal(refused) == "ProviderUnavailableError", refused
        finally:
            for place, mode in modes.items():
                place.chmod(mode)
        reader.kill()
        writer.kill()
        await _is_untouched(harness)

    @promise("files")
    async def test_failed_opening_can_be_repeated(self, harness: Harness, tmp_path: Path) -> None:
        """A provider that could not be opened works once the reason is gone."""
        file = tmp_path / "place"
        file.write_text("in the way", encoding="utf-8")
        provider = harness.make(persist_directory=file)
        with pytest.raises(ProviderUnavailableError):
            await provider.initialize()
        file.unlink()
        await provider.upsert([record("a")])
        assert await provider.count() == 1

    # -- errors in general ------------------------------------------------------------------------

    @promise()
    async def test_refused_calls_do_no_harm(self, harness: Harness) -> None:
        """After every kind of refused call the provider works and holds what it held."""
        provider = harness.make()
        await provider.upsert(records(5))
        calls: tuple[Callable[[], Awaitable[object]], ...] = (
            lambda: provider.search([1.0]),
            lambda: provider.search(unit(1), limit=0),
            lambda: provider.search(unit(1), where={"a": None}),
            lambda: provider.search_text(""),
            lambda: provider.get([""]),
            lambda: provider.delete([""]),
            lambda: provider.delete_where({}),
            lambda: provider.index_documents([{}]),
            lambda: provider.upsert([record("new"), record("")]),
        )
        for call in calls:
            with pytest.raises(VictorMemoryError) as caught:
                await call()
            _is_readable(caught.value)
        assert sorted(ids(await provider.search(unit(1), limit=10))) == ids(records(5))
        assert await provider.get(["new"]) == []

    async def _refused(
        self, harness: Harness, error: type[VictorMemoryError], **changes: Any
    ) -> None:
        """Check that a differing configuration is refused by every operation, and nothing lost."""
        await _fill(harness)
        for use in ("initialize", "count", "clear_index", "drop"):
            with pytest.raises(error) as caught:
                await getattr(harness.make(**changes), use)()
            _is_readable(caught.value)
        with pytest.raises((error, DimensionMismatchError)):
            await harness.make(**changes).upsert([record("new")])
        await _is_untouched(harness)


async def _fill(harness: Harness) -> Path:
    """Store a few records, close, and return where the manifest of a store with files is."""
    provider = harness.make()
    await provider.upsert(records(10))
    await provider.close()
    return harness.directory / harness.collection / MANIFEST_NAME


async def _is_untouched(harness: Harness) -> None:
    """Check that what `_fill` stored is all there."""
    provider = harness.make()
    found = {one.id: one.text async for batch in provider.scan() for one in batch}
    assert found == {one.id: one.text for one in records(10)}
    assert ids(await provider.search(unit("r00003"), limit=1)) == ["r00003"]


def _refusal(answer: Any) -> str | None:
    """Return the class of the error that a request to another process ended in."""
    return answer.get("error") if isinstance(answer, dict) else None


def _is_readable(error: VictorMemoryError) -> None:
    """Check that the message is a line that a person can act on."""
    message = str(error)
    assert len(message) > 30, message  # noqa: PLR2004 - more than a code or a class name
    assert "Traceback" not in message
