"""The composition root: settings, plugins, registries and the two memories, put together once."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from victor_memory.codebase import vector_cache
from victor_memory.codebase.history import HistoryMemory
from victor_memory.codebase.indexer import shared_directory
from victor_memory.codebase.memory import CodebaseMemory
from victor_memory.codebase.structure import Structure
from victor_memory.codebase.vector_cache import VectorCache
from victor_memory.conversation.memory import ConversationMemory
from victor_memory.embedders.catalogue import EmbedderCatalogue
from victor_memory.errors import ConfigurationError
from victor_memory.plugins import Plugins
from victor_memory.registry import EmbeddingRegistry
from victor_memory.scope import directory, identifier, index_home, project_scope
from victor_memory.settings import MEMORIES, Memory, MemorySettings, store_options
from victor_memory.together import Section, search_together

if TYPE_CHECKING:
    from victor_memory.providers.base import BaseEmbeddingProvider
    from victor_memory.types import FallbackInfo


class _Parts:
    """What a runtime needs that does not depend on a project."""

    def __init__(self, settings: MemorySettings) -> None:
        self.plugins = Plugins(settings.memory_disabled_plugins)
        self.plugins.load_entry_points()
        self.embedders = EmbedderCatalogue(())
        self.plugins.collect("victor_memory_register_embedders", self.embedders.register)
        self.registries: dict[Memory, EmbeddingRegistry] = {
            memory: self._registry(memory, settings) for memory in MEMORIES
        }
        self.plugins.collect("victor_memory_register_providers", self._add_provider)

    def _registry(self, memory: Memory, settings: MemorySettings) -> EmbeddingRegistry:
        def opened(provider: BaseEmbeddingProvider) -> None:
            self.plugins.notify(
                "victor_memory_provider_opened",
                provider=provider.name,
                memory=memory,
                collection=provider.collection,
            )

        def fell_back(info: FallbackInfo, used: str) -> None:
            self.plugins.notify(
                "victor_memory_provider_fell_back",
                requested=info.requested,
                used=used,
                memory=memory,
                reason=info.reason,
            )

        return EmbeddingRegistry(
            memory,
            embedders=self.embedders,
            strict=settings.memory_strict,
            store_options=store_options,
            on_open=opened,
            on_fallback=fell_back,
        )

    def _add_provider(self, spec: Any) -> None:
        for registry in self.registries.values():
            registry.add(spec)


class MemoryRuntime:
    """Both memories of one project, and everything behind them.

    Nothing is opened or loaded until a memory is used. As an async context manager, the runtime
    closes what it opened.
    """

    def __init__(
        self, settings: MemorySettings | None = None, *, project: str | Path = "."
    ) -> None:
        """Put a runtime together for the project around the directory *project*.

        Raises:
            ConfigurationError: an environment variable has a value that cannot be used.
            InvalidRequestError: there is no such directory.

        """
        self.settings = settings or MemorySettings()
        self.scope = project_scope(project)
        parts = _Parts(self.settings)
        self.plugins, self.embedders, self.registries = (
            parts.plugins,
            parts.embedders,
            parts.registries,
        )
        self._codebases: dict[Path, CodebaseMemory] = {}

    @functools.cached_property
    def conversation(self) -> ConversationMemory:
        """What was said and decided in this project."""
        return ConversationMemory(
            self.provider("conversation", self.scope.project),
            self.scope.project,
            redactors=self.plugins.items("victor_memory_register_redactors"),
        )

    @functools.cached_property
    def history(self) -> HistoryMemory:
        """Why the code of this project's repository is as it is: its commits."""
        return HistoryMemory(
            self.provider("codebase", f"{self.scope.project}-history"),
            self.scope.root,
            redactors=self.plugins.items("victor_memory_register_redactors"),
            max_commits=self.settings.history_commits,
        )

    @property
    def codebase(self) -> CodebaseMemory:
        """The code of this project's working tree."""
        return self.codebase_at(self.scope.root)

    def codebase_at(self, path: str | Path) -> CodebaseMemory:
        """Return the memory of the code below *path*, which need not be this project's.

        Raises:
            InvalidRequestError: there is no such directory.

        """
        root = directory(path)
        if root not in self._codebases:
            provider = self.provider("codebase", identifier(root))
            if shared_directory(provider) is not None:
                provider = self.provider("codebase", identifier(index_home(root)))
            self._codebases[root] = CodebaseMemory(
                provider,
                root,
                chunkers=self.plugins.items("victor_memory_register_chunkers"),
                redactors=self.plugins.items("victor_memory_register_redactors"),
                vectors=self._vectors,
            )
        return self._codebases[root]

    async def search_all(
        self,
        query: str,
        *,
        path: str | Path | None = None,
        limit: int = 5,
        refresh: bool = True,
    ) -> tuple[Section, ...]:
        """Search the code below *path* (by default all), its history, and what was said.

        Each has a section with up to *limit* results of its own; see `victor_memory.together`.

        Raises:
            InvalidRequestError: there is no such directory, or the query or limit cannot be used.

        """
        return await search_together(
            query,
            code=self.codebase if path is None else self.codebase_at(path),
            history=self.history,
            conversation=self.conversation,
            limit=limit,
            refresh=refresh,
        )

    def structure_at(self, path: str | Path) -> Structure:
        """Return what answers about definitions and calls in the code below *path*.

        Raises:
            InvalidRequestError: there is no such directory.

        """
        redactors = self.plugins.items("victor_memory_register_redactors")
        return Structure(directory(path), redactors=redactors)

    def provider(self, memory: Memory, project: str) -> BaseEmbeddingProvider:
        """Return the store that holds the collection *project* of *memory*.

        Raises:
            UnknownProviderError: the environment names a store that nobody registered.
            MissingDependencyError: a stable store is not installed; the message is the pip line.

        """
        return self.registries[memory].create(self.settings.config(memory, project))

    @functools.cached_property
    def _vectors(self) -> VectorCache | None:
        """The vectors that all indexes share, if any are to be kept."""
        megabytes = self.settings.vector_cache_mb
        directory = self.settings.embeddings_dir.expanduser()
        return VectorCache(directory / vector_cache.NAME, megabytes) if megabytes else None

    async def close(self) -> None:
        """Close all memories, their stores and the models; indexing under way is stopped."""
        for codebase in self._codebases.values():
            await codebase.close()
        if "history" in vars(self):  # otherwise closing would open it
            await self.history.close()
        if self._vectors is not None:
            self._vectors.close()
        for registry in self.registries.values():
            await registry.close()
        await self.embedders.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


def open_runtime(
    settings: MemorySettings | None = None, *, project: str | Path = "."
) -> MemoryRuntime:
    """Return the runtime of the project around the directory *project*, for `async with`.

    *settings* default to the environment.

    Raises:
        ConfigurationError: an environment variable has a value that cannot be used.
        InvalidRequestError: there is no such directory.

    """
    return MemoryRuntime(settings, project=project)


@functools.cache
def _process_parts() -> _Parts:
    return _Parts(MemorySettings())


def _default_registry(memory: str) -> EmbeddingRegistry:
    registries = {str(name): registry for name, registry in _process_parts().registries.items()}
    try:
        return registries[memory]
    except KeyError:
        msg = f"There is no memory {memory!r}. Use one of: {', '.join(registries)}."
        raise ConfigurationError(msg) from None


EmbeddingRegistry.set_default_factory(_default_registry)
