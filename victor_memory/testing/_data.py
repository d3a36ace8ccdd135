"""What the promises are tested with: ordinary records, and inputs that break careless stores."""

# ruff: noqa: RUF001 - characters that look like others are the point

from __future__ import annotations

import json
import zlib
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from victor_memory.types import Record

if TYPE_CHECKING:
    from collections.abc import Iterable

    from victor_memory.types import Vector

MODEL: Final = "hashing-32"
DIMENSION: Final = 32


def unit(seed: object) -> Vector:
    """Return a vector of length 1, always the same for the same *seed*."""
    return _unit(repr(seed)).copy()


@lru_cache(maxsize=10_000)
def _unit(seed: str) -> Vector:
    vector = np.random.default_rng(zlib.crc32(seed.encode())).standard_normal(DIMENSION)
    return np.asarray(vector / np.linalg.norm(vector), dtype=np.float32)


def axis(index: int, length: float = 1.0) -> Vector:
    """Return the vector along one axis: its arithmetic is exact in every engine."""
    vector = np.zeros(DIMENSION, dtype=np.float32)
    vector[index] = length
    return vector


def word(of: object) -> str:
    """Return a word for *of* that no analysis splits, stems or takes for another."""
    digits = f"{zlib.crc32(repr(of).encode()):08x}"
    return digits.translate(str.maketrans("0123456789abcdef", "bcdfghjklmnpqrtv"))


def text_of(identifier: str) -> str:
    """Return the text of `record(identifier)`: it names the id, and has a `word` of its own."""
    return f"text of {identifier} {word(identifier)}"


def record(identifier: str, text: str | None = None, /, **metadata: Any) -> Record:
    """Return a record with a vector of its own; without *text*, `text_of` says its text."""
    chosen = text_of(identifier) if text is None else text
    return Record(identifier, chosen, unit(identifier), metadata)


def records(count: int, prefix: str = "r") -> list[Record]:
    """Return *count* records whose metadata is their number `n` and its parity `even`."""
    return [record(f"{prefix}{n:05}", n=n, even=n % 2 == 0) for n in range(count)]


def as_json(value: object) -> str:
    """Return *value* as text: `1`, `1.0`, `True` and `"1"` differ, the order of keys does not."""
    return json.dumps(value, sort_keys=True)


def ids(found: Iterable[Any]) -> list[str]:
    """Return the ids of records or hits, in their order."""
    return [one.id for one in found]


TEXTS: Final = (
    "plain",
    "",
    "   \t  ",
    'it\'s "quoted" `thrice`',
    "line\nbreak\r\nand\rreturn",
    "tab\tand \x01\x1b\x7f controls",
    "back\\slash \\n \\u0041 %s {0} ${x} $$",
    "'; DROP TABLE embeddings; --",
    "naïve café, Größe, Ελληνικά, русский",
    "日本語のテキスト、한국어, 中文",
    "שלום عالم \u202eright to left",
    "🧠👩‍💻🏳️‍🌈",
    "e\u0301 is not \u00e9",
    "\ufeffbyte order mark, \u2028 line separator, \ufffd replacement",
    '{"json": [1, 2, {"a": null}]}',
    "<script>alert(1)</script> &amp; <!-- -->",
)

IDENTIFIERS: Final = (
    "' OR 1=1 --",
    "'; DROP TABLE embeddings; --",
    '"quoted"',
    "`ticked`",
    "a/b\\c",
    "../../etc/passwd",
    "C:\\dir\\file.py",
    "line\nbreak",
    "tab\there",
    " padded ",
    "percent%under_score",
    "*?[a-z]",
    "{brace} ${dollar} $where",
    "NULL",
    "null",
    "true",
    "0",
    "-1",
    "1e5",
    "日本語 🧠",
    "comma,semicolon;colon:",
    "x" * 1024,
)

LOOK_ALIKES: Final = (
    "name",
    "Name",
    "NAME",
    "name ",
    " name",
    "caf\u00e9",
    "cafe\u0301",
    "cafe",
    "nаme",  # the second letter is Cyrillic
    "1",
    "01",
    "1.0",
)

VALUES: Final[dict[str, Any]] = {
    "string": "value",
    "empty": "",
    "quote": 'it\'s "so"',
    "unicode": "日本語 🧠 é",
    "newline": "a\nb\r\nc",
    "backslash": "\\ \\n",
    "true": True,
    "false": False,
    "none": None,
    "zero": 0,
    "one": 1,
    "negative": -17,
    "beyond double": 2**53 + 1,
    "largest 64 bit": 2**63 - 1,
    "smallest 64 bit": -(2**63),
    "beyond 64 bit": 10**30,
    "float": 0.1,
    "whole float": 1.0,
    "negative float": -2.5,
    "tiny": 5e-324,
    "huge": 1.7e308,
    "list": [1, "two", 3.0, True, None],
    "empty list": [],
    "nested list": [[1, [2]], []],
    "mapping": {"a": {"b": {"c": [1, {"d": None}]}}},
    "empty mapping": {},
    "date-like": "2026-11-20T00:00:00Z",
    "number-like": "007",
    "boolean-like": "True",
}

KEYS: Final = (
    "id",
    "_id",
    "text",
    "vector",
    "metadata",
    "terms",
    "score",
    "document",
    "content",
    "_distance",
    "rowid",
    "select",
    "with.dot",
    "with space",
    "with'quote",
    'with"double',
    "with`tick",
    "with\\back",
    "with[bracket]",
    "with$dollar",
    "$or",
    "with/slash",
    "with:colon",
    "with,comma",
    "with%percent",
    "with\nnewline",
    "with-dash",
    "and",
    "not",
    "ключ",
    "鍵 🧠",
    "1",
    "Case",
    "case",
    "k" * 300,
)
