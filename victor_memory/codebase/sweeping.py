"""What is stored and seen by no working tree any more: whether there is any, and its removal."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from victor_memory.codebase.progress import IndexListener
    from victor_memory.codebase.records import StoredFiles, Version
    from victor_memory.codebase.views import Views
    from victor_memory.providers.base import BaseEmbeddingProvider

IDS_PER_DELETE: Final = 5000


class Sweeper:
    """Removes from *provider* what none of *views* names, and tells *listeners*."""

    def __init__(
        self, provider: BaseEmbeddingProvider, views: Views, listeners: Sequence[IndexListener]
    ) -> None:
        self._provider = provider
        self._views = views
        self._listeners = listeners

    async def has_garbage(self, stored: StoredFiles, found: Mapping[str, str]) -> bool:
        """Whether anything is stored that no tree sees, nor will once *found* is indexed."""
        unseen = self._unseen(stored.versions(), await asyncio.to_thread(self._views.elsewhere))
        return bool(stored.strays) or any(found.get(path) != digest for path, digest in unseen)

    async def sweep(self, stored: StoredFiles, paths: Iterable[str], *, everything: bool) -> None:
        """Delete the versions of *paths*, or of all files, that no working tree sees."""
        if everything:
            await asyncio.to_thread(self._views.drop_the_gone)
            candidates = stored.versions()
        else:
            candidates = ((path, digest) for path in paths for digest in stored.of(path))
        elsewhere = await asyncio.to_thread(self._views.elsewhere)
        gone = list(self._unseen(candidates, elsewhere))
        ids = [one for version in gone for one in stored.ids(version)]
        if everything:
            ids += stored.strays
        if ids:
            self._views.own.touch()
        for start in range(0, len(ids), IDS_PER_DELETE):
            await self._provider.delete(ids[start : start + IDS_PER_DELETE])
        for version in gone:
            stored.drop(version)
            for one in self._listeners:
                one.removed(*version)
        if everything:
            stored.strays.clear()

    def _unseen(self, versions: Iterable[Version], elsewhere: set[Version]) -> Iterator[Version]:
        own = self._views.own
        for version in versions:
            if version not in elsewhere and own.digest(version[0]) != version[1]:
                yield version
