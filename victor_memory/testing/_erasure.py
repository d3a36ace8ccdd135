"""Promises on purging: what was deleted is in no file any more, and nothing else is lost by it."""

# ruff: noqa: PLR2004 - expected numbers are the point of a test

from __future__ import annotations

import asyncio
import random
from pathlib import Path
from typing import Final

import pytest

from victor_memory.errors import ProviderClosedError
from victor_memory.testing._data import as_json, ids, record, records, unit, word
from victor_memory.testing._harness import Harness, Promises, promise
from victor_memory.types import Record

LARGE: Final = 200_000
"""Bytes of a text that no engine can make much smaller."""
ROUNDS: Final = 12


class ErasurePromises(Promises):
    """`purge`, by what is in the files."""

    @promise()
    async def test_purge_keeps_the_rest(self, harness: Harness) -> None:
        """After a purge every other record is there, for every kind of reading, also reopened."""
        provider = harness.make()
        await provider.upsert(records(40))
        await provider.delete(["r00003", "r00020"])
        before = {one.id: as_json(one.metadata) for one in await provider.get(_names(40))}
        await provider.purge()
        for _ in range(2):
            found = await provider.get(_names(40), with_vectors=True)
            assert {one.id: as_json(one.metadata) for one in found} == before
            assert await provider.count({"even": True}) == 19
            assert ids(await provider.search(unit("r00007"), limit=1)) == ["r00007"]
            assert ids(await provider.search_text(word("r00011"))) == ["r00011"]
            assert await provider.search_text(word("r00003")) == []
            if not provider.traits.persistent:
                break
            await provider.close()
            provider = harness.make()

    @promise()
    async def test_purge_is_no_end(self, harness: Harness) -> None:
        """An empty collection may be purged, one twice; it can be written to until it is closed."""
        provider = harness.make()
        await provider.purge()
        await provider.upsert(records(3))
        await provider.purge()
        await provider.purge()
        await provider.upsert([record("r00001", "updated"), record("new")])
        assert await provider.count() == 4
        assert ids(await provider.search_text("updated")) == ["r00001"]
        await provider.close()
        with pytest.raises(ProviderClosedError):
            await provider.purge()

    @promise("files")
    async def test_purged_bytes_are_gone(self, harness: Harness) -> None:
        """No file has the text, words, metadata or vector of what was deleted or replaced."""
        provider = harness.make()
        await provider.upsert(records(60))
        gone = [_marked("deleted"), _marked("matched"), _marked("replaced")]
        await provider.upsert(gone)
        await provider.upsert(records(60, "more"))
        assert _traces(harness.directory, gone), "nothing of a record is found in plain bytes"
        await provider.delete(["deleted"])
        await provider.delete_where({"mark": gone[1].metadata["mark"]})
        await provider.upsert([Record("replaced", "something else", unit("another"))])
        await provider.purge()
        assert _traces(harness.directory, gone) == []
        await provider.close()
        assert _traces(harness.directory, gone) == []

    @promise("files")
    async def test_purged_space_is_free(self, harness: Harness) -> None:
        """The files are no larger than before what is purged, in whatever form they had it."""
        provider = harness.make()
        await provider.upsert(records(20))
        await provider.purge()
        small = _size(harness.directory)
        noise = random.Random(7)  # noqa: S311 - reproducible, not secret
        for n in range(5):
            text = "".join(chr(noise.randrange(0x4E00, 0x9000)) for _ in range(LARGE // 4))
            await provider.upsert([Record(f"big{n}", text, unit(n), terms="big")])
        assert _size(harness.directory) > small + LARGE
        await provider.delete([f"big{n}" for n in range(5)])
        await provider.purge()
        assert _size(harness.directory) < small + LARGE

    @promise()
    async def test_purge_loses_no_write(self, harness: Harness) -> None:
        """What tasks write and delete while the collection is purged is kept."""
        provider = harness.make()
        await provider.upsert(records(30))

        async def write(task: int) -> None:
            for n in range(8):
                await provider.upsert([record(f"w{task}-{n}")])
            await provider.delete([f"r{task:05}"])

        async def purge() -> None:
            for _ in range(3):
                await provider.purge()

        await asyncio.gather(purge(), *(write(task) for task in range(4)))
        found = {one.id async for batch in provider.scan() for one in batch}
        written = {f"w{task}-{n}" for task in range(4) for n in range(8)}
        assert found == written | {f"r{n:05}" for n in range(4, 30)}

    @promise("files", "multi_process")
    async def test_purge_disturbs_no_reader(self, harness: Harness) -> None:
        """Another process that reads meanwhile sees no error, and always what was not deleted."""
        provider = harness.make()
        await provider.upsert([record(f"keep{n}") for n in range(50)])
        worker = harness.start()
        worker.send("read", ids=[f"keep{n}" for n in range(50)])
        assert await worker.answer() == 0
        for n in range(ROUNDS):
            await provider.upsert([record(f"drop{n}"), record(f"other{n}")])
            await provider.delete([f"drop{n}"])
            await provider.purge()
        harness.directory.joinpath("stop").touch()
        rounds = await worker.answer()
        assert rounds > 0
        await worker.finish()


def _names(count: int) -> list[str]:
    return [f"r{n:05}" for n in range(count)]


def _marked(identifier: str) -> Record:
    """Return a record of which each part can be told from all others by its bytes."""
    marks = [f"{word((identifier, part))}{word((part, identifier))}" for part in range(3)]
    return Record(
        identifier, f"text {marks[0]}", unit(identifier), {"mark": marks[1]}, f"text {marks[2]}"
    )


def _traces(directory: Path, gone: list[Record]) -> list[str]:
    """Return which parts of *gone* the bytes of the files below *directory* show."""
    files = [path for path in directory.rglob("*") if path.is_file()]
    contents = [path.read_bytes() for path in files]
    found = []
    for one in gone:
        assert one.vector is not None
        words = (one.text, one.terms or "", str(one.metadata["mark"]))
        # The beginning of a word may be left out where the one before it begins alike.
        parts = [words[n].split()[-1][3:].encode() for n in range(3)]
        for name, part in zip(
            ("text", "terms", "metadata", "vector"),
            [*parts, one.vector[2:12].tobytes()],
            strict=True,
        ):
            if any(part in content for content in contents):
                found.append(f"{name} of {one.id}")
    return found


def _size(directory: Path) -> int:
    return sum(path.stat().st_size for path in directory.rglob("*") if path.is_file())
