"""Experimental stores: what falls back, what warns, and what must never be hidden."""

import warnings

import pytest

from victor_memory import EmbeddingConfig, EmbeddingRegistry, ProviderSpec, Stability
from victor_memory.catalogue import BUILTIN_PROVIDERS
from victor_memory.errors import (
    EmbedderMismatchError,
    ExperimentalProviderWarning,
    MissingDependencyError,
    ProviderError,
    ProviderFallbackWarning,
    ProviderUnavailableError,
    StoreMismatchError,
)
from victor_memory.providers.lancedb import LanceDBProvider
from victor_memory.providers.memory import MemoryProvider
from victor_memory.types import Traits

NOT_INSTALLED = (
    "ProximaDB is configured but not installed. "
    "Install with: pip install victor-memory[vector-experimental]. Using LanceDB as fallback."
)


class Fragile(MemoryProvider):
    """A store that works."""

    name = "fragile"
    title = "Fragile"


class EngineAway(Fragile):
    """A store whose engine cannot be started."""

    async def _open(self):
        msg = "the engine did not answer"
        raise ConnectionError(msg)


class Buggy(Fragile):
    """A store with a bug in its opening."""

    async def _open(self):
        return {}["no such key"]


class NeedsMore(Fragile):
    """A store that finds out only while opening that something is not installed."""

    async def _open(self):
        msg = "Fragile needs its plug. Install with: pip install plug"
        raise MissingDependencyError(msg)


def experimental(target, **fields):
    return ProviderSpec(
        "fragile",
        target,
        title="Fragile",
        extra="fragile",
        stability=Stability.EXPERIMENTAL,
        **fields,
    )


def make(tmp_path, spec, *, strict=False, **hooks):
    registry = EmbeddingRegistry(
        "codebase", [*(one for one in BUILTIN_PROVIDERS if one.name != "proximadb"), spec],
        strict=strict, **hooks,
    )  # fmt: skip
    config = EmbeddingConfig(
        vector_store=spec.name, persist_directory=tmp_path, embedding_model_type="hashing"
    )
    return registry, config


async def test_a_missing_store_falls_back_with_the_exact_warning(tmp_path):
    proximadb = ProviderSpec(
        "proximadb", "no_such_module:X", title="ProximaDB", requires=("no_such_module",),
        extra="vector-experimental", stability=Stability.EXPERIMENTAL,
    )  # fmt: skip
    told = []
    registry, config = make(
        tmp_path, proximadb, on_fallback=lambda info, used: told.append((info, used))
    )
    async with registry:
        with pytest.warns(ProviderFallbackWarning) as caught:
            provider = registry.create(config)
        assert [str(one.message) for one in caught] == [NOT_INSTALLED]
        assert type(provider) is LanceDBProvider
        await provider.index_document("a", "kept in LanceDB")
        stats = await provider.stats()
        assert stats.provider == "lancedb"
        assert stats.fallback.requested == "proximadb"
        assert stats.fallback.reason == NOT_INSTALLED
        assert [(info.requested, used) for info, used in told] == [("proximadb", "lancedb")]
        with pytest.warns(ProviderFallbackWarning):
            assert registry.create(config) is provider


def test_the_built_in_spec_of_proximadb_gives_that_warning():
    spec = next(one for one in BUILTIN_PROVIDERS if one.name == "proximadb")
    assert spec.stability is Stability.EXPERIMENTAL
    assert (
        f"{spec.label} is configured but not installed. Install with: {spec.pip_line}."
        in NOT_INSTALLED
    )


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        (EngineAway, "could not be started: .*the engine did not answer"),
        (NeedsMore, "not installed"),
    ],
)
async def test_a_store_that_cannot_open_falls_back_while_opening(tmp_path, target, reason):
    registry, config = make(tmp_path, experimental(target))
    async with registry:
        provider = registry.create(config)
        with pytest.warns(ProviderFallbackWarning, match=f"Fragile is configured but {reason}"):
            await provider.index_document("a", "kept in LanceDB")
        assert await provider.count() == 1
        stats = await provider.stats()
        assert (stats.provider, stats.fallback.requested) == ("lancedb", "fragile")
        assert provider.traits == LanceDBProvider.traits


async def test_a_store_with_files_that_cannot_open_leaves_the_place_to_the_fallback(tmp_path):
    class Kept(EngineAway):
        traits = Traits(persistent=True, multi_process=False, full_text=True, exact=True)

    registry, config = make(tmp_path, experimental(Kept))
    async with registry:
        with pytest.warns(ProviderFallbackWarning, match="did not answer"):
            await registry.create(config).index_document("a", "kept in LanceDB")
    registry, config = make(tmp_path, experimental(Kept))
    async with registry:
        provider = registry.create(config)
        with pytest.warns(ProviderFallbackWarning, match="did not answer"):
            assert await provider.count() == 1


async def test_an_engine_that_starts_later_does_not_hide_what_the_fallback_wrote(tmp_path):
    class Kept(Fragile):
        traits = Traits(persistent=True, multi_process=False, full_text=True, exact=True)

    registry, config = make(tmp_path, experimental("no_such:X", requires=("no_such",)))
    async with registry:
        with pytest.warns(ProviderFallbackWarning):
            await registry.create(config).index_document("a", "kept in LanceDB")
    registry, config = make(tmp_path, experimental(Kept))
    async with registry:
        with pytest.raises(StoreMismatchError, match="VICTOR_VECTOR_STORE=lancedb"):
            await registry.create(config).count()


async def test_a_bug_is_raised_and_never_taken_for_an_unavailable_engine(tmp_path):
    registry, config = make(tmp_path, experimental(Buggy))
    async with registry:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with pytest.raises(ProviderError, match="KeyError.*no such key") as caught:
                await registry.create(config).count()
        assert isinstance(caught.value.__cause__, KeyError)
        assert not isinstance(caught.value, ProviderUnavailableError)


def test_an_import_error_in_an_installed_experimental_store_is_raised(tmp_path, monkeypatch):
    (tmp_path / "half_installed.py").write_text("import no_such_thing\n", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    spec = experimental("half_installed:Store", requires=("half_installed",))
    registry, config = make(tmp_path, spec)
    with pytest.raises(ModuleNotFoundError, match="no_such_thing"):
        registry.create(config)


async def test_a_store_that_opens_warns_that_it_is_experimental_once(tmp_path):
    registry, config = make(tmp_path, experimental(Fragile))
    async with registry:
        provider = registry.create(config)
        with pytest.warns(ExperimentalProviderWarning, match="Fragile is experimental") as caught:
            await provider.index_document("a", "one")
            await provider.index_document("b", "two")
        assert len(caught) == 1
        assert issubclass(ExperimentalProviderWarning, FutureWarning)
        assert (await provider.stats()).provider == "fragile"
        assert (await provider.stats()).fallback is None


async def test_strict_turns_both_fallbacks_into_errors(tmp_path):
    missing = experimental("no_such_module:X", requires=("no_such_module",))
    registry, config = make(tmp_path, missing, strict=True)
    with pytest.raises(MissingDependencyError, match=r"pip install victor-memory\[fragile\]"):
        registry.create(config)
    registry, config = make(tmp_path, experimental(EngineAway), strict=True)
    async with registry:
        with pytest.raises(ProviderUnavailableError, match="did not answer"):
            await registry.create(config).count()


async def test_failing_after_opening_never_falls_back(tmp_path):
    class FailsLater(Fragile):
        async def _count(self, where):
            msg = "gone"
            raise ConnectionError(msg)

    registry, config = make(tmp_path, experimental(FailsLater))
    async with registry:
        provider = registry.create(config)
        with pytest.warns(ExperimentalProviderWarning):
            await provider.initialize()
        with pytest.raises(ProviderUnavailableError, match="gone"):
            await provider.count()


async def test_data_of_another_model_is_an_error_and_not_a_reason_to_fall_back(tmp_path):
    class Kept(Fragile):
        traits = Traits(persistent=True, multi_process=False, full_text=True, exact=True)

    registry, config = make(tmp_path, experimental(Kept))
    async with registry:
        with pytest.warns(ExperimentalProviderWarning):
            await registry.create(config).initialize()
        other = config.replace(embedding_model_name="hashing-128")
        with pytest.raises(EmbedderMismatchError, match="VICTOR_EMBEDDING_MODEL_NAME"):
            await registry.create(other).count()
