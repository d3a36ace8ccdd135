"""The one filter language: what it means, how it is parsed, and how it is applied to metadata.

A filter is a tree of `Compare` leaves under `And`, `Or` and `Not`. Stores translate the tree
natively, with values always bound; `matches` is the definition they must agree with:

* the logic is two-valued: `Not(x)` holds exactly where `x` does not, so `!=` and `not in` also
  hold where the field is missing;
* `=` and `in` compare strings with strings, numbers with numbers (`1 == 1.0`) and booleans with
  booleans; a boolean is never a number;
* `<`, `<=`, `>`, `>=` compare two numbers or two strings (by code point), and are false otherwise;
* `prefix` and `contains` look inside strings; `contains` also finds an element of a list;
* a field whose value is `None` does not exist.

>>> where = parse_filter({"kind": "decision", "importance": {">=": 3}})
>>> where.matches({"kind": "decision", "importance": 5})
True
>>> where.matches({"kind": "decision"})
False
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias, get_args

from victor_memory.errors import InvalidRequestError
from victor_memory.types import Metadata

Scalar: TypeAlias = str | int | float | bool
Operator: TypeAlias = Literal[
    "=", "!=", "<", "<=", ">", ">=", "in", "not in", "exists", "prefix", "contains"
]
OPERATORS: Final[tuple[Operator, ...]] = get_args(Operator)
MAX_DEPTH: Final = 32
"""A deeper tree is refused: it would exhaust the recursion of a store's parser."""


def is_number(value: object) -> bool:
    """Whether *value* counts as a number: an int or a float, but not a bool."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def _comparable(left: object, right: object) -> bool:
    if isinstance(left, bool) or isinstance(right, bool):
        return isinstance(left, bool) and isinstance(right, bool)
    return (isinstance(left, str) and isinstance(right, str)) or (
        is_number(left) and is_number(right)
    )


def _equal(left: object, right: object) -> bool:
    if type(left) is str and type(right) is str:  # nearly always, so it is asked first
        return left == right
    return _comparable(left, right) and left == right


@dataclass(frozen=True, slots=True)
class Compare:
    """One condition on one top-level metadata field.

    `value` is a tuple of scalars for `in` and `not in`, a bool for `exists`, a string for `prefix`,
    and a scalar otherwise. Build it with `parse_filter` or `where`, which check that.
    """

    field: str
    op: Operator
    value: Scalar | tuple[Scalar, ...]

    def matches(self, metadata: Metadata) -> bool:  # noqa: PLR0911 - one per operator
        """Whether a record with this *metadata* satisfies the condition."""
        actual = metadata.get(self.field)
        match self.op:
            case "=":
                return _equal(actual, self.value)
            case "!=":
                return not _equal(actual, self.value)
            case "in" | "not in":
                assert isinstance(self.value, tuple)
                return any(_equal(actual, one) for one in self.value) is (self.op == "in")
            case "exists":
                return (actual is not None) is self.value
            case "prefix":
                return isinstance(actual, str) and actual.startswith(str(self.value))
            case "contains":
                if isinstance(actual, str):
                    return isinstance(self.value, str) and self.value in actual
                if isinstance(actual, Sequence):
                    return any(_equal(element, self.value) for element in actual)
                return False
            case _:
                return _ordered(actual, self.op, self.value)


def _ordered(actual: Any, op: str, value: Any) -> bool:
    if not _comparable(actual, value) or isinstance(actual, bool):
        return False
    match op:
        case "<":
            return bool(actual < value)
        case "<=":
            return bool(actual <= value)
        case ">":
            return bool(actual > value)
        case _:
            return bool(actual >= value)


@dataclass(frozen=True, slots=True)
class And:
    """All of the parts hold; true when there are none."""

    parts: tuple[Filter, ...]

    def matches(self, metadata: Metadata) -> bool:
        """Whether a record with this *metadata* satisfies every part."""
        return all(part.matches(metadata) for part in self.parts)


@dataclass(frozen=True, slots=True)
class Or:
    """At least one of the parts holds; false when there are none."""

    parts: tuple[Filter, ...]

    def matches(self, metadata: Metadata) -> bool:
        """Whether a record with this *metadata* satisfies at least one part."""
        return any(part.matches(metadata) for part in self.parts)


@dataclass(frozen=True, slots=True)
class Not:
    """The part does not hold."""

    part: Filter

    def matches(self, metadata: Metadata) -> bool:
        """Whether a record with this *metadata* fails the part."""
        return not self.part.matches(metadata)


Filter: TypeAlias = Compare | And | Or | Not
FilterLike: TypeAlias = Filter | Mapping[str, Any]


def where(field: str, op: Operator, value: object = True) -> Compare:  # noqa: FBT002 - the value of `exists`
    """Return one checked condition.

    Raises:
        InvalidRequestError: the field name is empty, the operator unknown, or the value of a
            type the operator cannot use.

    """
    if not isinstance(field, str) or not field:
        msg = f"A filter needs a field name, not {field!r}. Write for example {{'kind': 'fact'}}."
        raise InvalidRequestError(msg)
    _check_text(field)
    if op not in OPERATORS:
        msg = f"Unknown filter operator {op!r} on {field!r}. Use one of: {', '.join(OPERATORS)}."
        raise InvalidRequestError(msg)
    if op in ("in", "not in"):
        if isinstance(value, str) or not isinstance(value, Sequence | set | frozenset):
            msg = f"The filter {field!r} {op} needs a list of values, not {value!r}."
            raise InvalidRequestError(msg)
        return Compare(field, op, tuple(_scalar(field, op, one) for one in value))
    if op == "exists" and not isinstance(value, bool):
        msg = f"The filter {field!r} exists takes true or false, not {value!r}."
        raise InvalidRequestError(msg)
    if op == "prefix" and not isinstance(value, str):
        msg = f"The filter {field!r} prefix takes a string, not {value!r}."
        raise InvalidRequestError(msg)
    checked = _scalar(field, op, value)
    if op in ("<", "<=", ">", ">=") and isinstance(checked, bool):
        msg = f"The filter {field!r} {op} cannot order booleans. Use '=' or '!='."
        raise InvalidRequestError(msg)
    return Compare(field, op, checked)


def _scalar(field: str, op: str, value: object) -> Scalar:
    if isinstance(value, str):
        return _check_text(value)
    if isinstance(value, bool | int):
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    hint = " Use 'exists' to ask whether a field is set." if value is None else ""
    msg = (
        f"The filter {field!r} {op} takes a string, finite number or boolean, not {value!r}.{hint}"
    )
    raise InvalidRequestError(msg)


def _check_text(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError as exc:
        msg = f"A filter holds a lone surrogate at position {exc.start}, which no store can keep."
        raise InvalidRequestError(msg) from exc
    return text


def parse_filter(source: FilterLike | None) -> Filter | None:
    """Return *source* as a checked filter tree; `None` and an empty mapping mean no filter.

    A mapping is read as JSON: `{"kind": "fact"}` is equality, `{"n": {">=": 1, "<": 9}}` applies
    operators, a list value means `in`, `{"and": [...]}`, `{"or": [...]}` and `{"not": {...}}`
    combine. Several keys in one mapping must all hold.

    Raises:
        InvalidRequestError: an operator or value that the language does not have.

    """
    if source is None:
        return None
    tree = _parse(source, depth=0)
    return None if tree == And(()) else tree


def _parse(source: object, *, depth: int) -> Filter:
    if depth > MAX_DEPTH:
        msg = f"The filter is nested more than {MAX_DEPTH} levels deep. Flatten it."
        raise InvalidRequestError(msg)
    if isinstance(source, Compare | And | Or | Not):
        return _checked(source, depth + 1)
    if not isinstance(source, Mapping):
        msg = f"A filter is a mapping such as {{'kind': 'fact'}}, not {source!r}."
        raise InvalidRequestError(msg)
    parts: list[Filter] = []
    for key, value in source.items():
        if key in ("and", "or") and isinstance(value, Sequence) and not isinstance(value, str):
            children = tuple(_parse(child, depth=depth + 1) for child in value)
            parts.append(And(children) if key == "and" else Or(children))
        elif key == "not" and _is_filter(value):
            parts.append(Not(_parse(value, depth=depth + 1)))
        elif isinstance(value, Mapping):
            parts.extend(where(key, op, operand) for op, operand in value.items())
        elif isinstance(value, list | tuple | set | frozenset):
            parts.append(where(key, "in", value))
        else:
            parts.append(where(key, "=", value))
    return parts[0] if len(parts) == 1 else And(tuple(parts))


def _is_filter(value: object) -> bool:
    """Whether *value* is a filter rather than operators on a field, which happens to be "not"."""
    if not isinstance(value, Mapping):
        return isinstance(value, Compare | And | Or | Not)
    return not value or any(
        key not in OPERATORS or isinstance(operand, Mapping) for key, operand in value.items()
    )


def _checked(tree: Filter, depth: int) -> Filter:
    """Return a copy of a tree of objects, checked like one of mappings."""
    match tree:
        case Compare(field, op, value):
            return where(field, op, value)
        case Not(part):
            return Not(_parse(part, depth=depth))
        case And(parts):
            return And(tuple(_parse(part, depth=depth) for part in parts))
        case Or(parts):
            return Or(tuple(_parse(part, depth=depth) for part in parts))


def has_condition(tree: Filter) -> bool:
    """Whether anything in *tree* looks at a record at all."""
    match tree:
        case Compare():
            return True
        case Not(part):
            return has_condition(part)
        case And(parts) | Or(parts):
            return any(map(has_condition, parts))


def to_json(tree: Filter) -> dict[str, Any]:
    """Return *tree* as JSON values that `parse_filter` reads back as an equivalent filter."""
    match tree:
        case Compare(field, op, value):
            return {field: {op: list(value) if isinstance(value, tuple) else value}}
        case And(parts):
            return {"and": [to_json(part) for part in parts]}
        case Or(parts):
            return {"or": [to_json(part) for part in parts]}
        case Not(part):
            return {"not": to_json(part)}


def all_of(*parts: Filter | None) -> Filter | None:
    """Return a filter that holds where every given part holds; `None` parts are no condition."""
    given = tuple(part for part in parts if part is not None)
    if not given:
        return None
    return given[0] if len(given) == 1 else And(given)
