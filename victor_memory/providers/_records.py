"""What every store may rely on: records and requests are checked and normalised here, once."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from victor_memory.errors import DimensionMismatchError, InvalidRequestError
from victor_memory.retrieval.text import index_terms
from victor_memory.types import Record

if TYPE_CHECKING:
    from collections.abc import Iterable

    from victor_memory.config import Metric
    from victor_memory.types import Vector

MAX_ID_BYTES: Final = 1024
MAX_LIMIT: Final = 10_000
MAX_INT_BITS: Final = 8192
"""Larger integers are no longer numbers to JSON readers, Python's own included."""


def check_id(identifier: object) -> str:
    """Return *identifier* if it can name a record in any store."""
    if not isinstance(identifier, str) or not identifier:
        msg = f"A record id is a non-empty string, not {identifier!r}."
        raise InvalidRequestError(msg)
    check_text(identifier, "A record id")
    if "\0" in identifier or len(identifier.encode()) > MAX_ID_BYTES:
        msg = (
            f"The record id {identifier[:80]!r} holds a NUL or exceeds {MAX_ID_BYTES} bytes. "
            "Use a shorter id, for example a digest of it."
        )
        raise InvalidRequestError(msg)
    return identifier


def check_ids(ids: Iterable[str]) -> list[str]:
    """Return the distinct *ids* in order, each checked."""
    if isinstance(ids, str):
        msg = f"Ids are given as a list of strings. Write [{ids!r}]."
        raise InvalidRequestError(msg)
    return [check_id(one) for one in dict.fromkeys(ids)]


def check_text(text: object, subject: str = "The text of a record") -> str:
    """Return *text* if it is a string that can be encoded as UTF-8."""
    if not isinstance(text, str):
        msg = f"{subject} is a string, not {type(text).__name__}."
        raise InvalidRequestError(msg)
    try:
        text.encode()
    except UnicodeEncodeError as exc:
        msg = (
            f"{subject} holds a lone surrogate at position {exc.start}, which no store can keep. "
            "Decode its source with errors='replace'."
        )
        raise InvalidRequestError(msg) from exc
    return text


def check_limit(limit: object) -> int:
    """Return *limit* if it is a positive number of results."""
    if isinstance(limit, bool) or not isinstance(limit, int) or not 1 <= limit <= MAX_LIMIT:
        msg = f"limit is {limit!r}; ask for 1 to {MAX_LIMIT} results."
        raise InvalidRequestError(msg)
    return limit


def check_vector(vector: object, dimension: int, metric: Metric, subject: str) -> Vector:
    """Return *vector* as float32 of shape `(dimension,)`.

    Raises:
        InvalidRequestError: it is not a sequence of finite numbers, or is zero under cosine.
        DimensionMismatchError: it has another length.

    """
    import numpy as np

    try:
        # A copy, so that the caller may change its own array while the store still works on this.
        with np.errstate(over="ignore"):  # what is too large becomes infinite, and is refused below
            array = np.array(vector, dtype=np.float32)
    except (TypeError, ValueError) as exc:
        msg = f"{subject} is not a vector of numbers."
        raise InvalidRequestError(msg) from exc
    if array.ndim != 1:
        msg = f"{subject} has shape {array.shape}; give one vector of shape ({dimension},)."
        raise InvalidRequestError(msg)
    if len(array) != dimension:
        msg = (
            f"{subject} has dimension {len(array)}, and the collection has {dimension}. "
            "Embed with the model the collection was made with, or rebuild the collection."
        )
        raise DimensionMismatchError(msg)
    # One pass: the squared length is NaN or infinite when any number is.
    squared = float(array @ array)
    if not math.isfinite(squared):
        msg = f"{subject} holds NaN or infinite numbers. Nothing was stored; embed the text again."
        raise InvalidRequestError(msg)
    if squared == 0.0 and metric == "cosine":
        msg = f"{subject} is all zeros: it has no direction. Nothing was stored; embed again."
        raise InvalidRequestError(msg)
    return array


def normalise_metadata(metadata: object, subject: str) -> dict[str, Any]:
    """Return a deep copy of *metadata* in JSON values: tuples become lists.

    Raises:
        InvalidRequestError: a key is not a non-empty string, or a value has no JSON form.

    """
    if not isinstance(metadata, Mapping):
        msg = f"The metadata of {subject} is a mapping, not {type(metadata).__name__}."
        raise InvalidRequestError(msg)
    return {
        key: _json(key, value, subject) for key, value in metadata.items() if _key(key, subject)
    }


def _key(key: object, subject: str) -> bool:
    if not isinstance(key, str) or not key:
        msg = f"A metadata key of {subject} is {key!r}; keys are non-empty strings."
        raise InvalidRequestError(msg)
    if not key.isascii():
        check_text(key, f"A metadata key of {subject}")
    return True


def _json(key: str, value: object, subject: str) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        # Checked without making up a message first: this is asked of every value there is.
        return value if value.isascii() else check_text(value, f"The metadata {key!r} of {subject}")
    if isinstance(value, int) and value.bit_length() <= MAX_INT_BITS:
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    if isinstance(value, Mapping):
        return normalise_metadata(value, subject)
    if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray):
        return [_json(key, element, subject) for element in value]
    msg = (
        f"The metadata {key!r} of {subject} is {value!r}, which JSON cannot hold. "
        "Use strings, finite numbers, booleans, lists and mappings; a time goes in as isoformat()."
    )
    raise InvalidRequestError(msg)


def prepare(records: Iterable[Record], dimension: int, metric: Metric) -> list[Record]:
    """Return *records* ready to store: checked, float32, with terms, one per id (the last wins)."""
    ready: dict[str, Record] = {}
    for record in records:
        if not isinstance(record, Record):
            msg = f"upsert() takes Record objects, not {type(record).__name__}."
            raise InvalidRequestError(msg)
        identifier = check_id(record.id)
        subject = f"record {identifier!r}"
        text = check_text(record.text, f"The text of {subject}")
        if record.vector is None:
            msg = f"The {subject} has no vector. Use index_document() to have its text embedded."
            raise InvalidRequestError(msg)
        vector = check_vector(record.vector, dimension, metric, f"The vector of {subject}")
        metadata = normalise_metadata(record.metadata, subject)
        terms = index_terms(text) if record.terms is None else check_text(record.terms)
        # Re-inserting moves the key to the end, as if the earlier record had never been given.
        ready.pop(identifier, None)
        ready[identifier] = Record(identifier, text, vector, metadata, terms)
    return list(ready.values())
