"""What a text says, read from its syntax tree, or for prose from its headings.

Definitions and the places where the text may be cut are read at once; calls, imports and mere
declarations when they are asked for. A script inside a page is read as what it is written in.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from victor_memory.codebase import grammars, prose
from victor_memory.codebase.embedded import markup, scripts
from victor_memory.codebase.syntax_rules import Grammar, grammar_rules
from victor_memory.codebase.syntax_walk import read_tree
from victor_memory.types import Symbol

if TYPE_CHECKING:
    from tree_sitter import Tree

    from victor_memory.codebase.references import Import, Reference

LANGUAGES: Final = grammars.LANGUAGES | prose.LANGUAGES
"""What `parse` reads, as `languages.language_of` calls it."""
_INDENTED: Final = frozenset(["python", "yaml", "haskell", "starlark", "scala"])
"""Grammars whose scanners keep a stack of indents."""
_EMBEDDED_COST: Final = 0.7
"""How bad it is to cut in a script, beside what the script says."""
_TAG_COST: Final = 1.0
"""How much worse it is between a script and its tag."""


class Syntax:
    """A parsed text.

    `symbols` are its definitions in document order; `costs` says for each line how bad it is to cut
    before it, for `windows.windows`.
    """

    def __init__(
        self,
        symbols: Sequence[Symbol],
        costs: Sequence[float],
        source: tuple[Tree, bytes, Grammar] | None = None,
        inner: Sequence[tuple[int, Syntax]] = (),
    ) -> None:
        self.symbols = symbols
        self.costs = costs
        self._source = source
        self._inner = inner
        """What is written in other languages, and the lines before it."""

    def calls(self) -> list[Reference]:
        """Return what is called, by name, in document order."""
        from victor_memory.codebase.references import calls_in

        found = [] if self._source is None else calls_in(*self._source, self.symbols)
        for above, inner in self._inner:
            found += [replace(one, line=one.line + above) for one in inner.calls()]
        return sorted(found, key=lambda one: one.line) if self._inner else found

    def imports(self) -> list[Import]:
        """Return what is imported, in document order."""
        from victor_memory.codebase.references import imports_in

        found = [] if self._source is None else imports_in(*self._source)
        for above, inner in self._inner:
            found += [replace(one, line=one.line + above) for one in inner.imports()]
        return sorted(found, key=lambda one: one.line) if self._inner else found

    def declarations(self) -> list[Symbol]:
        """Return the functions that are declared and not defined, in languages that do that."""
        from victor_memory.codebase.references import declarations_in

        return [] if self._source is None else declarations_in(*self._source)


def parse(text: str, language: str | None) -> Syntax | None:
    """Return what *text*, written in *language*, says.

    `None`: there is no grammar for the language, it cannot be loaded, or the text is not one to
    parse (minified, or nested beyond what a parser is safe with). Broken syntax is no obstacle.
    """
    if language is not None and language in prose.LANGUAGES:
        return Syntax(*prose.read_prose(text, language))
    loaded = grammars.GRAMMARS.get(language, text)
    if loaded is None:
        return None
    name, parser_language = loaded
    data = text.encode("utf-8", "replace")
    parsed = markup(text, language)
    tree = grammars.parse_tree(
        parser_language,
        data if parsed is text else parsed.encode("utf-8", "replace"),
        indented=name in _INDENTED,
    )
    if tree is None:
        return None
    grammar = grammar_rules(name, parser_language)
    symbols, costs = read_tree(tree, text, data, grammar)
    inner = _embedded(text, language, symbols, costs)
    return Syntax(symbols, costs, (tree, data, grammar), inner)


def _embedded(
    text: str, language: str | None, symbols: list[Symbol], costs: list[float]
) -> list[tuple[int, Syntax]]:
    """Read the scripts in *text*, and add what they say to *symbols* and *costs*."""
    found: list[tuple[int, Syntax]] = []
    for script in scripts(text, language):
        inner = parse(script.text, script.language)
        if inner is None:
            continue
        found.append((script.row, inner))
        symbols += [
            replace(one, start_line=one.start_line + script.row, end_line=one.end_line + script.row)
            for one in inner.symbols
        ]
        # The first line is the tag's, and the last that of the closing tag.
        own = [_EMBEDDED_COST + one for one in inner.costs[1:-1]]
        if own:
            own[0] += _TAG_COST
        costs[script.row + 1 : script.row + 1 + len(own)] = own
    if found:
        symbols.sort(key=lambda one: one.start_line)
    return found
