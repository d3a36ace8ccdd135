"""How a file is cut along its syntax tree, or along its headings: wherever it can be parsed."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Sequence

from victor_memory.codebase.languages import language_of
from victor_memory.codebase.syntax import LANGUAGES, parse
from victor_memory.codebase.windows import MAX_CHARACTERS, TARGET_CHARACTERS, lines_of, windows
from victor_memory.types import Chunk, Symbol


class TreeChunker:
    """Windows of whole lines whose borders are those of definitions, else of statements.

    The texts of a file's chunks, joined, are the file; only a line longer than `MAX_CHARACTERS` is
    in several of them. A chunk's symbol is the definition that most of its lines belong to.

    *target* is the wished size of a chunk in characters.
    """

    languages: Collection[str] = LANGUAGES

    def __init__(self, target: int = TARGET_CHARACTERS) -> None:
        self.target = target

    def chunk(self, path: str, text: str) -> list[Chunk]:
        """Return the chunks of the file *path*, in order; none if it cannot be parsed."""
        language = language_of(path)
        syntax = parse(text, language)
        if syntax is None:
            return []
        return pieces(
            path,
            text,
            language,
            symbols=syntax.symbols,
            costs=syntax.costs,
            target=self.target,
        )


def pieces(
    path: str,
    text: str,
    language: str | None,
    *,
    symbols: Sequence[Symbol],
    costs: Sequence[float],
    target: int,
) -> list[Chunk]:
    """Return *text* in chunks, cut by *costs* as `windows` says, with what each of them defines."""
    lines = lines_of(text)
    starts = [one.start_line for one in symbols]
    chunks: list[Chunk] = []
    for start, end in windows(lines, costs, target):
        piece = "".join(lines[start:end])
        low = bisect_left(starts, start + 1)
        high = bisect_left(starts, end + 1, low)
        symbol = _symbol(symbols, low, high, start + 1, end)
        defines = tuple(symbols[low:high])
        for offset in range(0, len(piece), MAX_CHARACTERS):
            part = piece[offset : offset + MAX_CHARACTERS]
            chunks.append(Chunk(path, start + 1, end, part, language, symbol, defines))
            defines = ()
    return chunks


def _symbol(symbols: Sequence[Symbol], low: int, high: int, first: int, last: int) -> str | None:
    """Return the name that the lines *first* to *last* belong to; *low* to *high* begin there."""
    best, most = _around(symbols, low, first), 0
    if best is not None and (best.kind in {"function", "method"} or low == high):
        most = min(best.end_line, last) - first + 1
    covered = 0
    for one in symbols[low:high]:
        if one.start_line <= covered:
            continue  # lies in the one before
        covered = one.end_line
        lines = min(one.end_line, last) - one.start_line + 1
        if lines > most:
            best, most = one, lines
    return best.qualified if best else None


def _around(symbols: Sequence[Symbol], low: int, first: int) -> Symbol | None:
    """Return the innermost definition that began before the line *first* and goes on there."""
    for index in range(low - 1, -1, -1):
        if symbols[index].end_line >= first:
            return symbols[index]
    return None
