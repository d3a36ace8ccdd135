import json

import pytest

from victor_memory.codebase.chunking import cut
from victor_memory.codebase.line_chunking import LineChunker
from victor_memory.codebase.notebooks import NotebookChunker
from victor_memory.codebase.windows import MAX_CHARACTERS

CELLS = [
    {
        "cell_type": "markdown",
        "metadata": {"source": "not a cell"},
        "source": ["# Title\n", "\n", 'The "text" \u2028 é'],
    },
    {
        "cell_type": "code",
        "metadata": {},
        "outputs": [{"data": {"text/plain": ["printed"]}, "source": ["no"]}],
        "source": ["import os\n", "def grow(by):\n", "    return os.x(by)\n"],
    },
    {"cell_type": "code", "metadata": {}, "outputs": [], "source": "a = 1\nb = 2"},
    {"cell_type": "raw", "metadata": {}, "source": []},
]


def notebook(cells, language="python", indent=1):
    info = {"language_info": {"name": language}}
    return json.dumps({"cells": cells, "metadata": info, "nbformat": 4}, indent=indent)


def function(number, lines=40):
    source = [f"def f{number}():\n", *(f"    x = {line}\n" for line in range(lines))]
    return {"cell_type": "code", "metadata": {}, "outputs": [], "source": source}


class TestNotebooks:
    def test_small_cells_share_a_chunk_of_their_sources_only(self):
        (chunk,), problems = cut("a.ipynb", notebook(CELLS))
        assert problems == []
        assert chunk.text.split("\n\n") == [
            "# Title",
            'The "text" \u2028 é',
            "import os\ndef grow(by):\n    return os.x(by)",
            "a = 1\nb = 2",
            "",
        ]
        assert chunk.language == "notebook"

    def test_lines_are_those_of_the_file(self):
        text = notebook(CELLS)
        lines = text.split("\n")
        (chunk,) = NotebookChunker().chunk("a.ipynb", text)
        assert lines[chunk.start_line - 1].strip() == r'"# Title\n",'
        assert "a = 1" in lines[chunk.end_line - 1]
        grow = next(one for one in chunk.defines if one.name == "grow")
        assert "def grow(by)" in lines[grow.start_line - 1]
        assert "return os.x(by)" in lines[grow.end_line - 1]

    def test_a_notebook_on_one_line_has_one_line(self):
        text = notebook(CELLS, indent=None)
        (chunk,) = NotebookChunker().chunk("a.ipynb", text)
        assert (chunk.start_line, chunk.end_line) == (1, 1)
        assert {(one.start_line, one.end_line) for one in chunk.defines} == {(1, 1)}

    def test_chunks_begin_at_cells(self):
        text = notebook([function(number) for number in range(10)])
        lines = text.split("\n")
        chunks = NotebookChunker().chunk("a.ipynb", text)
        assert len(chunks) > 2
        for one in chunks:
            assert one.text.startswith("def f")
            assert lines[one.start_line - 1].strip().startswith('"def f')
        assert [symbol.name for one in chunks for symbol in one.defines] == [
            f"f{number}" for number in range(10)
        ]

    def test_a_long_cell_is_cut(self):
        chunks = NotebookChunker().chunk("a.ipynb", notebook([function(0, lines=1000)]))
        assert len(chunks) > 4
        assert all(len(one.text) <= MAX_CHARACTERS for one in chunks)
        assert {one.symbol for one in chunks} == {"f0"}

    @pytest.mark.parametrize("language", ["R", "ir", "julia", "unheard of"])
    def test_other_kernels(self, language):
        cells = [{"cell_type": "code", "source": ["f <- function(x) x\n"]}]
        (chunk,) = NotebookChunker().chunk("a.ipynb", notebook(cells, language))
        assert chunk.text == "f <- function(x) x\n\n"
        assert len(chunk.defines) == (language.lower() in {"r", "ir"})

    def test_no_cells_no_chunks_from_cells(self):
        text = notebook([])
        assert NotebookChunker().chunk("a.ipynb", text) == []
        assert cut("a.ipynb", text)[0] == LineChunker().chunk("a.ipynb", text)

    @pytest.mark.parametrize(
        "text",
        ["", "{", "[]", "3", '{"cells": 3}', '{"cells": [{}]}', '{"cells": [3]}', "[" * 9999],
    )
    def test_what_is_no_notebook_is_cut_by_lines(self, text):
        assert NotebookChunker().chunk("a.ipynb", text) == []
        assert cut("a.ipynb", text) == (LineChunker().chunk("a.ipynb", text), [])
