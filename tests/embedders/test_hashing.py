"""The hashing embedder: equal everywhere, never zero, similar where words are shared."""

import hashlib
import itertools
import os
import subprocess
import sys

import numpy as np
import pytest

from victor_memory.config import EmbeddingConfig
from victor_memory.embedders.hashing import HashingEmbedder
from victor_memory.errors import ConfigurationError

TEXTS = ["parseHTTPRequest_v2 reads the body", "Über naïve café", "", "!?", "日本語のテキスト"]
PINNED = "4cf6f6fd31cea6fe05c367091618bcef05d2b11afb3d7565d8614532e418cc23"
"""SHA-256 of the vectors of TEXTS: vectors stored by an earlier version must stay comparable."""
ELSEWHERE = """
import asyncio, hashlib, sys
from victor_memory.config import EmbeddingConfig
from victor_memory.embedders.hashing import HashingEmbedder
vectors = asyncio.run(HashingEmbedder(EmbeddingConfig()).embed(sys.argv[1:]))
print(hashlib.sha256(vectors.tobytes()).hexdigest())
"""


def hashing(name=None):
    return HashingEmbedder(
        EmbeddingConfig(embedding_model_type="hashing", embedding_model_name=name)
    )


async def test_the_vectors_never_change():
    vectors = await hashing().embed(TEXTS)
    assert hashlib.sha256(vectors.tobytes()).hexdigest() == PINNED


def test_another_process_with_another_hash_seed_gives_the_same_bits():
    run = subprocess.run(
        [sys.executable, "-c", ELSEWHERE, *TEXTS],
        env={**os.environ, "PYTHONHASHSEED": "4711"},
        check=True,
        capture_output=True,
        encoding="utf-8",
    )
    assert run.stdout.strip() == PINNED


@pytest.mark.parametrize(
    ("name", "dimension"), [(None, 64), ("hashing-8", 8), ("hashing-256", 256)]
)
async def test_the_name_chooses_the_dimension(name, dimension):
    embedder = hashing(name)
    info = await embedder.load()
    vectors = await embedder.embed(["some words", ""])
    assert (info.name, info.dimension) == (name or "hashing-64", dimension)
    assert vectors.shape == (2, dimension)
    assert vectors.dtype == np.float32
    assert np.linalg.norm(vectors, axis=1) == pytest.approx([1, 1])


@pytest.mark.parametrize(
    "name", ["hashing", "hashing-7", "hashing-8193", "hashing-064", "hashing--8", "64", "minilm"]
)
def test_a_name_without_a_usable_dimension_is_refused_with_an_example(name):
    with pytest.raises(ConfigurationError, match="hashing-64, for example"):
        hashing(name)


async def test_texts_that_share_words_are_similar():
    same, shared, other = await hashing("hashing-4096").embed(
        ["the login token expired", "expired token in login", "painting a wooden fence"]
    )
    assert same @ shared > 0.6
    assert abs(same @ other) < 0.2


async def test_identifiers_are_read_as_their_words():
    vectors = await hashing("hashing-512").embed(
        ["parseHTTPRequest", "parse_http_request", "parse http request", "PARSE HTTP REQUEST"]
    )
    assert (vectors @ vectors[0]).tolist() == pytest.approx([1, 1, 1, 1])


async def test_words_that_share_letters_are_a_little_similar():
    one, inflected, other = await hashing("hashing-1024").embed(["indexing", "indexed", "salary"])
    assert one @ inflected > 0.1 > abs(one @ other)


async def test_words_that_cancel_each_other_do_not_give_a_zero_vector():
    embedder = hashing("hashing-8")
    features = {
        letter: list(embedder._features(letter)) for letter in map(chr, range(0x4E00, 0x4E80))
    }
    opposite = {letter: [(axis, -weight) for axis, weight in of] for letter, of in features.items()}
    pair = next(
        (one, two)
        for one, two in itertools.permutations(features, 2)
        if features[one] == opposite[two]
    )
    [vector] = await embedder.embed([" ".join(pair)])
    assert vector.tolist() == [1, 0, 0, 0, 0, 0, 0, 0]


async def test_any_string_is_text():
    vectors = await hashing().embed(["\ud800 lone surrogate", "\x00", "a" * 100_000])
    assert np.linalg.norm(vectors, axis=1) == pytest.approx([1, 1, 1])
