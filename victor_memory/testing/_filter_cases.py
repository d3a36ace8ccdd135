"""Filters that engines get wrong, by subject: metadata to store, and filters to ask for.

What each filter must find is not written here: `Filter.matches` says it.
"""

# ruff: noqa: FBT003 - a boolean is what is compared

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from victor_memory.filters import MAX_DEPTH, And, Not, Or, where

if TYPE_CHECKING:
    from victor_memory.filters import Filter, Operator

BIG: Final = 2**53


@dataclass(frozen=True, slots=True)
class Cases:
    """Rows of metadata, and filters to apply to them."""

    rows: tuple[dict[str, Any], ...]
    filters: tuple[Filter, ...]


def _values(*values: Any) -> tuple[dict[str, Any], ...]:
    """Return one row for each of *values*, under the field `f`."""
    return tuple({"f": value} for value in values)


def _compare(op: Operator, *values: Any, field: str = "f") -> tuple[Filter, ...]:
    return tuple(where(field, op, value) for value in values)


def _order(*bounds: Any, field: str = "f") -> tuple[Filter, ...]:
    """Return every ordering comparison with each of *bounds*."""
    operators: tuple[Operator, ...] = ("<", "<=", ">", ">=")
    return tuple(one for op in operators for one in _compare(op, *bounds, field=field))


def _equality_and_order(*values: Any, field: str = "f") -> tuple[Filter, ...]:
    return (
        *_compare("=", *values, field=field),
        *_compare("!=", *values, field=field),
        *_order(*values, field=field),
    )


def _nested(depth: int) -> Filter:
    tree: Filter = where("f", "=", 1)
    for level in range(depth):
        tree = Not(tree) if level % 2 else And((tree, where("f", "exists")))
    return tree


_WORDS: Final = ("fact", "decision", "task")
_NASTY: Final = (
    "it's",
    'say "so"',
    "back\\slash",
    "100%",
    "1000",
    "a_b",
    "axb",
    "a*b",
    "a?b",
    "[ab]",
    "line\nbreak",
    "' OR '1'='1",
    "'; DROP TABLE embeddings; --",
    "${x}",
    "日本語 🧠",
    "",
    " ",
    "null",
    "true",
    "1",
)
_KEYS: Final = (
    "it's",
    'a"b',
    "a.b",
    "a b",
    "a[0]",
    "a\\b",
    "a`b",
    "a/b",
    "a\nb",
    "$a",
    "$or",
    "and",
    "not",
    "id",
    "text",
    "vector",
    "metadata",
    "terms",
    "score",
    "_distance",
    "rowid",
    "select",
    "ключ",
    "Case",
    "case",
    "1",
    "a') OR 1=1 --",
)

EQUALITY: Final = Cases(
    _values(*_WORDS, *_WORDS),
    _compare("=", *_WORDS, "absent", "fac", "Fact", 1),
)
INEQUALITY: Final = Cases(
    (*_values(*_WORDS, None), {"other": 1}),
    _compare("!=", *_WORDS, "absent", 1, True),
)
MEMBERSHIP: Final = Cases(
    _values(*_WORDS, 1, 2, True, None),
    _compare(
        "in",
        ["fact"],
        ["fact", "task", "absent"],
        ["fact", 1],
        [2, "absent"],
        [*(f"absent{n}" for n in range(1500)), "task"],
    ),
)
NON_MEMBERSHIP: Final = Cases(
    (*_values(*_WORDS, 1, None), {"other": 1}),
    _compare("not in", ["fact"], ["fact", "task"], ["absent", 1]),
)
EMPTY_LISTS: Final = Cases(
    (*_values("fact", 1, None), {"other": 1}),
    (
        where("f", "in", []),
        where("f", "not in", []),
        Not(where("f", "in", [])),
        where("absent", "not in", []),
    ),
)
NUMBERS: Final = Cases(
    _values(-3, -2.5, -1, 0, 0.5, 1, 1.5, 2, 10, 1e300, -1e300, 5e-324, "2", [2], None),
    _order(-2.5, -1, 0, 0.5, 1, 1.5, 2, 9, 1e299),
)
STRING_ORDER: Final = Cases(
    # UTF-16 and locale orders differ from that of code points on exactly these.
    _values("", "A", "Z", "a", "aa", "b", "z", "É", "é", "日", "\uff61", "🧠", 5, "5", "10"),
    _order("", "B", "a", "é", "\uff61", "🧠", "2"),
)
BOOLEANS: Final = Cases(
    _values(True, False, 1, 0, 1.0, 0.0, "true", "True", "1", [True], [1]),
    (
        *_compare("=", True, False, 1, 0),
        *_compare("!=", True, 1),
        *_compare("in", [True, "1"], [1], [0.0]),
        *_compare("not in", [False], [1, 0]),
        *_compare("contains", True, 1),
        where("f", ">=", 0),
        where("f", "<=", 1),
    ),
)
INTS_AND_FLOATS: Final = Cases(
    _values(1, 1.0, 2, 2.5, 0, -0.0, -7, -7.0, "1", "1.0"),
    (
        *_compare("=", 1, 1.0, 2.5, 0, 0.0, -0.0, -7, -7.0),
        *_compare("in", [1, 2.5], [1.0, 2.0]),
        where("f", "not in", [-7.0, 0]),
        where("f", "!=", 1.0),
    ),
)
LARGE_INTS: Final = Cases(
    _values(BIG - 1, BIG, BIG + 1, -BIG - 1, -BIG, 2**63 - 1, 2**63 - 2, -(2**63), 1.5),
    (
        *_equality_and_order(BIG, BIG + 1, -BIG - 1, 2**63 - 1, -(2**63)),
        where("f", "in", [BIG + 1, 2**63 - 2]),
        where("f", "not in", [BIG]),
    ),
)
LARGE_INTS_AND_FLOATS: Final = Cases(
    _values(BIG - 1, BIG, BIG + 1, float(BIG), float(BIG - 1), float(2**63), 2**63 - 1, -BIG - 1),
    (
        *_equality_and_order(BIG + 1, float(BIG), float(2**63), 2**63 - 1, float(-BIG)),
        *_compare("in", [BIG + 1], [float(BIG)]),
    ),
)
HUGE_INTS: Final = Cases(
    _values(2**63, 2**64, 10**30, -(10**30), 10**400, 2**63 - 1, 1e30, [10**30], 0),
    (
        *_equality_and_order(2**63, 2**64, 10**30, -(10**30), 10**400, 1e30),
        where("f", "in", [10**30, 10**400]),
        where("f", "contains", 10**30),
    ),
)
EXISTENCE: Final = Cases(
    (*_values(None, "", 0, False, [], {}, "x", [None], {"f": None}), {"other": 1}),
    (
        *_compare("exists", True, False),
        *_compare("exists", True, False, field="absent"),
        Not(where("f", "exists")),
    ),
)
PREFIXES: Final = Cases(
    _values(
        "src/a.py",
        "src/b.py",
        "SRC/a.py",
        "test",
        "s",
        "",
        "100%",
        "1000",
        "a_b",
        "axb",
        100,
        "日本語",
        "日記",
        ["src/a.py"],
        "\\a",
        "'x",
        "*",
        "[ab]c",
    ),
    _compare(
        "prefix", "src/", "s", "SRC", "", "100", "100%", "a_", "日", "\\", "'", "*", "[ab]", "x"
    ),
)
SUBSTRINGS: Final = Cases(
    _values(
        "needle in hay",
        "NEEDLE",
        "need le",
        "",
        "50% off",
        "5000 off",
        "a_b",
        "axb",
        7,
        None,
        "it's",
        "back\\slash",
        "日本語",
        "x*y",
        "{'needle': 1}",
        {"needle": 1},
    ),
    _compare(
        "contains", "needle", "e", "", "50%", "a_b", "'", "\\", "本", "*", "7", "absent", 7, True
    ),
)
ELEMENTS: Final = Cases(
    _values(
        ["red", "green"],
        ["green"],
        ["dark green"],
        "green",
        [],
        ["red", 1, 2.0, True, None],
        ["1", "True", "it's"],
        [["green"]],
        [{"green": 1}],
        ["a,b", 'c"d', "日本"],
        ["a", "b"],
        {"green": "green"},
    ),
    (
        *_compare("contains", "green", "red", "1", 1, 2, 2.0, True, False),
        *_compare("contains", "it's", "a,b", 'c"d', "日本", "a"),
        where("f", "=", "green"),
        where("f", "!=", "green"),
        where("f", "in", ["green"]),
    ),
)
NESTED_VALUES: Final = Cases(
    ({"a": {"b": 1}}, {"a.b": 1}, {"a": 1}, {"a": [1]}, {"a": None}, {"b": 1}, {"a": "{'b': 1}"}),
    (
        where("a", "=", 1),
        where("a.b", "=", 1),
        where("a.b", "exists"),
        where("a", "exists"),
        where("a", "!=", 1),
        where("a", ">", 0),
        where("b", "=", 1),
    ),
)
MISSING: Final = Cases(
    (*_values("x", None, 1), {"other": 1}),
    (
        *_equality_and_order(1, field="absent"),
        *_compare("contains", 1, "", field="absent"),
        *_compare("in", [1], field="absent"),
        *_compare("not in", [1], field="absent"),
        *_compare("prefix", "", "x", field="absent"),
        Not(where("absent", "=", 1)),
        Not(where("absent", "!=", 1)),
        Not(where("absent", "<", 1)),
        Not(where("f", ">", 5)),
    ),
)
NASTY_VALUES: Final = Cases(
    _values(*_NASTY),
    (
        *_compare("=", *_NASTY),
        *_compare("!=", *_NASTY[:12]),
        where("f", "in", list(_NASTY[::3])),
        where("f", "not in", list(_NASTY[::2])),
    ),
)
NASTY_FIELDS: Final = Cases(
    (*({key: "yes"} for key in _KEYS), *({key: 1} for key in _KEYS)),
    (
        *(where(key, "=", "yes") for key in _KEYS),
        *(where(key, "exists") for key in (*_KEYS, "a", "b", "CASE")),
        *(where(key, ">=", 1) for key in _KEYS),
    ),
)
COMBINATIONS: Final = Cases(
    tuple(
        {"kind": kind, "n": n, **({"tag": "x"} if n % 2 else {})}
        for kind in ("fact", "task")
        for n in range(4)
    ),
    (
        And((where("kind", "=", "fact"), where("n", ">=", 2))),
        Or((where("kind", "=", "fact"), where("n", ">=", 2))),
        Not(And((where("kind", "=", "fact"), where("n", ">=", 2)))),
        Not(Or((where("kind", "=", "fact"), where("n", ">=", 2)))),
        And((Or((where("n", "=", 0), where("n", "=", 3))), where("kind", "!=", "task"))),
        # Without its parentheses this means something else.
        Or((And((where("n", "<", 1), where("kind", "=", "task"))), where("tag", "exists"))),
        Not(Not(where("tag", "=", "x"))),
        Not(where("tag", "=", "x")),
        And((Not(where("tag", "exists")), Not(where("kind", "in", ["fact"])))),
        And((where("n", ">", 0), where("n", "<", 3), where("n", "!=", 2))),
    ),
)
EMPTY_GROUPS: Final = Cases(
    _values(1, 2),
    (
        Or(()),
        Not(Or(())),
        Not(And(())),
        And((where("f", "=", 1), And(()))),
        Or((where("f", "=", 1), Or(()))),
        And((where("f", "=", 1), Or(()))),
        Or((where("f", "=", 1), And(()))),
    ),
)
LARGE_TREES: Final = Cases(
    _values(1, 2, "x"),
    (
        _nested(MAX_DEPTH),
        Or(_compare("=", *range(400, 1, -1))),
        And(_compare("!=", *range(400, 1, -1))),
    ),
)

USUAL: Final = (
    EQUALITY, INEQUALITY, MEMBERSHIP, NON_MEMBERSHIP, EMPTY_LISTS, NUMBERS, STRING_ORDER, BOOLEANS,
    INTS_AND_FLOATS, LARGE_INTS, EXISTENCE, PREFIXES, SUBSTRINGS, ELEMENTS, NESTED_VALUES, MISSING,
    NASTY_VALUES, NASTY_FIELDS, COMBINATIONS, EMPTY_GROUPS,
)  # fmt: skip
"""All but those that lie beyond what many engines have."""
