"""What the nodes of a language's tree mean: the tables of `syntax_rules.txt`, read."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from tree_sitter import Language

_TABLE: Final = "syntax_rules.txt"
_SAME_RULES: Final = {"tsx": "typescript"}
_SOLID_NODE: Final = re.compile(r"comment|string|heredoc|char|regex|raw_text|haddock|pragma")
_COMMENT_NODE: Final = re.compile(r"comment|haddock|pragma")
_BODY_NODE: Final = re.compile(
    r"(?:block|body|compound_statement|declaration_list|statements|statement_list|declarations)$"
)
_CLAUSE_NODE: Final = re.compile(r"^(?:else|elif|elsif|except|catch|finally|rescue|ensure)")

NamePath: TypeAlias = "tuple[str, ...]"


@dataclass(frozen=True, slots=True)
class Rule:
    """What a node type means: a kind of symbol or a word of `syntax_rules`, and its name's path."""

    meaning: str
    path: NamePath
    outer: bool = False


@dataclass(frozen=True, slots=True)
class Grammar:
    """A language of the parser with what we know of its node types, by their ids."""

    name: str
    language: Language
    actions: dict[int, Rule]
    """What defines, opens or annotates."""
    solid: frozenset[int]
    """Strings and comments: not looked into, not cut."""
    bodies: frozenset[int]
    clauses: frozenset[int]
    calls: tuple[tuple[str, NamePath], ...]
    imports: tuple[str, ...]
    declares: tuple[str, ...]


@cache
def rules_of(name: str) -> tuple[tuple[str, Rule], ...]:
    """Return the rules of the grammar *name*: node types and what they mean, in order."""
    wanted = _SAME_RULES.get(name, name)
    rules: list[tuple[str, Rule]] = []
    grammar = meaning = ""
    for line in resources.files(__package__).joinpath(_TABLE).read_text("utf-8").splitlines():
        if not line.startswith(" "):
            grammar = line
        elif grammar == wanted:
            before, colon, nodes = line.strip().rpartition(": ")
            meaning = before if colon else meaning
            for one in nodes.split():
                node, _, path = one.partition("=")
                steps = tuple((path or "name").split("/"))
                rules.append((node.lstrip("?"), Rule(meaning, steps, node.startswith("?"))))
    return tuple(rules)


@cache
def grammar_rules(name: str, language: Language) -> Grammar:
    """Return the rules of the grammar *name*, by the numbers its *language* gives node types."""
    kinds = {
        number: language.node_kind_for_id(number) or ""
        for number in range(language.node_kind_count)
        if language.node_kind_is_named(number)
    }
    meanings: dict[str, Rule] = {}
    calls: list[tuple[str, NamePath]] = []
    imports: list[str] = []
    declares: list[str] = []
    known = frozenset(kinds.values())
    for node, rule in rules_of(name):
        if node not in known:
            continue  # a rule for two dialects
        if rule.meaning == "call":
            calls.append((node, rule.path))
        elif rule.meaning == "import":
            imports.append(node)
        elif rule.meaning == "declare":
            declares.append(node)
        else:
            meanings[node] = rule
    actions = {
        number: meanings.get(one) or Rule("note", ())
        for number, one in kinds.items()
        if one in meanings or _COMMENT_NODE.search(one)
    }
    return Grammar(
        name,
        language,
        actions,
        frozenset(number for number, one in kinds.items() if _SOLID_NODE.search(one)),
        frozenset(number for number, one in kinds.items() if _BODY_NODE.search(one)),
        frozenset(number for number, one in kinds.items() if _CLAUSE_NODE.search(one)),
        tuple(calls),
        tuple(imports),
        tuple(declares),
    )
