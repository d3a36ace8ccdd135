"""What a text says, read from its syntax tree, or for prose from its headings.

Definitions and the places where the text may be cut are read at once, calls and imports when they
are asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from victor_memory.codebase import grammars, prose
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
    ) -> None:
        self.symbols = symbols
        self.costs = costs
        self._source = source

    def calls(self) -> list[Reference]:
        """Return what is called, by name, in document order."""
        from victor_memory.codebase.references import calls_in

        return [] if self._source is None else calls_in(*self._source, self.symbols)

    def imports(self) -> list[Import]:
        """Return what is imported, in document order."""
        from victor_memory.codebase.references import imports_in

        return [] if self._source is None else imports_in(*self._source)


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
    tree = grammars.parse_tree(parser_language, data, indented=name in _INDENTED)
    if tree is None:
        return None
    grammar = grammar_rules(name, parser_language)
    return Syntax(*read_tree(tree, text, data, grammar), (tree, data, grammar))
