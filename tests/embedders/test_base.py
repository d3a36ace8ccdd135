"""The checks every embedder shares, held against embedders that are seeded with a fault."""

import asyncio
import threading

import numpy as np
import pytest

from victor_memory.config import EmbeddingConfig
from victor_memory.embedders.base import EmbedderInfo, LocalEmbedder
from victor_memory.errors import ConfigurationError, EmbeddingError, InvalidRequestError

DIMENSION = 3


class Seeded(LocalEmbedder):
    """Returns what it was given, right or wrong."""

    type = "seeded"
    default_model = "fault"

    def __init__(self, outcome, failures=0):
        super().__init__(EmbeddingConfig())
        self.outcome = outcome
        self.failures = failures
        self.threads = set()

    def _load_model(self):
        if self.failures:
            self.failures -= 1
            msg = "the weights are torn"
            raise OSError(msg)
        return EmbedderInfo(self.type, self.model_name, DIMENSION, "abc")

    def _encode(self, texts, purpose):
        self.threads.add(threading.current_thread())
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return np.array(self.outcome[: len(texts)])


async def test_a_sound_model_passes_as_float32():
    vectors = await Seeded([[1.0, 0.0, 0.0], [0.0, 0.5, 0.0]]).embed(["a", "b"])
    assert vectors.dtype == np.float32
    assert vectors.tolist() == [[1, 0, 0], [0, 0.5, 0]]


@pytest.mark.parametrize(
    ("outcome", "words"),
    [
        ([[1.0, 0, 0], [0, 0, 0]], "zero vector for text 1"),
        ([[1.0, 0, 0], [float("nan"), 1, 0]], "NaN or infinite"),
        ([[1.0, 0, 0], [float("inf"), 1, 0]], "NaN or infinite"),
        ([[1.0, 0], [0, 1.0]], r"shape \(2, 2\) for 2 texts of dimension 3"),
        ([[1.0, 0, 0]], r"shape \(1, 3\) for 2 texts"),
        ([1.0, 0], r"shape \(2,\)"),
    ],
)
async def test_vectors_that_cannot_be_stored_are_refused(outcome, words):
    with pytest.raises(EmbeddingError, match=words) as caught:
        await Seeded(outcome).embed(["a", "b"])
    assert "Nothing was stored" in str(caught.value)


async def test_a_models_own_exception_is_wrapped_with_its_cause():
    with pytest.raises(EmbeddingError, match="out of memory") as caught:
        await Seeded(RuntimeError("out of memory")).embed(["a"])
    assert isinstance(caught.value.__cause__, RuntimeError)


async def test_our_own_errors_pass_as_they_are():
    with pytest.raises(ConfigurationError, match=r"^plain$"):
        await Seeded(ConfigurationError("plain")).embed(["a"])


@pytest.mark.parametrize("texts", ["one", [b"bytes"], [None], ["fine", 3]])
async def test_what_is_not_a_list_of_strings_is_refused(texts):
    with pytest.raises(InvalidRequestError, match="list of strings"):
        await Seeded([[1.0, 0, 0]]).embed(texts)


async def test_no_texts_give_no_vectors_of_the_right_dimension():
    vectors = await Seeded([]).embed([])
    assert vectors.shape == (0, DIMENSION)
    assert vectors.dtype == np.float32


async def test_a_failed_load_says_why_and_can_be_repeated():
    embedder = Seeded([[1.0, 0, 0]], failures=1)
    with pytest.raises(EmbeddingError, match="'fault' could not be loaded: the weights are torn"):
        await embedder.embed(["a"])
    assert (await embedder.load()).fingerprint == "seeded:fault:3:abc"


async def test_a_local_model_leaves_the_event_loop_free():
    embedder = Seeded([[1.0, 0, 0]])
    await asyncio.gather(*(embedder.embed(["a"]) for _ in range(4)))
    assert threading.current_thread() not in embedder.threads
