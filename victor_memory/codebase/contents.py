"""What is in each file of a tree, found out by reading no more than it takes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import Final

from victor_memory.codebase.exclusions import Reason, refused_content
from victor_memory.codebase.files import Listing, Signature, SourceTree
from victor_memory.codebase.records import file_hash

FILES_PER_LOOK: Final = 256
"""Files examined between two chances to stop, and two signs of progress."""
SETTLED_NANOSECONDS: Final = 2_000_000_000
"""A file changed less long ago than this may change again without its times showing it."""


class Contents:
    """The digests of *tree*'s files under the recipe *made_by*.

    A file that was read is not read again while its size, inode and times of change are the same.
    """

    def __init__(self, tree: SourceTree, made_by: bytes) -> None:
        self._tree = tree
        self._made_by = made_by
        self._known: dict[str, tuple[Signature, str | Reason]] = {}
        """What was found in each file, and the state the file was in then."""

    def forget(self) -> None:
        """Read every file again."""
        self._known.clear()

    def _keep(self, paths: Iterable[str]) -> None:
        """Forget all files but *paths*."""
        self._known = {path: self._known[path] for path in paths if path in self._known}

    async def look(self, advance: Callable[[int], None]) -> tuple[dict[str, str], Listing]:
        """Return the digest of each file that belongs into the index; *advance* hears how many."""
        listing = self._tree.listing()
        paths = iter(listing)
        found: dict[str, str] = {}
        looked: list[str] = []
        while batch := await asyncio.to_thread(lambda: list(islice(paths, FILES_PER_LOOK))):
            verdicts = await asyncio.to_thread(self.verdicts, batch)
            for path, verdict in zip(batch, verdicts, strict=True):
                if isinstance(verdict, Reason):
                    listing.omissions.add(path, verdict)
                elif verdict is not None:
                    found[path] = verdict
            looked += batch
            advance(len(looked))
        self._keep(looked)
        return found, listing

    def verdicts(self, paths: Sequence[str]) -> list[str | Reason | None]:
        """Return the digest of each file, why it is left out, or `None` if it is gone."""
        return [self._verdict(path) for path in paths]

    def _verdict(self, path: str) -> str | Reason | None:
        signature = self._tree.signature(path)
        known = self._known.get(path)
        if known and known[0] == signature:
            return known[1]
        now = time.time_ns()
        data = self._tree.read(path)
        if not isinstance(data, bytes):
            return data
        verdict = refused_content(path, data) or file_hash(data, self._made_by)
        if signature and max(signature[2:]) < now - SETTLED_NANOSECONDS:
            self._known[path] = signature, verdict
        return verdict
