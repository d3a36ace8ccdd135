"""`sqlite`: one SQLite file, shared by any number of processes. The smallest footprint.

How SQLite is used for vectors here, and why (figures: `benchmarks/stores_compared.py`):

* the extension sqlite-vec compares vectors where they are stored, with the filter in the same
  statement; where it cannot be loaded, numpy compares the vectors of the rows that match;
* a process that searches again keeps the vectors in memory, up to `cache_mb`, where numpy compares
  all of them many times faster than any statement reads them. What it finds is checked against the
  file, in the transaction in which the file was asked for what is new, so it is never stale;
* all of that is exact: the ways differ in speed only.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Final

import apsw  # type: ignore[import-not-found, unused-ignore]  # an extra, not always installed
from pydantic import Field

from victor_memory._logging import get_logger
from victor_memory.providers._sqlite_provider import SQLiteBackedOptions, SQLiteBackedProvider
from victor_memory.providers._sqlite_records import Scored
from victor_memory.providers._vector_cache import VectorCache
from victor_memory.providers.base import ProviderOptions
from victor_memory.types import Hit, Traits

if TYPE_CHECKING:
    from victor_memory.filters import Filter
    from victor_memory.types import Vector

log = get_logger(__name__)
EXTRA: Final = 32
"""Candidates read beyond the limit, in place of those that are gone."""
FILTERED: Final = 8
"""Candidates read per result where a filter will drop some."""


class SQLiteOptions(SQLiteBackedOptions):
    """Options of the SQLite store."""

    cache_mb: int = Field(
        256, ge=0, description="Megabytes of vectors a process may keep in memory; 0 keeps none."
    )
    extension: bool = Field(
        True,  # noqa: FBT003 - pydantic's way
        description="Whether to load sqlite-vec; without it numpy compares vectors.",
    )


class SQLiteProvider(SQLiteBackedProvider):
    """Records, vectors, words and filters in one SQLite file in `directory`."""

    name: ClassVar[str] = "sqlite"
    title: ClassVar[str] = "SQLite"
    traits: ClassVar[Traits] = Traits(
        persistent=True, multi_process=True, full_text=True, exact=True, transactional=True
    )
    options_model: ClassVar[type[ProviderOptions]] = SQLiteOptions
    options: SQLiteOptions

    async def _open(self) -> None:
        capacity = self.options.cache_mb * 2**20 // (4 * self.dimension)
        self._cache = VectorCache(self.dimension, self.metric, capacity)
        self._library = _vector_library() if self.options.extension else None
        await super()._open()

    def _extension(self) -> str | None:
        return self._library

    async def _search(self, vector: Vector, limit: int, where: Filter | None) -> list[Hit]:
        return await self._read(lambda: self._nearest(vector, limit, where))

    def _nearest(self, vector: Vector, limit: int, where: Filter | None) -> list[Hit]:
        with self._reading.reading():
            found = None
            if self._cache.refresh(self._reading):
                found = self._cached(vector, limit, where)
            if found is None:
                found = self._reading.nearest(vector, limit, where, self.metric)
            return self._reading.hits(found)

    def _cached(self, vector: Vector, limit: int, where: Filter | None) -> Scored | None:
        """Return the nearest by the cache, or `None` where too many candidates fail the filter."""
        wanted = limit + EXTRA if where is None else limit * FILTERED + EXTRA
        while True:
            keys = self._cache.nearest(vector, wanted)
            found, there = self._reading.rank(keys, vector, where, self.metric)
            if len(found) >= limit or wanted >= len(self._cache):
                return found
            if len(there) == len(keys):
                return None
            # Some were gone: without them the next candidates come within reach.
            self._cache.discard(set(keys) - there)

    async def _details(self) -> Mapping[str, Any]:
        engine = {"vector_engine": "sqlite-vec"}
        if not self._reading.native:
            engine = {"vector_engine": "numpy", "note": "sqlite-vec is not loaded: it is slower"}
        return {
            **engine,
            "vectors_in_memory": len(self._cache),
            "sqlite_version": apsw.sqlite_lib_version(),
        }


def _vector_library() -> str | None:
    """Return where the library of sqlite-vec is, if it can be loaded here."""
    connection = apsw.Connection(":memory:")
    try:
        import sqlite_vec  # type: ignore[import-untyped, import-not-found, unused-ignore]  # an extra, not always installed

        library = str(sqlite_vec.loadable_path())
        connection.enable_load_extension(True)  # noqa: FBT003 - apsw has no names
        connection.load_extension(library)
    except (ImportError, AttributeError, OSError, apsw.Error) as exc:
        # A system, or a build of SQLite, that it does not fit: numpy does the same, only slower.
        log.warning("vector_extension_unavailable", provider="sqlite", reason=str(exc))
        return None
    finally:
        connection.close()
    return library
