"""Where prose may be cut, and its headings: Markdown, reStructuredText, AsciiDoc, plain text."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from victor_memory.types import Symbol

LANGUAGES: Final = frozenset(["asciidoc", "markdown", "rst", "text"])
"""What `read_prose` reads, as `languages.language_of` calls it."""

_LEVEL_COST: Final = 0.25
_PARAGRAPH_COST: Final = 2.0
_ITEM_COST: Final = 2.5
_LINE_COST: Final = 3.5
_BLOCK_COST: Final = 4.5
_BLANK_COST: Final = 5.0
"""How bad a cut is: a level of heading, before a paragraph, a list item, within a paragraph, within
a block of code or a table, before a blank line, which belongs to what it follows."""

_TITLE_CHARACTERS: Final = 120
_ATX: Final = re.compile(r" {0,3}(#{1,6})[ \t]+(.*?)[ \t#]*$")
_SETEXT: Final = re.compile(r" {0,3}(=+|-{2,})[ \t]*$")
_ASCIIDOC: Final = re.compile(r"(={1,6})[ \t]+(.+)$")
_FENCE: Final = re.compile(r"[ \t]*(?:[-*+][ \t]+|\d+[.)][ \t]+)?(`{3,}|~{3,})")
_ASCIIDOC_FENCE: Final = re.compile(r"(-{4,}|\.{4,}|={4,}|\+{4,}|\|===)[ \t]*$")
_ITEM: Final = re.compile(r"[ \t]*(?:[-*+][ \t]|\d+[.)][ \t]|:\w)")
_TABLE: Final = re.compile(r"[ \t]*[|+]")
_ADORNMENT: Final = re.compile(r"([!-/:-@\[-`{-~])\1{2,}[ \t]*$")
_TEXT_ADORNMENT: Final = re.compile(r"([=\-~*#])\1{3,}[ \t]*$")
_IMAGE: Final = re.compile(r"!\[[^\[\]]*\](?:\([^()]*\)|\[[^\[\]]*\])?|<[^<>]*>")
_LINK: Final = re.compile(r"\[([^\[\]]*)\](?:\([^()]*\)|\[[^\[\]]*\])?")
_DECORATION: Final = re.compile(r"[*`]{1,3}|\{[#.][^{}]*\}|:\w+:(?=`)|\]\[")
_FRONT_MATTER: Final = frozenset(["---", "+++"])


def read_prose(text: str, language: str) -> tuple[list[Symbol], list[float]]:
    """Return the headings of *text*, in one of `LANGUAGES`, and the cost of a cut before each line.

    The costs are on the scale of `windows.windows`: a text is cut at headings, the higher the
    better, else between paragraphs; blocks of code and tables stay whole where they can.
    """
    lines = text.split("\n")
    blocks = _blocks(lines, language)
    headings = list(_headings(lines, language, blocks))
    return _symbols(headings, len(lines) - text.endswith("\n")), _costs(lines, headings, blocks)


def _blocks(lines: Sequence[str], language: str) -> list[bool]:
    """Return for each line whether it goes on with a block that begins above it."""
    inside = [False] * len(lines)
    number = 0
    if language == "markdown" and lines[0].rstrip() in _FRONT_MATTER:
        number = _end_of(lines, 0, lines[0].rstrip(), inside)
    fence = _ASCIIDOC_FENCE if language == "asciidoc" else _FENCE
    while number < len(lines):
        line = lines[number]
        opened = fence.match(line) if language in {"markdown", "asciidoc"} else None
        if opened:
            number = _end_of(lines, number, opened[1], inside)
            continue
        if number and _TABLE.match(line) and _TABLE.match(lines[number - 1]):
            inside[number] = True
        elif language == "rst" and line[:1] in " \t" and line.strip():
            inside[number] = _is_literal(lines, number, inside)
        number += 1
    return inside


def _end_of(lines: Sequence[str], start: int, mark: str, inside: list[bool]) -> int:
    """Note the lines of the block that *mark* opens; return the number of the line after it."""
    for number in range(start + 1, len(lines)):
        stripped = lines[number].strip()
        if stripped.startswith(mark) and not stripped.strip(mark[0] + "|="):
            inside[start + 1 : number + 1] = [True] * (number - start)
            return number + 1
    return start + 1  # never closed: no block


def _is_literal(lines: Sequence[str], number: int, inside: Sequence[bool]) -> bool:
    """Return whether an indented line of reStructuredText belongs to a literal or directive."""
    above = number - 1
    while above >= 0 and not lines[above].strip():
        above -= 1
    if above < 0:
        return False
    before = lines[above]
    return inside[above] or before.rstrip().endswith("::") or before.lstrip().startswith(".. ")


def _headings(
    lines: Sequence[str], language: str, blocks: Sequence[bool]
) -> Iterator[tuple[int, int, str]]:
    """Yield line (0-based), level (1 is the highest) and title of each heading."""
    if language in {"markdown", "asciidoc"}:
        pattern = _ATX if language == "markdown" else _ASCIIDOC
        for number, line in enumerate(lines):
            if blocks[number]:
                continue
            found = pattern.match(line) if line.lstrip()[:1] in {"#", "="} else None
            if found and found[2]:
                yield number, len(found[1]), found[2]
            elif language == "markdown" and number and _SETEXT.match(line):
                title = lines[number - 1].strip()
                alone = number < 2 or not lines[number - 2].strip()  # noqa: PLR2004 - two above
                if (
                    title
                    and alone
                    and not blocks[number - 1]
                    and not _ITEM.match(title)
                    and not _ATX.match(title)
                ):
                    yield number - 1, 1 if line.lstrip().startswith("=") else 2, title
        return
    adornment = _ADORNMENT if language == "rst" else _TEXT_ADORNMENT
    levels: dict[str, int] = {}
    for number in range(1, len(lines)):
        title, line = lines[number - 1], lines[number]
        found = adornment.match(line)
        if not found or blocks[number] or not title.strip() or adornment.match(title):
            continue
        if len(line.rstrip()) < len(title.rstrip()) or (title[:1] in " \t" and language == "text"):
            continue
        over = number > 1 and lines[number - 2].strip() == line.strip()
        level = levels.setdefault(found[1] * (2 if over else 1), len(levels) + 1)
        yield number - 1 - over, level, title.strip()


def _symbols(headings: Sequence[tuple[int, int, str]], count: int) -> list[Symbol]:
    ends = [count] * len(headings)
    names: list[str] = []
    paths: list[str] = []
    around: list[int] = []
    for index, (line, level, title) in enumerate(headings):
        while around and headings[around[-1]][1] >= level:
            ends[around.pop()] = line
        name = _plain(title)[:_TITLE_CHARACTERS]
        names.append(name or title[:_TITLE_CHARACTERS])
        around.append(index)
        paths.append(".".join(names[one] for one in around))
    return [
        Symbol(name, "heading", path, title, line + 1, end)
        for name, path, end, (line, _, title) in zip(names, paths, ends, headings, strict=True)
    ]


def _plain(title: str) -> str:
    """Return *title* without images, links, tags and emphasis."""
    for _ in range(2):  # an image within a link
        title = _IMAGE.sub("", title)
        title = _LINK.sub(r"\1", title)
    return " ".join(_DECORATION.sub("", title).split())


def _costs(
    lines: Sequence[str], headings: Sequence[tuple[int, int, str]], blocks: Sequence[bool]
) -> list[float]:
    levels = {line: level for line, level, _ in headings}
    costs: list[float] = []
    blank = True
    after_heading = -1
    for number, line in enumerate(lines):
        if not line or line.isspace():
            costs.append(_BLANK_COST)
            blank = True
            continue
        if number in levels:
            cost = _LEVEL_COST * (levels[number] - 1)
        elif blocks[number]:
            cost = _BLOCK_COST
        elif _ITEM.match(line):
            cost = _ITEM_COST
        elif blank:
            cost = _PARAGRAPH_COST if line[:1] not in " \t" else _ITEM_COST
        else:
            cost = _LINE_COST
        if after_heading >= 0 and number not in levels:
            cost += _BLOCK_COST - _LINE_COST  # the first lines belong to their heading
        after_heading = number if number in levels else -1 if blank else after_heading
        costs.append(cost)
        blank = False
    return costs
