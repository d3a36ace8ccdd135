"""How a file is cut that nobody can parse: by its lines and their indentation."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Sequence
from typing import Final

from victor_memory.codebase.languages import language_of
from victor_memory.codebase.windows import (
    MAX_CHARACTERS,
    TARGET_CHARACTERS,
    lines_of,
    windows,
)
from victor_memory.retrieval.definitions import Definition, definitions
from victor_memory.types import Chunk

SYMBOL_DEPTH: Final = 2
"""Names in a chunk's symbol: a method and its class."""

_CLOSERS: Final = ("}", ")", "]", "end", "else", "elif", "except", "finally", "catch", "rescue")
_ATTACHED: Final = ("#", "//", "/*", "*", "--", "@", ";;", "%%", "[", '"""', "'''", "{-")


class LineChunker:
    """Windows of whole lines that begin where a definition or a paragraph does.

    The texts of a file's chunks, joined, are the file; only a line longer than `MAX_CHARACTERS`
    is in several of them. The symbol of a chunk is the outermost name defined in it, or the one
    it lies inside of.

    *target* is the wished size of a chunk in characters.
    """

    languages: Collection[str] = ()
    """None by name: it cuts whatever nobody else does."""

    def __init__(self, target: int = TARGET_CHARACTERS) -> None:
        self.target = target

    def chunk(self, path: str, text: str) -> list[Chunk]:
        """Return the chunks of the file *path*, in order."""
        lines = lines_of(text)
        language = language_of(path)
        named = definitions(text, language)
        chunks: list[Chunk] = []
        costs = _break_costs(lines, {one.line for one in named})
        for start, end in windows(lines, costs, self.target):
            piece = "".join(lines[start:end])
            symbol = _symbol(named, lines, start, end)
            for offset in range(0, len(piece), MAX_CHARACTERS):
                part = piece[offset : offset + MAX_CHARACTERS]
                chunks.append(Chunk(path, start + 1, end, part, language, symbol))
        return chunks


def _break_costs(lines: list[str], starts: set[int]) -> list[float]:
    """Return for each line how bad it is to begin a chunk with it; for the end of the file, 0."""
    stripped = [line.strip() for line in lines]
    widths = [
        len(line)
        - len(line.lstrip(" \t"))
        + 3 * line.count("\t", 0, len(line) - len(line.lstrip()))
        for line in lines
    ]
    indents = sorted(
        {width for width, text in zip(widths, stripped, strict=True) if width and text}
    )
    unit = max(2, min(indents[0], 4)) if indents else 4
    costs: list[float] = []
    for number, text in enumerate(stripped):
        previous = stripped[number - 1] if number else ""
        if not text:
            costs.append(2.5)  # a blank line belongs to what it follows
            continue
        cost = min(widths[number] / unit, 4.0)
        if previous:
            cost += 2.0 if previous.startswith(_ATTACHED) else 1.0
        if number in starts or text.startswith(_ATTACHED):
            cost -= 0.5
        if text.startswith(_CLOSERS):
            cost += 2.0
        costs.append(cost)
    costs.append(0.0)
    return costs


def _symbol(named: Sequence[Definition], lines: list[str], start: int, end: int) -> str | None:
    """Return the outermost name defined in the lines, or around them, with the one around it."""
    first, last = (bisect_left(named, line, key=lambda one: one.line) for line in (start, end))
    text = next((line for line in lines[start:end] if line.strip()), "")
    margin = len(text[: len(text) - len(text.lstrip())].expandtabs(4))
    chain: list[str] = []
    if first < last:
        outermost = min(named[first:last], key=lambda one: one.indent)
        chain, margin = [outermost.name], outermost.indent
    for one in reversed(named[:first]):
        if len(chain) == SYMBOL_DEPTH or margin == 0:
            break
        if one.indent < margin:
            chain.insert(0, one.name)
            margin = one.indent
    return ".".join(chain) or None
