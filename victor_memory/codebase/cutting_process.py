"""Cutting in a process of its own, ahead of the indexer: on another core, and safe from crashes.

A parser is a large machine of C. One that crashes or hangs takes down that process, which is then
started again behind the file at fault; the file is cut at lines.
"""

from __future__ import annotations

import json
import pickle
import subprocess
import threading
from collections import deque
from collections.abc import Sequence
from typing import IO, Final

from victor_memory._child_process import end, start_module
from victor_memory._logging import get_logger
from victor_memory.codebase.cutting import Cutter, Cutting
from victor_memory.codebase.cutting_worker import LENGTH_BYTES

log = get_logger(__name__)
WORKER: Final = "victor_memory.codebase.cutting_worker"
WORTHWHILE_BYTES: Final = 3 * 2**19
"""Size of files from which starting a process takes less time than it saves, on two cores too."""
AHEAD_BYTES: Final = 16 * 2**20
STALL_SECONDS: Final = 60.0
"""A file that takes longer is given up; the largest ones take a second or two."""


class CuttingProcess:
    """Cuts *paths* as *cutter* does, in their order, if its process can be had.

    `cut` is called for the same paths in the same order, by one thread at a time; paths may be left
    out. `close` ends it.
    """

    def __init__(self, cutter: Cutter, paths: Sequence[str]) -> None:
        self._cutter = cutter
        self._paths = deque(paths)
        self._left = set(paths)
        self._frames = _start(cutter, self._paths)

    def cut(self, path: str) -> Cutting:
        """Return the file *path*, cut there or, if it is not one of those given, here."""
        while path in self._left and self._running():
            name = self._paths.popleft()
            self._left.discard(name)
            assert self._frames is not None
            if (frame := self._frames.next()) is None:
                self._restart()
                if name == path:
                    return self._give_up(path)
            elif name == path:
                done: Cutting = pickle.loads(frame)  # noqa: S301 - our own process wrote it
                return done
        return self._cutter.cut(path)

    def close(self) -> None:
        """End the process."""
        if self._frames is not None:
            self._frames.close()
            self._frames = None

    def _running(self) -> bool:
        if self._frames is not None and not self._frames.ready():
            log.warning("cutting_process_missing")
            self.close()
        return self._frames is not None

    def _restart(self) -> None:
        self.close()
        log.warning("cutting_process_ended", count=len(self._paths))
        self._frames = _start(self._cutter, self._paths)

    def _give_up(self, path: str) -> Cutting:
        problem = f"The parser of {path} crashed or did not end: the file is cut at lines."
        return self._cutter.cut_lines(path, problem)


def ahead(cutter: Cutter, paths: Sequence[str]) -> CuttingProcess | None:
    """Begin to cut *paths* in another process, if that pays and it can do the same."""
    if not cutter.portable or _size(cutter, paths) < WORTHWHILE_BYTES:
        return None
    return CuttingProcess(cutter, paths)


def _size(cutter: Cutter, paths: Sequence[str]) -> int:
    """Return the bytes of *paths*, or as many of them as it takes to know."""
    total = 0
    for path in paths:
        signature = cutter.tree.signature(path)
        total += signature[1] if signature else 0
        if total >= WORTHWHILE_BYTES:
            break
    return total


def _start(cutter: Cutter, paths: Sequence[str]) -> _Frames | None:
    """Return the frames of a new process for *paths*; `None` if it cannot be started."""
    if not paths:
        return None
    task = {
        "root": str(cutter.tree.root),
        "max_file_bytes": cutter.tree.max_file_bytes,
        "paths": list(paths),
    }
    try:
        process = start_module(WORKER)
    except OSError as exc:
        log.warning("cutting_process_missing", error_type=type(exc).__name__)
        return None
    return _Frames(process, json.dumps(task).encode() + b"\n")


class _Frames:
    """What *process* answers to *task*, read by a thread so that it need not wait for us."""

    def __init__(self, process: subprocess.Popen[bytes], task: bytes) -> None:
        self._process = process
        self._task = task
        self._read: deque[bytes] = deque()
        self._bytes = 0
        self._ended = False
        self._ready = False
        self._moved = threading.Condition()
        threading.Thread(target=self._work, daemon=True).start()

    def next(self) -> bytes | None:
        """Return the next frame; `None` if the process has ended or hangs."""
        with self._moved:
            self._moved.wait_for(lambda: self._read or self._ended, STALL_SECONDS)
            if not self._read:
                return None
            frame = self._read.popleft()
            self._bytes -= len(frame)
            self._moved.notify_all()
            return frame

    def ready(self) -> bool:
        """Whether the process has started, which is waited for."""
        if not self._ready:
            self._ready = self.next() == b""
        return self._ready

    def close(self) -> None:
        """End the process."""
        with self._moved:
            self._ended = True
            self._moved.notify_all()
        end(self._process)

    def _work(self) -> None:
        try:
            source, target = self._process.stdout, self._process.stdin
            assert source is not None
            assert target is not None
            target.write(self._task)
            target.flush()
            while (frame := _read(source)) is not None:
                with self._moved:
                    self._moved.wait_for(lambda: self._bytes < AHEAD_BYTES or self._ended)
                    self._read.append(frame)
                    self._bytes += len(frame)
                    self._moved.notify_all()
        except (OSError, ValueError) as exc:
            # It ended before it had read its task, or was ended by `close`.
            log.debug("cutting_process_ended", error_type=type(exc).__name__)
        finally:
            with self._moved:
                self._ended = True
                self._moved.notify_all()


def _read(source: IO[bytes]) -> bytes | None:
    length = source.read(LENGTH_BYTES)
    if len(length) < LENGTH_BYTES:
        return None
    size = int.from_bytes(length, "big")
    frame = source.read(size)
    return frame if len(frame) == size else None
