"""One SQLite file of records: the statements of the stores that are built on it.

* Every version of a record is a new row with a key that is never used again, so that whatever holds
  vectors by key elsewhere can lack rows or have too many, but never has wrong ones.
* Vectors are in a table of their own: comparing all of them does not read all the texts.
* Full-text search is FTS5 over the terms, metadata is found through its facets.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from victor_memory.providers import _sqlite_filters
from victor_memory.providers._scores import similarities
from victor_memory.providers._sqlite_file import SQLiteFile
from victor_memory.providers._sqlite_filters import facets, to_sql
from victor_memory.types import Hit, Record

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from victor_memory.config import Metric
    from victor_memory.filters import Filter
    from victor_memory.types import Vector, Vectors

T = TypeVar("T")
Scored = list[tuple[int, float]]
"""Keys and similarities, best first."""

PER_READ: Final = 4096
"""Vectors compared at a time where SQLite cannot compare them itself."""

# The terms are analysed already: FTS5 must only split them at spaces. Its `ascii` tokenizer takes
# everything else for parts of words, once it is told to do so for the rest of ASCII too.
_SIGNS: Final = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"
_TOKENIZER: Final = "ascii tokenchars '{}'".format(_SIGNS.replace("'", "''")).replace('"', '""')
_SCHEMA: Final = (
    """
    CREATE TABLE records (
        key INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE,
        metadata TEXT NOT NULL, terms TEXT NOT NULL, text TEXT NOT NULL
    )
    """,
    "CREATE TABLE vectors (key INTEGER PRIMARY KEY, length REAL NOT NULL, vector BLOB NOT NULL)",
    "CREATE TABLE notes (name TEXT PRIMARY KEY, value) WITHOUT ROWID",
    f"""
    CREATE VIRTUAL TABLE words USING fts5(
        terms, content='', contentless_delete=1, tokenize="{_TOKENIZER}"
    )
    """,
    "CREATE VIRTUAL TABLE vocabulary USING fts5vocab(words, row)",
    _sqlite_filters.TABLE,
)
_DISTANCE: Final[dict[str, str]] = {
    "cosine": "vec_distance_cosine(vector, ?)",
    "euclidean": "vec_distance_l2(vector, ?)",
    # The extension has no inner product, and a vector of length 0 has no cosine.
    "dot": "length * coalesce(vec_distance_cosine(vector, ?) - 1, 0)",
}


class RecordFile(SQLiteFile):
    """One connection to the records in the file *path*; with *create*, there may be none yet.

    *extension* is the library of sqlite-vec; without it vectors are compared by numpy.
    """

    def __init__(
        self, path: Path, *, patience: float, extension: str | None = None, create: bool = False
    ) -> None:
        schema = _SCHEMA if create else ()
        super().__init__(path, patience=patience, schema=schema, extension=extension)
        self.native = extension is not None
        """Whether SQLite itself compares vectors."""

    # -- writing ----------------------------------------------------------------------------------

    def upsert(
        self,
        records: Sequence[Record],
        before_commit: Callable[[Sequence[int], Vectors], None] | None = None,
    ) -> None:
        """Store *records*, distinct by id; *before_commit* is told their keys and vectors."""
        import numpy as np

        vectors = np.stack([one.vector for one in records if one.vector is not None])
        lengths = np.linalg.norm(vectors.astype(np.float64), axis=1).tolist()
        with self.writing():
            self._forget(self._versions([one.id for one in records]))
            first = self.last_key() + 1
            keyed = list(enumerate(records, start=first))
            self._many(
                "INSERT INTO records (key, id, metadata, terms, text) VALUES (?, ?, ?, ?, ?)",
                (
                    (key, one.id, json.dumps(one.metadata, ensure_ascii=False), one.terms, one.text)
                    for key, one in keyed
                ),
            )
            self._many(
                "INSERT INTO vectors (key, length, vector) VALUES (?, ?, ?)",
                (
                    (key, length, vector.tobytes())
                    for (key, _), length, vector in zip(keyed, lengths, vectors, strict=True)
                ),
            )
            self._many(
                "INSERT INTO words (rowid, terms) VALUES (?, ?)",
                ((key, one.terms) for key, one in keyed),
            )
            self._many(
                "INSERT INTO facets (field, kind, value, record) VALUES (?, ?, ?, ?)",
                ((*facet, key) for key, one in keyed for facet in facets(one.metadata)),
            )
            if before_commit:
                before_commit(range(first, first + len(records)), vectors)

    def delete(self, ids: Sequence[str]) -> int:
        """Delete the records with these *ids*; return how many existed."""
        with self.writing():
            return self._forget(self._versions(ids))

    def delete_where(self, tree: Filter) -> int:
        """Delete the records that match *tree*; return how many did."""
        sql, bindings = to_sql(tree, "key")
        with self.writing():
            return self._forget(
                self._all(f"SELECT key, metadata FROM records WHERE {sql}", bindings)  # noqa: S608 - our own text; values are bound
            )

    def clear(self) -> None:
        """Delete every record; keys go on from where they were."""
        with self.writing():
            for table in ("records", "vectors", "facets"):
                self._connection.execute(f"DELETE FROM {table}")  # noqa: S608 - our own text; values are bound
            self._connection.execute("INSERT INTO words (words) VALUES ('delete-all')")

    def _versions(self, ids: Sequence[str]) -> list[tuple[int, str]]:
        """Return the keys and the metadata of the records with these *ids*."""
        return self._chunked("SELECT key, metadata FROM records WHERE id IN ({})", ids)

    def _forget(self, versions: Sequence[tuple[int, str]]) -> int:
        keys = [(key,) for key, _ in versions]
        self._many(
            "DELETE FROM facets WHERE field = ? AND kind = ? AND value = ? AND record = ?",
            ((*facet, key) for key, packed in versions for facet in facets(json.loads(packed))),
        )
        self._many("DELETE FROM words WHERE rowid = ?", keys)
        self._many("DELETE FROM vectors WHERE key = ?", keys)
        self._many("DELETE FROM records WHERE key = ?", keys)
        return len(keys)

    # -- housekeeping -----------------------------------------------------------------------------

    def compact(self) -> None:
        """Merge the full-text index, and give back the space that is not needed."""
        with self.writing():
            self._connection.execute("INSERT INTO words (words) VALUES ('optimize')")
        self.give_back()

    def purge(self) -> None:
        """Leave nothing in the file, or beside it, of what was deleted or replaced."""
        with self.writing():
            # The words of deleted records go when all parts of the index are merged into one.
            self._connection.execute("INSERT INTO words (words) VALUES ('optimize')")
        self.rewrite()

    def note(self, name: str, value: Any) -> None:
        """Keep *value* under *name* beside the records, in the transaction that is open."""
        self._connection.execute("INSERT OR REPLACE INTO notes VALUES (?, ?)", (name, value))

    def noted(self, name: str, default: T) -> T:
        """Return the value that is kept under *name*."""
        found: list[tuple[T]] = self._all("SELECT value FROM notes WHERE name = ?", (name,))
        return found[0][0] if found else default

    # -- reading ----------------------------------------------------------------------------------

    def get(self, ids: Sequence[str], *, with_vectors: bool) -> list[Record]:
        """Return the records with these *ids*, in any order."""
        return [_record(row) for row in self._chunked(_select("id IN ({})", with_vectors), ids)]

    def scan(
        self, tree: Filter | None, *, with_vectors: bool, batch_size: int
    ) -> Iterator[list[Record]]:
        """Return the records that match *tree* in batches, all of one state of the file."""
        sql, bindings = to_sql(tree, "records.key")
        select = _select(sql, with_vectors)
        rows = self.retried(lambda: self._connection.execute(select, bindings))
        return iter(lambda: [_record(row) for row in itertools.islice(rows, batch_size)], [])

    def count(self, tree: Filter | None) -> int:
        """Return how many records match *tree*."""
        sql, bindings = to_sql(tree, "key")
        return int(self._one(f"SELECT count(*) FROM records WHERE {sql}", bindings))  # noqa: S608 - our own text; values are bound

    def last_key(self) -> int:
        """Return the highest key that was ever used."""
        found = self._all("SELECT seq FROM sqlite_sequence WHERE name = 'records'")
        return int(found[0][0]) if found else 0

    def vectors(self, after: int) -> Iterator[tuple[npt.NDArray[np.int64], Vectors]]:
        """Yield keys above *after*, ascending, and their vectors, some thousands at a time."""
        return _stacked(
            self._connection.execute(
                "SELECT key, vector FROM vectors WHERE key > ? ORDER BY key", (after,)
            )
        )

    def sample(self, count: int) -> list[Vector]:
        """Return about *count* vectors: some of the newest, and some from everywhere."""
        import numpy as np

        newest = "SELECT key, vector FROM vectors ORDER BY key DESC LIMIT ?"
        found = dict(self._all(newest, (count // 2,)))
        step = max(1, self.last_key() * 2 // count)
        for key in range(0, self.last_key(), step):
            found |= dict(
                self._all("SELECT key, vector FROM vectors WHERE key >= ? LIMIT 1", (key,))
            )
        return [np.frombuffer(packed, np.float32) for packed in found.values()]

    # -- searching --------------------------------------------------------------------------------

    def hits(self, scored: Scored) -> list[Hit]:
        """Return the hits for *scored*, in any order."""
        scores = dict(scored)
        rows = self._chunked(
            "SELECT key, id, text, metadata FROM records WHERE key IN ({})", list(scores)
        )
        return [Hit(one, text, scores[key], json.loads(packed)) for key, one, text, packed in rows]

    def nearest(self, vector: Vector, limit: int, tree: Filter | None, metric: Metric) -> Scored:
        """Return the records among those that match *tree* that are nearest to *vector*.

        Without sqlite-vec there are more than *limit* where several tie for the last place.
        """
        sql, bindings = to_sql(tree, "key")
        if not self.native:
            rows = self._connection.execute(
                f"SELECT key, vector FROM vectors WHERE {sql}",  # noqa: S608 - our own text; values are bound
                bindings,
            )
            return _nearest(_stacked(rows), vector, limit, metric)
        length = float((vector @ vector) ** 0.5)
        found = self._best(
            f"SELECT key, {_DISTANCE[metric]} AS cost FROM vectors WHERE {sql}",  # noqa: S608 - our own text; values are bound
            [vector.tobytes(), *bindings],
            limit,
        )
        similarity: dict[str, Callable[[float], float]] = {
            "cosine": lambda cost: 1.0 - cost,
            "euclidean": lambda cost: 1.0 / (1.0 + cost),
            "dot": lambda cost: -cost * length,
        }
        return [(key, similarity[metric](cost)) for key, cost in found]

    def rank(
        self, keys: Sequence[int], vector: Vector, tree: Filter | None, metric: Metric
    ) -> tuple[Scored, set[int]]:
        """Return which of *keys* match *tree*, best first, and which of them there are at all."""
        import numpy as np

        rows = self._chunked(
            "SELECT key, vector, metadata FROM vectors JOIN records USING (key) WHERE key IN ({})",
            keys,
        )
        passed = [
            (key, packed)
            for key, packed, metadata in rows
            if tree is None or tree.matches(json.loads(metadata))
        ]
        # In double precision equal vectors get equal scores, wherever in the matrix they are.
        matrix = np.frombuffer(b"".join(packed for _, packed in passed), np.float32)
        exact: Any = matrix.reshape(len(passed), -1).astype(np.float64) if passed else matrix
        scores = similarities(exact, vector, metric).tolist() if passed else []
        scored = sorted(
            zip((key for key, _ in passed), scores, strict=True), key=lambda pair: -pair[1]
        )
        return scored, {key for key, _, _ in rows}

    def match(self, terms: Sequence[str], limit: int, tree: Filter | None) -> Scored:
        """Return the records that share one of *terms* and match *tree*, the best by BM25."""
        useful = self._weighty(terms)
        if useful and len(useful) < len(terms):
            found = self._match(useful, limit, tree)
            if len(found) >= limit:
                return found
        return self._match(terms, limit, tree)

    def _weighty(self, terms: Sequence[str]) -> list[str]:
        """Return the *terms* that at most half of the records have.

        The others weigh nothing in BM25, but to rank all those records takes long.
        """
        half = self.count(None) / 2
        spread = dict(self._chunked("SELECT term, doc FROM vocabulary WHERE term IN ({})", terms))
        return [one for one in terms if spread.get(one, 0) <= half]

    def _match(self, terms: Sequence[str], limit: int, tree: Filter | None) -> Scored:
        sql, bindings = to_sql(tree, "+words.rowid")
        # Each term is a string to FTS5, in which nothing but the quote is special.
        query = " OR ".join('"{}"'.format(one.replace('"', '""')) for one in terms)
        found = self._best(
            f"SELECT rowid AS key, bm25(words) AS cost FROM words WHERE words MATCH ? AND {sql}",  # noqa: S608 - our own text; values are bound
            [query, *bindings],
            limit,
        )
        return [(key, -cost) for key, cost in found]

    def _best(self, sql: str, bindings: Sequence[Any], limit: int) -> Scored:
        """Return the *limit* rows of least cost of *sql*, those that tie in the order of ids."""
        found: Scored = self._all(f"{sql} ORDER BY cost LIMIT ?", [*bindings, limit + 1])
        last = found[limit - 1][1] if len(found) > limit else None
        if last is None or found[limit][1] != last:
            return found[:limit]
        # Ids are looked up only for rows that tie across the limit: there may be very many rows.
        better = [(key, cost) for key, cost in found if cost < last]
        tied = (
            f"SELECT found.key, cost FROM ({sql}) AS found JOIN records USING (key) "  # noqa: S608 - our own text; values are bound
            "WHERE cost = ? ORDER BY id LIMIT ?"
        )
        return better + self._all(tied, [*bindings, last, limit - len(better)])


def _select(condition: str, with_vectors: bool) -> str:  # noqa: FBT001 - private
    vector, join = (", vector", " JOIN vectors USING (key)") if with_vectors else (", NULL", "")
    return f"SELECT id, text, metadata, terms{vector} FROM records{join} WHERE {condition}"  # noqa: S608 - our own text; values are bound


def _record(row: tuple[Any, ...]) -> Record:
    import numpy as np

    identifier, text, metadata, terms, packed = row
    vector = None if packed is None else np.frombuffer(packed, np.float32)
    return Record(identifier, text, vector, json.loads(metadata), terms)


def _stacked(
    rows: Iterator[tuple[int, bytes]],
) -> Iterator[tuple[npt.NDArray[np.int64], Vectors]]:
    import numpy as np

    while some := list(itertools.islice(rows, PER_READ)):
        keys = np.array([key for key, _ in some], np.int64)
        matrix = np.frombuffer(b"".join([packed for _, packed in some]), np.float32)
        yield keys, matrix.reshape(len(some), -1)


def _nearest(
    parts: Iterable[tuple[npt.NDArray[np.int64], Vectors]],
    vector: Vector,
    limit: int,
    metric: Metric,
) -> Scored:
    """Return the best of all *parts*, those that tie with the last of them included."""
    import numpy as np

    every = [(keys, similarities(matrix, vector, metric)) for keys, matrix in parts]
    if not every:
        return []
    keys = np.concatenate([some for some, _ in every])
    scores = np.concatenate([some for _, some in every])
    if limit < len(scores):
        least = np.partition(scores, len(scores) - limit)[len(scores) - limit]
        best = np.flatnonzero(scores >= least)
        keys, scores = keys[best], scores[best]
    return list(zip(keys.tolist(), scores.tolist(), strict=True))
