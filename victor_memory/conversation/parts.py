"""Long texts in parts: a vector can only stand for so much, and a model reads only so much.

The parts of a text are consecutive slices: joined, they are the text. They end after a paragraph,
else after a line, a sentence or a word, and a fenced code block is kept whole while it is no longer
than `LONGEST_BLOCK`. Part 0 has the id of the memory, the others that id, a dot and their number.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Iterator
from typing import Final

from victor_memory.conversation.records import Memory

PART: Final = 1000
"""Characters of a part: less than 256 tokens of prose, the least that usual models read."""
LONGEST_BLOCK: Final = 8 * PART
"""A longer code block is a file: it is cut between its lines."""
_FENCE: Final = re.compile(r"^[ \t]{0,3}(`{3,}|~{3,})", re.MULTILINE)
_ENDS: Final = (
    re.compile(r"\n[ \t]*\n\s*"),
    re.compile(r"\n"),
    re.compile(r"(?<=[.!?。！？])\s+|(?<=[。！？])"),  # noqa: RUF001 - full-width marks end sentences
    re.compile(r"\s+"),
)
"""Where a text may be cut, the best places first."""


def split(memory: Memory) -> list[Memory]:
    """Return the parts of *memory*, in order: itself, if it is short."""
    if len(memory.text) <= PART:
        return [memory]
    texts = pieces(memory.text)
    return [
        dataclasses.replace(
            memory, id=part_id(memory.id, part), text=text, part=part, parts=len(texts)
        )
        for part, text in enumerate(texts)
    ]


def join(parts: Iterable[Memory]) -> Memory:
    """Return the memory whose *parts*, all of them and in any order, are given."""
    ordered = sorted(parts, key=lambda one: one.part)
    text = "".join(one.text for one in ordered)
    return dataclasses.replace(
        ordered[0], id=whole_id(ordered[0].id), text=text, part=0, parts=len(ordered)
    )


def part_id(identifier: str, part: int) -> str:
    """Return the id of a *part* of the memory *identifier*."""
    return f"{identifier}.{part}" if part else identifier


def whole_id(identifier: str) -> str:
    """Return the id of the memory that *identifier* names, or names a part of."""
    return identifier.partition(".")[0]


def part_ids(memory: Memory) -> list[str]:
    """Return the ids of all parts of the memory that *memory* is, or is a part of."""
    return [part_id(whole_id(memory.id), part) for part in range(memory.parts)]


def pieces(text: str) -> list[str]:
    """Return *text* in consecutive pieces of about one size, each with at least one word."""
    found: list[str] = []
    for piece in _packed(_blocks(text), len(text)):
        if found and not (piece.strip() and found[-1].strip()):
            found[-1] += piece  # white space alone says nothing
        else:
            found.append(piece)
    return found


def _packed(blocks: Iterable[str], left: int) -> Iterator[str]:
    """Yield *blocks*, *left* characters in all, as many together as make a part."""
    kept = ""
    for block in blocks:
        # What is left in equal shares, so that the last part is not a scrap.
        share = left / -(-left // PART)
        size = len(kept) + len(block)
        if kept and (size > PART or size - share > share - len(kept)):
            yield kept
            left -= len(kept)
            kept = ""
        kept += block
    if kept:
        yield kept


def _blocks(text: str) -> Iterator[str]:
    """Yield what of *text* is to be kept together: code blocks, and prose in small pieces."""
    start = 0
    while opening := _FENCE.search(text, start):
        closing = re.compile(rf"^[ \t]{{0,3}}{opening[1]}+[ \t]*$\n?", re.MULTILINE)
        end = closing.search(text, opening.end())
        if end is None:
            break
        yield from _cut(text[start : opening.start()], 0)
        block = text[opening.start() : end.end()]
        yield from [block] if len(block) <= LONGEST_BLOCK else _cut(block, 1)
        start = end.end()
    yield from _cut(text[start:], 0)


def _cut(text: str, level: int) -> Iterator[str]:
    """Yield *text* in pieces of at most `PART` characters, cut at ends of *level* or below it."""
    if len(text) <= PART:
        if text:
            yield text
        return
    if level == len(_ENDS):
        yield from (text[at : at + PART] for at in range(0, len(text), PART))
        return
    start = 0
    for end in _ENDS[level].finditer(text):
        yield from _cut(text[start : end.end()], level + 1)
        start = end.end()
    yield from _cut(text[start:], level + 1)
