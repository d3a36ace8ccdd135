"""`ConversationMemory` behind the adapter interface of the shared conversation benchmark.

    python memory_bench.py --system benchmarks/memory_adapter.py [--granularity turn|session]

The embedder is the bundled static model and the store is LanceDB in a temporary directory, unless
the environment says otherwise: `VICTOR_BENCH_STORE` (lancedb, memory), `VICTOR_BENCH_MODEL_TYPE`
and `VICTOR_BENCH_MODEL`.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections import Counter
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from victor_memory import EmbeddingConfig, EmbeddingRegistry
from victor_memory.conversation.memory import ConversationMemory
from victor_memory.conversation.records import Turn


class Adapter:
    """Every conversation is a project of its own, in one store."""

    def __init__(self) -> None:
        self._runner = asyncio.Runner()
        self._memories: dict[str, ConversationMemory] = {}
        self._directory = tempfile.TemporaryDirectory()
        self._provider = EmbeddingRegistry.create(
            EmbeddingConfig(
                vector_store=os.environ.get("VICTOR_BENCH_STORE", "lancedb"),
                persist_directory=self._directory.name,
                embedding_model_type=os.environ.get("VICTOR_BENCH_MODEL_TYPE", "static"),
                embedding_model=os.environ.get("VICTOR_BENCH_MODEL"),
            )
        )

    def ingest(self, conversation_id: str, docs: list[dict[str, Any]]) -> None:
        """Add *docs* as the turns of their sessions."""
        places: Counter[str] = Counter()
        turns = []
        for doc in docs:
            session = str(doc["session"])
            turns.append(
                Turn(
                    doc["text"],
                    session,
                    role=doc["speaker"] or None,
                    index=places[session],
                    created_at=_time(doc["date"]),
                    metadata={"doc": doc["id"]},
                )
            )
            places[session] += 1
        self._runner.run(self._memory(conversation_id).add_turns(turns))

    def search(self, conversation_id: str, question: str, k: int) -> list[str]:
        """Return the ids of the *k* docs recalled for *question*, best first."""
        found = self._runner.run(self._memory(conversation_id).recall(question, limit=k))
        return [str(one.memory.metadata["doc"]) for one in found]

    def best_score(self, conversation_id: str, question: str) -> float:
        """Return the score of the best result for *question*; 0 if there is none."""
        found = self._runner.run(self._memory(conversation_id).recall(question, limit=1))
        return found[0].score if found else 0.0

    def _memory(self, conversation_id: str) -> ConversationMemory:
        if conversation_id not in self._memories:
            self._memories[conversation_id] = ConversationMemory(self._provider, conversation_id)
        return self._memories[conversation_id]


def _time(date: str) -> datetime | None:
    """Read a date such as "1:56 pm on 8 May, 2023"."""
    with suppress(ValueError):
        return datetime.strptime(date, "%I:%M %p on %d %B, %Y").replace(tzinfo=UTC)
    return None
