"""An embedder without a model: the same vectors everywhere, at once. Meant for tests."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from hashlib import blake2b
from typing import TYPE_CHECKING, ClassVar, Final

from victor_memory.embedders.base import EmbedderInfo, LocalEmbedder, Purpose
from victor_memory.errors import ConfigurationError

if TYPE_CHECKING:
    from victor_memory.config import EmbeddingConfig
    from victor_memory.types import Vectors

NAME: Final = re.compile(r"hashing-([1-9][0-9]{0,4})")
SMALLEST: Final = 8
LARGEST: Final = 8192
WORD: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[^\W\d_A-Z]+|\d+")
"""The words of a text, and the words inside an identifier: `parseHTTPRequest_v2` has five."""
PART: Final = 3
WORD_WEIGHT: Final = 1.0
PART_WEIGHT: Final = 0.25
"""Both are sums of powers of two: additions are exact, in any order and on any machine."""


class HashingEmbedder(LocalEmbedder):
    """Words and their three-letter parts, each hashed to one signed coordinate, summed.

    The model's name chooses the dimension: `hashing-64`, `hashing-256`. Texts that share words are
    similar, and words that share letters a little; meaning plays no role. Vectors have unit length
    and are equal, bit for bit, in every process and on every machine. A text without words is the
    first axis.

    Raises:
        ConfigurationError: the model's name is not `hashing-` and a dimension from 8 to 8192.

    """

    type: ClassVar[str] = "hashing"
    default_model: ClassVar[str] = "hashing-64"

    def __init__(self, config: EmbeddingConfig) -> None:
        """Read the dimension from *config*'s model name."""
        super().__init__(config)
        match = NAME.fullmatch(self.model_name)
        self.dimension = int(match[1]) if match else 0
        if not SMALLEST <= self.dimension <= LARGEST:
            msg = (
                f"There is no hashing model {self.model_name!r}. Name one by its dimension, "
                f"hashing-{SMALLEST} to hashing-{LARGEST}: hashing-64, for example."
            )
            raise ConfigurationError(msg)

    def _load_model(self) -> EmbedderInfo:
        return EmbedderInfo(self.type, self.model_name, self.dimension, digest="1")

    def _encode(self, texts: Sequence[str], purpose: Purpose) -> Vectors:  # noqa: ARG002 - one kind of input
        import numpy as np

        sums = np.zeros((len(texts), self.dimension), dtype=np.float64)
        known: dict[str, tuple[tuple[int, float], ...]] = {}
        for row, text in zip(sums, texts, strict=True):
            for match in WORD.finditer(text):
                word = match[0].lower()
                if word not in known:
                    known[word] = tuple(self._features(word))
                for axis, weight in known[word]:
                    row[axis] += weight
        # Also a text whose words happen to cancel each other, which a small dimension allows.
        sums[~sums.any(axis=1), 0] = 1
        lengths = np.sqrt((sums * sums).sum(axis=1, keepdims=True))
        vectors: Vectors = (sums / lengths).astype(np.float32)
        return vectors

    def _features(self, word: str) -> Iterator[tuple[int, float]]:
        yield self._axis(word, WORD_WEIGHT)
        marked = f"<{word}>"
        for start in range(len(marked) - PART + 1):
            yield self._axis(marked[start : start + PART], PART_WEIGHT)

    def _axis(self, feature: str, weight: float) -> tuple[int, float]:
        # A lone surrogate is text here as anywhere: it must not stop the hash.
        packed = feature.encode("utf-8", "surrogatepass")
        value = int.from_bytes(blake2b(packed, digest_size=8).digest(), "big")
        return (value >> 1) % self.dimension, weight if value & 1 else -weight
