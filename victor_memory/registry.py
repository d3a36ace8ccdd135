"""`EmbeddingRegistry`: from a name and a configuration to one open provider, closed in the end."""

from __future__ import annotations

import threading
import types
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Concatenate, Generic, ParamSpec, Self, TypeVar

from victor_memory._logging import get_logger
from victor_memory.config import DEFAULT_STORE, EmbeddingConfig
from victor_memory.embedders.catalogue import EmbedderCatalogue
from victor_memory.errors import (
    ConfigurationError,
    ContractError,
    MissingDependencyError,
    ProviderFallbackWarning,
)
from victor_memory.providers._experimental import ExperimentalProvider
from victor_memory.providers.base import BaseEmbeddingProvider, ProviderSpec
from victor_memory.specs import SpecTable, Stability
from victor_memory.types import FallbackInfo

if TYPE_CHECKING:
    from victor_memory.embedders.base import BaseEmbedder

log = get_logger(__name__)
P = ParamSpec("P")
R = TypeVar("R")
ProviderClass = TypeVar("ProviderClass", bound=type[BaseEmbeddingProvider])


class _on_default(Generic[P, R]):  # noqa: N801 - reads as a decorator
    """A method that, called on the class, acts on the default registry (the host's call style)."""

    def __init__(self, method: Callable[Concatenate[EmbeddingRegistry, P], R]) -> None:
        self._method = method
        self.__doc__ = method.__doc__

    def __get__(
        self, instance: EmbeddingRegistry | None, owner: type[EmbeddingRegistry]
    ) -> Callable[P, R]:
        target = owner.default() if instance is None else instance
        return types.MethodType(self._method, target)


@dataclass(frozen=True, slots=True)
class ProviderStatus:
    """What a registry knows about one store, without loading it."""

    name: str
    title: str
    description: str
    installed: bool
    default: bool
    experimental: bool
    pip_line: str


class EmbeddingRegistry:
    """The stores one memory can use, and the providers it has opened.

    There is one instance for each memory; nothing is shared between them. Equal configurations get
    the same provider, configurations that differ in any field get different ones. As an async
    context manager, the registry closes what it opened.
    """

    _default_factory: ClassVar[Callable[[str], EmbeddingRegistry] | None] = None

    def __init__(
        self,
        name: str,
        specs: Iterable[ProviderSpec] = (),
        *,
        embedders: EmbedderCatalogue | None = None,
        strict: bool = False,
        store_options: Callable[[type[BaseEmbeddingProvider]], Mapping[str, Any]] | None = None,
        on_open: Callable[[BaseEmbeddingProvider], None] | None = None,
        on_fallback: Callable[[FallbackInfo, str], None] | None = None,
    ) -> None:
        """Make a registry that knows *specs*.

        Args:
            name: `"codebase"` or `"conversation"`, and the default collection of its providers.
            specs: the stores that can be chosen.
            embedders: the models that can be chosen; shared with other registries, so that a model
                is loaded once.
            strict: whether an experimental store that cannot be opened is an error.
            store_options: the options of a store from elsewhere (the environment), weaker than
                those in a configuration.
            on_open: told of every provider whose store has been opened.
            on_fallback: told of every fallback, with the name of the store that is used instead.

        """
        self.name = name
        self.strict = strict
        self.embedders = embedders or EmbedderCatalogue()
        self._store_options = store_options
        self._on_open = on_open
        self._on_fallback = on_fallback
        self._specs = SpecTable(ProviderSpec, "vector store")
        self._providers: dict[str, BaseEmbeddingProvider] = {}
        self._lock = threading.RLock()
        for spec in specs:
            self.add(spec)

    def __repr__(self) -> str:
        return f"<EmbeddingRegistry {self.name!r}: {', '.join(self.names())}>"

    # -- the default registries -------------------------------------------------------------------

    @classmethod
    def set_default_factory(cls, factory: Callable[[str], EmbeddingRegistry]) -> None:
        """Have *factory* make the default registries; called by the runtime module."""
        cls._default_factory = factory

    @classmethod
    def default(cls, memory: str = "codebase") -> EmbeddingRegistry:
        """Return this process's registry for *memory*, the one `create` on the class acts on."""
        if cls._default_factory is None:
            msg = (
                "There is no default registry yet. Import the class with: "
                "from victor_memory import EmbeddingRegistry"
            )
            raise ConfigurationError(msg)
        return cls._default_factory(memory)

    # -- names ------------------------------------------------------------------------------------

    def add(self, spec: ProviderSpec) -> None:
        """Make the store *spec* describes available.

        Raises:
            DuplicateProviderError: the name is taken.
            ContractError: *spec* is not a `ProviderSpec`, or its class is not a provider.

        """
        if isinstance(spec, ProviderSpec) and isinstance(spec.target, type):
            _check_class(spec.target)
        self._specs.add(spec)

    @_on_default
    def register(
        self, /, name: str, provider: type[BaseEmbeddingProvider] | str, **details: Any
    ) -> None:
        """Make *provider* available as *name*; *details* are further fields of `ProviderSpec`.

        Raises:
            DuplicateProviderError: the name is taken.
            ContractError: *provider* is not a subclass of `BaseEmbeddingProvider`.

        """
        self.add(ProviderSpec(name, provider, **details))

    @_on_default
    def names(self, /) -> list[str]:
        """Return the names that can be chosen, installed or not, in order of registration."""
        return self._specs.names()

    @_on_default
    def spec(self, /, name: str) -> ProviderSpec:
        """Return what is known about the store *name*.

        Raises:
            UnknownProviderError: there is no such name; the message has the nearest one.

        """
        return self._specs.get(name)

    @_on_default
    def available_providers(self, /) -> list[ProviderStatus]:
        """Return the state of every known store, importing none of them."""
        return [
            ProviderStatus(
                name=spec.name,
                title=spec.label,
                description=spec.description,
                installed=not spec.missing(),
                default=spec.name == DEFAULT_STORE,
                experimental=spec.stability is Stability.EXPERIMENTAL,
                pip_line=spec.pip_line,
            )
            for spec in map(self.spec, self.names())
        ]

    # -- providers --------------------------------------------------------------------------------

    @_on_default
    def create(
        self, /, config: EmbeddingConfig | None = None, *, embedder: BaseEmbedder | None = None
    ) -> BaseEmbeddingProvider:
        """Return the provider for *config*, the same one each time; it opens on first use.

        *embedder* replaces the model that *config* names; such providers are not shared.

        Raises:
            UnknownProviderError: no store or embedder has this name.
            MissingDependencyError: a stable store is not installed; the message is the pip line.
            ConfigurationError: the configuration does not fit the store.

        Warns:
            ProviderFallbackWarning: an experimental store is not installed; LanceDB is used.

        """
        config = config or EmbeddingConfig()
        spec = self.spec(config.vector_store)
        if embedder is None:
            self.embedders.spec(config.embedding_model_type)
        try:
            cls = _check_class(spec.load())
        except MissingDependencyError as exc:
            if not self._may_fall_back(spec):
                raise
            return self._fall_back(spec, config, exc, embedder)
        return self._shared(spec, cls, config, embedder)

    def _shared(
        self,
        spec: ProviderSpec,
        cls: type[BaseEmbeddingProvider],
        config: EmbeddingConfig,
        embedder: BaseEmbedder | None,
        fallback: FallbackInfo | None = None,
    ) -> BaseEmbeddingProvider:
        full = self._complete(config, cls)
        key = f"{full.key}:{fallback}:{id(embedder) if embedder else ''}"
        with self._lock:
            provider = self._providers.get(key)
            if provider is None or provider.closed:
                provider = cls(full, embedder=embedder, embedders=self.embedders)
                provider.fallback = fallback
                if spec.stability is Stability.EXPERIMENTAL:
                    provider = ExperimentalProvider(
                        provider,
                        (lambda exc: self._fall_back(spec, config, exc, embedder))
                        if self._may_fall_back(spec)
                        else None,
                    )
                provider.on_open = self._on_open
                self._providers[key] = provider
            return provider

    def _complete(
        self, config: EmbeddingConfig, cls: type[BaseEmbeddingProvider]
    ) -> EmbeddingConfig:
        """Return *config* with what it leaves open: the environment's options, the collection."""
        options = dict(self._store_options(cls)) if self._store_options else {}
        options |= config.extra_config
        if not {"collection", "table_name", "collection_name"} & options.keys():
            options["collection"] = self.name
        return config.replace(extra_config=options)

    def _may_fall_back(self, spec: ProviderSpec) -> bool:
        return spec.stability is Stability.EXPERIMENTAL and not self.strict

    def _fall_back(
        self,
        spec: ProviderSpec,
        config: EmbeddingConfig,
        exc: Exception,
        embedder: BaseEmbedder | None,
    ) -> BaseEmbeddingProvider:
        used = self.spec(DEFAULT_STORE)
        reason = (
            f"not installed. Install with: {spec.pip_line}"
            if isinstance(exc, MissingDependencyError)
            else f"could not be started: {exc}"
        )
        message = f"{spec.label} is configured but {reason}. Using {used.label} as fallback."
        warnings.warn(message, ProviderFallbackWarning, stacklevel=4)
        log.warning(
            "provider_fell_back",
            provider=spec.name,
            fallback=used.name,
            reason=reason,
            memory=self.name,
        )
        info = FallbackInfo(requested=spec.name, reason=message)
        if self._on_fallback:
            self._on_fallback(info, used.name)
        # The options of the one store mean nothing to the other, but the collection does.
        kept = {
            key: config.extra_config[key] for key in ("collection",) if key in config.extra_config
        }
        instead = config.replace(vector_store=used.name, extra_config=kept)
        return self._shared(used, _check_class(used.load()), instead, embedder, info)

    # -- the end ----------------------------------------------------------------------------------

    async def close(self) -> None:
        """Close every provider this registry opened; one that fails to close is logged."""
        with self._lock:
            providers, self._providers = list(self._providers.values()), {}
        for provider in providers:
            try:
                await provider.close()
            except Exception as exc:  # noqa: BLE001 - the others must be closed all the same
                log.warning("provider_close_failed", provider=provider.name, error=str(exc))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


def register_provider(
    name: str, *, memories: Iterable[str] = ("codebase", "conversation"), **details: Any
) -> Callable[[ProviderClass], ProviderClass]:
    """Return a class decorator that registers the class as *name* in the default registries.

    *details* are further fields of `ProviderSpec`.

    >>> from victor_memory import register_provider
    >>> from victor_memory.providers.memory import MemoryProvider
    >>> @register_provider("my-store", title="My store")
    ... class MyProvider(MemoryProvider):
    ...     name = "my-store"
    """

    def register(cls: ProviderClass) -> ProviderClass:
        for memory in memories:
            EmbeddingRegistry.default(memory).register(name, cls, **details)
        return cls

    return register


def _check_class(cls: type) -> type[BaseEmbeddingProvider]:
    if not issubclass(cls, BaseEmbeddingProvider):
        msg = f"{cls.__qualname__} is not a store: derive it from BaseEmbeddingProvider."
        raise ContractError(msg)
    if missing := sorted(getattr(cls, "__abstractmethods__", ())):
        msg = f"{cls.__qualname__} is not a whole store: write {', '.join(missing)}."
        raise ContractError(msg)
    if absent := [one for one in ("name", "title", "traits") if not hasattr(cls, one)]:
        msg = f"{cls.__qualname__} does not say its {', '.join(absent)}: set them on the class."
        raise ContractError(msg)
    return cls
