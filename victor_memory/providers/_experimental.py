"""How an experimental store is opened: with a warning, and with another store behind it."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from victor_memory.errors import (
    ExperimentalProviderWarning,
    MissingDependencyError,
    ProviderUnavailableError,
    StoreMismatchError,
)
from victor_memory.providers.base import BaseEmbeddingProvider

if TYPE_CHECKING:
    from victor_memory.filters import Filter
    from victor_memory.types import Hit, Record, Vector


class ExperimentalProvider(BaseEmbeddingProvider):
    """Stands for *primary* until it is opened; for what *fall_back* returns if that fails.

    Only a missing dependency or an unavailable engine leads to the fallback, and only while
    opening. Anything else is a bug or a fact about the data, and is raised.
    """

    def __init__(
        self,
        primary: BaseEmbeddingProvider,
        fall_back: Callable[[Exception], BaseEmbeddingProvider] | None,
    ) -> None:
        """Wrap *primary*; without *fall_back*, a store that cannot be opened is an error."""
        self._adopt(primary)
        super().__init__(primary.config, embedder=primary._embedder, embedders=primary._embedders)
        self._fall_back = fall_back

    def _adopt(self, provider: BaseEmbeddingProvider) -> None:
        self._active = provider
        # What a class says of all its instances, this instance says of the store it stands for.
        vars(self).update(
            name=provider.name,
            title=provider.title,
            traits=provider.traits,
            options_model=provider.options_model,
        )

    async def _initialize(self) -> None:
        try:
            await self._active.initialize()
        except StoreMismatchError:
            # What an earlier fallback wrote is there. It is used again as long as the reason for
            # that fallback holds; with an engine that starts, where to go is the person's choice.
            if (reason := await self._reason_not_to_start()) is None:
                raise
            await self._use_fallback(reason)
        except (MissingDependencyError, ProviderUnavailableError) as exc:
            await self._use_fallback(exc)
        else:
            warnings.warn(
                f"{self.title} is experimental: it may lose data or change without notice. "
                "Keep what matters in LanceDB.",
                ExperimentalProviderWarning,
                stacklevel=2,
            )
        self._dimension = self._active.dimension
        self._fingerprint = (await self.embedder.load()).fingerprint

    async def _use_fallback(self, reason: Exception) -> None:
        if self._fall_back is None:
            raise reason
        self._adopt(self._fall_back(reason))
        await self._active.initialize()
        self.fallback = self._active.fallback

    async def _reason_not_to_start(self) -> Exception | None:
        """Return what keeps the engine from starting at all, tried in a place made for that."""
        with tempfile.TemporaryDirectory() as place:
            elsewhere = self._active.config.replace(persist_directory=place)
            trial = type(self._active)(elsewhere, embedder=self.embedder)
            try:
                await trial.initialize()
            except (MissingDependencyError, ProviderUnavailableError) as exc:
                return exc
            finally:
                await trial.close()
        return None

    async def _open(self) -> None:
        """Do nothing: the active provider was opened by `_initialize`."""

    async def _close(self) -> None:
        await self._active.close()

    async def _upsert(self, records: list[Record]) -> None:
        await self._active._upsert(records)

    async def _search(self, vector: Vector, limit: int, where: Filter | None) -> list[Hit]:
        return await self._active._search(vector, limit, where)

    async def _search_terms(
        self, terms: Sequence[str], limit: int, where: Filter | None
    ) -> list[Hit]:
        return await self._active._search_terms(terms, limit, where)

    async def _get(self, ids: list[str], *, with_vectors: bool) -> list[Record]:
        return await self._active._get(ids, with_vectors=with_vectors)

    async def _delete(self, ids: list[str]) -> int:
        return await self._active._delete(ids)

    async def _delete_where(self, where: Filter) -> int:
        return await self._active._delete_where(where)

    async def _count(self, where: Filter | None) -> int:
        return await self._active._count(where)

    def _scan(
        self, where: Filter | None, *, with_vectors: bool, batch_size: int
    ) -> AsyncIterator[list[Record]]:
        return self._active._scan(where, with_vectors=with_vectors, batch_size=batch_size)

    async def _clear(self) -> None:
        await self._active._clear()

    async def _generation(self) -> str | None:
        return await self._active._generation()

    async def _compact(self) -> None:
        await self._active._compact()

    async def _purge(self) -> None:
        await self._active._purge()

    async def _details(self) -> Mapping[str, Any]:
        return await self._active._details()
