import pytest
from hypothesis import given
from hypothesis import strategies as st

from victor_memory.retrieval.fusion import from_worst, from_zero, fuse

SCORES = st.dictionaries(
    st.text("abcdef", min_size=1, max_size=2),
    st.floats(-10, 100, allow_nan=False).map(lambda one: round(one, 3)),
    max_size=12,
)
SHARES = st.floats(0, 1)


@given(SCORES, SCORES, SHARES)
def test_every_record_of_either_search_is_there_once_in_order(lexical, dense, share):
    fused = fuse(lexical, dense, share)
    assert fused.keys() == lexical.keys() | dense.keys()
    order = [(-one.score, key) for key, one in fused.items()]
    assert order == sorted(order)
    for one in fused.values():
        assert 0 <= one.lexical <= 1
        assert 0 <= one.dense <= 1
        assert 0 <= one.score <= 1 + 1e-9


@given(SCORES)
def test_no_dense_share_is_the_lexical_order_and_all_of_it_the_dense_order(scores):
    positive = {key: abs(one) + 1 for key, one in scores.items()}
    by_score = sorted(positive, key=lambda key: (-positive[key], key))
    other = {key: float(rank) for rank, key in enumerate(by_score)}
    assert list(fuse(positive, other, 0.0)) == by_score
    assert list(fuse(other, positive, 1.0)) == by_score


@given(SCORES, st.floats(0.1, 100))
def test_a_scale_changes_nothing(scores, factor):
    for normalise in (from_zero, from_worst):
        scaled = normalise({key: one * factor for key, one in scores.items()})
        assert scaled == pytest.approx(normalise(scores), abs=1e-6)


def test_scores_and_not_ranks_decide():
    lexical = {"clear winner": 30.0, "second": 10.0, "third": 9.9}
    dense = {"second": 0.9, "third": 0.1, "clear winner": 0.5}
    assert next(iter(fuse(lexical, dense, 0.4))) == "clear winner"


def test_equal_scores_are_all_best():
    assert from_worst({"a": 0.5, "b": 0.5}) == {"a": 1.0, "b": 1.0}
    assert from_zero({"a": 0.0}) == {"a": 0.0}
    assert fuse({}, {}, 0.5) == {}


def test_a_lower_power_brings_the_best_by_words_nearer_to_the_others():
    plain, lower = (fuse({"a": 16.0, "b": 4.0}, {}, 0.0, power) for power in (1.0, 0.5))
    assert [one.score for one in plain.values()] == [1.0, 0.25]
    assert [one.score for one in lower.values()] == [1.0, 0.5]
