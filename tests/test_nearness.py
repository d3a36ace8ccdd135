from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from victor_memory.retrieval.nearness import NameVectors

AXES = np.eye(4, dtype=np.float32)


class Model:
    """Puts every text on the axis of its length, and remembers what it was asked for."""

    def __init__(self):
        self.asked = []

    def __call__(self, texts):
        self.asked.extend(texts)
        return AXES[[len(text) % 4 for text in texts]]


def near(names, texts):
    return names.near(AXES[1], texts)


def test_each_text_has_its_cosine_in_its_place():
    assert near(NameVectors(Model()), ["a", "bb", "c", "a"]) == [1, 0, 1, 1]


def test_a_text_is_embedded_once():
    model = Model()
    names = NameVectors(model)
    near(names, ["a", "bb", "a"])
    near(names, ["bb", "ccc"])
    assert model.asked == ["a", "bb", "ccc"]


def test_no_texts_are_near_to_nothing():
    assert near(NameVectors(Model()), []) == []


@pytest.mark.parametrize("count", [3, 4, 9])
def test_what_does_not_fit_is_found_and_forgotten(count):
    names = NameVectors(Model(), room=4)
    texts = ["x" * (number + 1) for number in range(count)]
    expected = [float(len(text) % 4 == 1) for text in texts]
    for _ in range(3):
        assert near(names, texts) == expected
        assert near(names, ["other", *texts[:2]]) == [1.0, *expected[:2]]


def test_what_was_learnt_is_not_embedded_again_and_leaves_room():
    model = Model()
    names = NameVectors(model, room=4)
    names.learn(["a", "bb", "ccc"])
    assert model.asked == ["a", "bb"]
    near(names, ["bb", "a", "dddd"])
    assert model.asked == ["a", "bb", "dddd"]


def test_threads_take_turns():
    names = NameVectors(Model(), room=64)

    def ask(seed):
        texts = ["x" * ((seed * 7 + number) % 90 + 1) for number in range(40)]
        return near(names, texts) == [float(len(text) % 4 == 1) for text in texts]

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(ask, range(200)))
