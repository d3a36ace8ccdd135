"""The built-in embedders, and `EmbedderCatalogue`: from a configuration to a shared embedder."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final, TypeAlias

from victor_memory._logging import get_logger
from victor_memory.embedders.base import BaseEmbedder, EmbedderSpec
from victor_memory.errors import ContractError
from victor_memory.specs import SpecTable

if TYPE_CHECKING:
    from victor_memory.config import EmbeddingConfig

logger = get_logger(__name__)

_Key: TypeAlias = tuple[str, str, str | None, str | None]

BUILTIN_EMBEDDERS: Final[tuple[EmbedderSpec, ...]] = (
    EmbedderSpec(
        name="static",
        target="victor_memory.embedders.static:StaticEmbedder",
        title="Static",
        description="The bundled static model, or any model2vec model: fast, offline, no torch.",
        requires=("safetensors", "tokenizers"),
        distribution="safetensors tokenizers",
    ),
    EmbedderSpec(
        name="sentence-transformers",
        target="victor_memory.embedders.sentence_transformers:SentenceTransformersEmbedder",
        title="Sentence Transformers",
        description="A transformer model computed on this machine: finer, and far slower.",
        requires=("sentence_transformers",),
        extra="sentence-transformers",
    ),
    EmbedderSpec(
        name="http",
        target="victor_memory.embedders.http:HttpEmbedder",
        title="HTTP",
        description="A model behind Ollama or any OpenAI-compatible embedding endpoint.",
        requires=("httpx", "tenacity"),
        extra="http",
    ),
    EmbedderSpec(
        name="hashing",
        target="victor_memory.embedders.hashing:HashingEmbedder",
        title="Hashing",
        description="Hashed words, without a model: the same vectors everywhere. For tests.",
    ),
)


class EmbedderCatalogue:
    """The embedders that are known by name, and those that are in use.

    Configurations that mean the same model share one embedder, however much else they differ in: a
    model is loaded once. Safe to use from several threads.
    """

    def __init__(self, specs: Iterable[EmbedderSpec] = BUILTIN_EMBEDDERS) -> None:
        """Make a catalogue that knows *specs*."""
        self._specs = SpecTable(EmbedderSpec, "embedder")
        self._embedders: dict[_Key, BaseEmbedder] = {}
        self._lock = threading.Lock()
        for spec in specs:
            self.register(spec)

    def register(self, spec: EmbedderSpec) -> None:
        """Make *spec* known under its name; nothing is imported.

        Raises:
            DuplicateProviderError: the name is taken.
            ContractError: *spec* is not an `EmbedderSpec`.

        """
        self._specs.add(spec)

    def names(self) -> list[str]:
        """Return the names that can be chosen, installed or not, in order of registration."""
        return self._specs.names()

    def spec(self, name: str) -> EmbedderSpec:
        """Return what is known about the embedder *name*.

        Raises:
            UnknownProviderError: there is no such name; the message has the nearest one.

        """
        return self._specs.get(name)

    def get(self, config: EmbeddingConfig) -> BaseEmbedder:
        """Return the embedder *config* asks for; it loads its model at its first use.

        Raises:
            UnknownProviderError: there is no such embedder.
            MissingDependencyError: it is not installed; the message is the pip line.
            ContractError: what is registered is not an embedder.
            ConfigurationError: the embedder cannot use a field of *config*.

        """
        target = self.spec(config.embedding_model_type).load()
        if not issubclass(target, BaseEmbedder):
            msg = (
                f"The embedder {config.embedding_model_type!r} is a {target.__name__}, which does "
                "not derive from BaseEmbedder. Correct `target` in its spec."
            )
            raise ContractError(msg)
        key = (
            config.embedding_model_type,
            config.embedding_model_name or target.default_model,
            config.embedding_base_url,
            config.api_key,
        )
        with self._lock:
            if key not in self._embedders:
                self._embedders[key] = target(config)
            return self._embedders[key]

    async def close(self) -> None:
        """Close every embedder in use; one that fails is logged and does not stop the others."""
        with self._lock:
            embedders = list(self._embedders.values())
            self._embedders.clear()
        for embedder in embedders:
            try:
                await embedder.close()
            except Exception as exc:  # noqa: BLE001 - a third party's embedder may raise anything
                logger.warning(
                    "embedder_close_failed",
                    embedder=embedder.model_name,
                    error_type=type(exc).__name__,
                )
