"""What was forgotten stays forgotten: a transcript that is read again does not bring it back.

An id is the digest of what was said, where and by whom; kept are digests of ids. Nobody can read
from them what was forgotten. Whoever knows every word of it, its session and place, can tell that
it was.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from victor_memory.errors import ProviderUnavailableError

if TYPE_CHECKING:
    from victor_memory.providers.base import BaseEmbeddingProvider

NAME: Final = ".forgotten"
_DIGEST_BYTES: Final = 16
_GONE, _BACK = "-", "+"
_State = tuple[int, int, int]


class Tombstones:
    """Which memories of *provider*'s collection were forgotten, in a log beside its data.

    Any process may append to it. A store without files of its own on this machine has them only as
    long as this object lives.
    """

    def __init__(self, provider: BaseEmbeddingProvider) -> None:
        traits = provider.traits
        self._file = provider.directory / NAME if traits.persistent and not traits.remote else None
        self._gone: set[str] = set()
        self._state: _State | None = None
        self._turn = threading.Lock()

    def add(self, ids: Iterable[str]) -> None:
        """Keep it that *ids* were forgotten, durably.

        Raises:
            ProviderUnavailableError: it cannot be written.

        """
        with self._guarded():
            self._write(_GONE, [_digest(one) for one in ids])

    def lift(self, ids: Iterable[str]) -> None:
        """Let *ids* be stored as if they had never been forgotten.

        Raises:
            ProviderUnavailableError: that cannot be written.

        """
        with self._guarded():
            self._read()
            self._write(_BACK, [one for one in map(_digest, ids) if one in self._gone])

    def among(self, ids: Collection[str]) -> set[str]:
        """Return those of *ids* that were forgotten.

        Raises:
            ProviderUnavailableError: the log is there and cannot be read.

        """
        with self._guarded():
            self._read()
            return {one for one in ids if _digest(one) in self._gone} if self._gone else set()

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        with self._turn:
            try:
                yield
            except OSError as exc:
                msg = (
                    f"What was forgotten stands in {self._file}, which cannot be used: {exc}. Free "
                    "some space, change the permissions, or set VICTOR_EMBEDDINGS_DIR."
                )
                raise ProviderUnavailableError(msg) from exc

    def _read(self) -> None:
        if self._file is None:
            return
        try:
            found = self._file.stat()
        except FileNotFoundError:
            self._gone, self._state = set(), None
            return
        state = found.st_ino, found.st_size, found.st_mtime_ns
        if state != self._state:
            self._gone = set()
            # A line that a kill cut short is no entry.
            for line in self._file.read_text("ascii", "replace").splitlines():
                self._note(line[:1], line[1:])
            self._state = state

    def _write(self, sign: str, digests: list[str]) -> None:
        if not digests:
            return
        if self._file is None:
            for one in digests:
                self._note(sign, one)
            return
        # One write, which no other process's comes between.
        lines = "".join(f"\n{sign}{one}" for one in digests) + "\n"
        handle = os.open(self._file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        with os.fdopen(handle, "ab", buffering=0) as stream:
            stream.write(lines.encode())
            os.fsync(stream.fileno())

    def _note(self, sign: str, digest: str) -> None:
        if sign == _BACK:
            self._gone.discard(digest)
        elif sign == _GONE and len(digest) == 2 * _DIGEST_BYTES:
            self._gone.add(digest)


def _digest(identifier: str) -> str:
    return hashlib.blake2b(identifier.encode(), digest_size=_DIGEST_BYTES).hexdigest()
