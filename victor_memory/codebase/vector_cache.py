"""Vectors by content: what a model was given once, it need not be given again.

One file serves all branches, worktrees and clones on a machine, and all processes at once. It is
only a cache: whatever is wrong with it is logged once, and the model is asked instead.
"""

from __future__ import annotations

import asyncio
import hashlib
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from victor_memory._logging import get_logger

if TYPE_CHECKING:
    from victor_memory.embedders.base import BaseEmbedder
    from victor_memory.types import Vector, Vectors

log = get_logger(__name__)
NAME: Final = "vectors-1.sqlite3"
"""The number is that of the format."""
MEGABYTE: Final = 1_000_000
KEYS_PER_QUERY: Final = 500
BUSY_SECONDS: Final = 5.0
"""How long another process's write is waited for."""
REST_SECONDS: Final = 60.0
"""How long the cache is left alone after it failed."""
PRUNED_TO: Final = 0.9
"""The share of the bound that is left when the oldest are dropped."""
ROWS_PER_DELETE: Final = 5000
SECONDS_PER_USE: Final = 86_400
"""A use is noted at most once in so many seconds: reading should not mean writing."""
SMALLEST_CALL: Final = 16
SECONDS_PER_CALL: Final = 1.0
"""About how long one call of the model should take, so that a slow one can be interrupted."""

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS vectors (
    id INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE, used INTEGER NOT NULL, vector BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS vectors_by_use ON vectors (used);
"""


def vector_key(fingerprint: str, text: str) -> bytes:
    """Return the key of what the model *fingerprint* makes of *text*."""
    packed = f"{fingerprint}\0{text}".encode("utf-8", "surrogatepass")
    return hashlib.blake2b(packed, digest_size=16).digest()


class VectorCache:
    """Up to *megabytes* of float32 vectors in *file*, the least recently used dropped first.

    Safe for several processes and threads. No method raises for what is wrong with the file: then
    there are no vectors.
    """

    def __init__(self, file: Path, megabytes: int) -> None:
        self._file = file
        self._limit = megabytes * MEGABYTE
        self._turn = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._rests_until = 0.0
        self._told = False

    def get(self, keys: Sequence[bytes], dimension: int) -> dict[bytes, Vector]:
        """Return the vectors, shape `(dimension,)`, of those *keys* that are known."""
        import numpy as np

        found: dict[bytes, Vector] = {}
        with self._guarded():
            db = self._open()
            now, seldom = int(time.time()), list[int]()
            for start in range(0, len(keys), KEYS_PER_QUERY):
                some = keys[start : start + KEYS_PER_QUERY]
                marks = ",".join("?" * len(some))
                asked = f"SELECT id, key, used, vector FROM vectors WHERE key IN ({marks})"  # noqa: S608 - only question marks
                for row, key, used, packed in db.execute(asked, some):
                    if len(packed) == 4 * dimension:
                        found[key] = np.frombuffer(packed, dtype="<f4").astype(np.float32)
                    if now - used >= SECONDS_PER_USE:
                        seldom.append(row)
            if seldom:
                update = "UPDATE vectors SET used = ? WHERE id = ?"
                with db:
                    db.executemany(update, [(now, row) for row in seldom])
        return found

    def put(self, keys: Sequence[bytes], vectors: Vectors) -> None:
        """Keep *vectors*, shape `(len(keys), dimension)`."""
        import numpy as np

        now = int(time.time())
        packed = np.ascontiguousarray(vectors, dtype="<f4")
        rows = [(key, now, one.tobytes()) for key, one in zip(keys, packed, strict=True)]
        with self._guarded():
            db = self._open()
            with db:
                db.executemany(
                    "INSERT INTO vectors (key, used, vector) VALUES (?, ?, ?) "
                    "ON CONFLICT (key) DO UPDATE SET used = excluded.used, "
                    "vector = excluded.vector",
                    rows,
                )
            self._prune(db)

    def close(self) -> None:
        """Close the file; it is opened again when it is needed."""
        with self._turn, suppress(sqlite3.Error):
            if self._connection is not None:
                self._connection.close()
            self._connection = None

    # -- the file ---------------------------------------------------------------------------------

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        """One thread at a time, and what is wrong with the file is kept from the caller."""
        with self._turn:
            try:
                yield
            except (sqlite3.Error, OSError) as exc:
                self._failed(exc)

    def _open(self) -> sqlite3.Connection:
        if time.monotonic() < self._rests_until:
            msg = "the cache failed a moment ago"
            raise sqlite3.OperationalError(msg)
        if self._connection is None:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            # Used by one thread at a time, but not always by the same.
            self._connection = sqlite3.connect(
                self._file, timeout=BUSY_SECONDS, check_same_thread=False
            )
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = NORMAL")
            self._connection.executescript(_SCHEMA)
        return self._connection

    def _prune(self, db: sqlite3.Connection) -> None:
        """Drop the vectors that were not used for longest, if there are too many."""
        if self._bytes(db) <= self._limit:
            return
        while self._bytes(db) > PRUNED_TO * self._limit:
            with db:
                dropped = db.execute(
                    "DELETE FROM vectors WHERE id IN "
                    "(SELECT id FROM vectors ORDER BY used, id LIMIT ?)",
                    (ROWS_PER_DELETE,),
                ).rowcount
            if not dropped:
                break
        log.info("vector_cache_pruned")

    @staticmethod
    def _bytes(db: sqlite3.Connection) -> int:
        """Return the bytes in use; what was freed is used again, so the file grows no further."""
        (pages,) = db.execute("PRAGMA page_count").fetchone()
        (free,) = db.execute("PRAGMA freelist_count").fetchone()
        (size,) = db.execute("PRAGMA page_size").fetchone()
        return int((pages - free) * size)

    def _failed(self, exc: Exception) -> None:
        """Do without the cache for a while; a file that is no database is begun anew."""
        if time.monotonic() < self._rests_until:
            return
        self._rests_until = time.monotonic() + REST_SECONDS
        if not self._told:
            log.warning("vector_cache_unusable", error=str(exc), error_type=type(exc).__name__)
            self._told = True
        if self._connection is not None:
            with suppress(sqlite3.Error):
                self._connection.close()
            self._connection = None
        if isinstance(exc, sqlite3.DatabaseError) and not isinstance(exc, sqlite3.OperationalError):
            for end in ("", "-wal", "-shm"):
                with suppress(OSError):
                    self._file.with_name(self._file.name + end).unlink()


class Embedding:
    """The vectors of texts: from *cache* where it has them, else from the model."""

    def __init__(self, embedder: BaseEmbedder, cache: VectorCache | None) -> None:
        self._embedder = embedder
        self._cache = cache
        self.calls = SMALLEST_CALL * 4
        """Texts for the next call of the model; it follows the model's speed."""
        self.embedded = 0
        self.cached = 0

    async def of(self, texts: Sequence[str], at_most: int, *, fresh: bool = False) -> Vectors:
        """Return one vector for each of *texts*: float32, shape `(len(texts), dimension)`.

        The model gets at most *at_most* texts at once; with *fresh* it gets all of them.
        """
        import numpy as np

        info = await self._embedder.load()
        known: dict[bytes, Vector] = {}
        keys: list[bytes] = []
        if self._cache is not None:
            keys = [vector_key(info.fingerprint, text) for text in texts]
            if not fresh:
                known = await asyncio.to_thread(self._cache.get, keys, info.dimension)
        missing = [i for i in range(len(texts)) if not keys or keys[i] not in known]
        vectors = np.empty((len(texts), info.dimension), dtype=np.float32)
        done = 0
        while done < len(missing):
            some = missing[done : done + min(self.calls, at_most)]
            started = time.perf_counter()
            vectors[some] = await self._embedder.embed([texts[i] for i in some])
            self._follow(len(some), time.perf_counter() - started)
            done += len(some)
        for i, key in enumerate(keys):
            if key in known:
                vectors[i] = known[key]
        if self._cache is not None and missing:
            await asyncio.to_thread(self._cache.put, [keys[i] for i in missing], vectors[missing])
        self.embedded += len(missing)
        self.cached += len(texts) - len(missing)
        return vectors

    def _follow(self, count: int, seconds: float) -> None:
        """Ask for as much as the model does in about a second."""
        able = int(count / max(seconds, 1e-6) * SECONDS_PER_CALL)
        self.calls = max(SMALLEST_CALL, min(able, 4 * self.calls))
