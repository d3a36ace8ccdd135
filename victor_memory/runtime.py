"""The composition root: settings, plugins, registries and the two memories, put together once."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from victor_memory.codebase import vector_cache
from victor_memory.codebase.history import HistoryMemory
from victor_memory.codebase.indexer import shared_directory
from victor_memory.codebase.memory import CodebaseMemory
from victor_memory.codebase.structure import Structure
from victor_memory.codebase.vector_cache import VectorCache
from victor_memory.context import DEFAULT_BUDGET, Context, build_context
from victor_memory.conversation.ledger import Ledger
from victor_memory.conversation.memory import ConversationMemory
from victor_memory.conversation.rebuilding import Rebuilt, rebuild
from victor_memory.conversation.records import USER
from victor_memory.conversation.retention import Policy
from victor_memory.embedders.catalogue import EmbedderCatalogue
from victor_memory.errors import ConfigurationError
from victor_memory.plugins import Plugins
from victor_memory.registry import EmbeddingRegistry
from victor_memory.scope import directory, identifier, index_home, project_scope
from victor_memory.settings import MEMORIES, Memory, MemorySettings, store_options
from victor_memory.together import Section, search_together
from victor_memory.transfer.service import Transfer

if TYPE_CHECKING:
    from victor_memory.conversation.ranking import Recalled
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
        self._conversations: dict[str, ConversationMemory] = {}

    @functools.cached_property
    def conversation(self) -> ConversationMemory:
        """What was said and decided in this project."""
        return ConversationMemory(
            self.provider("conversation", self.scope.project),
            self.scope.project,
            redactors=self.plugins.items("victor_memory_register_redactors"),
            user=self.provider("conversation", USER),
            root=Path(self.scope.root),
            retention=self._policy,
        )

    @property
    def _policy(self) -> Policy:
        return Policy(self.settings.memory_keep, self.settings.memory_most)

    def conversation_of(self, project: str) -> ConversationMemory:
        """Return what was said and decided in *project*, by its identifier."""
        if project == self.scope.project:
            return self.conversation
        if project not in self._conversations:
            self._conversations[project] = ConversationMemory(
                self.provider("conversation", project),
                project,
                redactors=self.plugins.items("victor_memory_register_redactors"),
                user=self.provider("conversation", USER),
                retention=self._policy,
            )
        return self._conversations[project]

    async def rebuild_conversation(
        self, project: str, report: Callable[[int, int], None] = lambda _done, _all: None
    ) -> Rebuilt | None:
        """Embed what was said in *project* (or `USER`) with the model that is chosen now.

        See `victor_memory.conversation.rebuilding.rebuild`.
        """
        config = self.settings.config("conversation", project)
        return await rebuild(self.registries["conversation"], config, report)

    def projects(self) -> list[str]:
        """Return the identifiers of the projects with a conversation memory on this machine."""
        place = self.settings.embeddings_dir.expanduser() / "conversation"
        found = [one.name for one in place.iterdir() if one.is_dir()] if place.is_dir() else []
        return sorted({self.scope.project, *found} - {USER})

    async def recall_everywhere(
        self, query: str, *, limit: int = 10, **given: Any
    ) -> list[Recalled]:
        """Return what the memories of all `projects` hold about *query*, best first.

        Scores are on one scale, so they can be compared. *given* is as for
        `ConversationMemory.recall`.
        """
        found: dict[str, Recalled] = {}
        for project in self.projects():
            memory = self.conversation_of(project)
            if project == self.scope.project or await memory.provider.exists():
                for one in await memory.recall(query, limit=limit, **given):
                    found.setdefault(one.memory.id, one)
        return sorted(found.values(), key=lambda one: (-one.score, one.memory.id))[:limit]

    @functools.cached_property
    def transfer(self) -> Transfer:
        """What other agents wrote, to be imported; and this project's memory, to be exported."""
        return Transfer(
            self.scope.project,
            Path(self.scope.root),
            self.conversation_of,
            self.settings.embeddings_dir.expanduser(),
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

    async def context(
        self,
        query: str | None = None,
        *,
        budget: int = DEFAULT_BUDGET,
        session: str | None = None,
        code: bool = True,
        refresh: bool = True,
    ) -> Context:
        """Return what an agent should read about *query*; see `victor_memory.context`.

        Nothing is given to one *session* twice. Unless *code* is false, the code is asked, too.

        Raises:
            InvalidRequestError: the query is blank, or the budget too small to say anything.

        """
        return await build_context(
            query,
            conversation=self.conversation,
            code=self.codebase if code and query is not None else None,
            budget=budget,
            session=session,
            ledger=self.ledger,
            refresh=refresh,
        )

    @functools.cached_property
    def ledger(self) -> Ledger:
        """What the sessions of this project were given by `context`."""
        directory = self.settings.embeddings_dir.expanduser() / "ledgers"
        return Ledger(directory / self.scope.project)

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
        if "conversation" in vars(self):
            await self.conversation.close()
        for conversation in self._conversations.values():
            await conversation.close()
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
