"""English sentences and (heading, section) pairs, from documentation."""
# ruff: noqa: PLR2004 - numbers of words and characters say what is a sentence

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from static_training.code import NOT_PROSE, WORD, Pair

EXTENSIONS: Final = frozenset("md markdown rst txt adoc".split())
HEADING: Final = re.compile(r"^(?:#{1,5} +(.+?) *#*|={1,5} (.+))$")
UNDERLINE: Final = re.compile(r"^([=\-~^\"'*+#])\1{2,}\s*$")
NOISE: Final = re.compile(r"^(?:\.\. |\||\+[-=]|!\[|\[.*\]:|<|:\w+:|```|~~~)")
MARKUP: Final = re.compile(r":\w+:`([^`<]*)[^`]*`|\[([^\]]+)\]\([^)]*\)|`+([^`]*)`+_*|[*_]{2,}")
SENTENCE: Final = re.compile(r"(?<=[.!?])\s+(?=[A-Z])")
SECTION: Final = 2500
PER_FILE: Final = 40


def sections(text: str) -> Iterator[tuple[str, str]]:
    """Yield (heading, plain text under it) of a Markdown, reStructuredText or AsciiDoc file."""
    heading, fenced = "", False
    body: list[str] = []
    lines = text.splitlines()
    for at, line in enumerate(lines):
        following = lines[at + 1] if at + 1 < len(lines) else ""
        if line.lstrip().startswith(("```", "~~~", "----")) and not UNDERLINE.match(line):
            fenced = not fenced
        marked = None if fenced else HEADING.match(line)
        title = next((x for x in marked.groups() if x), "") if marked else ""
        if (
            not title
            and line.strip()
            and UNDERLINE.match(following)
            and len(line) < 90
            and len(following) >= len(line.rstrip()) - 2
        ):
            title = line
        if title:
            yield heading, _plain(body)
            heading, body = _strip(title), []
        elif not UNDERLINE.match(line) and not fenced:
            body.append(line)
    yield heading, _plain(body)


def pairs(text: str, file: str) -> Iterator[Pair]:
    """Yield (heading, section), and (one sentence of it, the rest), at most 40 of a file."""
    found = 0
    for heading, body in sections(text):
        if found >= PER_FILE:
            return
        sentences = [x for x in SENTENCE.split(body) if is_sentence(x)]
        if len(sentences) < 2 or len(body) < 150:
            continue
        if len(WORD.findall(heading)) >= 2 and not NOT_PROSE.search(heading):
            found += 1
            yield Pair("heading", "english", heading, body[:SECTION], "", file)
        if len(sentences) >= 4:
            at = (len(body) * 7) % len(sentences)
            rest = " ".join(sentences[:at] + sentences[at + 1 :])
            found += 1
            yield Pair("cloze", "english", sentences[at][:300], rest[:SECTION], "", file)


def is_sentence(text: str) -> bool:
    """Return whether *text* is plain English of a sentence's length."""
    letters = sum(x.isalpha() or x.isspace() for x in text)
    return (
        20 <= len(text) <= 400
        and len(WORD.findall(text)) >= 5
        and letters > 0.85 * len(text)
        and text.isascii()
        and not NOT_PROSE.search(text)
    )


def _plain(lines: list[str]) -> str:
    kept = [
        _strip(x) for x in lines if not NOISE.match(x.strip()) and not x.startswith(("    ", "\t"))
    ]
    return re.sub(r"\s+", " ", " ".join(kept)).strip()


def _strip(line: str) -> str:
    return (
        MARKUP.sub(lambda m: m[1] or m[2] or m[3] or "", line)
        .strip()
        .removeprefix("* ")
        .removeprefix("- ")
    )
