"""One process builds: a lock that the system gives back when its holder is killed."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from filelock import FileLock, Timeout

from victor_memory._logging import get_logger
from victor_memory.errors import ProviderUnavailableError

log = get_logger(__name__)
NAME: Final = ".builder.lock"
PAUSE: Final = (0.01, 0.1)
"""Seconds between two attempts; at random, so that those who wait do not march in step."""


class BuildLock:
    """The right to change what is in *directory*; without a directory, it is always granted."""

    def __init__(self, directory: Path | None) -> None:
        self._directory = directory

    @asynccontextmanager
    async def turn(
        self, patience: float | None = None, waiting: Callable[[], None] | None = None
    ) -> AsyncIterator[bool]:
        """Wait up to *patience* seconds, or as long as it takes; say whether the lock is held.

        *waiting* is called when somebody else has it, now and then.

        Raises:
            ProviderUnavailableError: nothing can be written there.

        """
        if self._directory is None:
            yield True
            return
        lock = FileLock(self._directory / NAME, thread_local=False)
        deadline = None if patience is None else asyncio.get_running_loop().time() + patience
        try:
            yield await self._acquired(lock, deadline, waiting)
        finally:
            lock.release()

    async def _acquired(
        self, lock: FileLock, deadline: float | None, waiting: Callable[[], None] | None
    ) -> bool:
        assert self._directory is not None
        while True:
            try:
                self._directory.mkdir(parents=True, exist_ok=True)
                # Never blocking: a cancelled task must not leave the lock taken in a thread.
                lock.acquire(timeout=0)
            except Timeout:
                pass
            except NotImplementedError:
                # No locks on this file system. Two builders do twice the work, and no harm.
                log.warning("build_lock_unusable", collection=self._directory.name)
                return True
            except OSError as exc:
                msg = (
                    f"The index in {self._directory} cannot be changed ({exc}): change its "
                    "permissions or set VICTOR_EMBEDDINGS_DIR."
                )
                raise ProviderUnavailableError(msg) from exc
            else:
                return True
            if deadline is not None and asyncio.get_running_loop().time() >= deadline:
                return False
            if waiting is not None:
                waiting()
            await asyncio.sleep(random.uniform(*PAUSE))  # noqa: S311 - spreads the waiters
