"""Which parser reads which language: loaded when first needed, never downloaded, failing softly.

The grammars come from one package that carries them compiled and unpacks each on first use. Nothing
else knows which package: to change it, change `_load`.
"""

from __future__ import annotations

import re
import threading
import time
from itertools import accumulate
from typing import TYPE_CHECKING, Final

from victor_memory._logging import get_logger

if TYPE_CHECKING:
    from tree_sitter import Language, Tree

log = get_logger(__name__)

MAX_LINE_BYTES: Final = 20_000
"""A text with a longer line is data or minified: parsing it takes long and tells nothing."""
MAX_NESTING: Final = 400
"""Brackets within brackets: beyond, the parsers' memory and time grow without bound."""
MAX_INDENTS: Final = 64
"""Widths of indentation: a scanner keeps them in a buffer whose end it may not check."""
BASE_SECONDS: Final = 1.0
SECONDS_PER_BYTE: Final = 2e-6
"""Processor time for one text: some twenty times what the slowest grammar needs for it."""

_SAME_NAME: Final = """
bash batch c clojure cmake cpp css dart dockerfile elixir erlang fortran go graphql
groovy haskell hcl html ini java javascript jsonnet julia just kotlin lua nix ocaml perl php
powershell python r racket ruby rust scala scheme solidity sql swift toml tsx typescript vim xml
yaml zig
""".split()
_GRAMMARS: Final = {
    **{name: name for name in _SAME_NAME},
    "bazel": "starlark",
    "c-sharp": "csharp",
    "json": "json5",
    "makefile": "make",
    "objective-c": "objc",
    "protobuf": "proto",
    "sass": "scss",
    "starlark": "starlark",
    "svelte": "html",
    "vue": "html",
}
LANGUAGES: Final = frozenset(_GRAMMARS)
"""What there is a grammar for, as `languages.language_of` calls it."""
_BRACKETS: Final = b"()[]{}"
_OTHERS: Final = bytes(one for one in range(256) if one not in _BRACKETS)
_DEPTH: Final = {byte: 1 if byte in b"([{" else -1 for byte in _BRACKETS}
_LONG_DELIMITER: Final = re.compile(rb"<<[~-]?[\"']?\w{200}")
"""A word that ends a text: one scanner copies it into a buffer whose end it does not check."""
_DASHES: Final = re.compile(rb"(?:[-?:][ \t]+){%d}" % MAX_INDENTS)
"""Lists in lists on one line: each is an indent."""
_CPP_WORDS: Final = ("namespace", "template", "class ", "using ", "public:", "private:")
_CPP: Final = re.compile(
    r"^[ \t]*(?:template[ \t]*<|namespace[ \t\n]|class[ \t]+\w+|using[ \t]+\w|(?:public|private):)",
    re.MULTILINE,
)
_INDENT: Final = re.compile(r"^[ \t]+", re.MULTILINE)


class Grammars:
    """The grammars of this process. A grammar that cannot be loaded is not tried again."""

    def __init__(self) -> None:
        self._loaded: dict[str, Language | None] = {}
        self._lock = threading.Lock()
        self._problem: str | None = None

    @property
    def problem(self) -> str | None:
        """Why at least one file was cut without its grammar, for a report; `None` if none was."""
        return self._problem

    def get(self, language: str | None, text: str = "") -> tuple[str, Language] | None:
        """Return the grammar of *language*, with its name; `None` if there is none that works.

        *text* tells C++ headers from those of C.
        """
        name = grammar_of(language, text)
        if name is None:
            return None
        with self._lock:
            if name not in self._loaded:
                self._loaded[name] = self._try(name)
            found = self._loaded[name]
        return None if found is None else (name, found)

    def _try(self, name: str) -> Language | None:
        try:
            return _load(name)
        except Exception as exc:  # noqa: BLE001 - a package's bug must cost only the trees
            log.warning("grammar_failed", reason=name, error_type=type(exc).__name__)
            if self._problem is None:
                self._problem = (
                    "Files are cut by lines, not by syntax, where a grammar cannot be loaded "
                    f"(first {name}: {type(exc).__name__}: {exc}). Reinstall semble-grammars, or "
                    "check that its cache directory can be written."
                )
            return None


def _load(name: str) -> Language:
    import semble_grammars

    language: Language = semble_grammars.get_language(name)
    return language


GRAMMARS: Final = Grammars()


def grammar_of(language: str | None, text: str = "") -> str | None:
    """Return the name of the grammar that reads *language*, or `None`."""
    if language == "c" and any(one in text for one in _CPP_WORDS) and _CPP.search(text):
        return "cpp"
    return _GRAMMARS.get(language or "")


def parse_tree(language: Language, data: bytes, *, indented: bool = False) -> Tree | None:
    """Return the tree of *data* (UTF-8), or `None` if it is not worth or not safe to parse.

    *indented* says that the language's scanner keeps a stack of indents.
    """
    from tree_sitter import Parser

    if max(map(len, data.split(b"\n"))) > MAX_LINE_BYTES or _nesting(data) > MAX_NESTING:
        return None
    if _LONG_DELIMITER.search(data):
        return None
    if indented and _DASHES.search(data):
        return None
    if indented and len(set(_INDENT.findall(data.decode("utf-8", "replace")))) > MAX_INDENTS:
        return None
    budget = BASE_SECONDS + SECONDS_PER_BYTE * len(data)
    started, limit = time.perf_counter(), time.thread_time() + budget
    # The parser never gives back what it is handed (tree-sitter 0.26): each piece would keep all of
    # the file alive, were it not released here.
    pieces = [memoryview(data)]

    def read(offset: int, _point: tuple[int, int]) -> memoryview:
        pieces.append(pieces[0][offset:])
        return pieces[-1]

    def late(_offset: int, _error: bool) -> bool:  # noqa: FBT001 - the parser's signature
        # Processor time never runs ahead of the clock, which is much cheaper to read.
        return time.perf_counter() > started + budget and time.thread_time() > limit

    try:
        return Parser(language).parse(read, progress_callback=late)
    except ValueError:  # stopped by the callback
        log.warning("parsing_stopped", count=len(data))
        return None
    finally:
        for piece in reversed(pieces):
            piece.release()


def _nesting(data: bytes) -> int:
    brackets = data.translate(None, _OTHERS)
    if len(brackets) <= MAX_NESTING:
        return 0
    return max(accumulate(map(_DEPTH.__getitem__, brackets)))
