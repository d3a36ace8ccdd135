"""The resident index against its two references: `bm25` and a comparison with every vector."""

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from victor_memory.providers._scores import similarities
from victor_memory.retrieval import resident
from victor_memory.retrieval.bm25 import InvertedIndex
from victor_memory.retrieval.resident import ResidentIndex, Row

WORDS = "ash birch cedar elm fir gorse hazel ivy".split()


def row(key, terms="", vector=None):
    return Row(key, key, terms, None if vector is None else np.asarray(vector, np.float32))


def filled(*rows, metric="cosine"):
    index = ResidentIndex(metric)
    for one in rows:
        index.put(one.key, [one])
    return index


def lexical(index, query, limit=10, accept=None):
    return index.search(query.split(), None, limit, accept)[0]


def dense(index, vector, limit=10, accept=None):
    return index.search((), np.asarray(vector, np.float32), limit, accept)[1]


def keys(found):
    return [one.key for one in found]


texts = st.lists(st.sampled_from(WORDS), max_size=12).map(" ".join)
operations = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.integers(0, 9), st.lists(texts, min_size=1, max_size=4)),
        st.tuples(st.just("remove"), st.integers(0, 9), st.just([])),
        st.tuples(st.just("search"), st.integers(0, 9), st.just([])),
    ),
    max_size=40,
)


@settings(max_examples=60, deadline=None)
@given(operations, st.lists(st.sampled_from(WORDS), min_size=1, max_size=3))
def test_after_any_changes_it_finds_what_the_references_find(changes, query):
    index, reference, vectors = ResidentIndex("cosine"), InvertedIndex(), {}
    generator = random.Random(1)
    for number, (what, group, rows) in enumerate(changes):
        if what == "search":
            lexical(index, "ash")
            continue
        for key in [key for key in vectors if key.startswith(f"{group}:")]:
            reference.remove(key)
            del vectors[key]
        made = []
        for place, text in enumerate(rows):
            key = f"{group}:{number}:{place}"
            vectors[key] = np.asarray([generator.gauss(0, 1) for _ in range(4)], np.float32)
            reference.put(key, text.split())
            made.append(row(key, text, vectors[key]))
        index.remove(group) if what == "remove" else index.put(group, made)
    assert len(index) == len(vectors)
    assert sorted(map(str, index.groups())) == sorted({key.partition(":")[0] for key in vectors})
    # Removed rows count in the weights of words until they are left behind: only who is found is sure.
    found = lexical(index, " ".join(query), limit=100)
    assert sorted(keys(found)) == sorted(key for key, _ in reference.search(query, 100))
    vector = np.asarray([1, 2, 3, 4], np.float32)
    best = dense(index, vector, limit=5)
    if vectors:
        matrix = np.stack([vectors[key] for key in sorted(vectors)])
        wanted = sorted(similarities(matrix, vector, "cosine"), reverse=True)[:5]
        assert [one.score for one in best] == pytest.approx(wanted, abs=1e-5)


def test_scores_are_those_of_bm25():
    texts = {f"d{n}": " ".join(random.Random(n).choices(WORDS, k=3 + n)) for n in range(30)}
    index, reference = filled(*(row(*one) for one in texts.items())), InvertedIndex()
    for key, text in texts.items():
        reference.put(key, text.split())
    found = lexical(index, "elm ivy ash", limit=30)
    assert [(one.key, pytest.approx(one.score, rel=1e-5)) for one in found] == reference.search(
        ["elm", "ivy", "ash"], 30
    )


@pytest.mark.parametrize("metric", ["cosine", "dot", "euclidean"])
def test_similarities_are_those_of_a_store(metric):
    vectors = np.random.default_rng(3).normal(size=(20, 8)).astype(np.float32)
    rows = [row(f"d{n:02}", vector=one) for n, one in enumerate(vectors)]
    query = np.ones(8, np.float32)
    best = dense(filled(*rows, metric=metric), query, limit=20)
    wanted = similarities(vectors, query, metric)
    assert keys(best) == [f"d{n:02}" for n in np.argsort(-wanted)]
    assert [one.score for one in best] == pytest.approx(sorted(wanted, reverse=True), rel=1e-4)


def test_ties_are_broken_by_key_also_at_the_limit():
    index = filled(*(row(key, "ash", [1, 0]) for key in "dbca"))
    assert keys(lexical(index, "ash", limit=2)) == ["a", "b"]
    assert keys(dense(index, [1, 0], limit=3)) == ["a", "b", "c"]


def test_only_what_is_accepted_takes_a_place():
    index = filled(*(row(f"d{n}", "ash", [1, n]) for n in range(9)))
    assert keys(lexical(index, "ash", limit=2, accept=lambda one: one > "d5")) == ["d6", "d7"]
    assert keys(dense(index, [1, 0], limit=1, accept=lambda one: one > "d5")) == ["d6"]


def test_a_row_without_a_vector_is_found_by_words_only():
    index = filled(row("a", "ash"), row("b", "elm", [0, -1]))
    assert keys(lexical(index, "ash elm")) == ["a", "b"]
    assert keys(dense(index, [0, 1])) == ["b"]


def test_a_row_without_words_is_found_by_its_vector():
    index = filled(row("a", "", [1, 0]))
    assert (keys(lexical(index, "ash")), keys(dense(index, [1, 0]))) == ([], ["a"])


def test_nothing_is_found_in_nothing():
    assert ResidentIndex().search(["ash"], np.ones(3, np.float32), 5) == ([], [])
    assert len(ResidentIndex()) == 0


def test_many_small_changes_leave_few_segments(monkeypatch):
    monkeypatch.setattr(resident, "SEGMENTS", 3)
    index = ResidentIndex()
    index.put("large", [row(f"l{n}", "fir", [1, 0]) for n in range(50)])
    for n in range(40):
        index.put(f"g{n % 7}", [row(f"s{n}", "ash", [0, 1])])
        assert len(lexical(index, "ash", limit=100)) == min(n + 1, 7)
    assert len(index._segments) <= 4
    assert len(lexical(index, "fir", limit=100)) == 50


def test_removed_rows_are_left_behind():
    index = filled(*(row(f"d{n}", "ash", [1, 0]) for n in range(100)))
    for n in range(60):
        index.remove(f"d{n}")
    assert len(index) == 40
    assert sum(len(one.keys) for one in index._segments) == 40
    assert len(lexical(index, "ash", limit=100)) == 40


def test_everything_can_be_removed():
    index = filled(row("a", "ash", [1, 0]))
    lexical(index, "ash")
    index.remove("a")
    assert (keys(lexical(index, "ash")), len(index)) == ([], 0)
    index.put("b", [row("b", "ash", [1, 0])])
    assert keys(lexical(index, "ash")) == ["b"]
