"""Another process that uses the store under test, seen from the test."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import subprocess
import sys
import tempfile
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from victor_memory.config import EmbeddingConfig
    from victor_memory.providers.base import BaseEmbeddingProvider

MODULE: Final = "victor_memory.testing._worker"
UNPRIVILEGED: Final = f"""
import ctypes, os, sys
if os.geteuid() == 0:
    PR_CAPBSET_DROP, CAP_DAC_OVERRIDE = 24, 1
    ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, 0, 0, 0)
os.execv(sys.executable, [sys.executable, "-m", "{MODULE}"])
"""
"""Gives up root's right to ignore permissions (Linux), which takes effect in the next program."""


class Worker:
    """A running `victor_memory.testing._worker` with a provider of its own.

    It is a fresh interpreter rather than a fork: several engines do not survive one. An
    *unprivileged* one obeys the permissions of files even where the tests run as root.
    """

    def __init__(
        self,
        provider_class: type[BaseEmbeddingProvider],
        config: EmbeddingConfig,
        *,
        unprivileged: bool = False,
    ) -> None:
        # The store may be defined beside the tests: the child must find what this process finds.
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        # A file, because a full pipe that nobody reads would stop the child.
        self._errors = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")  # noqa: SIM115 - closed with the process
        self._process = subprocess.Popen(  # noqa: S603 - our own module, nothing from outside
            [sys.executable, *(("-c", UNPRIVILEGED) if unprivileged else ("-m", MODULE))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env=environment,
            text=True,
            encoding="utf-8",
        )
        self._send(
            provider=f"{provider_class.__module__}:{provider_class.__qualname__}",
            config=json.loads(config.model_dump_json()),
        )

    def send(self, request: str, /, **arguments: Any) -> None:
        """Make a request without waiting for the answer."""
        self._send(do=request, **arguments)

    async def ask(self, request: str, /, **arguments: Any) -> Any:
        """Make a request and return its first answer."""
        self.send(request, **arguments)
        return await self.answer()

    async def answer(self) -> Any:
        """Return the next answer.

        Raises:
            AssertionError: the process ended instead; the message holds what it wrote to stderr.

        """
        async for found in self.answers():
            return found
        raise AssertionError(await asyncio.to_thread(self._failure))

    async def answers(self) -> AsyncIterator[Any]:
        """Yield the answers, waiting for each, until the process ends or is killed."""
        assert self._process.stdout is not None
        # What a killed process was writing is not an answer: it has no end of line.
        while (line := await asyncio.to_thread(self._process.stdout.readline)).endswith("\n"):
            yield json.loads(line)

    async def finish(self) -> None:
        """End the input, and wait for the process to close its provider and end.

        Raises:
            AssertionError: the process failed; the message holds what it wrote to stderr.

        """
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        if await asyncio.to_thread(self._process.wait):
            raise AssertionError(self._failure())

    def kill(self) -> None:
        """End the process at once (SIGKILL), unless it has ended."""
        self._process.kill()
        self._process.wait()

    def close(self) -> None:
        """End the process and release its pipes."""
        self.kill()
        for stream in (self._process.stdin, self._process.stdout, self._errors):
            if stream is not None:
                with contextlib.suppress(BrokenPipeError):
                    stream.close()

    def _send(self, **message: Any) -> None:
        assert self._process.stdin is not None
        # That the process has ended is found when its answer is read.
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(json.dumps(message) + "\n")
            self._process.stdin.flush()

    def _failure(self) -> str:
        code = self._process.wait()
        self._errors.seek(0)
        return f"the other process ended with status {code}:\n{self._errors.read()[-4000:]}"
