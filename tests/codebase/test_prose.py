import pytest
from hypothesis import given
from hypothesis import strategies as st

from victor_memory.codebase.syntax import parse
from victor_memory.codebase.tree_chunking import TreeChunker
from victor_memory.codebase.windows import MAX_CHARACTERS, TARGET_CHARACTERS

MARKDOWN = """---
title: x
---
Intro.

# Guide to *trees* [![badge](a.svg)](b)

Text.

```python
# no heading
```

Install
-------

- one
- two

### From `source` ##

More.
# End
"""
RST = """=====
Guide
=====

Text::

    Not
    ---

Install
-------

Words.

End
===
"""
PARAGRAPH = "Some words of a paragraph that goes on,\nand on to a second line.\n\n"


def headings(text, language):
    return [(one.start_line, one.end_line, one.qualified) for one in parse(text, language).symbols]


class TestHeadings:
    def test_markdown(self):
        assert headings(MARKDOWN, "markdown") == [
            (6, 22, "Guide to trees"),
            (14, 22, "Guide to trees.Install"),
            (20, 22, "Guide to trees.Install.From source"),
            (23, 23, "End"),
        ]

    def test_restructured_text(self):
        assert headings(RST, "rst") == [
            (1, 16, "Guide"),
            (10, 16, "Guide.Install"),
            (15, 16, "Guide.Install.End"),  # an underline alone is not one with an overline
        ]

    def test_asciidoc_and_text(self):
        assert headings("= Guide\n\n== Install\nx\n----\n== no\n----\n", "asciidoc") == [
            (1, 7, "Guide"),
            (3, 7, "Guide.Install"),
        ]
        assert headings("News\n====\n\n- a\n", "text") == [(1, 4, "News")]

    def test_they_have_no_calls(self):
        syntax = parse(MARKDOWN, "markdown")
        assert syntax.calls() == []
        assert syntax.imports() == []


class TestPlaces:
    def test_a_text_is_cut_at_headings(self):
        text = "".join(f"## Part {n}\n\n" + PARAGRAPH * 18 for n in range(8))
        chunks = TreeChunker().chunk("a.md", text)
        assert [one.symbol for one in chunks] == [f"Part {n}" for n in range(8)]

    def test_a_long_part_is_cut_between_paragraphs(self):
        chunks = TreeChunker().chunk("a.md", "# Part\n\n" + PARAGRAPH * 100)
        assert len(chunks) > 3
        assert all(one.text.startswith("Some words") for one in chunks[1:])

    def test_a_block_of_code_stays_whole(self):
        block = "Words.\n\n```\n" + "code = 1\n\n" * 60 + "```\n\n"
        chunks = TreeChunker().chunk("a.md", block * 20)
        assert len(chunks) > 4
        assert all(one.text.count("```") % 2 == 0 for one in chunks)

    def test_a_block_that_is_never_closed_is_none(self):
        text = "# A\n\n```\ncode\n\n# B\n"
        assert [one[2] for one in headings(text, "markdown")] == ["A", "B"]

    @given(
        text=st.lists(
            st.sampled_from(
                ["# A", "## B", "===", "---", "```", "~~~", "| a |", "- x", "    code", "", "words", ".. a::", "x::", "x" * 3500]
            ),
            max_size=150,
        ).map("\n".join),
        path=st.sampled_from(["a.md", "a.rst", "a.adoc", "a.txt"]),
    )  # fmt: skip
    def test_chunks_are_the_file(self, text, path):
        chunks = TreeChunker().chunk(path, text)
        assert "".join(one.text for one in chunks) == text
        assert all(0 < len(one.text) <= MAX_CHARACTERS for one in chunks)
        last = text.count("\n") + 1
        for one in parse(text, "markdown").symbols:
            assert 1 <= one.start_line <= one.end_line <= last

    @pytest.mark.parametrize("line", ["# A", "```", "- x", "| a |", "===", "    x", "x::"])
    def test_no_text_takes_long(self, line):
        text = f"{line}\n\n" * 50_000
        for path in ("a.md", "a.rst", "a.adoc", "a.txt"):
            assert len(TreeChunker().chunk(path, text)) >= len(text) / MAX_CHARACTERS
        assert TARGET_CHARACTERS < MAX_CHARACTERS
