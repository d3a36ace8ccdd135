"""The filter language: what it means, how it is written, and what it refuses."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from victor_memory.errors import InvalidRequestError
from victor_memory.filters import (
    MAX_DEPTH,
    OPERATORS,
    And,
    Compare,
    Not,
    Or,
    all_of,
    is_number,
    parse_filter,
    to_json,
    where,
)

ROW = {
    "kind": "decision",
    "n": 3,
    "score": 0.5,
    "done": True,
    "tags": ["auth", 7, False, None],
    "nothing": None,
    "inner": {"n": 1},
}


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ({"kind": "decision"}, True),
        ({"kind": "Decision"}, False),
        ({"kind": {"=": "decision"}}, True),
        ({"kind": {"!=": "decision"}}, False),
        ({"absent": {"!=": "x"}}, True),
        ({"nothing": {"!=": "x"}}, True),
        ({"n": 3}, True),
        ({"n": 3.0}, True),
        ({"n": "3"}, False),
        ({"n": {">=": 3, "<": 4}}, True),
        ({"n": {">": 3}}, False),
        ({"n": {"<=": 3.5}}, True),
        ({"n": {"<": "4"}}, False),
        ({"kind": {">": "dec"}}, True),
        ({"kind": {"<": 5}}, False),
        ({"done": True}, True),
        ({"done": 1}, False),
        ({"n": True}, False),
        ({"done": {">=": 0}}, False),
        ({"kind": ["fact", "decision"]}, True),
        ({"kind": {"in": []}}, False),
        ({"kind": {"not in": []}}, True),
        ({"n": {"in": ["3", True]}}, False),
        ({"absent": {"in": ["x"]}}, False),
        ({"absent": {"not in": ["x"]}}, True),
        ({"kind": {"exists": True}}, True),
        ({"absent": {"exists": False}}, True),
        ({"nothing": {"exists": True}}, False),
        ({"inner": {"exists": True}}, True),
        ({"kind": {"prefix": "dec"}}, True),
        ({"kind": {"prefix": ""}}, True),
        ({"n": {"prefix": ""}}, False),
        ({"kind": {"contains": "cis"}}, True),
        ({"kind": {"contains": 3}}, False),
        ({"tags": {"contains": "auth"}}, True),
        ({"tags": {"contains": "aut"}}, False),
        ({"tags": {"contains": 7.0}}, True),
        ({"tags": {"contains": 0}}, False),
        ({"tags": {"contains": False}}, True),
        ({"tags": "auth"}, False),
        ({"inner": {"contains": "n"}}, False),
        ({"inner.n": 1}, False),
        ({"kind": "decision", "n": {"<": 3}}, False),
        ({"and": [{"kind": "decision"}, {"n": 3}]}, True),
        ({"or": [{"kind": "fact"}, {"n": 3}]}, True),
        ({"or": []}, False),
        ({"and": [{"or": []}]}, False),
        ({"not": {"kind": "fact"}}, True),
        ({"not": {"kind": "decision", "n": 4}}, True),
        ({"not": {"absent": 1}}, True),
        ({"not": {"absent": {"!=": 1}}}, False),
        ({"and": 3}, False),
        ({"or": "text"}, False),
        ({"not": 3}, False),
    ],
)
def test_meaning(source, expected):
    tree = parse_filter(source)
    assert tree.matches(ROW) is expected
    assert parse_filter(to_json(tree)) == tree


@pytest.mark.parametrize("source", [None, {}, {"and": []}, And(())])
def test_no_condition(source):
    assert parse_filter(source) is None


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ({"n": None}, "Use 'exists'"),
        ({"n": {"like": "x"}}, "Unknown filter operator 'like' on"),
        ({"n": {"$gt": 1}}, "Unknown filter operator"),
        ({"n": {"=": float("nan")}}, "finite number"),
        ({"n": {"=": float("-inf")}}, "finite number"),
        ({"n": {"=": b"x"}}, "finite number"),
        ({"n": {"=": [1]}}, "string"),
        ({"n": {"in": "abc"}}, "list of values"),
        ({"n": {"in": 1}}, "list of values"),
        ({"n": {"in": {"a": 1}}}, "list of values"),
        ({"n": {"in": [None]}}, "Use 'exists'"),
        ({"n": {"exists": 1}}, "true or false"),
        ({"n": {"prefix": 1}}, "takes a string"),
        ({"n": {"<": True}}, "cannot order booleans"),
        ({"": 1}, "field name"),
        ({1: 1}, "field name"),
        ({"and": [1]}, "mapping"),
        ({"and": ["x"]}, "mapping"),
        ("n = 1", "mapping"),
        ([{"n": 1}], "mapping"),
        (7, "mapping"),
    ],
)
def test_refusal(source, message):
    with pytest.raises(InvalidRequestError) as caught:
        parse_filter(source)
    assert message in str(caught.value)


def test_objects_are_checked_like_mappings():
    for wrong in (
        Compare("n", "like", 1),
        Compare("", "=", 1),
        Compare("n", "=", None),
        And((Compare("n", "in", 3),)),
        Not(Compare("n", "<", True)),  # noqa: FBT003 - what is compared
        Or(({"n": None},)),
    ):
        with pytest.raises(InvalidRequestError):
            parse_filter(wrong)


def test_sets_are_lists():
    assert where("n", "in", {1}) == where("n", "in", frozenset([1])) == Compare("n", "in", (1,))


@pytest.mark.parametrize("make", [lambda tree: {"not": tree}, lambda tree: {"and": [tree]}])
def test_depth_is_bounded(make):
    tree = {"n": 1}
    for _ in range(MAX_DEPTH):
        tree = make(tree)
    assert parse_filter(tree) is not None
    with pytest.raises(InvalidRequestError, match="Flatten it"):
        parse_filter(make(tree))


def test_all_of():
    one, two = where("a", "=", 1), where("b", "=", 2)
    assert all_of() is None
    assert all_of(None, None) is None
    assert all_of(None, one) == one
    assert all_of(one, None, two) == And((one, two))


def test_numbers():
    assert [is_number(one) for one in (1, 1.5, True, "1", None)] == [
        True,
        True,
        False,
        False,
        False,
    ]


# -- laws -----------------------------------------------------------------------------------------

fields = st.sampled_from(["a", "b", "it's", "and", "or", "$", "a.b", "not"])
scalars = st.one_of(
    st.integers(-3, 3),
    st.integers(),
    st.sampled_from([0.5, 1.0, -2.0]),
    st.booleans(),
    st.text(max_size=3),
)


@st.composite
def conditions(draw):
    op = draw(st.sampled_from(OPERATORS))
    if op in ("in", "not in"):
        value = draw(st.lists(scalars, max_size=3))
    elif op == "exists":
        value = draw(st.booleans())
    elif op == "prefix":
        value = draw(st.text(max_size=2))
    elif op in ("<", "<=", ">", ">="):
        value = draw(scalars.filter(lambda one: not isinstance(one, bool)))
    else:
        value = draw(scalars)
    return where(draw(fields), op, value)


filters = st.recursive(
    conditions(),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda parts: And(tuple(parts))),
        st.lists(inner, max_size=3).map(lambda parts: Or(tuple(parts))),
        inner.map(Not),
    ),
    max_leaves=8,
)
metadata = st.dictionaries(fields, st.one_of(st.none(), scalars, st.lists(scalars, max_size=3)))


@given(filters, metadata)
def test_json_means_the_same(tree, row):
    text = json.dumps(to_json(tree))
    again = parse_filter(json.loads(text))
    assert (again is None or again.matches(row)) is tree.matches(row)


@given(filters, metadata)
def test_logic_has_two_values(tree, row):
    assert Not(tree).matches(row) is not tree.matches(row)
    assert Not(Not(tree)).matches(row) is tree.matches(row)


@given(filters, filters, metadata)
def test_de_morgan(one, two, row):
    assert Not(And((one, two))).matches(row) is Or((Not(one), Not(two))).matches(row)
    assert Not(Or((one, two))).matches(row) is And((Not(one), Not(two))).matches(row)


@given(fields, scalars, metadata)
def test_negated_operators_are_negations(field, value, row):
    assert where(field, "!=", value).matches(row) is not where(field, "=", value).matches(row)
    assert where(field, "not in", [value]).matches(row) is not where(field, "in", [value]).matches(
        row
    )
    assert where(field, "in", [value]).matches(row) is where(field, "=", value).matches(row)


@given(fields, st.integers(), st.integers())
def test_integers_are_exact(field, left, right):
    row = {field: left}
    assert where(field, "<", right).matches(row) is (left < right)
    assert where(field, "=", right).matches(row) is (left == right)
