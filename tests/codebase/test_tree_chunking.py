from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from victor_memory.codebase import grammars
from victor_memory.codebase.chunking import Chunker, cut
from victor_memory.codebase.languages import LANGUAGE_BY_EXTENSION
from victor_memory.codebase.line_chunking import LineChunker
from victor_memory.codebase.syntax import LANGUAGES
from victor_memory.codebase.tree_chunking import TreeChunker
from victor_memory.codebase.windows import MAX_CHARACTERS, TARGET_CHARACTERS

SAMPLES = Path(__file__).parent / "samples"
EXTENSIONS = {language: one for one, language in LANGUAGE_BY_EXTENSION.items()}
NAMES = sorted(one.stem for one in SAMPLES.glob("*.sample") if one.stem in EXTENSIONS)


def sample(name):
    return (SAMPLES / f"{name}.sample").read_text(encoding="utf-8")


@st.composite
def damaged(draw):
    """A path and a sample of its language, cut up, repeated and with odd characters in it."""
    name = draw(st.sampled_from(NAMES))
    pieces = [
        *sample(name).splitlines(keepends=True), "(" * 40 + "\n", "}\n", '"""\n', "/*\n", "\ufffd文\U0001f600", "x" * 4000, "\x0c\n", "\n\n",
    ]  # fmt: skip
    chosen = draw(st.lists(st.integers(0, len(pieces) - 1), max_size=80))
    return f"a.{EXTENSIONS[name]}", "".join(pieces[one] for one in chosen)


def check(chunks, text, target=TARGET_CHARACTERS):
    assert "".join(one.text for one in chunks) == text
    lines = text.split("\n")
    if lines[-1] == "":
        lines.pop()
    covered = [line for one in chunks for line in range(one.start_line, one.end_line + 1)]
    assert covered == sorted(covered)
    assert set(covered) == set(range(1, len(lines) + 1))
    for line in {one for one in covered if covered.count(one) > 1}:
        assert len(lines[line - 1]) + 1 > MAX_CHARACTERS
    defined = [symbol for one in chunks for symbol in one.defines]
    assert len(defined) == len(set(map(id, defined)))
    for one in chunks:
        assert 0 < len(one.text) <= MAX_CHARACTERS
        for symbol in one.defines:
            assert one.start_line <= symbol.start_line <= one.end_line


class TestProperties:
    @settings(deadline=None)
    @given(file=damaged(), target=st.sampled_from([1, 300, 1500, MAX_CHARACTERS]))
    def test_chunks_are_the_file_whole_lines_and_within_the_limit(self, file, target):
        path, text = file
        chunks = TreeChunker(target).chunk(path, text)
        if chunks:  # else a line is too long to parse
            check(chunks, text, target)

    @settings(deadline=None, max_examples=30)
    @given(file=damaged())
    def test_cutting_is_repeatable(self, file):
        assert cut(*file) == cut(*file)

    @pytest.mark.parametrize("name", NAMES)
    def test_every_definition_of_a_sample_is_in_the_chunk_that_says_so(self, name):
        text = sample(name)
        chunks = TreeChunker(200).chunk(f"a.{EXTENSIONS[name]}", text)
        check(chunks, text)
        for one in chunks:
            for symbol in one.defines:
                assert symbol.name.split(" ")[0].removeprefix("operator") in text

    @pytest.mark.parametrize("name", NAMES)
    def test_many_copies_are_cut_into_pieces_of_readable_size(self, name):
        text = sample(name)
        text *= 20_000 // len(text)
        chunks = TreeChunker().chunk(f"a.{EXTENSIONS[name]}", text)
        sizes = [len(one.text) for one in chunks]
        assert sum(sizes) / len(sizes) > TARGET_CHARACTERS * 0.6
        assert min(sizes[:-1]) > TARGET_CHARACTERS * 0.1


FUNCTION = '''# About {name}.
@decorated
def {name}(x):
    """Says what it does."""
    if x:
        for one in x:
            work(one)
    return {{
        "a": 1,
        "b": 2,
    }}


'''


class TestPlaces:
    def test_a_chunk_begins_with_the_comment_and_the_decorator_of_a_definition(self):
        text = "".join(FUNCTION.format(name=f"function_{n}") for n in range(60))
        chunks = TreeChunker().chunk("a.py", text)
        assert len(chunks) > 4
        assert all(one.text.startswith("# About") for one in chunks)

    def test_small_neighbours_share_a_chunk(self):
        text = "".join(f"def f{n}():\n    return {n}\n\n\n" for n in range(100))
        chunks = TreeChunker().chunk("a.py", text)
        assert len(chunks) == pytest.approx(len(text) / TARGET_CHARACTERS, abs=1)
        assert all(one.text.startswith("def ") for one in chunks)

    def test_a_large_class_is_cut_between_its_methods(self):
        method = "    def m{0}(self):\n" + "        self.x = self.call(self.y)\n" * 12 + "\n"
        text = "class Engine:\n" + "".join(method.format(n) for n in range(30))
        chunks = TreeChunker().chunk("a.py", text)
        assert len(chunks) > 5
        assert all(one.text.startswith("    def m") for one in chunks[1:])
        assert all(one.symbol.startswith("Engine") for one in chunks)

    def test_a_long_function_is_cut_between_its_statements(self):
        statement = "    if (x > {0}) {{\n        call(x,\n             y);\n    }}\n"
        text = "void f(int x) {\n" + "".join(statement.format(n) for n in range(150)) + "}\n"
        chunks = TreeChunker().chunk("a.c", text)
        assert len(chunks) > 4
        assert all(one.text.startswith("    if (x >") for one in chunks[1:])
        assert {one.symbol for one in chunks} == {"f"}
        assert [len(one.defines) for one in chunks] == [1] + [0] * (len(chunks) - 1)

    def test_a_string_is_not_cut_where_there_is_another_place(self):
        string = 'TEXT_{0} = """\n' + "    words of a text\n" * 30 + '"""\n'
        text = "".join(string.format(n) for n in range(20))
        assert all(one.text.startswith("TEXT") for one in TreeChunker().chunk("a.py", text))

    def test_a_chunk_is_named_by_what_most_of_it_is(self):
        body = "    work()\n" * 100
        text = f"def long():\n{body}\n\ndef short():\n    pass\n"
        (chunk,) = TreeChunker().chunk("a.py", text)
        assert chunk.symbol == "long"
        assert [one.name for one in chunk.defines] == ["long", "short"]

    def test_smaller_targets_make_smaller_chunks(self):
        text = "".join(FUNCTION.format(name=f"function_{n}") for n in range(60))
        counts = [len(TreeChunker(target).chunk("a.py", text)) for target in (750, 1000, 1500)]
        assert counts == sorted(counts, reverse=True)
        assert counts[0] > counts[-1]
        with pytest.raises(ValueError, match="Use 1 to 3000"):
            TreeChunker(MAX_CHARACTERS + 1).chunk("a.py", text)


class TestCut:
    def test_the_tree_is_used_where_there_is_a_grammar(self):
        assert isinstance(TreeChunker(), Chunker)
        assert set(TreeChunker.languages) == LANGUAGES
        (chunk,), problems = cut("a.go", "package a\n\nfunc (t *T) M() {}\n")
        assert [one.qualified for one in chunk.defines] == ["T.M"]
        assert problems == []

    @pytest.mark.parametrize("path", ["a.cob", "a.unknown"])
    def test_lines_are_used_where_there_is_none(self, path):
        text = "some words\n" * 500
        chunks, problems = cut(path, text)
        assert chunks == LineChunker().chunk(path, text)
        assert chunks[0].defines is None
        assert problems == []

    def test_lines_are_used_where_a_text_cannot_be_parsed(self):
        text = "x = 1;" * 10_000 + "\n"
        chunks, problems = cut("a.js", text)
        assert chunks == LineChunker().chunk("a.js", text)
        assert problems == []

    def test_lines_are_used_and_it_is_said_where_a_grammar_does_not_load(self, monkeypatch):
        def fail(name):
            raise OSError(name)

        monkeypatch.setattr(grammars, "_load", fail)
        monkeypatch.setattr(grammars, "GRAMMARS", grammars.Grammars())
        text = sample("python")
        chunks, problems = cut("a.py", text)
        assert chunks == LineChunker().chunk("a.py", text)
        (problem,) = problems
        assert "by lines" in problem
        assert cut("a.rs", "fn f() {}\n")[1] == problems  # one note, however many languages
        assert cut("a.md", "# Title\n")[1] == []

    def test_a_bug_in_a_walk_costs_only_the_tree(self, monkeypatch):
        def fail(*_):
            raise IndexError

        monkeypatch.setattr("victor_memory.codebase.syntax.read_tree", fail)
        chunks, problems = cut("a.py", "x = 1\n")
        assert chunks == LineChunker().chunk("a.py", "x = 1\n")
        assert problems == ["The chunker TreeChunker failed: IndexError: "]

    @pytest.mark.parametrize("name", NAMES)
    def test_an_empty_file_has_no_chunks_and_one_of_comments_has_one(self, name):
        path = f"a.{EXTENSIONS[name]}"
        assert cut(path, "") == ([], [])
        assert len(cut(path, "# a\n// b\n-- c\n")[0]) == 1


class TestScripts:
    def test_a_script_in_a_page_is_cut_where_its_functions_begin(self):
        body = "".join(
            f"function grow{number}(tree) {{\n" + f"  tree.branch({number});\n" * 50 + "}\n\n"
            for number in range(6)
        )
        text = f"<template>\n  <p>{{{{ a < b }}}}</p>\n</template>\n\n<script>\n{body}</script>\n"
        chunks = TreeChunker().chunk("a.vue", text)
        check(chunks, text)
        begun = [one.text.partition("(")[0].strip() for one in chunks]
        assert begun[1:] == [f"function grow{number}" for number in range(1, 6)]
        assert [one.symbol for one in chunks] == [f"grow{number}" for number in range(6)]
        assert {one.language for one in chunks} == {"vue"}

    def test_what_is_no_program_is_left_to_the_page(self):
        for attributes in ("type='text/template'", "type=importmap", "src='a.js'"):
            (chunk,) = TreeChunker().chunk(
                "a.html", f"<p>x</p>\n<script {attributes}>\nfunction f() {{\n}}\n</script>\n"
            )
            assert ("f" in [one.name for one in chunk.defines]) == attributes.startswith("src")
