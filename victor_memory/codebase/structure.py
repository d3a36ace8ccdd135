"""`Structure`: what is defined where, and what calls it, read from the files as they are now.

Nothing is stored and no index is needed: the files that have the name in them are found by reading
all of them, and only those are parsed. Names are compared, not resolved: a call of `get` is a call
of anything called so. Files of a language without a grammar are searched by text, and say so.
"""

from __future__ import annotations

import asyncio
import difflib
import heapq
import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from victor_memory.codebase.exclusions import (
    BYTE_ORDER_MARKS,
    Reason,
    refused_content,
    refused_name,
)
from victor_memory.codebase.files import MAX_FILE_BYTES, SourceTree, decode
from victor_memory.codebase.languages import language_of
from victor_memory.codebase.references import DECLARATION
from victor_memory.codebase.request import KINDS, globbed, likeness
from victor_memory.codebase.secrets import redact_source
from victor_memory.codebase.syntax import Syntax, parse
from victor_memory.errors import InvalidRequestError
from victor_memory.redaction import Redactor
from victor_memory.retrieval.definitions import definitions
from victor_memory.retrieval.text import split_identifier

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

    from victor_memory.codebase.references import Import
    from victor_memory.types import Symbol

MAX_LIMIT: Final = 10_000
MAX_PARSED: Final = 400
"""Files parsed for one question: those that have the name most often."""
SUGGESTIONS: Final = 8
_SUGGESTING_FILES: Final = 100
_LEAST_BEGINNING: Final = 3
_LEAST_LIKENESS: Final = 0.6
_LINE_CHARACTERS: Final = 300
_SEPARATOR: Final = re.compile(r"::|->|[.#:/]")


@dataclass(frozen=True, slots=True)
class Defined:
    """Where something is defined; lines are 1-based and inclusive."""

    path: str
    start_line: int
    end_line: int
    kind: str
    """See `types.Symbol`; `declaration` where a function is only declared, `unknown` where there is
    no grammar."""
    name: str
    qualified: str
    signature: str
    parsed: bool
    """False where a text search found it, because there is no grammar for the language."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Where something is called; the line is 1-based."""

    path: str
    line: int
    within: str | None
    """The qualified name of the definition that the call is in."""
    text: str
    """The line, without secrets."""
    parsed: bool
    """False where a text search found it, because there is no grammar for the language."""


@dataclass(frozen=True, slots=True)
class Looked:
    """How an answer was found, so that it can be judged."""

    files: int
    """Files that were read for the name."""
    candidates: int
    """Files that have it in them."""
    parsed: int
    as_text: int
    """Files without a grammar that were searched by text."""

    @property
    def complete(self) -> bool:
        """Whether every candidate was looked into."""
        return self.candidates == self.parsed + self.as_text

    def notice(self) -> str | None:
        """Return what a person should know about the answer."""
        said: list[str] = []
        if not self.complete:
            done = self.parsed + self.as_text
            said.append(
                f"{self.candidates} of {self.files} files have the name, and only the {done} that "
                "have it most were read closely. Restrict the question with a path."
            )
        if self.as_text:
            said.append(f"{self.as_text} files without a grammar were searched by text.")
        return " ".join(said) or None


@dataclass(frozen=True, slots=True)
class SymbolsAnswer:
    """The definitions of a name: exact ones, or else those that differ in case."""

    name: str
    results: tuple[Defined, ...]
    total: int
    """How many were found; `results` may have fewer."""
    suggestions: tuple[str, ...]
    """Names that are like it, where nothing was found."""
    looked: Looked


@dataclass(frozen=True, slots=True)
class CallersAnswer:
    """The calls of a name, by path and line."""

    name: str
    results: tuple[Caller, ...]
    total: int
    looked: Looked


@dataclass(frozen=True, slots=True)
class Outline:
    """What one file defines and imports, in order."""

    path: str
    language: str | None
    symbols: tuple[Defined, ...]
    imports: tuple[Import, ...]
    parsed: bool


@dataclass(frozen=True, slots=True)
class _File:
    path: str
    language: str | None
    text: str
    syntax: Syntax | None

    def definitions(self) -> Iterator[Defined]:
        if self.syntax is not None:
            both = heapq.merge(
                self.syntax.symbols, self.syntax.declarations(), key=lambda one: one.start_line
            )
            yield from (_defined(self.path, one) for one in both)
            return
        lines = self.text.split("\n")
        for one in definitions(self.text, self.language):
            line = one.line + 1
            signature = lines[one.line].strip()[:_LINE_CHARACTERS]
            yield Defined(
                self.path, line, line, "unknown", one.name, one.name, signature, parsed=False
            )


class Structure:
    """Answers from the files below *root*, as `CodebaseMemory` would index them.

    Nothing that `redact_secrets` or one of *redactors* removes is shown.

    Raises:
        InvalidRequestError: *root* is not a directory that can be read.

    """

    def __init__(
        self,
        root: str | os.PathLike[str],
        *,
        redactors: Sequence[Redactor] = (),
        max_file_bytes: int = MAX_FILE_BYTES,
    ) -> None:
        self._tree = SourceTree(root, max_file_bytes=max_file_bytes)
        self._redactors = tuple(redactors)

    @property
    def root(self) -> Path:
        """The directory whose code this is."""
        return self._tree.root

    async def symbols(
        self, name: str, *, kind: str | None = None, path: str | None = None, limit: int = 50
    ) -> SymbolsAnswer:
        """Return where *name* is defined: a bare name, or the end of a qualified one, `Client.get`.

        Where it is only declared, as a function in a header of C, comes last.
        Only a *kind* (`function`, `method`, `class`, ...), and only in files matching the glob
        *path*. If nothing is called exactly so, case does not count; if nothing is even then, there
        are suggestions.

        Raises:
            InvalidRequestError: an argument cannot be used.

        """
        kinds = KINDS | {DECLARATION}
        if kind is not None and kind not in kinds:
            msg = f"There is no kind {kind!r}. Use one of: {', '.join(sorted(kinds))}."
            raise InvalidRequestError(msg)
        word, glob = _checked(name, limit), None if path is None else globbed(path)
        return await asyncio.to_thread(self._symbols, name, word, kind, glob, limit)

    async def callers(
        self, name: str, *, path: str | None = None, limit: int = 200
    ) -> CallersAnswer:
        """Return the calls of what is called *name*; of a qualified name, the last part counts.

        Raises:
            InvalidRequestError: an argument cannot be used.

        """
        word, glob = _checked(name, limit), None if path is None else globbed(path)
        return await asyncio.to_thread(self._callers, name, word, glob, limit)

    async def outline(self, path: str) -> Outline:
        """Return what the file *path*, relative to the root, defines and imports.

        Raises:
            InvalidRequestError: there is no such file, or it cannot be read as text.

        """
        return await asyncio.to_thread(self._outline, path)

    # -- answers ----------------------------------------------------------------------------------

    def _symbols(
        self, name: str, word: str, kind: str | None, glob: GitIgnoreSpec | None, limit: int
    ) -> SymbolsAnswer:
        def wanted(one: Defined, least: float) -> bool:
            return (kind is None or one.kind == kind) and likeness(name, one.qualified) >= least

        exact, same_but_case = 1.0, 0.8
        seen, looked = self._opened(word, glob, any_case=False)
        found = [one for file in seen for one in file.definitions() if wanted(one, exact)]
        if not found:
            seen, looked = self._opened(word, glob, any_case=True, most=_SUGGESTING_FILES)
            known = [one for file in seen for one in file.definitions()]
            found = [one for one in known if wanted(one, same_but_case)]
        suggestions = () if found else self._suggested(word, glob, known)
        found.sort(key=lambda one: (one.kind == DECLARATION, one.path, one.start_line))
        return SymbolsAnswer(name, tuple(found[:limit]), len(found), suggestions, looked)

    def _suggested(
        self, word: str, glob: GitIgnoreSpec | None, known: Sequence[Defined]
    ) -> tuple[str, ...]:
        """Return names that are like *word*: that contain it, begin like it, or share its words."""
        names = {one.name: one.qualified for one in known}
        if not any(word.lower() in one.lower() for one in names):
            beginning = word[: max(_LEAST_BEGINNING, len(word) // 2)]
            for part in (beginning, max(split_identifier(word), key=len, default=word)):
                files, _ = self._opened(part, glob, any_case=True, most=_SUGGESTING_FILES)
                names |= {one.name: one.qualified for file in files for one in file.definitions()}

        def nearness(one: str) -> float:
            like = difflib.SequenceMatcher(None, word.lower(), one.lower()).ratio()
            return max(like, _LEAST_LIKENESS) if word.lower() in one.lower() else like

        ranked = sorted(((-nearness(one), full) for one, full in names.items()))
        return tuple(full for like, full in ranked if -like >= _LEAST_LIKENESS)[:SUGGESTIONS]

    def _callers(
        self, name: str, word: str, glob: GitIgnoreSpec | None, limit: int
    ) -> CallersAnswer:
        files, looked = self._opened(word, glob, any_case=False)
        called = re.compile(rf"(?<![\w$]){re.escape(word)}[?!]?\s*\(")
        found: list[Caller] = []
        for file in files:
            lines = file.text.split("\n")
            for line, within in _calls(file, word, called, lines):
                text = lines[line - 1].strip()[:_LINE_CHARACTERS]
                found.append(Caller(file.path, line, within, text, file.syntax is not None))
        found = sorted(dict.fromkeys(found), key=lambda one: (one.path, one.line))
        return CallersAnswer(name, tuple(found[:limit]), len(found), looked)

    def _outline(self, path: str) -> Outline:
        data = self._tree.read(_inside(path))
        if refused_name(path) is Reason.SECRET:
            msg = f"{path!r} may hold secrets, so it is not read. Name a file of code."
        elif data is None:
            msg = f"There is no file {path!r} below {self.root}. Name one relative to it."
        elif isinstance(data, Reason):
            msg = f"{path!r} cannot be read: {data}. Name a file of code."
        elif refused_content(path, data) is Reason.BINARY:
            msg = f"{path!r} is not text. Name a file of code."
        else:
            file = self._file(path, data)
            imports = tuple(file.syntax.imports()) if file.syntax is not None else ()
            parsed = file.syntax is not None
            return Outline(path, file.language, tuple(file.definitions()), imports, parsed)
        raise InvalidRequestError(msg)

    # -- files ------------------------------------------------------------------------------------

    def _opened(
        self, word: str, glob: GitIgnoreSpec | None, *, any_case: bool, most: int = MAX_PARSED
    ) -> tuple[list[_File], Looked]:
        """Return the files that have *word* most often, parsed, and how they were found."""
        has = _counter(word, any_case=any_case)
        counted: list[tuple[int, str]] = []
        looked = 0
        for path in self._tree.listing():
            if glob is not None and not glob.match_file(path):
                continue
            looked += 1
            data = self._tree.read(path)
            if isinstance(data, bytes) and (count := has(data)) and not refused_content(path, data):
                counted.append((-count, path))
        files: list[_File] = []
        for _, path in sorted(counted)[:most]:
            data = self._tree.read(path)
            if isinstance(data, bytes):
                files.append(self._file(path, data))
        parsed = sum(one.syntax is not None for one in files)
        return files, Looked(looked, len(counted), parsed, len(files) - parsed)

    def _file(self, path: str, data: bytes) -> _File:
        text, _ = redact_source(decode(data), self._redactors)
        language = language_of(path)
        return _File(path, language, text, parse(text, language))


def _calls(
    file: _File, word: str, called: re.Pattern[str], lines: Sequence[str]
) -> Iterator[tuple[int, str | None]]:
    """Yield the line of each call of *word*, and what it is in."""
    if file.syntax is not None:
        for one in file.syntax.calls():
            if one.name.rstrip("?!") == word:
                yield one.line, one.within
        return
    own = {one.start_line for one in file.definitions() if one.name == word}
    for number, line in enumerate(lines, 1):
        if number not in own and called.search(line):
            yield number, None


def _defined(path: str, one: Symbol) -> Defined:
    return Defined(
        path,
        one.start_line,
        one.end_line,
        one.kind,
        one.name,
        one.qualified,
        one.signature,
        parsed=True,
    )


def _counter(word: str, *, any_case: bool) -> Callable[[bytes], int]:
    """Return what counts *word* in the bytes of a file; in any case, inside longer ones too."""
    plain, lower = word.encode(), word.lower().encode()
    # What is not ASCII is a letter, as far as bytes can tell.
    whole = re.compile(rb"(?<![\w\x80-\xff])" + re.escape(plain) + rb"(?![\w\x80-\xff])")
    marks = tuple(mark for mark, _ in BYTE_ORDER_MARKS[1:])

    def count(data: bytes) -> int:
        if data.startswith(marks):
            data = decode(data).encode()
        if any_case:
            return data.lower().count(lower)
        return len(whole.findall(data)) if plain in data else 0

    return count


def _checked(name: str, limit: int) -> str:
    """Return the last part of *name*, which a file must have in it."""
    if isinstance(limit, bool) or not isinstance(limit, int) or not 1 <= limit <= MAX_LIMIT:
        msg = f"limit is {limit!r}; ask for 1 to {MAX_LIMIT} results."
        raise InvalidRequestError(msg)
    parts = [one for one in _SEPARATOR.split(name.strip().rstrip("()?!")) if one]
    if not parts or any(one.isspace() for one in parts[-1]):
        msg = f"{name!r} is no name. Give one as the code has it: 'parse' or 'Client.get'."
        raise InvalidRequestError(msg)
    return parts[-1]


def _inside(path: str) -> str:
    if not path or Path(path).is_absolute() or ".." in Path(path).parts:
        msg = f"{path!r} is not below the root. Name a file relative to it."
        raise InvalidRequestError(msg)
    return path
