"""What every promise stands on: the decorator `promise`, and the `Harness` that makes providers."""

from __future__ import annotations

import asyncio
import functools
import inspect
import shutil
import uuid
from collections.abc import Awaitable, Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar, Concatenate, Final, Literal, ParamSpec, TypeAlias, TypeVar

import pytest

from victor_memory.config import EmbeddingConfig
from victor_memory.embedders.base import BaseEmbedder
from victor_memory.errors import ContractError
from victor_memory.providers.base import BaseEmbeddingProvider
from victor_memory.testing._data import MODEL
from victor_memory.testing._process import Worker

Given: TypeAlias = Literal["persistent", "files", "multi_process", "transactional"]
P = ParamSpec("P")
S = TypeVar("S", bound="Promises")

WITHOUT: Final[dict[Given, str]] = {
    "persistent": "its data is gone when it is closed",
    "files": "it keeps no files in persist_directory",
    "multi_process": "only one process at a time may use a collection",
    "transactional": "a batch may become visible piece by piece",
}
"""Why a promise does not apply to a store that does not declare the trait."""


def promise(
    *given: Given,
) -> Callable[
    [Callable[Concatenate[S, P], Awaitable[None] | None]], Callable[Concatenate[S, P], None]
]:
    """Make a test of the kit out of a method, for the stores whose traits include all *given*.

    A coroutine runs in an event loop of its own, so that the kit needs no pytest plugin; the
    providers that the harness made are closed in that loop. For other stores the test is skipped,
    and the reason says which trait was not declared.
    """

    def decorate(
        test: Callable[Concatenate[S, P], Awaitable[None] | None],
    ) -> Callable[Concatenate[S, P], None]:
        @functools.wraps(test)
        def run(self: S, /, *args: P.args, **kwargs: P.kwargs) -> None:
            for trait in given:
                if not self.has(trait):
                    title = self.provider_class.title
                    pytest.skip(f"{title} does not declare {trait!r}: {WITHOUT[trait]}")
            if not inspect.iscoroutinefunction(test):
                test(self, *args, **kwargs)
                return
            main: Callable[[], Awaitable[None]] = functools.partial(test, self, *args, **kwargs)
            self.bench.run(main, self.timeout)

        return run

    return decorate


class Harness:
    """Makes providers of one class over one temporary place, and closes them.

    *options* is the store's `extra_config`; *directory* is where a store that keeps files may.
    """

    def __init__(
        self,
        provider_class: type[BaseEmbeddingProvider],
        options: Mapping[str, Any],
        directory: Path,
    ) -> None:
        self.provider_class = provider_class
        self.options = dict(options)
        self.directory = directory
        # A server is shared by all tests, and perhaps by other people's.
        self.collection = f"kit{uuid.uuid4().hex}" if provider_class.traits.remote else "kit"
        self._made: list[BaseEmbeddingProvider] = []
        self._workers: list[Worker] = []
        self._used: dict[str, EmbeddingConfig] = {}

    def config(self, *, collection: str | None = None, **changes: Any) -> EmbeddingConfig:
        """Return a configuration of the store under test, with the fields in *changes*."""
        fields = {
            "vector_store": self.provider_class.name,
            "persist_directory": self.directory,
            "embedding_model_type": "hashing",
            "embedding_model_name": MODEL,
            "extra_config": {**self.options, "collection": collection or self.collection},
        }
        return EmbeddingConfig(**{**fields, **changes})

    def make(
        self,
        *,
        embedder: BaseEmbedder | None = None,
        collection: str | None = None,
        **changes: Any,
    ) -> BaseEmbeddingProvider:
        """Return a new provider, not opened; the harness closes it at the end of the test."""
        made = self.provider_class(self.config(collection=collection, **changes), embedder=embedder)
        self._made.append(made)
        return made

    def start(self, *, unprivileged: bool = False, **changes: Any) -> Worker:
        """Start another process with a provider like that of `make`."""
        config = self.config(**changes)
        worker = Worker(self.provider_class, config, unprivileged=unprivileged)
        self._workers.append(worker)
        return worker

    def run(self, main: Callable[[], Awaitable[None]], seconds: float) -> None:
        """Run *main* in a new event loop, and close in it what was made.

        Raises:
            AssertionError: it took longer than *seconds*.

        """

        async def bounded() -> None:
            try:
                async with asyncio.timeout(seconds) as limit:
                    await main()
            except TimeoutError as exc:
                if limit.expired():
                    msg = f"still waiting after {seconds} seconds: a deadlock?"
                    raise AssertionError(msg) from exc
                raise
            finally:
                await self.close()

        with asyncio.Runner() as runner:
            runner.run(bounded())

    async def close(self) -> None:
        """Close every provider that was made, and end every process that was started."""
        while self._workers:
            self._workers.pop().close()
        while self._made:
            await self._made.pop().close()

    @property
    def leaves_something(self) -> bool:
        """Whether there is anything to close, or to delete from a server."""
        remote = self.provider_class.traits.remote
        return bool(self._made or self._workers or (remote and self._used))

    async def drop(self) -> None:
        """Close everything, and leave nothing behind on a server."""
        await self.close()
        if self.provider_class.traits.remote:
            for config in self._used.values():
                await self.provider_class(config).drop()


class Promises:
    """Base of the promises on one subject each, put together by `ProviderContract`."""

    provider_class: ClassVar[type[BaseEmbeddingProvider]]
    """The store under test."""
    timeout: ClassVar[float] = 120.0
    """Seconds after which a promise counts as broken."""
    bench: Harness
    """The harness of the running test."""

    @pytest.fixture
    def options(self) -> Mapping[str, Any]:
        """The store's `extra_config`; a subclass that needs some overrides this fixture."""
        return {}

    @pytest.fixture(autouse=True)
    def harness(
        self, options: Mapping[str, Any], tmp_path_factory: pytest.TempPathFactory
    ) -> Iterator[Harness]:
        """Make providers of the store under test; what they stored is gone after the test."""
        if not hasattr(self, "provider_class"):
            msg = f"{type(self).__name__} does not say what it tests. Set provider_class."
            raise ContractError(msg)
        # Not `tmp_path`: what is there must be made by the store, when it needs it.
        place = tmp_path_factory.getbasetemp() / f"store-{uuid.uuid4().hex}"
        self.bench = Harness(self.provider_class, options, place)
        yield self.bench
        if self.bench.leaves_something:
            asyncio.run(self.bench.drop())
        shutil.rmtree(place, ignore_errors=True)

    @pytest.fixture
    def provider(self, harness: Harness) -> BaseEmbeddingProvider:
        """Make one provider of an empty collection, not opened yet."""
        return harness.make()

    def has(self, trait: Given) -> bool:
        """Whether the store under test declares *trait*."""
        traits = self.provider_class.traits
        if trait == "files":
            return traits.persistent and not traits.remote
        return bool(getattr(traits, trait))
