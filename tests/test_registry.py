"""Names become providers: singletons, registration, unknown and missing stores."""

import os
import subprocess
import sys

import pytest

from victor_memory import (
    BaseEmbeddingProvider,
    EmbedderSpec,
    EmbeddingConfig,
    EmbeddingRegistry,
    ProviderSpec,
    register_provider,
)
from victor_memory.catalogue import BUILTIN_PROVIDERS
from victor_memory.errors import (
    ConfigurationError,
    ContractError,
    DuplicateProviderError,
    MissingDependencyError,
    ProviderClosedError,
    UnknownProviderError,
)
from victor_memory.providers.memory import MemoryProvider


@pytest.fixture
def registry():
    return EmbeddingRegistry("codebase", BUILTIN_PROVIDERS)


def config(**fields):
    return EmbeddingConfig(
        **{"vector_store": "memory", "embedding_model_type": "hashing", **fields}
    )


def test_equal_configurations_share_one_provider(registry):
    assert registry.create(config()) is registry.create(config())


@pytest.mark.parametrize(
    "changed",
    [
        {"vector_store": "lancedb"},
        {"persist_directory": "elsewhere"},
        {"distance_metric": "dot"},
        {"embedding_model_name": "hashing-128"},
        {"embedding_model_type": "static"},
        {"embedding_api_key": "secret"},
        {"embedding_base_url": "http://127.0.0.1:1"},
        {"extra_config": {"table_name": "other"}},
    ],
)
def test_a_difference_in_any_field_is_another_provider(registry, tmp_path, changed):
    base = {"persist_directory": tmp_path}
    assert registry.create(config(**base)) is not registry.create(config(**{**base, **changed}))


def test_every_field_of_the_configuration_is_compared():
    # The list above must grow with the model: a field that is left out of the key is a shared store.
    assert set(EmbeddingConfig.model_fields) == {
        "vector_store", "persist_directory", "distance_metric", "embedding_model_type",
        "embedding_model_name", "embedding_api_key", "embedding_base_url", "extra_config",
    }  # fmt: skip


async def test_two_memories_with_one_configuration_do_not_mix(tmp_path):
    one, other = (
        EmbeddingRegistry(name, BUILTIN_PROVIDERS) for name in ("codebase", "conversation")
    )
    same = config(vector_store="lancedb", persist_directory=tmp_path)
    async with one, other:
        await one.create(same).index_document("a", "only in the codebase", {})
        assert await one.create(same).count() == 1
        assert await other.create(same).count() == 0


async def test_the_registry_closes_what_it_opened(registry):
    async with registry:
        provider = registry.create(config())
        await provider.initialize()
    with pytest.raises(ProviderClosedError, match="Create a new one"):
        await provider.count()
    assert registry.create(config()) is not provider


async def test_one_provider_that_fails_to_close_does_not_keep_the_others_open(registry):
    class Sticky(MemoryProvider):
        name = "sticky"

        async def _close(self):
            msg = "no"
            raise RuntimeError(msg)

    registry.register("sticky", Sticky)
    sticky, other = registry.create(config(vector_store="sticky")), registry.create(config())
    await sticky.initialize()
    await other.initialize()
    await registry.close()
    assert other.closed


def test_an_unknown_name_gets_a_suggestion_and_the_known_ones(registry):
    with pytest.raises(UnknownProviderError, match="Did you mean 'lancedb'.*Known: .*memory"):
        registry.create(config(vector_store="lanceDB2"))


def test_a_stable_store_that_is_missing_names_its_pip_line(registry):
    registry.register(
        "absent", "no_such_module:Thing", requires=("no_such_module",), extra="absent"
    )
    with pytest.raises(MissingDependencyError, match=r"pip install victor-memory\[absent\]"):
        registry.create(config(vector_store="absent"))


def test_an_import_error_inside_an_installed_store_is_a_bug_and_propagates(
    registry, tmp_path, monkeypatch
):
    (tmp_path / "buggy_store.py").write_text(
        "import no_such_dependency_of_the_store\n", encoding="utf-8"
    )
    monkeypatch.syspath_prepend(tmp_path)
    registry.register("buggy", "buggy_store:Store", requires=("buggy_store",), extra="buggy")
    with pytest.raises(ModuleNotFoundError, match="no_such_dependency_of_the_store") as caught:
        registry.create(config(vector_store="buggy"))
    assert not isinstance(caught.value, MissingDependencyError)


def test_a_name_is_never_taken_twice(registry):
    with pytest.raises(DuplicateProviderError, match="'memory' is registered already"):
        registry.register("memory", MemoryProvider)


def test_what_is_not_a_store_is_refused(registry):
    class Half(BaseEmbeddingProvider):
        name = "half"

    with pytest.raises(ContractError, match="not a store"):
        registry.register("odd", int)
    with pytest.raises(ContractError, match="not a whole store: write .*_upsert"):
        registry.register("half", Half)
    with pytest.raises(ContractError, match="ProviderSpec"):
        registry.add("memory")


def test_options_that_a_store_does_not_have_are_refused(registry, tmp_path):
    wrong = config(
        vector_store="lancedb", persist_directory=tmp_path, extra_config={"compact_evry": 3}
    )
    with pytest.raises(ConfigurationError, match="compact_evry"):
        registry.create(wrong)


def test_a_store_with_files_needs_a_directory(registry):
    with pytest.raises(ConfigurationError, match="VICTOR_EMBEDDINGS_DIR"):
        registry.create(config(vector_store="lancedb"))


def test_available_providers_tells_installed_and_missing_apart(registry):
    registry.add(ProviderSpec("absent", "x:y", requires=("no_such_module",), extra="absent"))
    states = {one.name: one for one in registry.available_providers()}
    assert states["lancedb"].default
    assert states["lancedb"].installed
    assert states["proximadb"].experimental
    assert not states["absent"].installed
    assert states["absent"].pip_line == "pip install victor-memory[absent]"


def test_class_methods_act_on_the_default_codebase_registry():
    assert "lancedb" in EmbeddingRegistry.names()
    shared = EmbeddingRegistry.default("codebase")
    assert EmbeddingRegistry.create(config()) is shared.create(config())
    assert EmbeddingRegistry.default("conversation") is not shared
    with pytest.raises(ConfigurationError, match="no memory 'nothing'"):
        EmbeddingRegistry.default("nothing")


def test_the_decorator_registers_with_both_memories():
    @register_provider("decorated", title="Decorated")
    class Decorated(MemoryProvider):
        name = "decorated"

    for memory in ("codebase", "conversation"):
        assert EmbeddingRegistry.default(memory).spec("decorated").load() is Decorated


def test_the_documented_call_works_as_written(tmp_path):
    # In a process of its own and with a home of its own, because the call names the real home.
    code = (
        "import warnings; warnings.simplefilter('ignore')\n"
        "from victor_memory import EmbeddingConfig, EmbeddingRegistry\n"
        "config = EmbeddingConfig(vector_store='proximadb',"
        " persist_directory='~/.victor/embeddings/proximadb',"
        " embedding_model_type='sentence-transformers', embedding_model='all-MiniLM-L6-v2')\n"
        "provider = EmbeddingRegistry.create(config)\n"
        "assert config.embedding_model_name == 'all-MiniLM-L6-v2'\n"
        "assert str(provider.config.persist_directory).startswith(__import__('os').environ['HOME'])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, "HOME": str(tmp_path)},
        capture_output=True, text=True, check=False, encoding="utf-8",
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, ""), done.stderr


def test_an_unknown_embedder_is_refused_at_once(registry):
    with pytest.raises(UnknownProviderError, match="Did you mean 'static'"):
        registry.create(config(embedding_model_type="statik"))


async def test_a_missing_embedder_names_its_pip_line_when_it_is_needed(registry):
    registry.embedders.register(
        EmbedderSpec("absent", "x:y", requires=("no_such_module",), extra="absent")
    )
    provider = registry.create(config(embedding_model_type="absent"))
    with pytest.raises(MissingDependencyError, match=r"pip install victor-memory\[absent\]"):
        await provider.index_document("a", "text")
