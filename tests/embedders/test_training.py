"""The scripts that make the bundled model: what they read, what they leave out, what they write."""

import io
import json
import sys
import tarfile
import zipfile
from collections import Counter
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from model2vec import StaticModel
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

from victor_memory.embedders.static import BUNDLED

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))

from static_training import (
    archives,
    changes,
    code,
    corpus,
    export,
    licences,
    prose,
    registries,
    vocabulary,
    wordnet,
)
from static_training.exclusions import Exclusions

SOURCES = {
    "python": 'def save(path):\n    """Write the settings to a file.\n\n    Args:\n        path: where.\n    """\n    with open(path) as f:\n        dump(f)\n',
    "go": "package a\n\n// Save writes the settings to a file.\nfunc Save(path string) error {\n\tf := open(path)\n\treturn dump(f)\n}\n",
    "java": "class A {\n  /**\n   * Write the settings to a <b>file</b>.\n   * @param path where\n   */\n  void save(String path) {\n    File f = open(path);\n    dump(f);\n  }\n}\n",
    "javascript": "/**\n * Write the settings to a file.\n * @param {string} path\n */\nexport function save(path) {\n  const f = open(path);\n  dump(f);\n}\n",
    "rust": "/// Write the settings to a file.\n#[inline]\npub fn save(path: &str) -> Result<()> {\n    let f = open(path)?;\n    dump(f)\n}\n",
    "c": "/* Write the settings to a file. */\nint save(const char *path)\n{\n  FILE *f = open(path);\n  return dump(f);\n}\n",
    "ruby": "# Write the settings to a file.\n# @param path [String]\ndef save(path)\n  f = open(path)\n  dump(f)\nend\n",
    "haskell": "module A where\n\none = 1\n\n-- | Write the settings to a file.\nsave :: FilePath -> IO ()\nsave path = do\n  file <- open path\n  dump file >> close file >> pure ()\n",
    "elixir": 'defmodule A do\n  @doc """\n  Write the settings to a file.\n  """\n  @spec save(binary) :: :ok\n  def save(path) do\n    file = open(path)\n    dump(file)\n  end\nend\n',
    "lua": "--- Write the settings to a file.\n-- @param path where\nlocal function save(path)\n  local f = open(path)\n  dump(f)\nend\n",
}


@pytest.mark.parametrize("language", SOURCES)
def test_documentation_is_paired_with_the_code_it_describes(language):
    pytest.importorskip("semble_grammars", reason="semble-grammars is not installed")
    found = [x for x in code.pairs(SOURCES[language], language, "p:a") if x.kind == "doc"]
    assert [x.name.lower() for x in found] == ["save"]
    assert "rite" in found[0].question
    assert "settings to a file" in found[0].question
    assert "where" not in found[0].question
    assert "dump" in found[0].answer
    assert "settings" not in found[0].answer


def test_a_comment_is_paired_with_the_lines_below_it_and_a_long_name_with_its_body():
    pytest.importorskip("semble_grammars", reason="semble-grammars is not installed")
    source = (
        "def load_user_settings(path):\n"
        + "    first = 1\n" * 6
        + "    # Older files have no header line.\n    skip(first)\n    second = 2\n    third = 3\n"
    )
    found = {x.kind: x for x in code.pairs(source, "python", "p:a")}
    assert found["name"].question == "load user settings"
    assert found["comment"].question == "Older files have no header line."
    assert found["comment"].answer.startswith("skip(first)")


def test_what_the_top_of_a_file_says_is_paired_with_chunks_of_it():
    pytest.importorskip("semble_grammars", reason="semble-grammars is not installed")
    lines = "".join(f"value_of_the_setting_{n} = read_it({n})\n" for n in range(160))
    about = "Reads the settings of a user from files."
    of = {
        "python": f'"""{about}"""\n\n{lines}',
        "ruby": f"# Copyright 2020 Somebody, all rights reserved.\n\n# {about}\n\n{lines}",
    }
    for language, source in of.items():
        found = [x for x in code.pairs(source, language, "p:a") if x.kind == "about"]
        assert [x.question for x in found] == [about, about]
        assert [x.answer.split()[0] in source for x in found] == [True, True]
        assert found[0].answer != found[1].answer
    assert not list(code.pairs(f"# {about}\n\na = 1\n", "python", "p:a"))


@pytest.mark.parametrize(
    "text", ["Copyright 2020 by the authors of it", "TODO write this part soon", "x = y + 1 # 2"]
)
def test_what_is_not_a_description_asks_nothing(text):
    pytest.importorskip("semble_grammars", reason="semble-grammars is not installed")
    source = f"# {text}\ndef f(a)\n  b = a\n  c = b\n  d = c\n  e = d\n  e\nend\n"
    assert [x for x in code.pairs(source, "ruby", "p:a") if x.kind == "doc"] == []


def test_words_of_identifiers():
    assert code.words("parseHTTPRequest_v2") == ["parse", "http", "request", "v", "2"]


def test_sections_have_headings_and_no_code():
    sentence = "The cache keeps what was read before. It is emptied when the file changes on disk. "
    text = f"# Guide\n\n## Reading files\n\n{sentence * 3}\n\n```\nx = 1\n```\n\n    y = 2\n\nOld style\n---------\n\n{sentence * 3}\n"
    found = list(prose.pairs(text, "p:guide.md"))
    assert [x.question for x in found if x.kind == "heading"] == ["Reading files", "Old style"]
    assert all("x = 1" not in x.answer and "y = 2" not in x.answer for x in found)
    cloze = next(x for x in found if x.kind == "cloze")
    assert cloze.question in sentence
    assert [heading for heading, _ in prose.sections(text)] == [
        "",
        "Guide",
        "Reading files",
        "Old style",
    ]


def test_meanings_and_uses_of_words():
    line = '{ [ worry, noun.act:worrying,+ ] fret2, agonise_over, mind,@ frames: 2 (be anxious or troubled; "I worry about my job") }'
    meaning, use = wordnet.pairs(line, "wordnet:verb")
    assert (meaning.question, meaning.answer) == (
        "worry, fret, agonise over",
        "be anxious or troubled; I worry about my job",
    )
    assert (use.question, use.answer) == (
        "worry, fret, agonise over: be anxious or troubled",
        "I worry about my job",
    )


# -- what is left out -----------------------------------------------------------------------------


def test_no_listed_package_is_an_excluded_one_and_each_has_a_version_and_a_licence():
    packages = registries.listed()
    excluded = Exclusions([])
    assert len({x.key for x in packages}) == len(packages) > 100
    assert not [x.name for x in packages if excluded.name(x.name)]
    assert all(x.version[0].isdigit() and x.licence for x in packages)
    assert {x.registry for x in packages} == {"pypi", "npm", "debian", "debian-source"}


@pytest.mark.parametrize(
    ("path", "out"),
    [
        ("pip/_vendor/requests/api.py", True),
        ("x/vendor/github.com/gin-gonic/gin/a.go", True),
        ("a/jinja2/b.py", True),
        ("spdlog/include/fmt-9.1.0/core.h", True),
        ("src/requests.py", False),
        ("usr/share/lua/5.1/pl/List.lua", False),
        ("src/expressions/a.py", False),
    ],
)
def test_directories_of_excluded_packages(path, out):
    assert Exclusions([]).path(path) is out


def test_text_of_a_corpus_is_left_out_and_counted(tmp_path):
    pytest.importorskip("semble_grammars", reason="semble-grammars is not installed")
    (tmp_path / "repo").mkdir()
    (tmp_path / "repo" / "a.py").write_text(SOURCES["python"], encoding="utf-8")
    talk = {"turns": [{"text": "I moved to Lisbon. It rains a lot here in the winter."}]}
    (tmp_path / "talk.json").write_text(json.dumps(talk), encoding="utf-8")
    excluded = Exclusions([tmp_path / "repo", tmp_path / "talk.json"])
    same = next(
        x
        for x in code.pairs(SOURCES["python"].replace("  ", "\t"), "python", "q:b")
        if x.kind == "doc"
    )
    assert excluded.text(same.answer)
    assert excluded.text("It rains a lot here in the winter.")
    assert not excluded.text("It is dry here.")
    assert excluded.counts == {"text of a corpus": 2}


@pytest.mark.parametrize(
    ("head", "out"),
    [
        ("// This file is free software under the GNU General Public License.", True),
        ("# SPDX-License-Identifier: MPL-2.0", True),
        ("/* Licensed under the GNU Lesser General Public License or the MIT licence. */", False),
        ("/* A parser of licences. */", False),
    ],
)
def test_files_under_a_copyleft_licence_alone_are_left_out(head, out):
    excluded = Exclusions([])
    assert excluded.licence(head + "\n" * 9000 + "Mozilla Public License") is out
    assert excluded.counts.total() == out


def pair(number, package, kind="doc"):
    return code.Pair(
        kind, "go", f"question {number}", f"answer {number}", "f", f"{package}:{number:04}"
    )


def written(path, pairs):
    path.write_text("".join(json.dumps(x) + "\n" for x in pairs), encoding="utf-8")
    return path


def test_a_choice_has_each_code_once_none_held_out_and_keeps_to_its_limits(tmp_path, monkeypatch):
    monkeypatch.setitem(corpus.LIMITS, "doc", 64)
    one = written(
        tmp_path / "a",
        [pair(n, "a") for n in range(200)] + [pair(n, "a", "name") for n in range(900, 903)],
    )
    two = written(tmp_path / "b", [pair(n, "b") for n in range(100, 300)])
    held = written(tmp_path / "c", [pair(n, "c") for n in range(50)])
    chosen = corpus.choose([one, two], [held])
    numbers = [int(x.answer.split()[1]) for x in chosen if x.kind == "doc"]
    assert len(numbers) == len(set(numbers)) == 64
    assert min(numbers) >= 50
    assert sum(x.kind == "name" for x in chosen) == 3
    assert sum(b == a + 1 for a, b in pairwise(numbers)) >= 56
    assert corpus.choose([one, two], [held]) == chosen


def test_a_choice_has_a_code_again_for_its_change_unless_it_is_held_out(tmp_path):
    one = written(
        tmp_path / "a",
        [pair(1, "a"), pair(1, "log", "change"), pair(2, "a"), pair(2, "log", "change")],
    )
    again = written(tmp_path / "b", [pair(1, "log", "change")])
    held = written(tmp_path / "c", [pair(2, "c")])
    chosen = corpus.choose([one, again], [held])
    assert [(x.kind, x.answer) for x in chosen] == [("doc", "answer 1"), ("change", "answer 1")]


# -- changes ----------------------------------------------------------------------------------------

DIFF = """--- a/src/save.go
+++ b/src/save.go\t2022-01-01
@@ -1,4 +1,5 @@
 func Save(path string) error {
-  old(path)
+  lock(path)
+  defer unlock(path)
   return dump(path)
 }
--- a/README.md
+++ b/README.md
@@ -1 +1 @@
+Locks files, and more, and more.
"""
SAVED = "func Save(path string) error {\n  lock(path)\n  defer unlock(path)\n  return dump(path)\n}"


@pytest.mark.parametrize(
    "header",
    [
        "Description: Lock the file\n while it is written (#123)\nAuthor: A B\n\n",
        "From 0123 Mon Sep 17 00:00:00 2001\nFrom: A B\nSubject: [PATCH 1/2] Lock the file while\n it is written\n\nAnd why.\n---\n save.go | 2 +-\n\n",
    ],
)
def test_what_a_patch_says_is_paired_with_the_code_after_it(header):
    (found,) = changes.of_patch(header + DIFF, "p:debian/patches/a.patch", Exclusions([]))
    assert (found.kind, found.language) == ("change", "go")
    assert found.question == "Lock the file while it is written"
    assert found.answer == SAVED


@pytest.mark.parametrize(
    "text",
    [
        "Lock the file while it is written.\n",
        DIFF,
        "Description: Fix spelling of the word file\n\n" + DIFF,
        "Description: Debian builds with another linker\n\n" + DIFF,
        "Description: Lock files\n\n" + DIFF,
    ],
)
def test_a_patch_without_a_description_of_code_asks_nothing(text):
    assert list(changes.of_patch(text, "p:a.patch", Exclusions([]))) == []


def test_a_patch_of_a_vendored_excluded_package_asks_nothing():
    excluded = Exclusions([])
    text = "Description: Lock the file while it is written\n\n"
    vendored = text + DIFF.replace("b/src/", "b/vendor/curl/")
    assert list(changes.of_patch(text + DIFF, "p:a.patch", excluded))
    assert not list(changes.of_patch(vendored, "p:a.patch", excluded))
    assert excluded.counts["directory curl"] == 1


def test_an_entry_of_a_changelog_is_paired_with_the_one_function_it_names():
    logs = changes.Changelogs()
    saves, twice, other = (
        code.Pair("doc", "go", "Save it.", f"func {name}", name, "p:a.go")
        for name in ("save_file", "load_file", "load_file")
    )
    for one in (saves, twice, other):
        logs.saw(one)
    entries = """# 1.2
- `Files.save_file` now locks the file
  while it is written ([#12](x), @somebody)
* Loading with load_file() is faster than it was before
* Quoted save_file is not a mention of the function

- `save_file` fixed
"""
    logs.read("p/CHANGELOG.md", entries, "p:CHANGELOG.md")
    logs.read("p/README.md", entries, "p:README.md")
    (found,) = logs.pairs()
    assert found.question == "Files.save_file now locks the file while it is written"
    assert (found.answer, found.kind) == ("func save_file", "change")


# -- archives and files ---------------------------------------------------------------------------


def test_text_files_of_archives(tmp_path):
    with tarfile.open(tmp_path / "a.tar.gz", "w:gz") as packed:
        for name, data in (("x/a.py", b"one"), ("x/b.bin", b"two"), ("x/c.py", b"3" * 2_000_000)):
            member = tarfile.TarInfo(name)
            member.size = len(data)
            packed.addfile(member, io.BytesIO(data))
    with zipfile.ZipFile(tmp_path / "a.whl", "w") as packed:
        packed.writestr("b.PY", "two \udcff".encode("utf-8", "surrogateescape"))
        packed.writestr("a.py", "one")
    wanted = frozenset({"py"})
    assert list(archives.text_files(tmp_path / "a.tar.gz", wanted)) == [("x/a.py", "one")]
    assert list(archives.text_files(tmp_path / "a.whl", wanted)) == [
        ("a.py", "one"),
        ("b.PY", "two \ufffd"),
    ]
    assert archives.is_archive(tmp_path / "a.whl")
    assert not archives.is_archive(tmp_path / "a_1.debian.tar.xz")


def archive(path, name, text):
    data = text.encode()
    if path.suffix == ".whl":
        with zipfile.ZipFile(path, "w") as packed:
            packed.writestr(name, data)
    else:
        with tarfile.open(path, "w:xz" if path.suffix == ".xz" else "w:gz") as packed:
            member = tarfile.TarInfo(name)
            member.size = len(data)
            packed.addfile(member, io.BytesIO(data))


@pytest.mark.parametrize(
    ("registry", "file", "inside", "text", "licence", "permissive"),
    [
        ("npm", "a.tgz", "package/package.json", '{"license": "MIT"}', "MIT", True),
        ("npm", "a.tgz", "package/x/package.json", '{"license": "MIT"}', "", False),
        ("npm", "a.tgz", "package/package.json", '{"license": {"type": "MPL"}}', "MPL", False),
        ("pypi", "a.whl", "a.dist-info/METADATA", "License-Expression: ISC\n\n", "ISC", True),
        (
            "pypi", "a.whl", "a.dist-info/METADATA",
            "Classifier: License :: OSI Approved :: BSD License\n\n", "BSD License", True,
        ),
        (
            "debian-source", "a.debian.tar.xz", "debian/copyright",
            "Format: x\n\nFiles: debian/*\nLicense: GPL-2\n\nFiles: *\nLicense: Expat\n", "Expat", True,
        ),
        ("debian-source", "a.debian.tar.xz", "debian/copyright", "Files: *\nLicense: GPL-2+\n", "GPL-2+", False),
        ("debian-source", "a.debian.tar.xz", "debian/copyright", "Files: *\nLicense: MIT or GPL-2\n", "MIT or GPL-2", True),
    ],
)  # fmt: skip
def test_the_licence_that_an_archive_names(
    tmp_path, registry, file, inside, text, licence, permissive
):
    archive(tmp_path / file, inside, text)
    package = registries.Package(registry, "a", "1", "?", held_out=False)
    assert licences.declared(package, tmp_path) == licence
    assert licences.is_permissive(licence) is permissive


def test_an_absent_package_is_noted_and_not_asked_for_again(tmp_path, monkeypatch):
    monkeypatch.setattr(
        registries, "_command", lambda *_: [sys.executable, "-c", "import sys; sys.exit('gone')"]
    )
    package = registries.Package("pypi", "absent", "1", "MIT", held_out=False)
    assert registries.fetch(package, tmp_path, frozen=False) == []
    note = tmp_path / "archives" / "pypi+absent" / "absent.txt"
    assert "gone" in note.read_text(encoding="utf-8")
    monkeypatch.setattr(registries, "_command", lambda *_: pytest.fail("asked again"))
    assert registries.fetch(package, tmp_path, frozen=False) == []


def teacher_tokenizer(path):
    pieces = ["[PAD]", "[UNK]", "a", "##b", "é", "the", "##ing", "."]
    tokenizer = Tokenizer(
        models.WordPiece({x: at for at, x in enumerate(pieces)}, unk_token="[UNK]")
    )
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.save(str(path))
    return path


def test_the_vocabulary_is_the_teachers_english_and_the_commonest_words(tmp_path):
    counts = vocabulary.count_words(
        ["the hashMap", "hashMap of struct", "struct", "rare", "a1 hash"]
    )
    assert counts == Counter(
        {"hash": 3, "map": 2, "struct": 2, "the": 1, "of": 1, "rare": 1, "a1": 1}
    )
    tokenizer = vocabulary.build(teacher_tokenizer(tmp_path / "t.json"), counts, 8)
    assert set(tokenizer.get_vocab()) == {
        "[UNK]",
        "a",
        "##b",
        "the",
        "##ing",
        ".",
        "hash",
        "map",
        "struct",
    }
    assert tokenizer.encode("the hashMap.").tokens == ["the", "hash", "map", "."]


def test_a_written_model_is_what_model2vec_reads(tmp_path):
    tokenizer = vocabulary.build(teacher_tokenizer(tmp_path / "t.json"), Counter(), 6)
    table = np.random.default_rng(1).normal(size=(6, 16)).astype(np.float32)
    table[0] = 0
    export.write(tmp_path / "model", table, tokenizer, "a teacher")
    read = StaticModel.from_pretrained(tmp_path / "model")
    rows = [tokenizer.token_to_id(x) for x in ("the", "a")]
    expected = table[rows].sum(axis=0)
    found = read.encode("The a")
    assert found @ expected / np.linalg.norm(expected) == pytest.approx(1, abs=1e-3)


def test_bags_hold_each_piece_once_with_its_count(tmp_path):
    from static_training import training

    counts = Counter({"struct": 2})
    tokenizer = vocabulary.build(teacher_tokenizer(tmp_path / "t.json"), counts, 8)
    the, struct = map(tokenizer.token_to_id, ("the", "struct"))
    made = training.bags(tokenizer, ["struct the struct struct", "the", "the the the the"], 3)
    training.save(tmp_path / "b.npz", some=made)
    read = training.load(tmp_path / "b.npz", "some")
    assert len(read) == 3
    rows = [read.ids[a:b].tolist() for a, b in pairwise(read.starts)]
    assert rows == [sorted([the, struct]), [the], [the]]
    assert read.counts.tolist() == [*(x for _, x in sorted([(the, 1), (struct, 2)])), 1, 3]


@pytest.mark.sentence_transformers  # its environment has torch
def test_bags_are_taken_by_row():
    pytest.importorskip("torch", reason="torch is not installed")
    from static_training import training

    ids, counts = np.array([4, 5, 6, 7], dtype=np.int32), np.array([1, 2, 3, 4], dtype=np.uint16)
    texts = training.Bags(ids, counts, np.array([0, 2, 2, 4]))
    taken = [x.tolist() for x in texts.take(np.array([2, 1, 0]))]
    assert taken == [[6, 7, 4, 5], [3, 4, 1, 2], [0, 2, 2]]


@pytest.mark.sentence_transformers  # its environment has torch
def test_training_brings_questions_to_their_answers():
    pytest.importorskip("torch", reason="torch is not installed")
    from static_training import training

    generator = np.random.default_rng(0)
    start = generator.normal(size=(65, 16)).astype(np.float32)
    frozen = np.zeros(65, dtype=bool)
    frozen[0] = True
    start[0] = 0

    def bag(ids):
        ones = np.ones(len(ids), dtype=np.uint16)
        return training.Bags(np.array(ids, dtype=np.int32), ones, np.arange(len(ids) + 1))

    questions, answers = bag(range(1, 33)), bag(range(33, 65))
    recipe = training.Recipe(epochs=100, rate=0.05, batch=32, sentences=8, share=1.0)
    taught = np.eye(16, dtype=np.float16)[[0, 0, *range(14)]]

    def right(table):
        return (table[1:33] @ table[33:].T).argmax(axis=1) == np.arange(32)

    def train():
        return training.train(
            start, frozen, questions, answers, bag(range(1, 17)),
            keys=np.arange(32), taught=taught, recipe=recipe, run=training.Run(1, 0.05),
        )  # fmt: skip

    trained = train()
    assert right(start).mean() < 0.3
    assert right(trained).mean() > 0.9
    assert not trained[0].any()
    assert (train() == trained).all()


@pytest.mark.sentence_transformers  # its environment has torch
def test_what_a_run_trained_is_kept_for_its_text_and_recipe_alone(tmp_path):
    pytest.importorskip("torch", reason="torch is not installed")
    from static_training import training

    texts = training.Bags(np.arange(4, dtype=np.int32), np.ones(4, dtype=np.uint16), np.arange(5))
    training.save(tmp_path / training.TEXTS, questions=texts, answers=texts, sentences=texts)
    np.save(tmp_path / training.KEYS, np.arange(4))
    np.save(tmp_path / training.TAUGHT, np.eye(4, dtype=np.float16))
    start = np.random.default_rng(0).normal(size=(4, 8)).astype(np.float32)
    np.savez(tmp_path / training.START, table=start, frozen=np.zeros(4, dtype=bool))
    recipe, run = training.Recipe(batch=4, sentences=2), training.Run(1, 0.1)

    def kept():
        return sorted(path.name for path in tmp_path.glob("trained-*"))

    first = training.trained(tmp_path, recipe, run)
    (name,) = kept()
    assert name.endswith("-1-0.1.npy")
    np.save(tmp_path / name, first + 1)
    assert (training.trained(tmp_path, recipe, run) == first + 1).all()
    assert (training.trained(tmp_path, replace(recipe, half_weight_at=7), run) == first + 1).all()
    assert len(kept()) == 1
    training.trained(tmp_path, replace(recipe, rate=0.02), run)
    training.trained(tmp_path, recipe, run._replace(seed=2))
    np.save(tmp_path / training.KEYS, np.zeros(4, dtype=np.int64))
    assert (training.trained(tmp_path, recipe, run) != first + 1).any()
    assert len(kept()) == 4


@pytest.mark.sentence_transformers
@pytest.mark.filterwarnings("ignore")
def test_the_bundled_model_is_a_static_embedding_of_sentence_transformers():
    pytest.importorskip("sentence_transformers", reason="sentence-transformers: tox -e models")
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.models import StaticEmbedding

    texts = ["def parseHTTPRequest(body): ...", "We chose JWT over sessions"]
    theirs = SentenceTransformer(
        modules=[StaticEmbedding.from_model2vec(str(BUNDLED))], device="cpu"
    )
    ours = StaticModel.from_pretrained(BUNDLED).encode(texts)
    found = theirs.encode(texts, normalize_embeddings=True)
    assert np.abs((found * ours).sum(axis=1) - 1).max() < 1e-3
