"""What every store may rely on: records and requests are checked and normalised once."""

import math
from collections import OrderedDict, UserDict
from types import MappingProxyType

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from victor_memory.errors import DimensionMismatchError, InvalidRequestError
from victor_memory.providers._records import (
    MAX_ID_BYTES,
    MAX_LIMIT,
    check_id,
    check_ids,
    check_limit,
    check_text,
    check_vector,
    normalise_metadata,
    prepare,
)
from victor_memory.types import Record

ONES = np.ones(4, dtype=np.float32)


def vector(value, dimension=4, metric="cosine"):
    return check_vector(value, dimension, metric, "The vector")


# -- ids, texts, limits ---------------------------------------------------------------------------


@pytest.mark.parametrize("one", ["a", " ", "' OR 1=1 --", "日本", "x" * MAX_ID_BYTES, "é" * 512])
def test_id(one):
    assert check_id(one) == one


@pytest.mark.parametrize(
    "one", ["", None, 7, b"a", "a\0b", "\ud800", "x" * (MAX_ID_BYTES + 1), "é" * 513]
)
def test_bad_id(one):
    with pytest.raises(InvalidRequestError):
        check_id(one)


def test_ids_are_distinct_and_in_order():
    assert check_ids(["b", "a", "b"]) == ["b", "a"]
    assert check_ids(iter(["b", "a"])) == ["b", "a"]
    assert check_ids([]) == []


@pytest.mark.parametrize("ids", ["abc", [""], [None], ["ok", "\0"]])
def test_bad_ids(ids):
    with pytest.raises(InvalidRequestError):
        check_ids(ids)


def test_text():
    assert check_text("naïve 🧠\0") == "naïve 🧠\0"
    with pytest.raises(InvalidRequestError, match="position 2"):
        check_text("ab\udfff")
    with pytest.raises(InvalidRequestError, match="The note is a string, not bytes"):
        check_text(b"ab", "The note")


@pytest.mark.parametrize("limit", [1, 10, MAX_LIMIT])
def test_limit(limit):
    assert check_limit(limit) == limit


@pytest.mark.parametrize("limit", [0, -1, True, MAX_LIMIT + 1, 1.0, "3", None, math.inf])
def test_bad_limit(limit):
    with pytest.raises(InvalidRequestError, match=f"1 to {MAX_LIMIT}"):
        check_limit(limit)


# -- vectors --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value",
    [
        [1, 2, 3, 4],
        (1.0, 2.0, 3.0, 4.0),
        np.arange(1, 5),
        np.arange(1.0, 5.0),
        np.arange(1, 5, dtype="f4"),
    ],
)
def test_vector(value):
    found = vector(value)
    assert found.dtype == np.float32
    assert found.tolist() == [1, 2, 3, 4]


def test_vector_is_a_copy():
    given_ = ONES.copy()
    found = vector(given_)
    given_[:] = 0
    assert found.tolist() == [1, 1, 1, 1]


@pytest.mark.parametrize(
    "value",
    [
        [1, 2, 3, math.nan],
        [1, 2, 3, math.inf],
        [0, 0, 0, 0],
        [[1, 2, 3, 4]],
        5,
        None,
        "abcd",
        ["a", "b", "c", "d"],
        [1, 2, 3, None],
        {"a": 1},
        [1, [2], 3, 4],
        [1e300, 0, 0, 0],
    ],
)
def test_bad_vector(value):
    with pytest.raises(InvalidRequestError):
        vector(value)


@pytest.mark.parametrize("length", [0, 1, 3, 5])
def test_vector_of_another_length(length):
    with pytest.raises(
        DimensionMismatchError, match=f"dimension {length}, and the collection has 4"
    ):
        vector([1.0] * length)


@pytest.mark.parametrize("metric", ["euclidean", "dot"])
def test_zero_is_refused_under_cosine_alone(metric):
    assert vector([0, 0, 0, 0], metric=metric).tolist() == [0, 0, 0, 0]


# -- metadata -------------------------------------------------------------------------------------


def test_metadata_becomes_json():
    source = {
        "tuple": (1, (2,)),
        "ordered": OrderedDict(a=1),
        "user": UserDict(b=[2]),
        "proxy": MappingProxyType({"c": None}),
        "float": np.float64(0.5),
        "big": 10**30,
    }
    found = normalise_metadata(source, "record 'r'")
    assert found == {
        "tuple": [1, [2]],
        "ordered": {"a": 1},
        "user": {"b": [2]},
        "proxy": {"c": None},
        "float": 0.5,
        "big": 10**30,
    }
    assert type(found["user"]) is dict


def test_metadata_is_a_deep_copy():
    source = {"tags": ["x"], "inner": {"n": [1]}}
    found = normalise_metadata(source, "record 'r'")
    source["tags"].append("y")
    source["inner"]["n"].append(2)
    assert found == {"tags": ["x"], "inner": {"n": [1]}}


@pytest.mark.parametrize(
    "metadata",
    [
        None,
        ["x"],
        "text",
        {1: "x"},
        {"": "x"},
        {None: "x"},
        {"\ud800": 1},
        {"k": "\ud800"},
        {"k": object()},
        {"k": {1, 2}},
        {"k": b"bytes"},
        {"k": math.nan},
        {"k": [math.inf]},
        {"k": {"deep": {"": 1}}},
        {"k": {"deep": [object()]}},
        {"k": np.int64(1)},
    ],
)
def test_bad_metadata(metadata):
    with pytest.raises(InvalidRequestError):
        normalise_metadata(metadata, "record 'r'")


def test_error_names_record_and_key():
    with pytest.raises(InvalidRequestError, match=r"metadata 'when' of record 'r'.*isoformat"):
        normalise_metadata({"when": object()}, "record 'r'")


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(min_size=1), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip


@given(st.dictionaries(st.text(min_size=1), values))
def test_json_is_unchanged(metadata):
    assert normalise_metadata(metadata, "record 'r'") == metadata


# -- batches --------------------------------------------------------------------------------------


def ready(*records, metric="cosine"):
    return prepare(records, 4, metric)


def test_last_of_an_id_wins_and_comes_last():
    found = ready(Record("a", "1", ONES), Record("b", "2", ONES), Record("a", "3", ONES))
    assert [(one.id, one.text) for one in found] == [("b", "2"), ("a", "3")]


def test_terms_are_derived_unless_given():
    derived, chosen, none = ready(
        Record("a", "Parsing tokens", ONES),
        Record("b", "Parsing tokens", ONES, terms="own words"),
        Record("c", "Parsing tokens", ONES, terms=""),
    )
    assert (derived.terms, chosen.terms, none.terms) == ("pars token", "own words", "")


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ("text", "takes Record objects, not str"),
        ({"id": "a"}, "takes Record objects, not dict"),
        (Record("a", "text"), "has no vector"),
        (Record("", "text", ONES), "non-empty string"),
        (Record("a", 7, ONES), "The text of record 'a' is a string"),
        (Record("a", "text", ONES, terms=7), "is a string"),
        (Record("a", "text", np.ones((1, 4), "f4")), "shape"),
    ],
)
def test_bad_record(record, message):
    with pytest.raises(InvalidRequestError) as caught:
        ready(Record("good", "good", ONES), record)
    assert message in str(caught.value)


def test_nothing_is_nothing():
    assert ready() == []
