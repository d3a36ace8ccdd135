"""Cutting in processes of their own, ahead of the indexer: on other cores, and safe from crashes.

A parser is a large machine of C. One that crashes or hangs takes down that process, which is then
started again behind the file at fault; the file is cut at lines.
"""

from __future__ import annotations

import json
import os
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
"""Size of files from which starting a process takes less time than it saves."""
WORTHWHILE_WHEN_IDLE: Final = 2**15
"""The same while this process has something else to do first, and there is a core for each."""
BYTES_PER_PROCESS: Final = 2 * 2**20
"""Size of files for which another process is started, as long as there are cores."""
MOST_PROCESSES: Final = 4
"""More of them would cut faster than one process embeds and stores."""
AHEAD_BYTES: Final = 4 * 2**20
"""What each process may be ahead."""
STALL_SECONDS: Final = 60.0
"""A file that takes longer is given up; the largest ones take a second or two."""


class CuttingAhead:
    """Cuts as *cutter* does, in processes that share the paths they are given.

    The first is started at once: it gets ready while somebody still finds out what there is to cut.
    `cut` is called for the paths given, in their order, by one thread at a time; paths may be left
    out. `close` ends it.
    """

    def __init__(self, cutter: Cutter) -> None:
        self._cutter = cutter
        self._processes = [CuttingProcess(cutter)]
        self._owners: dict[str, CuttingProcess] = {}

    def give(self, paths: Sequence[str]) -> None:
        """Begin to cut *paths*."""
        sizes = [_size(self._cutter, path) for path in paths]
        wanted = min(_cores(), MOST_PROCESSES, 1 + sum(sizes) // BYTES_PER_PROCESS)
        while len(self._processes) < wanted:
            self._processes.append(CuttingProcess(self._cutter))
        shares: list[list[str]] = [[] for _ in self._processes]
        loads = [0] * len(shares)
        for path, size in zip(paths, sizes, strict=True):
            # In their order to whoever has least, so that all are at about the same place.
            least = loads.index(min(loads))
            loads[least] += size
            shares[least].append(path)
            self._owners[path] = self._processes[least]
        for process, share in zip(self._processes, shares, strict=True):
            process.give(share)

    def cut(self, path: str) -> Cutting:
        """Return the file *path*, cut there or, if it is not one of those given, here."""
        return self._owners.get(path, self._cutter).cut(path)

    def close(self) -> None:
        """End the processes."""
        for process in self._processes:
            process.close()


class CuttingProcess:
    """Cuts the paths it is given as *cutter* does, in their order, if its process can be had."""

    def __init__(self, cutter: Cutter) -> None:
        self._cutter = cutter
        self._paths: deque[str] = deque()
        self._left: set[str] = set()
        self._frames = _start()

    def give(self, paths: Sequence[str]) -> None:
        """Begin to cut *paths*, once."""
        self._paths.extend(paths)
        self._left.update(paths)
        self._tell()

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
        self._frames = _start() if self._paths else None
        self._tell()

    def _tell(self) -> None:
        if self._frames is not None:
            self._frames.send(
                {
                    "root": str(self._cutter.tree.root),
                    "max_file_bytes": self._cutter.tree.max_file_bytes,
                    "paths": list(self._paths),
                }
            )

    def _give_up(self, path: str) -> Cutting:
        problem = f"The parser of {path} crashed or did not end: the file is cut at lines."
        return self._cutter.cut_lines(path, problem)


def ahead(
    cutter: Cutter, paths: Sequence[str], *, ready: CuttingAhead | None = None, busy: bool = False
) -> CuttingAhead | None:
    """Begin to cut *paths* in other processes, if one is *ready*, or if that pays and they can.

    *busy* says that this process has something else to do first.
    """
    enough = WORTHWHILE_WHEN_IDLE if busy and _cores() > 1 else WORTHWHILE_BYTES
    if ready is None and not (cutter.portable and _reach(cutter, paths, enough)):
        return None
    found = ready or CuttingAhead(cutter)
    found.give(paths)
    return found


def ready_to_cut(cutter: Cutter) -> CuttingAhead | None:
    """Begin to get ready for paths that are not known yet, if other processes can cut them.

    It is for when this process has something else to do first.
    """
    return CuttingAhead(cutter) if cutter.portable and _cores() > 1 else None


def _size(cutter: Cutter, path: str) -> int:
    signature = cutter.tree.signature(path)
    return signature[1] if signature else 0


def _reach(cutter: Cutter, paths: Sequence[str], size: int) -> bool:
    """Whether *paths* have *size* bytes together; no more of them are looked at than it takes."""
    total = 0
    return any((total := total + _size(cutter, path)) >= size for path in paths)


def _cores() -> int:
    """Return how many processes can run at once."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def _start() -> _Frames | None:
    """Return the frames of a new process; `None` if it cannot be started."""
    try:
        return _Frames(start_module(WORKER))
    except OSError as exc:
        log.warning("cutting_process_missing", error_type=type(exc).__name__)
        return None


class _Frames:
    """What *process* answers to its task, read by a thread so that it need not wait for us."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self._task: bytes | None = None
        self._read: deque[bytes] = deque()
        self._bytes = 0
        self._ended = False
        self._ready = False
        self._moved = threading.Condition()
        threading.Thread(target=self._work, daemon=True).start()

    def send(self, task: dict[str, object]) -> None:
        """Tell the process, once, what to do."""
        with self._moved:
            self._task = json.dumps(task).encode() + b"\n"
            self._moved.notify_all()

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
            with self._moved:
                self._moved.wait_for(lambda: self._task is not None or self._ended)
            if self._task is None:
                return
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
