"""Promises on the life of a provider: opened when needed, shared by tasks, closed for good."""

# ruff: noqa: PLR2004 - expected numbers are the point of a test

from __future__ import annotations

import asyncio
import inspect
import re
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final

import pytest

from victor_memory.embedders.hashing import HashingEmbedder
from victor_memory.errors import ConfigurationError, ProviderClosedError
from victor_memory.providers.base import BaseEmbeddingProvider
from victor_memory.testing._data import DIMENSION, MODEL, ids, record, records, unit
from victor_memory.testing._harness import Harness, Promises, promise
from victor_memory.types import Traits

if TYPE_CHECKING:
    from victor_memory.types import Record


async def _scan(provider: BaseEmbeddingProvider) -> list[Record]:
    return [one async for batch in provider.scan() for one in batch]


OPERATIONS: Final[dict[str, Callable[[BaseEmbeddingProvider], Awaitable[object]]]] = {
    "initialize": lambda store: store.initialize(),
    "upsert": lambda store: store.upsert([record("a")]),
    "upsert of nothing": lambda store: store.upsert([]),
    "search": lambda store: store.search(unit(1)),
    "search_text": lambda store: store.search_text("word"),
    "get": lambda store: store.get(["a"]),
    "get of nothing": lambda store: store.get([]),
    "delete": lambda store: store.delete(["a"]),
    "delete_where": lambda store: store.delete_where({"a": 1}),
    "count": lambda store: store.count(),
    "scan": _scan,
    "clear_index": lambda store: store.clear_index(),
    "compact": lambda store: store.compact(),
    "stats": lambda store: store.stats(),
    "health_check": lambda store: store.health_check(),
    "index_document": lambda store: store.index_document("a", "text"),
    "search_similar": lambda store: store.search_similar("text"),
    "delete_document": lambda store: store.delete_document("a"),
    "delete_by_file": lambda store: store.delete_by_file("a.py"),
    "get_stats": lambda store: store.get_stats(),
}
"""Every operation, called in a way that works on an empty collection."""

FREE: Final = {"name", "title", "traits", "options_model"}
"""The public names that a store sets."""


class LifecyclePromises(Promises):
    """Construct, open, use, close."""

    # -- the class --------------------------------------------------------------------------------

    @promise()
    def test_class_says_what_it_is(self) -> None:
        """A store has a lower-case `name`, a `title`, and `Traits`."""
        store = self.provider_class
        assert re.fullmatch(r"[a-z][a-z0-9_-]*", store.name)
        assert store.title.strip() == store.title != ""
        assert isinstance(store.traits, Traits)
        assert not inspect.isabstract(store), sorted(store.__abstractmethods__)

    @promise()
    def test_full_text_is_its_own(self) -> None:
        """A store that declares `full_text` ranks words itself: `_search_terms` is its own."""
        own = self.provider_class._search_terms is not BaseEmbeddingProvider._search_terms  # noqa: SLF001 - whether it is overridden is the question
        assert own or not self.provider_class.traits.full_text

    @promise()
    def test_public_half_is_inherited(self) -> None:
        """A store replaces no public method: checks, the error boundary and closing are there."""
        replaced = [
            name
            for name in dir(BaseEmbeddingProvider)
            if (name[0] != "_" and name not in FREE) or name in ("_boundary", "_operation")
            if inspect.getattr_static(self.provider_class, name)
            is not inspect.getattr_static(BaseEmbeddingProvider, name)
        ]
        assert replaced == []

    @promise()
    def test_options_are_documented(self) -> None:
        """Every option has a description, because the documentation is generated from it."""
        fields = self.provider_class.options_model.model_fields
        assert [name for name, field in fields.items() if not field.description] == []

    # -- the configuration ------------------------------------------------------------------------

    @promise()
    async def test_unknown_options_are_refused(self, harness: Harness) -> None:
        """An option that the store does not have is a `ConfigurationError`, not ignored."""
        for options in ({"no_such_option": 1}, {"collection": "../up"}, {"collection": ""}):
            with pytest.raises(ConfigurationError):
                harness.make(extra_config={**harness.options, **options})

    @promise("files")
    async def test_directory_is_needed(self, harness: Harness) -> None:
        """A store that keeps files refuses to be made without a directory."""
        with pytest.raises(ConfigurationError):
            harness.make(persist_directory=None)

    @promise()
    async def test_secrets_are_not_shown(self, harness: Harness) -> None:
        """Neither `repr` nor the statistics show the embedder's key."""
        provider = harness.make(embedding_api_key="sk-verysecret")
        await provider.initialize()
        assert "verysecret" not in repr(provider)
        assert "verysecret" not in repr(await provider.get_stats())

    @promise()
    async def test_embedder_may_be_given(self, harness: Harness) -> None:
        """An embedder given to the constructor is used instead of the configured one."""
        embedder = HashingEmbedder(harness.config(embedding_model_name="hashing-48"))
        provider = harness.make(embedder=embedder)
        await provider.index_document("a", "text")
        assert provider.dimension == 48
        (found,) = await provider.get(["a"], with_vectors=True)
        assert found.vector is not None
        assert len(found.vector) == 48

    # -- opening ----------------------------------------------------------------------------------

    @promise("files")
    async def test_construction_touches_nothing(self, harness: Harness) -> None:
        """Making a provider creates no file and no directory."""
        provider = harness.make()
        assert not harness.directory.exists()
        await provider.close()
        assert not harness.directory.exists()

    @promise()
    async def test_opened_when_needed(self, harness: Harness) -> None:
        """Every operation opens the store itself, on a provider just made."""
        for name, operation in OPERATIONS.items():
            provider = harness.make()
            await operation(provider)
            assert provider.dimension == DIMENSION, name
            await provider.close()

    @promise()
    async def test_initialize_twice(self, provider: BaseEmbeddingProvider) -> None:
        """`initialize` may be called again, also while it runs, and forgets nothing."""
        await asyncio.gather(*(provider.initialize() for _ in range(8)))
        await provider.upsert([record("a")])
        await provider.initialize()
        assert await provider.count() == 1

    @promise()
    async def test_context_manager(self, harness: Harness) -> None:
        """`async with` opens the store and closes it."""
        async with harness.make() as provider:
            assert provider.dimension == DIMENSION
            await provider.upsert([record("a")])
        with pytest.raises(ProviderClosedError):
            await provider.count()

    @promise()
    async def test_collections_are_separate(self, harness: Harness) -> None:
        """Two collections of one place, open at once, know nothing of each other."""
        one, two = harness.make(), harness.make(collection=f"{harness.collection}-2")
        await one.upsert([record("a", "in one"), record("b", "in one")])
        await two.upsert([record("a", "in two")])
        assert [hit.text for hit in await two.search(unit("a"))] == ["in two"]
        assert await two.search_text("one") == []
        await two.clear_index()
        assert [await one.count(), await two.count()] == [2, 0]
        await two.drop()
        assert [found.text for found in await one.get(["a", "b"])] == ["in one", "in one"]

    @promise()
    async def test_drop(self, harness: Harness) -> None:
        """`drop` closes the provider and leaves nothing; the next one starts empty."""
        first = harness.make()
        await first.upsert(records(5))
        await first.drop()
        assert first.closed
        second = harness.make()
        assert await second.count() == 0
        assert await second.search_text("text") == []
        await second.upsert([record("new")])
        assert ids(await _scan(second)) == ["new"]

    # -- closing ----------------------------------------------------------------------------------

    @promise()
    async def test_close_twice(self, harness: Harness) -> None:
        """Closing is allowed again, and on a provider that was never opened."""
        provider = harness.make()
        await provider.close()
        await provider.close()
        opened = harness.make()
        await opened.upsert([record("a")])
        await opened.close()
        await opened.close()

    @promise()
    async def test_use_after_close(self, harness: Harness) -> None:
        """After `close` every operation is a `ProviderClosedError`, opened before or not."""
        never, used = harness.make(), harness.make(collection=f"{harness.collection}-2")
        await used.upsert([record("a")])
        for provider in (never, used):
            await provider.close()
            calls = (operation(provider) for operation in OPERATIONS.values())
            results = await asyncio.gather(*calls, return_exceptions=True)
            by_name = dict(zip(OPERATIONS, results, strict=True))
            refused = [one for one in by_name if isinstance(by_name[one], ProviderClosedError)]
            assert refused == [*OPERATIONS], by_name

    @promise()
    async def test_close_waits(self, provider: BaseEmbeddingProvider) -> None:
        """`close` lets the operations under way finish; later ones are refused."""
        await provider.upsert(records(10))
        tasks = [asyncio.create_task(provider.upsert([record(f"t{n}")])) for n in range(10)]
        tasks += [asyncio.create_task(_search(provider, n)) for n in range(10)]
        await asyncio.sleep(0)
        await provider.close()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        wrong = [one for one in results if not isinstance(one, int | ProviderClosedError)]
        assert wrong == []

    # -- loops and tasks --------------------------------------------------------------------------

    @promise()
    def test_event_loops_in_turn(self, harness: Harness) -> None:
        """A provider works in one event loop after another, as with several `asyncio.run`."""
        provider = harness.make()
        asyncio.run(provider.index_document("a", "first loop"))
        asyncio.run(provider.index_document("b", "second loop"))
        found = asyncio.run(provider.search_similar("loop"))
        assert sorted(one.content for one in found) == ["first loop", "second loop"]
        assert [hit.id for hit in asyncio.run(provider.search_text("second"))] == ["b"]
        asyncio.run(provider.close())
        with pytest.raises(ProviderClosedError):
            asyncio.run(provider.count())

    @promise()
    async def test_cancelled_operations(self, provider: BaseEmbeddingProvider) -> None:
        """Cancelling operations at any moment leaves a provider that works, each record whole."""
        await provider.upsert(records(50))
        for delay in (0.0, 0.0005, 0.002, 0.005, 0.01):
            tasks = [
                asyncio.create_task(provider.upsert([record(f"c{n}", f"text {delay}")]))
                for n in range(8)
            ]
            tasks += [asyncio.create_task(_search(provider, n)) for n in range(4)]
            await asyncio.sleep(delay)
            for task in tasks:
                task.cancel()
            results = await asyncio.gather(*tasks, return_exceptions=True)
            assert [
                one for one in results if not isinstance(one, int | asyncio.CancelledError)
            ] == []
        await provider.upsert([record(f"c{n}", "final") for n in range(8)])
        found = await provider.get([f"c{n}" for n in range(8)])
        assert [one.text for one in found] == ["final"] * 8
        assert await provider.count() == 58

    # -- silence ----------------------------------------------------------------------------------

    @promise()
    async def test_nothing_is_printed(
        self, harness: Harness, capfd: pytest.CaptureFixture[str]
    ) -> None:
        """No operation writes to stdout: it belongs to the host, which may speak MCP on it."""
        capfd.readouterr()
        for operation in OPERATIONS.values():
            provider = harness.make()
            await operation(provider)
            await provider.upsert(records(3))
            await operation(provider)
            await provider.close()
        assert capfd.readouterr().out == ""

    @promise()
    async def test_model_is_the_configured_one(self, provider: BaseEmbeddingProvider) -> None:
        """Texts are embedded by the model that the configuration names."""
        await provider.initialize()
        assert provider.embedder.model_name == MODEL
        assert (await provider.stats()).dimension == DIMENSION


async def _search(provider: BaseEmbeddingProvider, number: int) -> int:
    return len(await provider.search(unit(number), limit=5))
