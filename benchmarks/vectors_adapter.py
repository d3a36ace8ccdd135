"""Vectors alone, behind the adapter interface of the shared conversation benchmark.

    python memory_bench.py --system benchmarks/vectors_adapter.py [--data sde_decisions.json]

The model is the bundled one, or the static model that `VICTOR_BENCH_MODEL` names.
"""

from __future__ import annotations

import asyncio
import os
from typing import Any

from victor_memory.config import EmbeddingConfig
from victor_memory.embedders.static import StaticEmbedder


class Adapter:
    """Cosines of a model's vectors of whole turns."""

    def __init__(self) -> None:
        self._model = StaticEmbedder(
            EmbeddingConfig(embedding_model_name=os.environ.get("VICTOR_BENCH_MODEL"))
        )
        self._kept: dict[str, tuple[list[str], Any]] = {}

    def ingest(self, conversation_id: str, docs: list[dict[str, Any]]) -> None:
        """Embed *docs*."""
        vectors = asyncio.run(self._model.embed([doc["text"] for doc in docs]))
        self._kept[conversation_id] = [doc["id"] for doc in docs], vectors

    def search(self, conversation_id: str, question: str, k: int) -> list[str]:
        """Return the ids of the *k* docs nearest to *question*."""
        ids, vectors = self._kept[conversation_id]
        (vector,) = asyncio.run(self._model.embed([question], purpose="query"))
        return [ids[at] for at in (-(vectors @ vector)).argsort()[:k].tolist()]
