"""How a file is cut into chunks: the protocol, and the default by lines and indentation."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Sequence
from itertools import accumulate
from typing import Final, Protocol, runtime_checkable

from victor_memory._logging import get_logger
from victor_memory.codebase.languages import language_of
from victor_memory.retrieval.definitions import Definition, definitions
from victor_memory.types import Chunk

log = get_logger(__name__)
TARGET_CHARACTERS: Final = 1500
"""About what a person reads at a glance, and what an embedding model sees of a text."""
MAX_CHARACTERS: Final = 3000
"""No chunk is longer; a longer line is split."""
_SMALL: Final = TARGET_CHARACTERS * 0.4
_LARGE: Final = TARGET_CHARACTERS * 1.3
"""Between these sizes a chunk ends where the text suggests it."""
SYMBOL_DEPTH: Final = 2
"""Names in a chunk's symbol: a method and its class."""

_CLOSERS: Final = ("}", ")", "]", "end", "else", "elif", "except", "finally", "catch", "rescue")
_ATTACHED: Final = ("#", "//", "/*", "*", "--", "@", ";;", "%%", "[", '"""', "'''", "{-")


@runtime_checkable
class Chunker(Protocol):
    """Cuts files of some languages; third parties bring theirs through a hook.

    Every chunk's lines lie in the file, and its text is at most `MAX_CHARACTERS` long; otherwise,
    and when it raises, the default is used for that file.
    """

    @property
    def languages(self) -> Collection[str]:
        """The languages it cuts, as `languages.language_of` calls them."""

    def chunk(self, path: str, text: str) -> list[Chunk]:
        """Return the chunks of the file *path*, whose lines end in a line feed, in order."""


def cut(path: str, text: str, chunkers: Sequence[Chunker] = ()) -> tuple[list[Chunk], list[str]]:
    """Return the chunks of the file *path*, and what went wrong with any of *chunkers*.

    The first chunker for the file's language whose chunks are usable wins; then the default.
    """
    language = language_of(path)
    problems: list[str] = []
    for chunker in chunkers:
        try:
            if language is None or language not in chunker.languages:
                continue
            chunks = list(chunker.chunk(path, text))
            _check(chunks, path, text)
        except Exception as exc:  # noqa: BLE001 - a third party's bug must cost only its own chunks
            log.warning("chunker_failed", plugin=_name(chunker), error_type=type(exc).__name__)
            problems.append(f"The chunker {_name(chunker)} failed: {type(exc).__name__}: {exc}")
        else:
            return chunks, problems
    return LineChunker().chunk(path, text), problems


def languages_of(chunkers: Sequence[Chunker]) -> frozenset[str]:
    """Return the languages that *chunkers* name; one that cannot say names none."""
    found: set[str] = set()
    for chunker in chunkers:
        try:
            found.update(str(one) for one in chunker.languages)
        except Exception as exc:  # noqa: BLE001 - as in `cut`, where it is reported
            log.warning("chunker_failed", plugin=_name(chunker), error_type=type(exc).__name__)
    return frozenset(found)


def _name(chunker: Chunker) -> str:
    return type(chunker).__name__


def _check(chunks: list[Chunk], path: str, text: str) -> None:
    last = text.count("\n") + 1
    for one in chunks:
        if not isinstance(one, Chunk) or one.path != path:
            msg = f"it returned {one!r} for {path!r}"
        elif not 1 <= one.start_line <= one.end_line <= last:
            msg = f"lines {one.start_line}-{one.end_line} of {last} in {path!r}"
        elif len(one.text) > MAX_CHARACTERS:
            msg = (
                f"{len(one.text)} characters in one chunk of {path!r}, of {MAX_CHARACTERS} allowed"
            )
        elif not isinstance(one.symbol, str | None) or not isinstance(one.language, str | None):
            msg = f"a symbol {one.symbol!r} or language {one.language!r} that is no string"
        else:
            f"{one.text}{one.symbol}{one.language}".encode()
            continue
        raise ValueError(msg)
    if text.strip() and not any(one.text.strip() for one in chunks):
        msg = f"no chunk for {path!r}, which is not empty"
        raise ValueError(msg)


class LineChunker:
    """Windows of whole lines that begin where a definition or a paragraph does.

    The texts of a file's chunks, joined, are the file; only a line longer than `MAX_CHARACTERS`
    is in several of them. The symbol of a chunk is the outermost name defined in it, or the one
    it lies inside of.
    """

    languages: Collection[str] = ()
    """None by name: it cuts whatever nobody else does."""

    def chunk(self, path: str, text: str) -> list[Chunk]:
        """Return the chunks of the file *path*, in order."""
        lines = _lines(text)
        language = language_of(path)
        named = definitions(text, language)
        chunks: list[Chunk] = []
        for start, end in _windows(lines, {one.line for one in named}):
            piece = "".join(lines[start:end])
            symbol = _symbol(named, lines, start, end)
            for offset in range(0, len(piece), MAX_CHARACTERS):
                part = piece[offset : offset + MAX_CHARACTERS]
                chunks.append(Chunk(path, start + 1, end, part, language, symbol))
        return chunks


def _lines(text: str) -> list[str]:
    # str.splitlines() would also split at form feeds and others that no editor counts.
    lines = [line + "\n" for line in text.split("\n")]
    last = lines.pop()[:-1]
    return [*lines, last] if last else lines


def _windows(lines: list[str], starts: set[int]) -> list[tuple[int, int]]:
    """Return half-open ranges of lines that cover all of them, none longer than the limit.

    A line that alone is longer than the limit is a window of its own.
    """
    offsets = [0, *accumulate(map(len, lines))]
    costs = _break_costs(lines, starts)
    windows: list[tuple[int, int]] = []
    start = 0
    while start < len(lines):
        end = _best_end(start, offsets, costs)
        windows.append((start, end))
        start = end
    return windows


def _best_end(start: int, offsets: list[int], costs: list[float]) -> int:
    last = len(offsets) - 1
    if offsets[last] - offsets[start] <= _LARGE:
        return last
    best, best_cost = start + 1, float("inf")
    for end in range(start + 1, last + 1):
        size = offsets[end] - offsets[start]
        if size > MAX_CHARACTERS or (size > _LARGE and best_cost < float("inf")):
            break
        if size >= _SMALL:
            shortfall = abs(size - TARGET_CHARACTERS) / TARGET_CHARACTERS
            cost = costs[end] + 2 * shortfall
            if cost <= best_cost:
                best, best_cost = end, cost
        elif best_cost == float("inf"):
            best = end
    return best


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
