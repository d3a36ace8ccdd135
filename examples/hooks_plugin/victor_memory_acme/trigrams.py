"""An embedder in thirty lines: counts of letter triples, hashed into a vector."""

import zlib

import numpy as np

from victor_memory.embedders.base import EmbedderInfo, LocalEmbedder

DIMENSION = 256


class TrigramEmbedder(LocalEmbedder):
    """Texts with the same letter triples are near each other; no model, no download."""

    type = "trigrams"
    default_model = "trigrams-256"

    def _load_model(self):
        return EmbedderInfo(self.type, self.model_name, DIMENSION, digest="1")

    def _encode(self, texts, purpose):
        vectors = np.zeros((len(texts), DIMENSION), dtype=np.float32)
        for row, text in enumerate(texts):
            padded = f"  {text.lower()}  "
            for start in range(len(padded) - 2):
                vectors[row, zlib.crc32(padded[start : start + 3].encode()) % DIMENSION] += 1
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
