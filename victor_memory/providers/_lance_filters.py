"""Metadata filters for LanceDB: typed facets in a JSONB column, and filters over them in SQL.

Lance evaluates JSON functions natively, but they raise when a value has another type than the
function's. So metadata is stored twice: verbatim, to be returned, and as *facets*, an object whose
keys begin with the type of their value. A function is then only ever asked about its own type, any
key can appear at any time with any type, and nothing needs a schema change. Numbers are kept as
text that sorts as they do, so that ints of any size and floats compare exactly.
"""

from __future__ import annotations

import json
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from victor_memory.filters import And, Compare, Filter, Not, Or, Scalar
from victor_memory.providers._numbers import sortable

if TYPE_CHECKING:
    from victor_memory.types import Metadata

FACETS: Final = "facets"


def facets(metadata: Metadata) -> str:
    """Return the JSON text of the facets column for *metadata*."""
    present = [_key(name) for name, value in metadata.items() if value is not None]
    found: dict[str, Any] = {"k": present}
    for name, value in metadata.items():
        if isinstance(value, list | tuple):
            scalars = [_element(one) for one in value if isinstance(one, str | int | float)]
            found[f"l_{_key(name)}"] = scalars
        elif isinstance(value, bool):
            found[f"b_{_key(name)}"] = value
        elif isinstance(value, str | int | float):
            found[f"{_type(value)}_{_key(name)}"] = _comparable(value)
    return json.dumps(found)


def to_sql(tree: Filter) -> str:
    """Return *tree* as a DataFusion expression that is true exactly where `matches` is."""
    return _sql(tree, wanted=True)


def _sql(tree: Filter, *, wanted: bool) -> str:
    """Return what is true where *tree* is *wanted*: negation moves inwards to the conditions."""
    match tree:
        case Not(part):
            return _sql(part, wanted=not wanted)
        case And(parts) | Or(parts):
            every = isinstance(tree, And) is wanted
            inner = [_sql(part, wanted=wanted) for part in parts]
            whole = (" AND " if every else " OR ").join(inner)
            return f"({whole})" if parts else str(every).lower()
        case Compare(field, "in" | "not in", tuple(values)):
            inside = [_member(field, kind, values) for kind in "snb"]
            found = " OR ".join(filter(None, inside)) or "false"
            return f"(({found}) = {str(wanted is (tree.op == 'in')).lower()})"
        case Compare(field, "!=", value):
            return _sql(Compare(field, "=", value), wanted=not wanted)
        case Compare():
            # What is missing is NULL to SQL and false to us.
            return f"(coalesce({_condition(tree)}, false) = {str(wanted).lower()})"


def _condition(condition: Compare) -> str:
    key, value = _key(condition.field), condition.value
    assert not isinstance(value, tuple)
    match condition.op:
        case "exists":
            return f"json_array_contains({FACETS}, '$.k', {_string(key)}) = {str(value).lower()}"
        case "prefix":
            return f"starts_with({_text('s', key)}, {_string(str(value))})"
        case "contains":
            path = _string(f'$."l_{key}"')
            element = f"json_array_contains({FACETS}, {path}, {_string(_element(value))})"
            if not isinstance(value, str):
                return element
            within = f"contains({_text('s', key)}, {_string(value)})"
            return f"(coalesce({element}, false) OR coalesce({within}, false))"
        case op if isinstance(value, bool):
            facet = _string(f"b_{key}")
            return f"json_get_bool({FACETS}, {facet}) {op} {str(value).lower()}"
        case op:
            return f"{_text(_type(value), key)} {op} {_string(_comparable(value))}"


def _member(field: str, kind: str, values: tuple[Scalar, ...]) -> str:
    """Return whether a field of one type is among the *values* of that type: one extraction."""
    some = [one for one in values if _type(one) == kind]
    if not some:
        return ""
    if kind == "b":
        either = (_condition(Compare(field, "=", one)) for one in set(some))
        return " OR ".join(f"coalesce({one}, false)" for one in either)
    listed = ", ".join(_string(_comparable(one)) for one in some)
    return f"coalesce({_text(kind, _key(field))} IN ({listed}), false)"


def _text(kind: str, key: str) -> str:
    return f"json_get_string({FACETS}, {_string(f'{kind}_{key}')})"


def _type(value: Scalar) -> str:
    return "b" if isinstance(value, bool) else "s" if isinstance(value, str) else "n"


def _comparable(value: Scalar) -> str:
    """Return a string or number as text that compares as it does."""
    return value if isinstance(value, str) else sortable(value)


def _element(value: Scalar) -> str:
    """Return a list element as a string that is equal exactly for equal values."""
    text = str(value) if isinstance(value, bool) else _comparable(value)
    return f"{_type(value)}:{quote(text, safe='')}"


@lru_cache(maxsize=4096)
def _key(name: str) -> str:
    """Return a metadata key in characters that need no escape in JSON, JSON paths and SQL."""
    return quote(name, safe="")


def _string(text: str) -> str:
    """Return *text* as an SQL string literal: in DataFusion only the quote itself is special."""
    return "'" + text.replace("'", "''") + "'"
