"""`lancedb`: the default store. Files in a directory, shared by any number of processes.

How LanceDB is used here, and why:

* ids are Lance's unenforced primary key, so that concurrent upserts of a new id leave one row;
  writers of one machine also take turns on a lock file, which avoids Lance's retries;
* every read looks for other processes' commits first;
* writes that arrive together are one commit, because each commit is a new version of the table;
* what was deleted leaves the files when a purge writes the rest anew: readers then read again;
* small fragments are merged and old versions pruned every few commits, never versions young enough
  for another process to be reading them;
* vectors are compared exactly until there are many, then through a quantised IVF index whose
  candidates are ranked again by their full vectors.
"""

from __future__ import annotations

import asyncio
import errno
import json
import random
import shutil
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar, Final

import pyarrow as pa
from filelock import FileLock, Timeout
from pydantic import Field

from victor_memory._logging import get_logger
from victor_memory.errors import (
    CorruptStoreError,
    ProviderUnavailableError,
    StoreMismatchError,
)
from victor_memory.providers import _lance_client as client
from victor_memory.providers._group_commit import GroupCommit
from victor_memory.providers._lance_filters import to_sql
from victor_memory.providers._lance_purging import again, age_of_newest, scan_again, survivors
from victor_memory.providers._lance_rows import (
    HIT_COLUMNS,
    fetch,
    record_columns,
    schema_of,
    to_hits,
    to_records,
    to_rows,
)
from victor_memory.providers._scores import from_distance
from victor_memory.providers.base import BaseEmbeddingProvider, ProviderOptions
from victor_memory.types import Hit, Record, Traits

if TYPE_CHECKING:
    from victor_memory.filters import Filter
    from victor_memory.types import Vector

log = get_logger(__name__)
TABLE: Final = "records"
_NOW: Final = timedelta(milliseconds=1)
IDS_PER_STATEMENT: Final = 1000
REFINE: Final = 10
"""Candidates read per result from the quantised index, to be ranked by their full vectors."""
REINDEX_GROWTH: Final = 4
"""The vector index is trained anew when the table has grown this many times since."""
_DISTANCE: Final[dict[str, Any]] = {"cosine": "cosine", "euclidean": "l2", "dot": "dot"}


class LanceDBOptions(ProviderOptions):
    """Options of the LanceDB store."""

    index_threshold: int = Field(
        50_000, ge=256, description="Records from which a vector index is built; fewer are exact."
    )
    compact_every: int = Field(
        32, ge=1, description="Small fragments after which they are merged and versions pruned."
    )
    retention_seconds: int = Field(
        120, ge=10, description="Age at which an old version may be pruned, in seconds."
    )
    max_versions: int = Field(
        128, ge=16, description="Versions beyond which younger ones are pruned too."
    )
    lock_timeout: float = Field(
        60.0, gt=0, description="Seconds to wait for this machine's other writers."
    )


class LanceDBProvider(BaseEmbeddingProvider):
    """One Lance table in `directory`, with a full-text index over the terms."""

    name: ClassVar[str] = "lancedb"
    title: ClassVar[str] = "LanceDB"
    traits: ClassVar[Traits] = Traits(
        persistent=True, multi_process=True, full_text=True, exact=False, transactional=True
    )
    options_model: ClassVar[type[ProviderOptions]] = LanceDBOptions
    options: LanceDBOptions

    # -- life cycle -------------------------------------------------------------------------------

    async def _open(self) -> None:
        await asyncio.to_thread(client.load)
        self._db = await client.lancedb.connect_async(
            str(self.directory), read_consistency_interval=timedelta(0)
        )
        self._schema = schema_of(self.dimension)
        self._writes: GroupCommit[Record] = GroupCommit(self._commit)
        self._commits = 0
        if not self._has_table():
            async with self._writing():
                if not self._has_table():
                    await self._create_table()
        try:
            self._table = await self._db.open_table(TABLE)
            found = await self._table.schema()
        except (ValueError, RuntimeError) as exc:
            msg = (
                f"The LanceDB table in {self.directory} cannot be read: {exc}. Restore it from a "
                "backup; a codebase index can be built again with: victor-memory index --rebuild"
            )
            raise CorruptStoreError(msg) from exc
        if not set(self._schema.names) <= set(found.names):
            msg = (
                f"The LanceDB table in {self.directory} has the columns {found.names}, which this "
                "package did not write. Choose another VICTOR_EMBEDDINGS_DIR."
            )
            raise StoreMismatchError(msg)
        if not await self._indexed("terms"):
            async with self._writing():
                if not await self._indexed("terms"):
                    await self._index_terms()

    async def _indexed(self, column: str) -> bool:
        # By column, never by name: an index has whatever name its creator gave it.
        return any(one.columns == [column] for one in await self._table.list_indices())

    def _has_table(self) -> bool:
        # A table is there once its first version is; the directory alone may be a killed creation.
        return any((self.directory / f"{TABLE}.lance" / "_versions").glob("*.manifest"))

    async def _create_table(self) -> None:
        leftover = self.directory / f"{TABLE}.lance"
        if leftover.exists():
            await asyncio.to_thread(shutil.rmtree, leftover)
        (await self._db.create_table(TABLE, schema=self._schema)).close()

    async def _index_terms(self) -> None:
        # The terms are analysed already: Lance must only split them at spaces.
        words = client.FTS(
            base_tokenizer="whitespace",
            lower_case=False,
            stem=False,
            remove_stop_words=False,
            ascii_folding=False,
            max_token_length=None,
        )
        await self._table.create_index("terms", config=words)

    async def _close(self) -> None:
        await self._writes.finish()
        if self._commits:
            await self._tend()
        self._table.close()
        self._db.close()

    # -- writing ----------------------------------------------------------------------------------

    async def _upsert(self, records: list[Record]) -> None:
        await self._writes.submit(records)

    async def _commit(self, records: list[Record]) -> None:
        rows = to_rows(list({one.id: one for one in records}.values()), self._schema)
        async with self._writing():
            merge = self._table.merge_insert("id").when_matched_update_all()
            await merge.when_not_matched_insert_all().execute(rows)
            await self._committed()

    async def _delete(self, ids: list[str]) -> int:
        deleted = 0
        async with self._writing():
            for start in range(0, len(ids), IDS_PER_STATEMENT):
                some = client.col("id").isin(ids[start : start + IDS_PER_STATEMENT])
                deleted += (await self._table.delete(some)).num_deleted_rows
            await self._committed()
        return deleted

    async def _delete_where(self, where: Filter) -> int:
        async with self._writing():
            deleted = (await self._table.delete(to_sql(where))).num_deleted_rows
            await self._committed()
        return int(deleted)

    async def _clear(self) -> None:
        async with self._writing():
            await self._table.delete("true")
            await self._optimize()

    @asynccontextmanager
    async def _writing(self, *, alone: bool = False) -> AsyncIterator[None]:
        """Take this machine's turn to write. Mostly only speed depends on it, so waiting ends.

        *alone*, it never writes without the lock, and no one else does meanwhile.
        """
        lock, purging = (
            FileLock(self.directory / name, thread_local=False)
            for name in (".writer.lock", ".purging.lock")
        )
        deadline = asyncio.get_running_loop().time() + self.options.lock_timeout
        try:
            while not lock.is_locked:
                # Never blocking, so that a cancelled task cannot leave the lock taken in a thread.
                with suppress(Timeout):
                    lock.acquire(timeout=0)
                    break
                late = asyncio.get_running_loop().time() > deadline
                if late and alone:
                    msg = (
                        f"{self._place} was written to for {self.options.lock_timeout:.0f} s. Try "
                        "again later."
                    )
                    raise ProviderUnavailableError(msg)
                if late and not _is_held(purging):
                    log.warning("writer_lock_busy", provider=self.name, collection=self.collection)
                    break
                await asyncio.sleep(random.uniform(0.002, 0.02))  # noqa: S311 - spreads the waiters
            if alone:
                purging.acquire(timeout=0)
            yield
        except RuntimeError as exc:
            if "No space left on device" in str(exc):
                raise OSError(errno.ENOSPC, str(exc)) from exc
            raise
        finally:
            purging.release()
            lock.release()

    # -- housekeeping -----------------------------------------------------------------------------

    async def _compact(self) -> None:
        async with self._writing():
            await self._optimize()

    async def _purge(self) -> None:
        # Merging fragments leaves those alone in which little was deleted, and an index the words
        # of what it was built on: only what is written anew is surely without them.
        async with self._writing(alone=True):
            before = await self._table.version()
            schema, place = self._schema, {"mode": "overwrite"}
            if await self._table.count_rows():
                rows = await survivors(self._table)
                table = await self._db.create_table(TABLE, rows, **place)
            else:
                table = await self._db.create_table(TABLE, schema=schema, **place)
            after = await table.version()
            table.close()
            if after != before + 1:
                # Another machine, which the lock does not reach, wrote what would be lost.
                await self._table.checkout(after - 1)
                await self._table.restore()
                msg = f"{self._place} was written to by another machine. Try again later."
                raise ProviderUnavailableError(msg)
            await self._index_terms()
            await self._index_vectors()
            await self._table.optimize(cleanup_older_than=_NOW, delete_unverified=True)

    async def _committed(self) -> None:
        """Count a commit, and tidy up when there have been many. Called while writing."""
        self._commits += 1
        if self._commits % self.options.compact_every == 0:
            try:
                await self._optimize()
            except Exception as exc:  # noqa: BLE001 - the write itself is done and must not fail
                log.warning("compaction_failed", provider=self.name, error=str(exc))

    async def _tend(self) -> None:
        """Tidy up on leaving if the table needs it, whoever's commits made it so."""
        fragments = (await self._table.stats())["fragment_stats"]["num_small_fragments"]
        if fragments > self.options.compact_every:
            await self._compact()

    async def _optimize(self) -> None:
        """Merge fragments, prune versions, bring the indexes up to date. Called while writing."""
        try:
            # A reader of a version that is pruned reads again, as after a purge.
            age = await age_of_newest(self._table, self.options.max_versions)
            kept = min(age, timedelta(seconds=self.options.retention_seconds))
            await self._table.optimize(cleanup_older_than=kept)
            await self._index_vectors()
        except RuntimeError as exc:
            # A writer on another machine came first: the next run does what this one could not.
            if "conflict" not in str(exc).lower():
                raise
            log.info("compaction_postponed", provider=self.name, collection=self.collection)

    async def _index_vectors(self) -> None:
        """Build the vector index when there are many records, anew when they have multiplied."""
        rows = await self._table.count_rows()
        if rows < self.options.index_threshold:
            return
        trained = await self._rows_at_training()
        if trained and rows < trained * REINDEX_GROWTH:
            return
        config = client.IvfSq(distance_type=_DISTANCE[self.metric])
        await self._table.create_index("vector", config=config)
        path = self.directory / "vector_index.json"
        path.write_text(json.dumps({"rows_at_training": rows}), encoding="utf-8")
        log.info("vector_index_built", provider=self.name, records=rows)

    async def _rows_at_training(self) -> int | None:
        """Return how many records the vector index was trained on; `None` if there is none."""
        if not await self._indexed("vector"):
            return None
        try:
            packed = (self.directory / "vector_index.json").read_text(encoding="utf-8")
            return int(json.loads(packed)["rows_at_training"])
        except (OSError, ValueError, KeyError):
            return int(await self._table.count_rows())

    @again
    async def _generation(self) -> str | None:
        return str(await self._table.version())

    @again
    async def _details(self) -> Mapping[str, Any]:
        indexes = {one.columns[0]: one for one in await self._table.list_indices()}
        vector = indexes.get("vector")
        return {
            "versions": len(await self._table.list_versions()),
            "fragments": (await self._table.stats())["fragment_stats"]["num_fragments"],
            "vector_index": vector.index_type if vector else "exact",
            "unindexed_terms": indexes["terms"].num_unindexed_rows if "terms" in indexes else None,
        }

    # -- reading ----------------------------------------------------------------------------------

    @again
    async def _search(self, vector: Vector, limit: int, where: Filter | None) -> list[Hit]:
        nearest = self._table.query().nearest_to(vector).limit(limit)
        # Without an index the refine step has nothing to do and costs nothing. It is always asked
        # for, because another process may have built an index since.
        nearest = nearest.distance_type(_DISTANCE[self.metric]).refine_factor(REFINE)
        rows = await fetch(nearest, where, [*HIT_COLUMNS, "_distance"])
        distances = (
            max(0.0, one) ** 0.5 if self.metric == "euclidean" else one for one in rows["_distance"]
        )
        return to_hits(rows, [from_distance(one, self.metric) for one in distances])

    @again
    async def _search_terms(
        self, terms: Sequence[str], limit: int, where: Filter | None
    ) -> list[Hit]:
        match = self._table.query().nearest_to_text(client.MatchQuery(" ".join(terms), "terms"))
        rows = await fetch(match.limit(limit), where, [*HIT_COLUMNS, "_score"])
        return to_hits(rows, rows["_score"])

    @again
    async def _get(self, ids: list[str], *, with_vectors: bool) -> list[Record]:
        found: list[Record] = []
        for start in range(0, len(ids), IDS_PER_STATEMENT):
            some = client.col("id").isin(ids[start : start + IDS_PER_STATEMENT])
            query = (
                self._table.query().where(some).select(record_columns(with_vectors=with_vectors))
            )
            found += to_records(await query.to_arrow())
        return found

    @again
    async def _count(self, where: Filter | None) -> int:
        return int(await self._table.count_rows(None if where is None else to_sql(where)))

    async def _scan(
        self, where: Filter | None, *, with_vectors: bool, batch_size: int
    ) -> AsyncIterator[list[Record]]:
        async def scan() -> AsyncIterator[list[Record]]:
            query = self._table.query().select(record_columns(with_vectors=with_vectors))
            if where is not None:
                query = query.where(to_sql(where))
            async for batch in await query.to_batches(max_batch_length=batch_size):
                if batch.num_rows:
                    yield to_records(pa.Table.from_batches([batch]))

        async for batch in scan_again(scan):
            yield batch


def _is_held(lock: FileLock) -> bool:
    """Whether another program has *lock*."""
    try:
        with lock.acquire(timeout=0):
            return False
    except Timeout:
        return True
