"""Pairs of (what a change does, the code it changes), from patches and changelogs."""
# ruff: noqa: PLR2004 - numbers of words and lines say how much is worth a pair

from __future__ import annotations

import re
from collections.abc import Iterator
from email.parser import HeaderParser
from itertools import islice
from typing import Final

from static_training import code
from static_training.code import Pair
from static_training.exclusions import Exclusions
from static_training.prose import EXTENSIONS, MARKUP

KIND: Final = "change"
PATCHED: Final = "*.debian.tar.*"
"""The archive of a Debian source package that holds its patches."""
PATCHES: Final = frozenset(["patch", "diff"])
CHANGELOG: Final = re.compile(
    r"(?:^|/)(?:change(?:s|log)?|history|news|release[-_]?notes?|whats[-_]?new)[^/]*$",
    re.IGNORECASE,
)
MAIL: Final = re.compile(r"^(?:\[[^\]]*\]\s*)+")
"""What git's mails put before a subject: `[PATCH 1/2]`."""
PACKAGING: Final = re.compile(
    r"debian|ubuntu|lintian|reproducib|FTBFS|hurd|spelling|typo|manpage|backport|cherry.?pick|"
    r"shebang|privacy|upstream",
    re.IGNORECASE,
)
"""What is said of a distribution's patch, and not of its code."""
DIFF: Final = re.compile(r"^(?:---|diff |Index: |===)", re.MULTILINE)
BULLET: Final = re.compile(r"^\s*[-*+]\s+")
MENTION: Final = re.compile(r"`+(?:[\w.:#]*[.:#])?(\w{5,})(?:\(\))?`+|\b(\w{5,})\(\)")
"""A function's name in a changelog: `parse_url`, `Url.parse`, parse_url()."""
REFERENCE: Final = re.compile(r"\(?(?:#\d+|gh-\d+|[0-9a-f]{7,40}|@[\w-]+|https?://\S+)\)?")
LONGEST: Final = 400
PER_FILE: Final = 4
PER_LOG: Final = 200


def of_patch(text: str, file: str, excluded: Exclusions) -> Iterator[Pair]:
    """Yield what a patch says it does with the code of each file after it, at most four.

    Read is the description of DEP-3 (Debian's headers of patches) or the subject of git's mails.
    """
    begin = DIFF.search(text)
    if begin is None:
        return
    said = HeaderParser().parsestr(text[: begin.start()].lstrip())
    described = said.get("Description") or MAIL.sub("", said.get("Subject") or "")
    question = _plain(described)
    if PACKAGING.search(question) or not code.is_prose(question):
        return
    found = 0
    for path, after in _files(text[begin.start() :]):
        if excluded.path(path):
            continue
        language = code.BY_EXTENSION.get(path.rpartition(".")[2].lower())
        if language and len(after.splitlines()) > 3 and found < PER_FILE:
            found += 1
            yield Pair(KIND, language, question, after[: code.BODY], "", file)


def _files(diff: str) -> Iterator[tuple[str, str]]:
    """Yield each file of a unified diff with its lines after the change, as far as it has them."""
    path = ""
    lines: list[str] = []
    for line in diff.splitlines():
        if line.startswith("+++ "):
            if path:
                yield path, "\n".join(lines)
            path, lines = line[4:].split("\t")[0].strip(), []
        elif line.startswith((" ", "+")):
            lines.append(line[1:])
    if path:
        yield path, "\n".join(lines)


class Changelogs:
    """The changelogs of one package, and the functions that their entries may name."""

    def __init__(self) -> None:
        self._functions: dict[str, list[Pair]] = {}
        self._logs: list[tuple[str, str]] = []

    def saw(self, pair: Pair) -> None:
        """Remember the function of *pair*, if it is one."""
        if pair.kind in {"doc", "name"}:
            self._functions.setdefault(pair.name, []).append(pair)

    def read(self, path: str, text: str, file: str) -> None:
        """Remember *text*, if by its *path* it is a changelog."""
        if CHANGELOG.search(path) and path.rpartition(".")[2].lower() in EXTENSIONS:
            self._logs.append((text, file))

    def pairs(self) -> Iterator[Pair]:
        """Yield each entry that names a function of which there is one, with that function.

        At most 200 of a changelog.
        """
        for text, file in self._logs:
            yield from islice(self._of_log(text, file), PER_LOG)

    def _of_log(self, text: str, file: str) -> Iterator[Pair]:
        for entry in _entries(text):
            named = (self._functions.get(one or other, ()) for one, other in MENTION.findall(entry))
            found = next((some[0] for some in named if len(some) == 1), None)
            question = _plain(entry)
            if found and code.is_prose(question) and len(code.WORD.findall(question)) > 4:
                yield Pair(KIND, found.language, question, found.answer, found.name, file)


def _entries(text: str) -> Iterator[str]:
    entry: list[str] = []
    for line in text.splitlines():
        if BULLET.match(line) or not line.strip():
            if entry:
                yield " ".join(entry)
            entry = [BULLET.sub("", line)] if line.strip() else []
        elif entry:
            entry.append(line.strip())
    if entry:
        yield " ".join(entry)


def _plain(text: str) -> str:
    text = MARKUP.sub(lambda m: m[1] or m[2] or m[3] or "", text)
    return re.sub(r"\s+", " ", REFERENCE.sub("", text)).lstrip(" -:").rstrip(" .,;:-(")[:LONGEST]
