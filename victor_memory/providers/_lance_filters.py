"""Metadata filters for LanceDB: typed facets in a JSONB column, and filters over them in SQL.

Lance evaluates JSON functions natively, but they raise when a value has another type than the
function's. So metadata is stored twice: verbatim, to be returned, and as *facets*, an object whose
keys begin with the type of their value. A function is then only ever asked about its own type, any
key can appear at any time with any type, and nothing needs a schema change.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from victor_memory.filters import And, Compare, Filter, Not, Or, Scalar, is_number

if TYPE_CHECKING:
    from victor_memory.types import Metadata

FACETS: Final = "facets"
_INT64: Final = range(-(2**63), 2**63)
_SAFE: Final = ""


def facets(metadata: Metadata) -> str:
    """Return the JSON text of the facets column for *metadata*."""
    present = [_key(name) for name, value in metadata.items() if value is not None]
    found: dict[str, Any] = {"k": present}
    for name, value in metadata.items():
        if isinstance(value, list | tuple):
            scalars = [_element(one) for one in value if isinstance(one, str | int | float)]
            found[f"l_{_key(name)}"] = scalars
        elif isinstance(value, str | int | float):
            found[f"{_type(value)}_{_key(name)}"] = value
    return json.dumps(found)


def to_sql(tree: Filter) -> str:
    """Return *tree* as a DataFusion expression that is true exactly where `matches` is."""
    match tree:
        case And(parts):
            return _joined(parts, " AND ", "true")
        case Or(parts):
            return _joined(parts, " OR ", "false")
        case Not(part):
            return f"(NOT {to_sql(part)})"
        case Compare():
            return _compare(tree)


def _joined(parts: tuple[Filter, ...], operator: str, empty: str) -> str:
    return f"({operator.join(map(to_sql, parts))})" if parts else empty


def _compare(condition: Compare) -> str:
    field, value = condition.field, condition.value
    match condition.op:
        case "exists":
            found = f"json_array_contains({FACETS}, '$.k', {_string(_key(field))})"
            return f"coalesce({found}, false)" if value else f"(NOT coalesce({found}, false))"
        case "in" | "not in":
            assert isinstance(value, tuple)
            inside = _joined(tuple(Compare(field, "=", one) for one in value), " OR ", "false")
            return inside if condition.op == "in" else f"(NOT {inside})"
        case "!=":
            return f"(NOT {_compare(Compare(field, '=', value))})"
        case "prefix":
            return f"coalesce(starts_with({_text(field)}, {_string(str(value))}), false)"
        case "contains":
            assert not isinstance(value, tuple)
            path = _string(f'$."l_{_key(field)}"')
            within = [f"json_array_contains({FACETS}, {path}, {_string(_element(value))})"]
            if isinstance(value, str):
                within.append(f"contains({_text(field)}, {_string(value)})")
            return "(" + " OR ".join(f"coalesce({one}, false)" for one in within) + ")"
        case _:
            assert not isinstance(value, tuple)
            return _ordered(field, condition.op, value)


def _ordered(field: str, op: str, value: Scalar) -> str:
    key = _key(field)
    if isinstance(value, bool):
        literal = str(value).lower()
        return f"coalesce(json_get_bool({FACETS}, {_string(f'b_{key}')}) {op} {literal}, false)"
    if isinstance(value, str):
        return f"coalesce({_text(field)} {op} {_string(value)}, false)"
    # An int is compared as an int where both sides are, so that 2**53 + 1 is not 2**53.
    number = _number(value)
    return (
        f"(coalesce(json_get_int({FACETS}, {_string(f'i_{key}')}) {op} {number}, false)"
        f" OR coalesce(json_get_float({FACETS}, {_string(f'f_{key}')}) {op} {number}, false))"
    )


def _text(field: str) -> str:
    return f"json_get_string({FACETS}, {_string(f's_{_key(field)}')})"


def _type(value: Scalar) -> str:
    if isinstance(value, bool):
        return "b"
    if isinstance(value, str):
        return "s"
    return "i" if isinstance(value, int) and value in _INT64 else "f"


def _element(value: Scalar) -> str:
    """Return a list element as a string that is equal exactly for equal values."""
    if is_number(value) and float(value).is_integer():
        value = int(value)
    text = value if isinstance(value, str) else repr(value)
    return f"{'n' if is_number(value) else _type(value)}:{quote(text, safe=_SAFE)}"


def _key(name: str) -> str:
    """Return a metadata key in characters that need no escape in JSON, JSON paths and SQL."""
    return quote(name, safe=_SAFE)


def _string(text: str) -> str:
    """Return *text* as an SQL string literal: in DataFusion only the quote itself is special."""
    return "'" + text.replace("'", "''") + "'"


def _number(value: float) -> str:
    if isinstance(value, int) and value in _INT64:
        return str(value)
    return f"CAST({_string(repr(float(value)))} AS DOUBLE)"
