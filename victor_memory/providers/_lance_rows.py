"""Records as LanceDB's rows, and rows as records and hits."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from victor_memory.providers._lance_filters import FACETS, facets, to_sql
from victor_memory.types import Hit, Record

if TYPE_CHECKING:
    from victor_memory.filters import Filter
    from victor_memory.types import Vector

HIT_COLUMNS: Final = ["id", "text", "metadata"]
_packed: Final = json.JSONEncoder(ensure_ascii=False).encode


def schema_of(dimension: int) -> pa.Schema:
    """Return the columns of a table of vectors of this length."""
    key = {b"lance-schema:unenforced-primary-key": b"true"}
    return pa.schema(
        [
            pa.field("id", pa.string(), nullable=False, metadata=key),
            pa.field("vector", pa.list_(pa.float32(), dimension)),
            pa.field("text", pa.large_string()),
            pa.field("terms", pa.string()),
            pa.field("metadata", pa.string()),
            pa.field(FACETS, pa.json_()),
        ]
    )


def to_rows(records: Sequence[Record], schema: pa.Schema) -> pa.Table:
    """Return one row for each of *records*, which have vectors and terms."""
    import numpy as np

    vectors = np.concatenate([one.vector for one in records if one.vector is not None])
    packed = pa.array([facets(one.metadata) for one in records], pa.string())
    return pa.table(
        [
            pa.array([one.id for one in records], pa.string()),
            pa.FixedSizeListArray.from_arrays(pa.array(vectors), len(vectors) // len(records)),
            pa.array([one.text for one in records], pa.large_string()),
            pa.array([one.terms for one in records], pa.string()),
            pa.array([_packed(one.metadata) for one in records], pa.string()),
            pa.ExtensionArray.from_storage(pa.json_(), packed),
        ],
        schema=schema,
    )


def record_columns(*, with_vectors: bool) -> list[str]:
    """Return the columns that make a record."""
    return [*HIT_COLUMNS, "terms", *(["vector"] if with_vectors else [])]


async def fetch(query: Any, where: Filter | None, columns: list[str]) -> dict[str, list[Any]]:
    """Return *columns* of what *query* finds among the records that match *where*."""
    if where is not None:
        query = query.where(to_sql(where))
    rows: dict[str, list[Any]] = (await query.select(columns).to_arrow()).to_pydict()
    return rows


def to_hits(rows: dict[str, list[Any]], scores: list[float]) -> list[Hit]:
    """Return the hits of *rows*, with their *scores*."""
    columns = zip(rows["id"], rows["text"], scores, rows["metadata"], strict=True)
    return [Hit(one, text, score, json.loads(packed)) for one, text, score, packed in columns]


def to_records(table: pa.Table) -> list[Record]:
    """Return the records of *table*, with vectors if it has them."""
    import numpy as np

    vectors: Sequence[Vector | None] = [None] * table.num_rows
    if "vector" in table.column_names and table.num_rows:
        flat = table["vector"].combine_chunks().flatten().to_numpy(zero_copy_only=False)
        vectors = list(flat.reshape(table.num_rows, -1).astype(np.float32))
    columns = (table[name].to_pylist() for name in ("id", "text", "metadata", "terms"))
    return [
        Record(one, text, vector, json.loads(packed), terms)
        for one, text, packed, terms, vector in zip(*columns, vectors, strict=True)
    ]
