"""The store: one DuckDB file, exact vector search in SQL."""

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor

import duckdb
import numpy as np

from victor_memory import BaseEmbeddingProvider, Hit, Record, Traits
from victor_memory.errors import CorruptStoreError

SIMILARITY = {
    "cosine": "array_cosine_similarity(vector, ?::FLOAT[{0}])",
    "dot": "array_inner_product(vector, ?::FLOAT[{0}])",
    "euclidean": "1 / (1 + array_distance(vector, ?::FLOAT[{0}]))",
}
CHOSEN = "id IN (SELECT unnest(?::TEXT[]))"


class DuckDBProvider(BaseEmbeddingProvider):
    """Records in one table of one file, which one process at a time may open."""

    name, title = "duckdb", "DuckDB"
    traits = Traits(persistent=True, multi_process=False, full_text=False, exact=True)

    async def _open(self):
        self._thread = ThreadPoolExecutor(1)  # one connection, one statement at a time
        self._db = await self._run(self._connect)
        await self._sql(
            "CREATE TABLE IF NOT EXISTS records (id TEXT PRIMARY KEY, text TEXT, metadata TEXT,"
            f" terms TEXT, vector FLOAT[{self.dimension}])"
        )

    def _connect(self):
        file = self.directory / "records.duckdb"
        try:
            return duckdb.connect(str(file))
        except duckdb.Error as exc:
            if "not a valid" not in str(exc):  # an OSError becomes "unavailable"
                raise OSError(str(exc)) from exc
            raise CorruptStoreError(f"{file} cannot be read: {exc}. Restore a backup.") from exc

    async def _close(self):
        await self._run(self._db.close)
        self._thread.shutdown()

    async def _run(self, call):
        return await asyncio.get_running_loop().run_in_executor(self._thread, call)

    async def _sql(self, statement, *values):
        """Run one statement; values are always bound, never pasted into it."""
        return await self._run(lambda: self._db.execute(statement, values).fetchall())

    async def _upsert(self, records):
        rows = [(r.id, r.text, json.dumps(r.metadata), r.terms, r.vector.tolist()) for r in records]
        await self._sql(
            "INSERT OR REPLACE INTO records SELECT unnest(?), unnest(?), unnest(?), unnest(?),"
            f" unnest(?::FLOAT[{self.dimension}][])",
            *(list(column) for column in zip(*rows, strict=True)),
        )

    async def _search(self, vector, limit, where):
        condition, values = await self._chosen(where)
        rows = await self._sql(
            f"SELECT id, text, {SIMILARITY[self.metric].format(self.dimension)} AS score, metadata"
            f" FROM records WHERE {condition} ORDER BY score DESC, id LIMIT ?",
            *(vector.tolist(), *values, limit),
        )
        return [Hit(one, text, score, json.loads(packed)) for one, text, score, packed in rows]

    async def _get(self, ids, *, with_vectors):
        return await self._read(CHOSEN, [ids], with_vectors)

    async def _delete(self, ids):
        return len(await self._sql(f"DELETE FROM records WHERE {CHOSEN} RETURNING id", ids))

    async def _delete_where(self, where):
        return await self._delete((await self._chosen(where))[1][0])

    async def _count(self, where):
        condition, values = await self._chosen(where)
        return (await self._sql(f"SELECT count(*) FROM records WHERE {condition}", *values))[0][0]

    async def _scan(self, where, *, with_vectors, batch_size):
        condition, values = await self._chosen(where)
        page = f"{condition} AND id > ? ORDER BY id LIMIT {batch_size}"
        last = ""  # no id is empty: every id comes after this
        while batch := await self._read(page, [*values, last], with_vectors):
            yield batch
            last = batch[-1].id

    async def _clear(self):
        await self._sql("DELETE FROM records")

    async def _purge(self):
        await self._run(self._write_anew)

    def _write_anew(self):
        """Copy what is left into a new file: DuckDB keeps the bytes of deleted rows in the old."""
        fresh = self.directory / "fresh.duckdb"
        fresh.unlink(missing_ok=True)
        self._db.execute("ATTACH '{}' AS fresh".format(str(fresh).replace("'", "''")))
        self._db.execute("COPY FROM DATABASE records TO fresh; DETACH fresh")
        self._db.close()
        fresh.replace(self.directory / "records.duckdb")
        self._db = self._connect()

    async def _chosen(self, where):
        """Return an SQL condition for a filter: its own `matches` decides, record by record."""
        if where is None:
            return "true", []
        rows = await self._sql("SELECT id, metadata FROM records")
        return CHOSEN, [[one for one, packed in rows if where.matches(json.loads(packed))]]

    async def _read(self, condition, values, with_vectors):
        columns = f"id, text, metadata, terms, {'vector' if with_vectors else 'NULL'}"
        rows = await self._sql(f"SELECT {columns} FROM records WHERE {condition}", *values)
        return [
            Record(i, text, None if v is None else np.array(v, np.float32), json.loads(m), terms)
            for i, text, m, terms, v in rows
        ]
