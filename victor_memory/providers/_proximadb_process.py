"""The process an embedded ProximaDB runs in: `python -m` this module, from `_proximadb_engine`.

An engine mixes its data with that of any other in its process, hangs after a fork, may crash, and
never gives back the 1.7 GB of memory that it takes. So each has a process of its own, which ends
with its standard input: when the process that started it ends, however that ends.

A request is a line of JSON, followed by as many bytes as its `bytes` says; so is an answer, without
the bytes. Nothing else reaches the standard output: what the engine prints goes to standard error.
"""

from __future__ import annotations

import json
import os
import queue
import sys
import threading
import time
from typing import Any, BinaryIO, Final

FLUSH_SECONDS: Final = 60.0
"""How long to try to flush: the engine refuses while it is merging what was flushed before."""
FLUSH_PAUSE: Final = 0.02


class Service:
    """The engine on the directory `engine` below the working directory, opened by `open`."""

    def open(self, cache_mb: int) -> str:
        """Open the engine; return its version."""
        import importlib.metadata

        import proximadb_embedded  # type: ignore[import-untyped, import-not-found, unused-ignore]  # an extra, without types

        # Its log is written and never replayed: what is not flushed is lost with or without it.
        self._engine = proximadb_embedded.ProximaDB(
            data_dirs="engine", cache_size_mb=cache_mb, enable_wal=False
        )
        return importlib.metadata.version("proximadb_embedded")

    def collections(self) -> list[str]:
        """Return the names of the collections."""
        return [one.name for one in self._engine.list_collections()]

    def create(self, collection: str, dimension: int) -> None:
        """Create *collection*."""
        self._engine.create_collection(collection, dimension=dimension)

    def drop(self, collection: str) -> None:
        """Delete *collection* with its files."""
        self._engine.delete_collection(collection)

    def append(self, collection: str, ids: list[str], payload: bytes) -> None:
        """Store vectors under *ids*, which were never used before; return when they are on disk."""
        import numpy as np

        vectors = np.frombuffer(payload, np.float32).reshape(len(ids), -1)
        self._engine.insert_numpy(collection, ids, vectors)
        deadline = time.monotonic() + FLUSH_SECONDS
        while True:
            try:
                self._engine.flush()
            except RuntimeError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(FLUSH_PAUSE)
            else:
                return

    def search(self, collection: str, count: int, payload: bytes) -> list[list[Any]]:
        """Return the ids of the *count* nearest vectors and their similarities, 0 to 1."""
        import numpy as np

        query = np.frombuffer(payload, np.float32)
        found = self._engine.search_numpy(collection, query, count)
        return [[one.id, float(one.score)] for one in found]

    def close(self) -> None:
        """Close the engine."""
        self._engine.close()


def listen(source: BinaryIO, requests: queue.SimpleQueue[dict[str, Any]]) -> None:
    """Pass requests on until the input ends, and then end the process, whatever it is doing."""
    while line := source.readline():
        request = json.loads(line)
        if size := request.pop("bytes", 0):
            request["payload"] = source.read(size)
        requests.put(request)
    os._exit(0)


def main() -> None:
    """Answer requests, one after the other."""
    channel = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    requests: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
    threading.Thread(target=listen, args=(sys.stdin.buffer, requests), daemon=True).start()
    service = Service()
    while True:
        request = requests.get()
        operation = request.pop("do")
        try:
            answer = {"result": getattr(service, operation)(**request)}
        except BaseException as exc:  # noqa: BLE001 - a panic of the engine's is no Exception
            answer = {"error": f"{type(exc).__name__}: {exc}"}
        channel.write(json.dumps(answer) + "\n")
        channel.flush()
        if operation == "close":
            # Its threads keep an ordinary exit waiting for seconds, and everything is on disk.
            os._exit(0)


if __name__ == "__main__":
    main()
