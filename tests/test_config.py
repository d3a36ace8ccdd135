"""`EmbeddingConfig`: the host's fields, validated once, equal by every field, silent about secrets."""

import pytest
from pydantic import BaseModel, ValidationError

from victor_memory.config import EmbeddingConfig, describe
from victor_memory.errors import ConfigurationError


def test_defaults():
    config = EmbeddingConfig()
    assert config.vector_store == "lancedb"
    assert config.persist_directory is None
    assert config.distance_metric == "cosine"
    assert config.embedding_model_type == "static"
    assert config.embedding_model_name is None
    assert config.api_key is None
    assert config.extra_config == {}


def test_documented_call(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    config = EmbeddingConfig(
        vector_store="proximadb",
        persist_directory="~/.victor/embeddings/proximadb",
        embedding_model_type="sentence-transformers",
        embedding_model="all-MiniLM-L6-v2",
    )
    assert config.persist_directory == tmp_path / ".victor" / "embeddings" / "proximadb"
    assert config.embedding_model_name == "all-MiniLM-L6-v2"


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"distance_metric": "hamming"}, "distance_metric='hamming'"),
        ({"vector_store": ""}, "vector_store=''"),
        ({"vector_store": 7}, "vector_store=7"),
        ({"embedding_model_type": ""}, "embedding_model_type"),
        ({"extra_config": "x"}, "extra_config='x'"),
        ({"no_such_field": 1}, "no_such_field=1"),
        ({"distance_metric": "x", "vector_store": ""}, "vector_store='': "),
    ],
)
def test_bad_field(fields, message):
    with pytest.raises(ConfigurationError) as caught:
        EmbeddingConfig(**fields)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("directory", ["", None])
def test_no_directory(directory):
    assert EmbeddingConfig(persist_directory=directory).persist_directory is None


def test_frozen():
    config = EmbeddingConfig()
    with pytest.raises(ValidationError):
        config.vector_store = "sqlite"


# -- secrets --------------------------------------------------------------------------------------


def test_secrets_are_not_shown():
    config = EmbeddingConfig(embedding_api_key="sk-secret")
    assert config.api_key == "sk-secret"
    for shown in (repr(config), str(config), config.key, config.model_dump_json()):
        assert "sk-secret" not in shown


def test_secrets_are_not_shown_in_errors():
    with pytest.raises(ConfigurationError) as caught:
        EmbeddingConfig(embedding_api_key=["sk-secret"])
    assert "sk-secret" not in str(caught.value)


def test_errors_name_fields_as_the_user_knows_them():
    class Options(BaseModel):
        cache: int

    with pytest.raises(ValidationError) as caught:
        Options(cache="big")
    text = describe(caught.value, "LanceDB options", {"cache": "VICTOR_LANCEDB_CACHE"})
    assert text.startswith("Invalid LanceDB options: VICTOR_LANCEDB_CACHE='big': ")
    assert text.endswith("Correct the value and try again.")


# -- equality -------------------------------------------------------------------------------------

OTHER = {
    "vector_store": "sqlite",
    "persist_directory": "/elsewhere",
    "distance_metric": "dot",
    "embedding_model_type": "http",
    "embedding_model_name": "m",
    "embedding_api_key": "k",
    "extra_config": {"collection": "c"},
}


def test_equal_fields_have_equal_keys():
    one = EmbeddingConfig(**OTHER)
    two = EmbeddingConfig(**dict(reversed(OTHER.items())))
    assert one == two
    assert one.key == two.key


@pytest.mark.parametrize("field", OTHER)
def test_every_field_is_part_of_the_key(field):
    assert EmbeddingConfig().key != EmbeddingConfig(**{field: OTHER[field]}).key


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"a": 1}, {"a": 2}),
        ({"a": 1}, {"a": "1"}),
        ({"a": 1}, {"a": True}),
        ({"a": {"b": 1}}, {"a": {"b": 2}}),
        ({"a": None}, {}),
    ],
)
def test_options_are_part_of_the_key(one, other):
    assert EmbeddingConfig(extra_config=one).key != EmbeddingConfig(extra_config=other).key


def test_keys_are_part_of_the_key():
    one, two = (EmbeddingConfig(embedding_api_key=key) for key in ("k1", "k2"))
    assert one.key != two.key


# -- replace --------------------------------------------------------------------------------------


def test_replace():
    config = EmbeddingConfig(**OTHER)
    changed = config.replace(vector_store="memory", extra_config={})
    assert (changed.vector_store, changed.extra_config) == ("memory", {})
    assert changed.api_key == "k"
    assert config.vector_store == "sqlite"
    assert config.replace() == config


def test_replace_takes_either_name_of_the_model():
    config = EmbeddingConfig(embedding_model_name="old")
    assert config.replace(embedding_model_name="new").embedding_model_name == "new"
    assert config.replace(embedding_model="new").embedding_model_name == "new"


def test_replace_validates():
    with pytest.raises(ConfigurationError):
        EmbeddingConfig().replace(distance_metric="hamming")
