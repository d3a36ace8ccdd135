"""The host's `BaseEmbeddingProvider` on any of our stores, registered there as `victor_memory`.

This module imports the host, by which it is loaded.

The host's configuration says what it wants to store and where; which of our stores keeps it is
`extra_config["vector_store"]` or the environment's choice (`VICTOR_VECTOR_STORE`), and the model is
the environment's as well: the host's default names a model that has to be downloaded, so only a
model that differs from that default counts as asked for.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Final, TypeVar

from victor.storage.vector_stores.base import (
    BaseEmbeddingProvider,
    EmbeddingConfig,
    EmbeddingSearchResult,
)

from victor_memory._logging import get_logger
from victor_memory.embedders.base import BaseEmbedder, EmbedderInfo
from victor_memory.hookspecs import PROJECT
from victor_memory.hosts.victor.live import live, project_root

if TYPE_CHECKING:
    from victor.storage.vector_stores.models import BaseEmbeddingModel

    from victor_memory import config as ours
    from victor_memory.embedders.base import Purpose
    from victor_memory.providers.base import BaseEmbeddingProvider as Store
    from victor_memory.runtime import MemoryRuntime
    from victor_memory.types import Vectors

log = get_logger(__name__)
NAME: Final = PROJECT
T = TypeVar("T")
_COLLECTION: Final = ("collection", "table_name", "collection_name")
_DEFAULTS: Final = EmbeddingConfig()


class VictorMemoryProvider(BaseEmbeddingProvider):  # type: ignore[misc] # the host is not checked
    """All operations of the host's interface; each opens what it needs, also after `close`."""

    def __init__(
        self, config: EmbeddingConfig, embedding_model: BaseEmbeddingModel | None = None
    ) -> None:
        """Remember *config*; *embedding_model*, if it is given, embeds instead of our own."""
        super().__init__(config, embedding_model)
        self._root = project_root()
        self._embedder = None if embedding_model is None else HostModel(embedding_model)

    async def initialize(self) -> None:
        """Open the collection, creating it if it does not exist. Opening twice is allowed."""
        await self._use(lambda store: store.initialize())
        self._initialized = True

    async def embed_text(self, text: str) -> list[float]:
        """Return the embedding of *text*."""
        return await self._use(lambda store: store.embed_text(text))

    async def embed_batch(self, texts: Sequence[str]) -> list[list[float]]:
        """Return the embeddings of *texts* in order."""
        return await self._use(lambda store: store.embed_batch(texts))

    async def index_document(
        self, doc_id: str, content: str, metadata: Mapping[str, Any] | None = None
    ) -> None:
        """Embed and store *content* as *doc_id*, replacing what had that id."""
        await self._use(lambda store: store.index_document(doc_id, content, metadata))

    async def index_documents(self, documents: Sequence[Mapping[str, Any]]) -> None:
        """Embed and store *documents*: mappings with `id`, `content` and `metadata`."""
        await self._use(lambda store: store.index_documents(documents))

    async def index_embedded_documents(self, documents: Sequence[Mapping[str, Any]]) -> None:
        """Store *documents* that have a `vector`.

        The host's graph pipeline embeds with a model of its own. Vectors of another length than
        our model's are of no use to `search_similar`, which embeds its query with ours: those
        documents are embedded again from their `content`.
        """

        async def store_all(store: Store) -> None:
            await store.initialize()
            foreign = [one for one in documents if len(one.get("vector", ())) != store.dimension]
            ready = [one for one in documents if len(one.get("vector", ())) == store.dimension]
            if foreign:
                log.info("host_documents_embedded_again", count=len(foreign))
                await store.index_documents(foreign)
            await store.index_embedded_documents(ready)

        await self._use(store_all)

    async def search_similar(
        self, query: str, limit: int = 10, filter_metadata: Mapping[str, Any] | None = None
    ) -> list[EmbeddingSearchResult]:
        """Return the documents nearest to *query*, best first; a filter means equality."""
        found = await self._use(lambda store: store.search_similar(query, limit, filter_metadata))
        return [
            EmbeddingSearchResult(
                file_path=one.file_path,
                symbol_name=one.symbol_name,
                content=one.content,
                score=one.score,
                line_number=one.line_number,
                metadata=dict(one.metadata),
            )
            for one in found
        ]

    async def delete_document(self, doc_id: str) -> None:
        """Delete the document *doc_id*; an unknown id is fine."""
        await self._use(lambda store: store.delete_document(doc_id))

    async def delete_by_file(self, file_path: str) -> int:
        """Delete the documents of *file_path*; return how many there were."""
        return await self._use(lambda store: store.delete_by_file(file_path))

    async def clear_index(self) -> None:
        """Delete all documents of the collection."""
        await self._use(lambda store: store.clear_index())

    async def get_stats(self) -> dict[str, Any]:
        """Return the numbers of the collection, by the host's names and by ours."""
        stats = await self._use(lambda store: store.get_stats())
        size = stats["disk_bytes"]
        return {
            "total_embeddings": stats["records"],
            "index_size_mb": None if size is None else size / 1e6,
            "model_name": stats["embedder"],
            "table_name": stats["collection"],
            **stats,
        }

    async def close(self) -> None:
        """Close the collection. The next operation opens it again: the host keeps this object."""
        await self._use(lambda store: store.close())
        self._initialized = False

    async def _use(self, action: Callable[[Store], Awaitable[T]]) -> T:
        def on_store(memory: MemoryRuntime) -> Awaitable[T]:
            return action(self._store(memory))

        return await live().use(self._root, on_store)

    def _store(self, memory: MemoryRuntime) -> Store:
        registry = memory.registries["codebase"]
        wanted = _configuration(self.config, memory)
        # The host's own options (`dimension`, `readonly`, ...) mean nothing to our stores.
        spec = registry.spec(wanted.vector_store)
        options = {"collection"} if spec.missing() else {*spec.load().options_model.model_fields}
        kept = {key: wanted.extra_config[key] for key in wanted.extra_config if key in options}
        return registry.create(wanted.replace(extra_config=kept), embedder=self._embedder)


def _configuration(given: EmbeddingConfig, memory: MemoryRuntime) -> ours.EmbeddingConfig:
    """Return what *given* asks for, with the environment's answer to what it leaves open."""
    extra = dict(given.extra_config)
    base = memory.settings.config("codebase", f"{memory.scope.project}-victor")
    changes: dict[str, Any] = {}
    if store := extra.pop("vector_store", None):
        changes["vector_store"] = store
    if given.persist_directory:
        changes["persist_directory"] = given.persist_directory
    if given.distance_metric != _DEFAULTS.distance_metric:
        changes["distance_metric"] = given.distance_metric
    if given.embedding_model_type != _DEFAULTS.embedding_model_type:
        changes["embedding_model_type"] = given.embedding_model_type
        changes["embedding_model_name"] = None
    if given.embedding_model_name != _DEFAULTS.embedding_model_name:
        changes["embedding_model_name"] = given.embedding_model_name
    if given.embedding_api_key:
        changes["embedding_api_key"] = given.embedding_api_key
    named = next((extra[key] for key in _COLLECTION if key in extra), None)
    collection = named or base.extra_config["collection"]
    return base.replace(extra_config={**extra, "collection": collection}, **changes)


class HostModel(BaseEmbedder):
    """A model of the host's, where host code hands one over."""

    type: ClassVar[str] = "victor"
    default_model: ClassVar[str] = "model"

    def __init__(self, model: BaseEmbeddingModel) -> None:
        """Embed with *model*."""
        self._model = model
        self.model_name = str(getattr(model.config, "model_name", self.default_model))
        self._info: EmbedderInfo | None = None

    async def _load(self) -> EmbedderInfo:
        await self._model.initialize()
        return EmbedderInfo(self.type, self.model_name, self._model.get_dimension())

    async def _embed(self, texts: Sequence[str], purpose: Purpose) -> Vectors:
        del purpose  # the host's models do not tell questions from passages
        import numpy as np

        return np.asarray(await self._model.embed_batch(list(texts)), dtype=np.float32)
