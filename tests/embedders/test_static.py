"""The bundled static model: what it promises, and what it does with strange input and files."""

import asyncio
import json
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from model2vec import StaticModel
from safetensors.numpy import save_file
from tokenizers import Tokenizer, models, pre_tokenizers

from victor_memory.config import EmbeddingConfig
from victor_memory.embedders.static import BUNDLED, FILES, LONGEST, StaticEmbedder
from victor_memory.errors import EmbeddingError

WITHOUT_A_KNOWN_PIECE = ["", " \n\t", "\x00", "🦀🦀", "\ue000", "x" * 101]
TEXTS = [
    "def parseHTTPRequest(body: bytes) -> Request: ...",
    "We chose JWT over server-side sessions",
    "wir haben 3 Äpfel, nul \x00 und ein loses \ud800 Zeichen",
    "what?! no!!! ???",
    "x" * 100,
    "line\r\nline " * 2000,
]


def static(name=None):
    return StaticEmbedder(EmbeddingConfig(embedding_model_name=str(name) if name else None))


@pytest.fixture(scope="module")
def bundled():
    embedder = static()
    asyncio.run(embedder.load())
    return embedder


@pytest.fixture
def copied(tmp_path):
    return shutil.copytree(BUNDLED, tmp_path / "models" / BUNDLED.name)


def tiny(folder, **tensors):
    """Write a model of three words, and `[UNK]`, that another program could have written."""
    folder.mkdir(parents=True)
    vocabulary = {"[UNK]": 0, "red": 1, "green": 2, "blue": 3}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.enable_truncation(2)
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "config.json").write_text('{"normalize": false}', encoding="utf-8")
    save_file(tensors, folder / "model.safetensors")
    return folder


# -- the bundle ---------------------------------------------------------------------------------


def test_the_bundle_is_small_and_complete_and_says_where_it_comes_from():
    files = [path for path in BUNDLED.rglob("*") if path.is_file()]
    assert {path.name for path in files} == {*FILES, "README.md"}
    assert sum(path.stat().st_size for path in files) < 16_000_000
    card = (BUNDLED / "README.md").read_text(encoding="utf-8")
    assert "license: apache-2.0" in card
    assert "python scripts/train_static_model.py" in card
    assert "/home" not in card + (BUNDLED / "config.json").read_text(encoding="utf-8")


async def test_the_card_names_the_digest_that_is_loaded(bundled):
    info = await bundled.load()
    assert (info.type, info.name, info.dimension) == ("static", "victor-static-384", 384)
    assert f"digest `{info.digest}`" in (BUNDLED / "README.md").read_text(encoding="utf-8")


@pytest.mark.filterwarnings("ignore::EncodingWarning")  # model2vec's reader of its own config
async def test_the_vectors_are_those_of_model2vec_itself(copied):
    without_settings(copied)
    theirs = StaticModel.from_pretrained(BUNDLED).encode(
        [text.replace("\ud800", "?") for text in TEXTS]
    )
    assert np.abs(await static(copied).embed(TEXTS) - theirs).max() < 1e-5


def config(folder, **entries):
    path = folder / "config.json"
    found = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**found, **entries}), encoding="utf-8")


def without_settings(folder):
    path = folder / "config.json"
    found = json.loads(path.read_text(encoding="utf-8"))
    del found["count_exponent"], found["half_weight_at"]
    path.write_text(json.dumps(found), encoding="utf-8")


async def test_a_model_of_the_wheel_has_the_name_that_its_collections_remember():
    info = await static("minilm-256").load()
    assert info.fingerprint == "static:minilm-256:256:e7710e77363b7e5e"


# -- how often a piece counts -------------------------------------------------------------------


async def test_a_piece_counts_as_the_power_of_its_count(tmp_path):
    rows = np.eye(4, dtype=np.float32)
    folder = tiny(tmp_path / "m", embeddings=rows)
    text = "red red red red green"
    assert await static(folder).embed([text]) == pytest.approx(np.array([[0, 4, 1, 0]]) / 17**0.5)
    plain = await static(folder).load()
    config(folder, count_exponent=0.5)
    assert await static(folder).embed([text]) == pytest.approx(np.array([[0, 2, 1, 0]]) / 5**0.5)
    assert (await static(folder).load()).digest != plain.digest


async def test_the_pieces_of_a_text_count_together_however_long_it_is(tmp_path):
    folder = tiny(tmp_path / "m", embeddings=np.eye(4, dtype=np.float32))
    config(folder, count_exponent=0.5)
    count = 2 * LONGEST
    vectors = await static(folder).embed(["blue", "red " * count + "green", "green"])
    expected = np.array([0, count**0.5, 1, 0]) / (count + 1) ** 0.5
    assert vectors[1] == pytest.approx(expected, abs=1e-6)
    assert vectors[[0, 2]].tolist() == [[0, 0, 0, 1], [0, 0, 1, 0]]


@pytest.mark.parametrize(
    ("entry", "limits", "number"),
    [
        (entry, limits, number)
        for entry, limits, beyond in (
            ("count_exponent", "0 to 1", 1.5),
            ("half_weight_at", "1 to 4096", 0),
        )
        for number in (beyond, -1, 5000, "0.5", None, True, [1])
    ],
)
async def test_a_setting_that_is_no_such_number(tmp_path, entry, limits, number):
    folder = tiny(tmp_path / "m", embeddings=np.eye(4, dtype=np.float32))
    config(folder, **{entry: number})
    with pytest.raises(EmbeddingError, match=f"{entry}.*from {limits}"):
        await static(folder).load()


async def test_a_piece_of_a_passage_counts_less_the_later_it_stands(tmp_path):
    folder = tiny(tmp_path / "m", embeddings=np.eye(4, dtype=np.float32))
    plain = await static(folder).load()
    config(folder, half_weight_at=2)
    model = static(folder)
    assert (await model.load()).digest != plain.digest
    early, late = 1 + 2 / 4, 2 / 3
    expected = np.array([[0, early, late, 0]]) / np.hypot(early, late)
    texts = ["red green red", "green", "red green red"]
    vectors = await model.embed(texts)
    assert vectors[[0, 2]] == pytest.approx(np.concatenate([expected, expected]))
    asked = await model.embed(texts, purpose="query")
    assert asked[0] == pytest.approx(np.array([0, 2, 1, 0]) / 5**0.5)


async def test_places_go_on_through_a_long_passage(tmp_path):
    folder = tiny(tmp_path / "m", embeddings=np.eye(4, dtype=np.float32))
    config(folder, half_weight_at=64)
    count = LONGEST
    (vector,) = await static(folder).embed(["red " * count + "green"])
    weights = 64 / (64 + np.minimum(np.arange(count + 1), 4095))
    expected = np.array([0, weights[:-1].sum(), weights[-1], 0])
    assert vector == pytest.approx(expected / np.linalg.norm(expected), abs=1e-6)


# -- vectors ------------------------------------------------------------------------------------


async def test_vectors_are_float32_of_unit_length(bundled):
    vectors = await bundled.embed(TEXTS + WITHOUT_A_KNOWN_PIECE)
    assert vectors.dtype == np.float32
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-5)


async def test_a_vector_does_not_depend_on_its_neighbours(bundled):
    many = [f"text number {number}" for number in range(600)]
    together = await bundled.embed(many)
    for number in (0, 127, 128, 599):
        assert (await bundled.embed([many[number]])).tolist() == [together[number].tolist()]


async def test_a_text_without_a_known_piece_is_the_last_axis_and_near_nothing(bundled):
    vectors = await bundled.embed(WITHOUT_A_KNOWN_PIECE)
    assert vectors[:, -1].tolist() == [1] * len(WITHOUT_A_KNOWN_PIECE)
    assert np.abs(await bundled.embed(TEXTS) @ vectors[0]).max() < 0.3


async def test_a_long_text_is_read_to_its_end(bundled):
    start = "an invoice is paid by bank transfer " * 500
    vectors = await bundled.embed([start, start + "volcano eruption lava " * 500, "volcano"])
    assert vectors[1] @ vectors[2] > vectors[0] @ vectors[2] + 0.2


async def test_identifiers_are_read_as_their_words(bundled):
    camel, snake, spaced = await bundled.embed(
        [
            "getUserName parseHTTPRequest",
            "get_user_name parse_http_request",
            "get user name parse http request",
        ]
    )
    assert camel @ spaced == pytest.approx(1, abs=1e-5)
    assert snake @ spaced > 0.9


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("how are passwords stored", "def hash_password(plain, salt): return bcrypt(plain, salt)"),
        ("remove a file", "def unlink(path): os.delete(path)"),
        ("what did we decide about login", "We chose JWT tokens over sessions for authentication"),
    ],
)
async def test_a_question_is_nearest_to_what_answers_it(bundled, question, answer):
    others = [
        "def draw_circle(canvas, radius): canvas.arc(0, 0, radius)",
        "The quarterly report is due on Friday",
        "class Matrix: rows and columns of numbers",
        "import random; random.shuffle(deck)",
    ]
    vectors = await bundled.embed([question, answer, *others])
    assert (vectors[1:] @ vectors[0]).argmax() == 0


def test_threads_get_what_one_thread_gets(bundled):
    texts = [f"{text[:800]} {number}" for number in range(100) for text in TEXTS]
    expected = asyncio.run(bundled.embed(texts))
    with ThreadPoolExecutor(8) as pool:
        for vectors in pool.map(lambda _: asyncio.run(bundled.embed(texts)), range(16)):
            assert (vectors == expected).all()


# -- other models -------------------------------------------------------------------------------


async def test_a_directory_is_the_same_model_wherever_it_lies(bundled, copied):
    assert await static(copied).load() == await bundled.load()


@pytest.mark.parametrize("file", ["model.safetensors", "tokenizer.json"])
async def test_a_changed_byte_is_another_model(bundled, copied, file):
    data = (copied / file).read_bytes()
    at = data.index(b"##ing") + 2 if file == "tokenizer.json" else len(data) - 1
    (copied / file).write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
    assert (await static(copied).load()).digest != (await bundled.load()).digest


async def test_a_model_of_plain_half_floats(tmp_path):
    rows = np.array([[9, 9], [1, 0], [0, 1], [0, 0]], dtype=np.float16)
    embedder = static(tiny(tmp_path / "plain", embeddings=rows))
    vectors = await embedder.embed(["red", "green red red", "red unheard", "unheard", "blue"])
    both = np.array([2, 1]) / 5**0.5
    assert np.allclose(vectors, [[1, 0], both, [1, 0], [0, 1], [0, 1]])


async def test_a_model_whose_vocabulary_is_quantised(tmp_path):
    embedder = static(
        tiny(
            tmp_path / "quantised",
            embeddings=np.array([[3, 4], [0, 1]], dtype=np.int8),
            weights=np.array([1, 1, 2, 0.5], dtype=np.float32),
            mapping=np.array([1, 0, 1, 0]),
        )
    )
    vectors = await embedder.embed(["red", "green", "green blue"])
    assert np.allclose(vectors, [[0.6, 0.8], [0, 1], np.array([1.5, 4]) / 18.25**0.5])


# -- models that cannot be loaded -----------------------------------------------------------------


@pytest.mark.parametrize("name", ["/no/such/model", "./no-such-model", "~/no-such-model", "C:\\no"])
async def test_a_path_that_is_not_there(name):
    with pytest.raises(EmbeddingError, match="no model directory"):
        await static(name).load()


@pytest.mark.parametrize("file", FILES)
async def test_an_incomplete_directory_names_what_it_lacks(copied, file):
    (copied / file).unlink()
    with pytest.raises(EmbeddingError, match=f"lacks {file}.*'bundled'"):
        await static(copied).load()


async def test_weights_that_are_not_static(tmp_path):
    folder = tiny(tmp_path / "other", layer=np.ones((2, 2), dtype=np.float32))
    with pytest.raises(EmbeddingError, match="holds no static embeddings"):
        await static(folder).load()


async def test_damaged_weights(copied):
    (copied / "model.safetensors").write_bytes(b"torn")
    with pytest.raises(EmbeddingError, match="could not be loaded"):
        await static(copied).load()


# -- processes ------------------------------------------------------------------------------------


def run(program, *arguments, **environment):
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program, *arguments],
        env={**os.environ, **environment},
        check=True,
        capture_output=True,
        encoding="utf-8",
        timeout=60,
    )


def test_a_named_model_is_taken_from_the_cache_or_the_error_says_what_to_do(tmp_path):
    repository = tmp_path / "hub" / "models--acme--tiny"
    rows = np.eye(4, dtype=np.float32)
    tiny(repository / "snapshots" / "0123", embeddings=rows)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("0123", encoding="utf-8")
    program = (
        "import asyncio, sys\n"
        "from victor_memory.config import EmbeddingConfig\n"
        "from victor_memory.embedders.static import StaticEmbedder\n"
        "from victor_memory.errors import EmbeddingError\n"
        "for name in sys.argv[1:]:\n"
        "    try:\n"
        "        embedder = StaticEmbedder(EmbeddingConfig(embedding_model_name=name))\n"
        "        print(asyncio.run(embedder.load()).name)\n"
        "    except EmbeddingError as exc:\n"
        "        print(exc)\n"
    )
    done = run(
        program, "acme/tiny", "acme/absent", "not a name", HF_HOME=str(tmp_path), HF_HUB_OFFLINE="1"
    )
    found, absent, wrong = done.stdout.splitlines()
    assert found == "acme/tiny"
    for message in (absent, wrong):
        assert "VICTOR_EMBEDDING_MODEL_NAME" in message
        assert "bundled" in message
    assert done.stderr == ""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_forked_child_embeds_and_nothing_is_printed(monkeypatch):
    program = (
        "import asyncio, os, signal\n"
        "from victor_memory.config import EmbeddingConfig\n"
        "from victor_memory.embedders.static import StaticEmbedder\n"
        "embedder = StaticEmbedder(EmbeddingConfig())\n"
        "texts = ['some words', 'other words'] * 300\n"
        "before = asyncio.run(embedder.embed(texts))\n"
        "child = os.fork()\n"
        "if not child:\n"
        "    signal.alarm(20)\n"
        "    same = (asyncio.run(embedder.embed(texts)) == before).all()\n"
        "    os._exit(0 if same else 1)\n"
        "print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))\n"
        "print('TOKENIZERS_PARALLELISM' in os.environ)\n"
        "asyncio.run(embedder.embed(texts))\n"
    )
    monkeypatch.delenv("TOKENIZERS_PARALLELISM", raising=False)
    done = run(program, RAYON_NUM_THREADS="2")
    assert done.stdout.split() == ["0", "False"]
    assert done.stderr == ""
