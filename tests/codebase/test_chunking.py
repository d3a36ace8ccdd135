import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from victor_memory.codebase.chunking import (
    MAX_CHARACTERS,
    Chunker,
    LineChunker,
    cut,
    languages_of,
)
from victor_memory.codebase.languages import (
    LANGUAGE_BY_EXTENSION,
    check_language,
    language_of,
)
from victor_memory.codebase.windows import TARGET_CHARACTERS
from victor_memory.errors import InvalidRequestError
from victor_memory.types import Chunk

LINES = st.text(
    alphabet=st.sampled_from("ab{}()#:;=\t\x0c\u2028äé文\U0001f600 "), max_size=120
) | st.sampled_from(["", "    ", "def f(x):", "class A:", "}", "end", "# note", "x" * 4000])
TEXTS = st.lists(LINES, max_size=120).map("\n".join)
PATHS = st.sampled_from(["a.py", "b.c", "c.md", "d.unknown", "e.java", "f.hs"])

PYTHON = '''"""A module."""

import os


class Tree:
    """Grows."""

    def grow(self, height):
        """Add to the height."""
        self.height += height
        return self

    def fell(self):
        return None


def plant(kind):
    return Tree(kind)
'''


def a_class(name, methods, body=12):
    lines = [f"class {name}:"]
    for number in range(methods):
        lines += [f"    def method_{number}(self):"]
        lines += [f"        self.value_{number} = compute({line})" for line in range(body)] + [""]
    return "\n".join(lines) + "\n"


class TestLineChunker:
    @given(path=PATHS, text=TEXTS)
    def test_the_chunks_of_a_file_joined_are_the_file(self, path, text):
        assert "".join(one.text for one in LineChunker().chunk(path, text)) == text

    @given(path=PATHS, text=TEXTS)
    def test_every_line_is_in_one_chunk_and_only_split_lines_in_several(self, path, text):
        chunks = LineChunker().chunk(path, text)
        lines = text.split("\n")
        if lines[-1] == "":
            lines.pop()
        covered = [line for one in chunks for line in range(one.start_line, one.end_line + 1)]
        assert covered == sorted(covered)
        assert set(covered) == set(range(1, len(lines) + 1))
        for line in {one for one in covered if covered.count(one) > 1}:
            assert len(lines[line - 1]) + 1 > MAX_CHARACTERS

    @given(path=PATHS, text=TEXTS)
    def test_no_chunk_is_longer_than_the_limit_or_empty(self, path, text):
        for one in LineChunker().chunk(path, text):
            assert 0 < len(one.text) <= MAX_CHARACTERS
            assert one.path == path
            assert one.language == language_of(path)

    @given(path=PATHS, text=TEXTS)
    def test_cutting_is_repeatable(self, path, text):
        assert LineChunker().chunk(path, text) == LineChunker().chunk(path, text)

    def test_an_empty_file_has_no_chunks(self):
        assert LineChunker().chunk("a.py", "") == []

    def test_a_small_file_is_one_chunk(self):
        (chunk,) = LineChunker().chunk("a.py", PYTHON)
        assert (chunk.start_line, chunk.end_line, chunk.language) == (1, 19, "python")
        assert chunk.symbol == "Tree"

    def test_chunks_begin_at_definitions_and_are_of_readable_size(self):
        chunks = LineChunker().chunk("a.py", a_class("Engine", 30))
        assert len(chunks) > 5
        for one in chunks[1:]:
            assert one.text.startswith("    def method_")
        for one in chunks[:-1]:
            assert TARGET_CHARACTERS * 0.4 <= len(one.text) <= TARGET_CHARACTERS * 1.3

    def test_a_comment_and_a_decorator_stay_with_what_they_describe(self):
        function = (
            "# Explains the function.\n@decorated\ndef function_{0}():\n" + "    work()\n" * 40
        )
        text = "\n".join(function.format(number) for number in range(20))
        chunks = LineChunker().chunk("a.py", text)
        assert len(chunks) > 3
        assert all(one.text.startswith("# Explains") for one in chunks)

    def test_a_chunk_is_named_by_what_it_defines_within_what_encloses_it(self):
        chunks = LineChunker().chunk("a.py", a_class("Engine", 30))
        assert chunks[0].symbol == "Engine"
        assert all(one.symbol.startswith("Engine.method_") for one in chunks[1:])

    def test_a_chunk_inside_a_long_function_is_named_by_the_function(self):
        text = "def long_one():\n" + "    step = step + 1\n" * 300
        assert {one.symbol for one in LineChunker().chunk("a.py", text)} == {"long_one"}

    def test_a_very_long_line_is_split(self):
        chunks = LineChunker().chunk("a.py", "x = 1\n" + "y" * 10_000 + "\nz = 1\n")
        assert [(one.start_line, one.end_line) for one in chunks] == [(1, 1), *[(2, 2)] * 4, (3, 3)]

    def test_the_lines_are_those_an_editor_counts(self):
        (chunk,) = LineChunker().chunk("a.txt", "one\x0c\u2028\x1ctwo\nthree")
        assert chunk.end_line == 2

    def test_no_file_takes_long(self):
        rng = random.Random(1)
        line = "".join(rng.choice("abc (){}<>*&,:=._ ") for _ in range(80))
        for path in ("a.c", "a.java", "a.ts", "a.py", "a.rs"):
            assert LineChunker().chunk(path, (line + "\n") * 2000)
            assert LineChunker().chunk(path, "a " * 100_000)
            assert LineChunker().chunk(path, "a<" * 30_000)
            assert LineChunker().chunk(path, " " * 100_000 + "x")
            assert LineChunker().chunk(path, "a(" * 30_000 + "\n" + "const a: " * 20_000)


class Halves:
    """A third party's chunker: two halves of a Python file."""

    languages = ("python",)

    def chunk(self, path, text):
        lines = text.splitlines(keepends=True)
        middle = len(lines) // 2
        return [
            Chunk(path, 1, middle, "".join(lines[:middle]), "python", "first"),
            Chunk(path, middle + 1, len(lines), "".join(lines[middle:]), "python", "second"),
        ]


class Broken(Halves):
    def __init__(self, result):
        self.result = result

    def chunk(self, path, text):
        if isinstance(self.result, Exception):
            raise self.result
        return self.result


class TestThirdParties:
    def test_a_chunker_cuts_its_languages_and_no_others(self):
        assert isinstance(Halves(), Chunker)
        chunks, problems = cut("a.py", PYTHON, [Halves()])
        assert [one.symbol for one in chunks] == ["first", "second"]
        assert problems == []
        assert cut("a.c", PYTHON, [Halves()]) == cut("a.c", PYTHON)

    @pytest.mark.parametrize(
        "result",
        [
            RuntimeError("no parser"),
            None,
            ["text"],
            [],
            [Chunk("a.py", 0, 3, "x")],
            [Chunk("a.py", 3, 2, "x")],
            [Chunk("a.py", 1, 99, "x")],
            [Chunk("other.py", 1, 2, "x")],
            [Chunk("a.py", 1, 2, "x" * (MAX_CHARACTERS + 1))],
            [Chunk("a.py", 1, 2, "  \n")],
            [Chunk("a.py", 1, 2, "\ud800")],
            [Chunk("a.py", 1, 2, "x", "python", b"symbol")],
        ],
        ids=repr,
    )
    def test_a_chunker_that_fails_is_reported_and_the_default_cuts(self, result):
        chunks, problems = cut("a.py", PYTHON, [Broken(result)])
        assert chunks == cut("a.py", PYTHON)[0]
        (problem,) = problems
        assert problem.startswith("The chunker Broken failed: ")

    def test_the_next_chunker_is_tried_before_the_default(self):
        chunks, problems = cut("a.py", PYTHON, [Broken(RuntimeError("no")), Halves()])
        assert [one.symbol for one in chunks] == ["first", "second"]
        assert len(problems) == 1


class TestThirdPartyLanguages:
    def test_chunkers_may_bring_languages(self):
        assert languages_of([Halves(), Halves()]) == {"python"}

    def test_a_chunker_that_cannot_say_costs_only_itself(self):
        class Silent(Halves):
            @property
            def languages(self):
                raise RuntimeError

        assert languages_of([Silent(), Halves()]) == {"python"}
        chunks, problems = cut("a.py", PYTHON, [Silent(), Halves()])
        assert [one.symbol for one in chunks] == ["first", "second"]
        assert problems == ["The chunker Silent failed: RuntimeError: "]

    def test_a_generator_is_as_good_as_a_list(self):
        class Lazy(Halves):
            def chunk(self, path, text):
                yield from super().chunk(path, text)

        assert cut("a.py", PYTHON, [Lazy()]) == cut("a.py", PYTHON, [Halves()])


class TestLanguages:
    def test_there_are_many(self):
        assert len(LANGUAGE_BY_EXTENSION) >= 60

    @pytest.mark.parametrize(
        ("path", "language"),
        [
            ("a/b.py", "python"),
            ("B.PY", "python"),
            ("a.d.ts", "typescript"),
            ("Makefile", "makefile"),
            ("docker/Dockerfile.dev", "dockerfile"),
            ("CMakeLists.txt", "cmake"),
            ("notes.txt", "text"),
            (".bashrc", "bash"),
            ("py", None),
            (".py", "python"),
            ("unknown.zzz", None),
            ("", None),
        ],
    )
    def test_the_name_tells(self, path, language):
        assert language_of(path) == language

    @pytest.mark.parametrize("name", ["python", "Python", "py", ".py"])
    def test_a_language_is_asked_for_by_name_or_extension(self, name):
        assert check_language(name) == "python"

    def test_an_unknown_language_gets_a_hint(self):
        with pytest.raises(InvalidRequestError, match=r"'pyton'\. Did you mean .*python"):
            check_language("pyton")
        with pytest.raises(InvalidRequestError, match="Use for example"):
            check_language("zzzzzz")
        assert check_language("brainfuck", frozenset(["brainfuck"])) == "brainfuck"
