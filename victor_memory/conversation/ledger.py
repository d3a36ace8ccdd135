"""What was put into a session's context already, so that nothing is put there twice.

One small file for each session, of fingerprints, not of texts; appended to and read by any number
of processes, which all survive a kill at any time. It is deleted when the session ends, or `TTL`
after it was last written.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final

from victor_memory._logging import get_logger

log = get_logger(__name__)
TTL: Final = 7 * 86_400.0
"""Seconds that a session's ledger is kept after its last entry."""
_WIDTH: Final = 16
"""Hexadecimal digits of a fingerprint."""


class Ledger:
    """The ledgers of one project's sessions, in *directory*."""

    def __init__(self, directory: Path) -> None:
        """Use *directory*, which is made when the first entry is written."""
        self._directory = directory

    def seen(self, session: str) -> frozenset[str]:
        """Return the fingerprints of what *session* was given. Unreadable is nothing."""
        try:
            text = self._file(session).read_text("ascii", "replace")
        except OSError:
            return frozenset()
        # A line that a kill cut off is shorter, and no fingerprint.
        return frozenset(line for line in text.split() if len(line) == _WIDTH)

    def add(self, session: str, keys: Iterable[str]) -> None:
        """Note that *session* was given what has these *keys*. A failure is logged, not raised."""
        lines = "".join(f"{fingerprint(key)}\n" for key in keys)
        if not lines:
            return
        try:
            self._directory.mkdir(parents=True, exist_ok=True)
            self._sweep()
            # Begun with a line end: what a kill cut off before must not grow into this line.
            with self._file(session).open("ab", buffering=0) as file:
                file.write(b"\n" + lines.encode("ascii"))
                os.fsync(file.fileno())
        except OSError as exc:
            log.warning("ledger_not_written", error=str(exc))

    def end(self, session: str) -> None:
        """Forget what *session* was given: it has ended, or begins anew."""
        with suppress(OSError):
            self._file(session).unlink()

    def _file(self, session: str) -> Path:
        return self._directory / f"{fingerprint(session)}.txt"

    def _sweep(self) -> None:
        oldest = time.time() - TTL
        for file in self._directory.glob("*.txt"):
            with suppress(OSError):
                if file.stat().st_mtime < oldest:
                    file.unlink()


def fingerprint(key: str) -> str:
    """Return the fingerprint of *key*."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()[:_WIDTH]
