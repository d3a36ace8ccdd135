"""Has the host's conversations remembered, without anyone asking and beside the host's work.

The host keeps its conversations in `<project>/.victor/project.db`. A thread looks at that file's
size and time every few seconds; when it has changed and been quiet, a process of its own
(`importer`) reads what is new. Another one is started when the host ends, and does not end with it.
In the host itself nothing is read, embedded or imported.
"""

from __future__ import annotations

import asyncio
import atexit
import functools
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any, Final

from victor_memory._logging import get_logger
from victor_memory.errors import ConfigurationError
from victor_memory.hosts.victor.imported import Signature, read_state, signature
from victor_memory.settings import MemorySettings

log = get_logger(__name__)
INTERVAL: Final = 5.0
"""Seconds between two looks at the file."""
GAP: Final = 30.0
"""Seconds between two imports while the host runs: each is a process that loads everything."""
PATIENCE: Final = 60.0
"""Seconds after which a file that is still being written is read all the same."""
WAIT: Final = 15.0
"""Seconds a recall waits for what earlier runs of the host have left to be read."""
_IMPORTER: Final = "victor_memory.hosts.victor.importer"


class Capture:
    """The watched projects of this process, one thread each."""

    def __init__(self) -> None:
        """Watch nothing yet."""
        self._watches: dict[Path, _Watch] = {}
        self._lock = threading.Lock()

    def start(self, root: Path) -> None:
        """Watch the conversations of the project at *root*, unless that is done. Never raises.

        With `VICTOR_MEMORY_CAPTURE=off` nothing is watched.
        """
        try:
            wanted = MemorySettings().memory_capture
        except ConfigurationError as exc:
            log.warning("host_capture_failed", error_type=type(exc).__name__, error=str(exc))
            return
        if not wanted:
            return
        with self._lock:
            if root in self._watches:
                return
            watch = self._watches[root] = _Watch(root)
        atexit.register(watch.finish)
        threading.Thread(target=watch.run, name="victor-memory-capture", daemon=True).start()

    async def caught_up(self, root: Path) -> None:
        """Wait for the import under way at *root*, at most `WAIT` seconds."""
        watch = self._watches.get(root)
        deadline = time.monotonic() + WAIT
        # A process has no event to wait for on every platform.
        while watch is not None and watch.busy() and time.monotonic() < deadline:  # noqa: ASYNC110 - see above
            await asyncio.sleep(0.05)


class _Watch:
    """One project's file, and the process that reads it."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._process: subprocess.Popen[bytes] | None = None
        self._looked = threading.Event()
        self._ended = threading.Event()
        self._seen: Signature | None = None
        """The file as the last process was started for it."""

    def busy(self) -> bool:
        """Whether what was there at the start is still to be read."""
        if not self._looked.is_set():
            return True
        return self._process is not None and self._process.poll() is None

    def run(self) -> None:
        """Look, now and until the host ends."""
        try:
            self._seen = read_state(self._root).signature
            self._read_if_changed()
        except Exception as exc:  # noqa: BLE001 - the host must go on; doctor reads the state too
            log.warning("host_capture_failed", error_type=type(exc).__name__)
        finally:
            self._looked.set()
        before, last = signature(self._root), time.monotonic()
        while not self._ended.wait(INTERVAL):
            now, waited = signature(self._root), time.monotonic() - last
            if now != self._seen and waited > (GAP if now == before else PATIENCE):
                self._read_if_changed()
                last = time.monotonic()
            before = now

    def finish(self) -> None:
        """Have read what was said since; called when the host ends."""
        self._ended.set()
        if self._looked.is_set():
            self._process = None  # one that is at work does not know the last words
            self._read_if_changed()

    def _read_if_changed(self) -> None:
        now = signature(self._root)
        if now is None or now == self._seen:
            return
        if self._process is not None and self._process.poll() is None:
            return
        self._seen = now
        try:
            self._process = _start(self._root)
        except OSError as exc:
            log.warning("host_capture_failed", error_type=type(exc).__name__)


def _start(root: Path) -> subprocess.Popen[bytes]:
    """Start the importer so that it outlives this process and writes nowhere."""
    apart: dict[str, Any] = (
        {"creationflags": getattr(subprocess, "CREATE_NO_WINDOW", 0)}
        if sys.platform == "win32"
        else {"start_new_session": True}
    )
    return subprocess.Popen(  # noqa: S603 - our own module, no shell
        [sys.executable, "-m", _IMPORTER, str(root)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=root,
        **apart,
    )


@functools.cache
def capture() -> Capture:
    """Return the one of this process."""
    return Capture()
