"""The environment becomes a configuration; what is wrong in it is named."""

import pytest

from victor_memory.errors import ConfigurationError
from victor_memory.providers.lancedb import LanceDBProvider
from victor_memory.providers.memory import MemoryProvider
from victor_memory.settings import MemorySettings, store_options


@pytest.fixture(autouse=True)
def clean(monkeypatch):
    for name in MemorySettings.model_fields:
        monkeypatch.delenv(f"VICTOR_{name.upper()}", raising=False)


def test_defaults():
    config = MemorySettings().config("codebase", "project")
    assert (config.vector_store, config.embedding_model_type) == ("lancedb", "static")
    assert config.persist_directory.parts[-3:] == (".victor", "embeddings", "codebase")
    assert config.persist_directory.is_absolute()
    assert config.extra_config == {"collection": "project"}


@pytest.mark.parametrize(
    ("environment", "conversation", "codebase"),
    [
        ({}, ("lancedb", "default"), ("lancedb", "default")),
        ({"VICTOR_VECTOR_STORE": "proximadb"}, ("proximadb", "VICTOR_VECTOR_STORE"), ("proximadb", "VICTOR_VECTOR_STORE")),
        ({"VICTOR_CODEBASE_VECTOR_STORE": "memory"}, ("lancedb", "default"), ("memory", "VICTOR_CODEBASE_VECTOR_STORE")),
        (
            {"VICTOR_VECTOR_STORE": "a", "VICTOR_CONVERSATION_VECTOR_STORE": "b"},
            ("b", "VICTOR_CONVERSATION_VECTOR_STORE"),
            ("a", "VICTOR_VECTOR_STORE"),
        ),
        ({"VICTOR_VECTOR_STORE": ""}, ("lancedb", "default"), ("lancedb", "default")),
    ],
)  # fmt: skip
def test_the_store_of_each_memory_and_who_chose_it(
    monkeypatch, environment, conversation, codebase
):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    settings = MemorySettings()
    assert settings.store_choice("conversation") == conversation
    assert settings.store_choice("codebase") == codebase
    assert settings.config("codebase", "p").vector_store == codebase[0]


def test_the_rest_of_the_environment_arrives(monkeypatch, tmp_path):
    monkeypatch.setenv("VICTOR_EMBEDDINGS_DIR", str(tmp_path))
    monkeypatch.setenv("VICTOR_DISTANCE_METRIC", "dot")
    monkeypatch.setenv("VICTOR_EMBEDDING_MODEL_TYPE", "http")
    monkeypatch.setenv("VICTOR_EMBEDDING_MODEL_NAME", "nomic")
    monkeypatch.setenv("VICTOR_EMBEDDING_API_KEY", "very-secret")
    monkeypatch.setenv("VICTOR_EMBEDDING_BASE_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("VICTOR_MEMORY_DISABLED_PLUGINS", "one, two,")
    settings = MemorySettings()
    config = settings.config("conversation", "p")
    assert config.persist_directory == tmp_path / "conversation"
    assert (config.distance_metric, config.embedding_model_type) == ("dot", "http")
    assert (config.embedding_model_name, config.api_key) == ("nomic", "very-secret")
    assert settings.memory_disabled_plugins == ("one", "two")
    assert "very-secret" not in repr(settings) + repr(config) + config.key


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("VICTOR_DISTANCE_METRIC", "manhattan"),
        ("VICTOR_MEMORY_STRICT", "perhaps"),
        ("VICTOR_MEMORY_LOG_LEVEL", "loud"),
        ("VICTOR_MEMORY_LOG_FORMAT", "xml"),
    ],
)
def test_a_value_that_cannot_be_used_is_named(monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError, match=f"{name}='{value}'.*Correct"):
        MemorySettings()


def test_variables_of_the_host_are_none_of_our_business(monkeypatch):
    monkeypatch.setenv("VICTOR_SOMETHING_ELSE", "x")
    monkeypatch.setenv("VICTOR_MEMORY_UNKNOWN", "x")
    assert MemorySettings().vector_store == "lancedb"


def test_store_options_come_from_variables_of_that_store_only():
    environ = {
        "VICTOR_LANCEDB_COMPACT_EVERY": "7",
        "VICTOR_LANCEDB_COLLECTION": "not from here",
        "VICTOR_LANCEDB_UNKNOWN": "1",
        "VICTOR_MEMORY_STRICT": "1",
    }
    assert store_options(LanceDBProvider, environ) == {"compact_every": "7"}
    assert store_options(MemoryProvider, environ) == {}
