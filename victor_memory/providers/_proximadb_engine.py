"""`ProximaEngine`: an embedded ProximaDB in a process of its own, seen from ours.

It is used as an index that can only be appended to and built anew, because that is what holds in it
(version 0.4.1): deletes and updates come back after reopening, only what was flushed survives, and
most filters are ignored.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from victor_memory._child_process import end, start_module

if TYPE_CHECKING:
    from victor_memory.types import Vector, Vectors

DIRECTORY: Final = "engine"
CACHE_MB: Final = 64
PER_APPEND: Final = 5000
CLOSE_SECONDS: Final = 10.0
LOCK_PAUSE: Final = 0.1


class EngineError(Exception):
    """The engine cannot be started, refused a request, or ended."""


class ProximaEngine:
    """The engine below *directory*; a request it does not answer in *timeout* seconds ends it.

    It is started by `start`, and may be started again after it has ended. May be used by several
    threads, which take turns.
    """

    version: str | None = None

    def __init__(self, directory: Path, dimension: int, timeout: float) -> None:
        self._directory = directory
        self._dimension = dimension
        self._timeout = timeout
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.RLock()
        self._serial = 0

    # -- the process ------------------------------------------------------------------------------

    @property
    def running(self) -> bool:
        """Whether the engine was started and has not ended."""
        return self._process is not None and self._process.poll() is None

    @property
    def memory_mb(self) -> int | None:
        """Megabytes of memory that the engine's process takes, where the system tells."""
        try:
            status = (
                Path(f"/proc/{self._process.pid}/statm").read_text("ascii") if self._process else ""
            )
            return int(status.split()[1]) * os.sysconf("SC_PAGE_SIZE") // 2**20
        except (OSError, IndexError):
            return None

    def start(self, *, patience: float) -> None:
        """Start the engine; an earlier one of a killed process may hold its files for *patience* s.

        Raises:
            EngineError: it does not start; the message says why.

        """
        deadline = time.monotonic() + patience
        # Ids that were never used before, whatever happened to those of earlier sessions.
        self._session = secrets.token_hex(4)
        while True:
            self._spawn()
            try:
                self.version = self._ask("open", cache_mb=CACHE_MB)
            except EngineError as exc:
                self.kill()
                if "lock" not in str(exc) or time.monotonic() > deadline:
                    raise
                time.sleep(LOCK_PAUSE)
            else:
                return

    def _spawn(self) -> None:
        self.kill()
        # In the directory, because the engine would take some characters in the names of
        # directories for parts of a URL.
        self._process = start_module(
            "victor_memory.providers._proximadb_process", cwd=self._directory
        )

    def stop(self) -> None:
        """Close the engine and end its process."""
        with self._lock:
            if self.running:
                # Everything that matters was flushed before.
                with suppress(EngineError):
                    self._ask("close", timeout=CLOSE_SECONDS)
            self.kill()

    def kill(self) -> None:
        """End the process at once, if there is one."""
        with self._lock:
            if self._process is None:
                return
            end(self._process)
            self._process = None

    def erase(self) -> None:
        """End the process and delete all its files."""
        self.kill()
        shutil.rmtree(self._directory / DIRECTORY, ignore_errors=True)

    # -- requests ---------------------------------------------------------------------------------

    def collections(self) -> list[str]:
        """Return the names of the engine's collections."""
        found: list[str] = self._ask("collections")
        return found

    def create(self, collection: str) -> None:
        """Create *collection*, whose name was never used before."""
        self._ask("create", collection=collection, dimension=self._dimension)

    def drop(self, collection: str) -> None:
        """Delete *collection*."""
        self._ask("drop", collection=collection)

    def append(self, collection: str, keys: Sequence[int], vectors: Vectors) -> None:
        """Add *vectors* under *keys*; when this returns, they are on disk.

        After an error some may be there and some not, which does no harm: no id is used twice.
        """
        for start in range(0, len(keys), PER_APPEND):
            part = slice(start, start + PER_APPEND)
            with self._lock:
                self._serial += 1
                mark = f"{self._session}.{self._serial}"
                ids = [f"{key}.{mark}" for key in keys[part]]
                payload = vectors[part].tobytes()
                try:
                    self._ask("append", payload, collection=collection, ids=ids)
                except EngineError:
                    # What it could not flush now would be in the way of every later flush.
                    self.kill()
                    raise

    def search(self, collection: str, vector: Vector, count: int) -> list[tuple[int, float]]:
        """Return the keys of the *count* nearest vectors, each once, best first, and cosines."""
        found: dict[int, float] = {}
        for one, score in self._ask("search", vector.tobytes(), collection=collection, count=count):
            found.setdefault(int(one.partition(".")[0]), 2.0 * score - 1.0)
        return list(found.items())

    def _ask(
        self, request: str, payload: bytes = b"", *, timeout: float | None = None, **arguments: Any
    ) -> Any:
        with self._lock:
            process = self._process
            if process is None or process.stdin is None or process.stdout is None:
                msg = "the engine is not running"
                raise EngineError(msg)
            header = json.dumps({"do": request, "bytes": len(payload), **arguments})
            # Reading from a pipe has no time limit, but ends when the other side does.
            watchdog = threading.Timer(timeout or self._timeout, process.kill)
            watchdog.daemon = True
            watchdog.start()
            try:
                process.stdin.write(header.encode() + b"\n" + payload)
                process.stdin.flush()
                line = process.stdout.readline()
            except OSError as exc:
                raise EngineError(_ended(process, request)) from exc
            finally:
                watchdog.cancel()
            if not line.endswith(b"\n"):
                raise EngineError(_ended(process, request))
            answer = json.loads(line)
            if "error" in answer:
                raise EngineError(answer["error"])
            return answer["result"]


def _ended(process: subprocess.Popen[bytes], request: str) -> str:
    process.kill()
    return f"the engine's process ended with status {process.wait()} during {request!r}"
