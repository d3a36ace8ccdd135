"""BM25 by its formula, kept up to date under every change."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from victor_memory.retrieval.bm25 import K1, B, InvertedIndex

words = st.sampled_from(["red", "green", "blue", "grey"])
documents = st.dictionaries(st.sampled_from("abcdef"), st.lists(words, max_size=6))


def scores(texts, query):
    """Return the scores of all documents that share a term with *query*, by the formula."""
    average = sum(map(len, texts.values())) / len(texts) if texts else 1
    found = {}
    for key, terms in texts.items():
        for term in query:
            having = sum(term in other for other in texts.values())
            idf = math.log(1 + (len(texts) - having + 0.5) / (having + 0.5))
            count = terms.count(term)
            if count:
                norm = K1 * (1 - B + B * len(terms) / average)
                found[key] = found.get(key, 0) + idf * count * (K1 + 1) / (count + norm)
    return found


def filled(texts):
    index = InvertedIndex()
    for key, terms in texts.items():
        index.put(key, terms)
    return index


@given(documents, st.lists(words, unique=True))
def test_scores_are_the_formula(texts, query):
    found = dict(filled(texts).search(query, 100))
    assert found == pytest.approx(scores(texts, query))


@given(st.lists(st.tuples(st.sampled_from("abc"), st.none() | st.lists(words, max_size=4))))
def test_changes_leave_no_trace(changes):
    index, texts = InvertedIndex(), {}
    for key, terms in changes:
        if terms is None:
            index.remove(key)
            texts.pop(key, None)
        else:
            index.put(key, terms)
            texts[key] = terms
    assert len(index) == len(texts)
    for word in ("red", "green"):
        assert index.search([word], 10) == filled(texts).search([word], 10)


def test_best_first_and_ties_by_key():
    index = filled({"z": ["red"], "a": ["red"], "m": ["red", "red"], "x": ["blue"]})
    assert [key for key, _ in index.search(["red"], 10)] == ["m", "a", "z"]
    assert [key for key, _ in index.search(["red"], 2)] == ["m", "a"]


def test_rare_terms_count_more():
    index = filled({**{f"c{n}": ["red"] for n in range(9)}, "rare": ["blue"]})
    assert index.search(["red", "blue"], 1)[0][0] == "rare"


def test_accept_comes_before_the_limit():
    index = filled({"a": ["red", "red"], "b": ["red"]})
    assert [key for key, _ in index.search(["red"], 1, lambda key: key == "b")] == ["b"]


def test_scores_are_positive_even_for_common_terms():
    index = filled({"a": ["red"], "b": ["red"]})
    assert all(score > 0 for _, score in index.search(["red"], 10))


def test_emptiness():
    index = InvertedIndex()
    assert index.search(["red"], 10) == []
    index.put("a", [])
    assert len(index) == 1
    assert index.search(["red"], 10) == []
    index.put("a", ["red"])
    assert index.search([], 10) == []
    index.clear()
    assert len(index) == 0
    assert index.search(["red"], 10) == []
