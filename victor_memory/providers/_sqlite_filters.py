"""Metadata filters for SQLite: typed facets in a table, and filters over them in SQL.

Metadata is stored twice: verbatim, to be returned, and as *facets*, one row for each value and for
each element of a list, beside the kind of value that it is. A condition is then a range of one
index, which SQLite compares exactly: integers with floats, strings by code point. Numbers beyond 64
bits, whose integers SQLite does not have, are texts that sort as the numbers do.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from victor_memory.errors import InvalidRequestError
from victor_memory.filters import And, Compare, Filter, Not, Or, Scalar
from victor_memory.providers._numbers import sortable

if TYPE_CHECKING:
    from victor_memory.types import Metadata

Facet: TypeAlias = tuple[str, str, Any]
"""Field, kind and value: `s`tring, `n`umber, `h`uge number, `b`oolean, those after an `l` for an
element of a list, and `x` for the list itself and anything else that has no value of its own."""

Range: TypeAlias = tuple[str, Sequence[Any]]
"""A condition on the facets of one field, and the values that it binds."""

TABLE: Final = """
    CREATE TABLE facets (
        field TEXT NOT NULL, kind TEXT NOT NULL, value NOT NULL, record INTEGER NOT NULL,
        PRIMARY KEY (field, kind, value, record)
    ) WITHOUT ROWID
"""
MAX_VALUES: Final = 30_000
"""SQLite binds at most 32 766 values in one statement."""
_INT64: Final = range(-(2**63), 2**63)
_POSITIVE: Final = sortable(1)[0]
"""Texts of negative numbers sort before this, those of huge positive ones after it."""


def facets(metadata: Metadata) -> set[Facet]:
    """Return the distinct facets of *metadata*, always the same for equal metadata."""
    found: set[Facet] = set()
    for field, value in metadata.items():
        if isinstance(value, list | tuple):
            found.add((field, "x", 0))
            elements = (_facet(one) for one in value if isinstance(one, str | int | float))
            found.update((field, f"l{kind}", bound) for kind, bound in elements)
        elif isinstance(value, str | int | float):
            found.add((field, *_facet(value)))
        elif value is not None:
            found.add((field, "x", 0))
    return found


def to_sql(tree: Filter | None, key: str) -> tuple[str, list[Any]]:
    """Return an expression over the column *key* that is true exactly where `matches` is.

    The second part holds the values to bind, in order.

    Raises:
        InvalidRequestError: the filter holds more values than one statement can.

    """
    bindings: list[Any] = []
    sql = "1" if tree is None else _expression(tree, key, bindings)
    if len(bindings) > MAX_VALUES:
        msg = f"The filter compares with more than {MAX_VALUES} values. Ask in several parts."
        raise InvalidRequestError(msg)
    return sql, bindings


def _expression(tree: Filter, key: str, bindings: list[Any]) -> str:
    match tree:
        case And(parts):
            return _joined([_expression(one, key, bindings) for one in parts], "AND", "1")
        case Or(parts):
            return _joined([_expression(one, key, bindings) for one in parts], "OR", "0")
        case Not(part):
            return f"(NOT {_expression(part, key, bindings)})"
        case Compare():
            return _compare(tree, key, bindings)


def _joined(parts: Sequence[str], operator: str, empty: str) -> str:
    """Join *parts* as a balanced tree: SQLite refuses one that is a thousand levels deep."""
    if not parts:
        return empty
    if len(parts) == 1:
        return parts[0]
    half = len(parts) // 2
    left, right = (_joined(some, operator, empty) for some in (parts[:half], parts[half:]))
    return f"({left} {operator} {right})"


def _compare(condition: Compare, key: str, bindings: list[Any]) -> str:
    field, value = condition.field, condition.value

    def one_of(ranges: Iterator[Range]) -> str:
        found = []
        for sql, values in ranges:
            within = f"SELECT record FROM facets WHERE field = ? AND {sql}"  # noqa: S608 - bound
            found.append(f"{key} IN ({within})")
            bindings.extend((field, *values))
        return _joined(found, "OR", "0")

    match condition.op:
        case "exists":
            found = one_of(iter([("1", ())]))
            return found if value else f"(NOT {found})"
        case "=" | "in":
            return one_of(_equal(value if isinstance(value, tuple) else (value,)))
        case "!=" | "not in":
            return f"(NOT {one_of(_equal(value if isinstance(value, tuple) else (value,)))})"
        case "prefix":
            return one_of(_prefix(str(value)))
        case "contains":
            assert not isinstance(value, tuple)
            return one_of(_contains(value))
        case _:
            assert not isinstance(value, tuple)
            return one_of(_ordered(condition.op, value))


def _equal(values: Sequence[Scalar], element: str = "") -> Iterator[Range]:
    """Yield the ranges of the facets that equal one of *values*; *element* is `l` in lists."""
    kinds: dict[str, list[Any]] = {}
    for value in values:
        kind, bound = _facet(value)
        kinds.setdefault(kind, []).append(bound)
    for kind, bounds in kinds.items():
        marks = ", ".join("?" * len(bounds))
        yield f"kind = '{element}{kind}' AND value IN ({marks})", bounds


def _prefix(text: str) -> Iterator[Range]:
    # The first string after all those with the prefix: its last character becomes the next one.
    kept = text.rstrip("\U0010ffff")
    if not kept:
        yield "kind = 's' AND value >= ?", (text,)
        return
    after = 0xE000 if kept[-1] == "\ud7ff" else ord(kept[-1]) + 1
    yield "kind = 's' AND value >= ? AND value < ?", (text, kept[:-1] + chr(after))


def _contains(value: Scalar) -> Iterator[Range]:
    yield from _equal((value,), "l")
    if isinstance(value, str):
        yield "kind = 's' AND instr(value, ?)", (value,)


def _ordered(op: str, value: Scalar) -> Iterator[Range]:
    if isinstance(value, bool):
        return
    if isinstance(value, str):
        yield f"kind = 's' AND value {op} ?", (value,)
        return
    kind, bound = _facet(value)
    yield f"kind = '{kind}' AND value {op} ?", (bound,)
    # On which side of each other an ordinary and a huge number are, the sign of the huge one says.
    if kind == "n":
        yield f"kind = 'h' AND value {op[0]} ?", (_POSITIVE,)
    elif (value > 0) == (op[0] == "<"):
        yield "kind = 'n'", ()


def _facet(value: Scalar) -> tuple[str, Any]:
    """Return the kind of a value, and the value as SQLite compares it."""
    if isinstance(value, bool):
        return "b", int(value)
    if isinstance(value, str):
        return "s", value
    whole = int(value) if isinstance(value, int) or value.is_integer() else 0
    return ("n", value) if whole in _INT64 else ("h", sortable(value))
