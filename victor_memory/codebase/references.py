"""What a text calls, imports and merely declares, read from its syntax tree when somebody asks.

Names are not resolved: `tree.grow()` calls something called `grow`, whoever defines it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Final

from victor_memory.codebase.syntax_names import ELIXIR_DEFINITIONS, declared_function, text_of
from victor_memory.codebase.syntax_walk import qualified_of, signature_of
from victor_memory.types import Symbol

if TYPE_CHECKING:
    from tree_sitter import Language, Node, Tree

    from victor_memory.codebase.syntax_rules import Grammar


@dataclass(frozen=True, slots=True)
class Reference:
    """A call, by the last name of what is called; the line is 1-based."""

    name: str
    line: int
    within: str | None
    """Qualified name of the innermost definition around it that is no mere value."""


@dataclass(frozen=True, slots=True)
class Import:
    """What a file takes from elsewhere; the line is 1-based."""

    module: str
    """As it is written, without quotes."""
    names: tuple[str, ...]
    """What is taken from it by name; empty where all of it is."""
    line: int


DECLARATION: Final = "declaration"
"""The kind of what is declared and not defined; nothing of this kind is in an index."""
_INNER: Final = frozenset(["compound_statement", "field_declaration_list"])
_CALLEE_BYTES: Final = 200
_VALUES: Final = frozenset(["variable", "constant", "key", "heading"])
_LAST_NAME: Final = re.compile(
    r"([\w$]+[?!]?)\s*(?:::)?(?:<[^()<>]*(?:<[^()<>]*>[^()<>]*)*>|\[[^\[\]()]*\])?\s*$"
)
_QUERIES: Final = {
    "dart": """
        ((identifier) @callee . (selector (argument_part)))
        ((selector (unconditional_assignable_selector (identifier) @callee))
            . (selector (argument_part)))
        (new_expression (type_identifier) @callee)
        (const_object_expression (type_identifier) @callee)
    """
}
"""Where a call is no node of its own."""
_NO_CALLS: Final[dict[str, frozenset[str]]] = {
    "elixir": frozenset(ELIXIR_DEFINITIONS)
    | {"alias", "import", "use", "require", "quote", "unquote"}
}

_IMPORT_CALLS: Final = {
    "bash": "source .",
    "elixir": "alias import use require",
    "javascript": "require import",
    "lua": "require dofile loadfile",
    "r": "library require source requireNamespace",
    "ruby": "require require_relative load autoload",
    "tsx": "require import",
    "typescript": "require import",
}
"""The functions that import, in languages where importing is a call."""
_CALL_NODES: Final = frozenset(["call", "call_expression", "command", "function_call"])
_WORD: Final = re.compile(r"^(?:\.(?=\s)|\w+)")
_FROM: Final = re.compile(r"^from\s+(\S+)\s+import\s+(.*)", re.DOTALL)
_QUOTED: Final = re.compile(r"""["'<`]([^"'<>`]+)["'>`]""")
_ATTRIBUTE: Final = re.compile(r"""^<(?:script|link)\b[^>]*?\b(?:src|href)\s*=\s*["']([^"']+)""")
_BRACES: Final = re.compile(r"[{(]([^{}]*)[)}]", re.DOTALL)
_MODULE: Final = re.compile(r"[\w$][\w$.:\\/*+@-]*|\.{1,2}/[^\s;)\"]+")
_ALIAS: Final = re.compile(r"\s+as\s+.*|\s*=>.*|^(?:type|typeof)\s+", re.DOTALL)
_KEYWORDS: Final = frozenset(
    """import use using from open require require_once include include_once extern crate static
    qualified safe type typealias struct class enum func protocol let var pub crate global const
    function public use_module no package mod source library alias load include_lib part export
    ! @testable @_exported @preconcurrency inherits autoload requireNamespace require_relative
    """.split()
)


@cache
def _query(grammar_name: str, language: Language, patterns: str) -> object:
    from tree_sitter import Query

    del grammar_name  # languages compare by identity: the name is for whoever debugs the cache
    return Query(language, patterns)


def calls_in(
    tree: Tree, data: bytes, grammar: Grammar, symbols: Sequence[Symbol]
) -> list[Reference]:
    """Return the calls of *tree*, of the bytes *data*, in document order."""
    patterns = _QUERIES.get(grammar.name) or "\n".join(
        _call_pattern(node, path) for node, path in grammar.calls
    )
    skipped = _NO_CALLS.get(grammar.name) or frozenset()
    found: list[tuple[int, int, str]] = []
    for node in _captures(tree, grammar, patterns):
        start, end = node.byte_range
        tail = data[max(start, end - _CALLEE_BYTES) : end].decode("utf-8", "ignore")
        match = _LAST_NAME.search(tail)
        if match is None or match[1] in skipped or match[1][0].isdigit():
            continue
        if grammar.name == "elixir" and _is_head(node, data):
            continue
        # A chain over several lines is called where its last name stands.
        found.append((node.end_point[0] + 1, end, match[1]))
    found.sort()
    around = _Around(symbols)
    return [Reference(name, line, around.at(line)) for line, _, name in dict.fromkeys(found)]


def _call_pattern(node: str, path: Sequence[str]) -> str:
    step, *types = path
    wanted = types[0].strip("<>") if types else "_"
    if step == "<>":
        return f"({node} . (_) @callee)"
    if step.startswith("<"):
        return f"({node} ({step[1:-1]}) @callee)"
    return f"({node} {step}: ({wanted}) @callee)"


def _captures(tree: Tree, grammar: Grammar, patterns: str) -> list[Node]:
    from tree_sitter import Query, QueryCursor

    if not patterns:
        return []
    query = _query(grammar.name, grammar.language, patterns)
    assert isinstance(query, Query)
    return [
        node for nodes in QueryCursor(query).captures(tree.root_node).values() for node in nodes
    ]


def _is_head(target: Node, data: bytes) -> bool:
    """Return whether *target* is the name that a `def` of Elixir gives, which looks like a call."""
    node = target.parent
    for _ in range(3):
        node = node.parent if node is not None else None
        if node is not None and node.type == "call":
            word = text_of(node.child_by_field_name("target"), data)
            return word in ELIXIR_DEFINITIONS
    return False


class _Around:
    """Which definition is innermost around a line, for lines that only grow."""

    def __init__(self, symbols: Sequence[Symbol]) -> None:
        self._waiting = [one for one in reversed(symbols) if one.kind not in _VALUES]
        self._open: list[Symbol] = []

    def at(self, line: int) -> str | None:
        while self._waiting and self._waiting[-1].start_line <= line:
            self._open.append(self._waiting.pop())
        while self._open and self._open[-1].end_line < line:
            self._open.pop()
        return self._open[-1].qualified if self._open else None


def declarations_in(tree: Tree, data: bytes, grammar: Grammar) -> list[Symbol]:
    """Return the functions that *tree* declares, but for those in functions and classes."""
    patterns = "\n".join(f"({one}) @declaration" for one in grammar.declares)
    found: list[Symbol] = []
    for node in sorted(_captures(tree, grammar, patterns), key=lambda node: node.start_byte):
        names = [declared_function(one, data) for one in node.children_by_field_name("declarator")]
        if any(names) and not _is_inner(node):
            signature = signature_of(node, "function", None, data, grammar.bodies)
            start, (end, column) = node.start_point[0] + 1, node.end_point
            last = max(start, end + bool(column))
            for name, full in (qualified_of(DECLARATION, one, None) for one in names if one):
                found.append(Symbol(name, DECLARATION, full, signature, start, last))
    return found


def _is_inner(node: Node) -> bool:
    above = node.parent
    while above is not None and above.type not in _INNER:
        above = above.parent
    return above is not None


def imports_in(tree: Tree, data: bytes, grammar: Grammar) -> list[Import]:
    """Return the imports of *tree*, of the bytes *data*, in document order."""
    patterns = "\n".join(f"({one}) @import" for one in grammar.imports)
    nodes = sorted(_captures(tree, grammar, patterns), key=lambda node: node.start_byte)
    words = frozenset(_IMPORT_CALLS.get(grammar.name, "").split())
    found: list[Import] = []
    for node in nodes:
        line = node.start_point[0] + 1
        text = text_of(node, data).strip()
        if node.type in _CALL_NODES:
            word = _WORD.match(text)
            if word is None or word[0] not in words:
                continue
            text = text[word.end() :].strip("() \n").partition(", ")[0]
        found.extend(Import(module, names, line) for module, names in _read(node.type, text))
    return list(dict.fromkeys(found))


def _read(kind: str, text: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield the modules and names that one import statement tells, in any language."""
    if kind in {"script_element", "element", "self_closing_tag"}:
        linked = _ATTRIBUTE.match(text)
        if linked:
            yield linked[1], ()
        return
    if kind == "variable_declaration":  # Zig
        text = text.partition("@import")[2]
        if not text:
            return
    if kind == "export_statement" and not re.search(r"\bfrom\b", text):
        return
    named = _FROM.match(text)
    if named and kind != "export_statement":
        yield named[1], _names(named[2])
        return
    quoted = _QUOTED.search(text)
    if quoted:
        yield quoted[1].strip(), _names(_before(text, quoted.start()))
        return
    braces = _BRACES.search(text)
    head = text[: braces.start()] if braces else text
    names = _names(braces[1]) if braces else ()
    for part in head.split(",") if not braces else [head]:
        words = [one for one in _MODULE.findall(part) if one not in _KEYWORDS]
        if words:
            module = words[-1] if "=" in part and kind == "using_directive" else words[0]
            yield module.rstrip(".:\\"), names


def _before(text: str, position: int) -> str:
    """Return the clause of names before the module of `import a, { b } from 'c'`."""
    clause = text[:position].rpartition("from")[0]
    return re.sub(r"^(?:import|export)\s+(?:type\s+)?", "", clause.strip())


def _names(listed: str) -> tuple[str, ...]:
    parts = re.split(r"[,{}()]", listed)
    cleaned = (_ALIAS.sub("", _ALIAS.sub("", one.strip())).strip(" \n\t;\\") for one in parts)
    return tuple(one for one in cleaned if one and not one.startswith(("#", "//")))
