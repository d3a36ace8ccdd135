"""How a Jupyter notebook is cut: by cells, with their sources only and the file's own line numbers.

The outputs are left out: they are found again by running the notebook, not by searching it.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from dataclasses import replace
from typing import Any, Final

from victor_memory.codebase.syntax import parse
from victor_memory.codebase.tree_chunking import pieces
from victor_memory.codebase.windows import TARGET_CHARACTERS, lines_of
from victor_memory.types import Chunk, Symbol

_LANGUAGE: Final = "notebook"
_IN_CELL_COST: Final = 1.5
"""What a cut within a cell costs more than one between cells."""
_BLANK_COST: Final = 2.5
_KERNELS: Final = {"ir": "r", "c++": "cpp", "c#": "c-sharp", "f#": "fsharp"}
_KEY: Final = '"source"'


class NotebookChunker:
    """Windows of whole lines of the cells' sources, which begin where cells do.

    A chunk's lines are those of the file that hold its text; the text itself is not JSON any more.
    """

    languages: Collection[str] = (_LANGUAGE,)

    def __init__(self, target: int = TARGET_CHARACTERS) -> None:
        self.target = target

    def chunk(self, path: str, text: str) -> list[Chunk]:
        """Return the chunks of the notebook *path*, in order; none if it is no notebook."""
        try:
            notebook = json.loads(text)
            cells = list(_cells(notebook))
        except (ValueError, TypeError, AttributeError, KeyError, RecursionError):
            return []
        code = _code_language(notebook)
        sources: list[str] = []
        numbers: list[int] = []
        symbols: list[Symbol] = []
        costs: list[float] = []
        for (kind, source), found in zip(cells, _positions(text, cells), strict=False):
            if not source.strip():
                continue
            lines = lines_of(source.rstrip("\n") + "\n\n")  # blank lines between cells
            language = code if kind == "code" else "markdown" if kind == "markdown" else "text"
            syntax = parse(source, language)
            inner = syntax.costs if syntax else [1.0] * (len(lines) - 1)
            first = len(numbers)
            symbols += [
                replace(one, start_line=one.start_line + first, end_line=one.end_line + first)
                for one in (syntax.symbols if syntax else ())
            ]
            inner = [*inner, *[_BLANK_COST] * len(lines)]
            costs += [0.0, *(one + _IN_CELL_COST for one in inner[1 : len(lines)])]
            numbers += [found[min(index, len(found) - 1)] for index in range(len(lines))]
            sources += lines
        if not numbers:
            return []
        return [
            replace(
                one,
                start_line=numbers[one.start_line - 1],
                end_line=numbers[one.end_line - 1],
                defines=tuple(_placed(symbol, numbers) for symbol in one.defines or ()),
            )
            for one in pieces(
                path, "".join(sources), _LANGUAGE, symbols=symbols, costs=costs, target=self.target
            )
        ]


def _placed(symbol: Symbol, numbers: list[int]) -> Symbol:
    last = min(symbol.end_line, len(numbers))
    return replace(symbol, start_line=numbers[symbol.start_line - 1], end_line=numbers[last - 1])


def _cells(notebook: Any) -> Iterator[tuple[str, str]]:
    """Yield kind and source of each cell."""
    for cell in notebook["cells"]:
        source = cell.get("source", "")
        yield cell["cell_type"], source if isinstance(source, str) else "".join(source)


def _code_language(notebook: Any) -> str:
    metadata = notebook.get("metadata") or {}
    info = metadata.get("language_info") or metadata.get("kernelspec") or {}
    name = str(info.get("name") or info.get("language") or "python").lower()
    return "python" if name.startswith("python") else _KERNELS.get(name, name)


def _positions(text: str, cells: list[tuple[str, str]]) -> Iterator[list[int]]:
    """Yield for each cell the line (1-based) of the file that holds each line of its source."""
    decoder = json.JSONDecoder()
    position, line, counted = 0, 1, 0
    for _, source in cells:
        numbers: list[int] = []
        while not numbers:
            position = text.find(_KEY, position)
            if position < 0:
                return
            position += len(_KEY)
            value = _skip(text, position, " \t\n:")
            line += text.count("\n", counted, value)
            counted = value
            found = _source_at(text, value, decoder)
            # Outputs and metadata may have a key of this name, too.
            if found is not None and found[0] == source:
                numbers = [line + text.count("\n", value, one) for one in found[1]] or [line]
        yield numbers


def _source_at(text: str, position: int, decoder: json.JSONDecoder) -> tuple[str, list[int]] | None:
    """Return the source that is written at *position*, and where each of its lines is."""
    if not text.startswith("[", position):
        try:
            value, _ = decoder.raw_decode(text, position)
        except ValueError:
            return None
        return (value, [position]) if isinstance(value, str) else None
    parts: list[str] = []
    places: list[int] = []
    position = _skip(text, position + 1, " \t\n,")
    while text.startswith('"', position):
        value, end = decoder.raw_decode(text, position)
        places += [position] * len(lines_of(value))
        parts.append(value)
        position = _skip(text, end, " \t\n,")
    return "".join(parts), places


def _skip(text: str, position: int, signs: str) -> int:
    while position < len(text) and text[position] in signs:
        position += 1
    return position
