"""The walk over a syntax tree that finds definitions and the places where a text may be cut.

One pass over the nodes of more than one line does both; what lies within one line is not visited
but for definitions in it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, Final

from victor_memory.codebase.syntax_names import NAMING, Named, child_of, text_of
from victor_memory.codebase.syntax_rules import Grammar, Rule
from victor_memory.types import Symbol

if TYPE_CHECKING:
    from tree_sitter import Node, Tree

SCOPE: Final = "scope"
"""What is no symbol itself, but gives its name to what it holds."""
HOLDERS: Final = frozenset(["class", "struct", "interface", "trait", "enum", SCOPE])
"""Kinds whose functions are methods."""
FUNCTIONS: Final = frozenset(["function", "method", "macro"])
WORDED: Final = frozenset(["heading", "key"])
"""Kinds whose names are free text: dots in them separate nothing."""
KEY_DEPTH: Final = 2
"""Keys within keys that are symbols: deeper ones are data."""

SIGNATURE_CHARACTERS: Final = 200
_NAME_CHARACTERS: Final = 120
_SIGNATURE_BYTES: Final = 1000
_TYPEDEFS: Final = frozenset(["c", "cpp", "objc"])
"""`typedef struct a {} b;` defines two names side by side."""
_CLAUSED: Final = frozenset(["haskell", "elixir", "erlang", "typescript", "tsx"])
"""One function may be written in several pieces."""

_HOLDER_COST: Final = 0.7
_FUNCTION_COST: Final = 1.5
_NODE_COST: Final = 1.0
_SOLID_COST: Final = 3.0
_ATTACHED_COST: Final = 2.0
_CLAUSE_COST: Final = 2.0
_CLOSING_COST: Final = 1.0
_START_BONUS: Final = 0.5
_CROWDED_COST: Final = 1.0
_BLANK_COST: Final = 2.5
"""A blank line belongs to what it follows."""
"""How bad a cut is: inside a class, a function, any other node, a string or comment; between a
comment and what it is about; before an else or a last line; where no blank line is above."""

_TYPE_ARGUMENTS: Final = re.compile(r"<[^<>]*>")
_SEPARATOR: Final = re.compile(r"::|\.|(?<=\w):(?=\w)|(?<=\w)#(?=\w)")
_PLAIN_NAME: Final = re.compile(r"[\w$]+")
_ANNOTATION: Final = re.compile(r"^(?:@(?!interface\b)[\w.:]+(?:\([^()]*\))?\s+|#?\[[^\]]*\]\s*)+")
_REMARK: Final = re.compile(r":[ \t]*#[^\n]*\Z")
_PADDING: Final = re.compile(r"(?<=[(\[]) |,? (?=[)\]])")
_SIGNATURE_ENDS: Final = (";", ",", "{", " do", " then", " where", "=>", "->", "<-", ":", " =")
_STATEMENT_START: Final = re.compile(rb"[\w\t ]*")


@dataclass(slots=True)
class _Open:
    """A definition whose parts are being read."""

    kind: str
    name: str
    qualified: str
    signature: str
    start: int
    end: int
    byte: int
    owner: _Open | None


def read_tree(
    tree: Tree, text: str, data: bytes, grammar: Grammar
) -> tuple[list[Symbol], list[float]]:
    """Return the definitions of *text* in document order, and the cost of a cut before each line.

    *data* is *text* in UTF-8 and *tree* its tree.
    """
    found, costs = _walk(tree.root_node, data, grammar, text.count("\n") + 1)
    _add_blanks(costs, text)
    return _symbols(_merge(found, costs, grammar)), costs


def _walk(  # noqa: C901, PLR0912, PLR0915 - one pass over all nodes: a call for each would double its time
    root: Node, data: bytes, grammar: Grammar, lines: int
) -> tuple[list[_Open], list[float]]:
    steps = [0.0] * (lines + 2)
    extra = [0.0] * (lines + 2)
    actions, solid = grammar.actions, grammar.solid
    bodies, clauses = grammar.bodies, grammar.clauses
    found: list[_Open] = []
    # A node; the definition it lies in; whether that is in a function; the rows of what holds it;
    # and the row where the notes begin that it shares with its first child.
    stack: list[tuple[Node, _Open | None, bool, int, int, int]] = [(root, None, False, -1, -1, -1)]
    while stack:
        node, owner, inner, top, bottom, noted = stack.pop()
        previous = -1
        noted_end = node.start_point[0] - 1
        latest: _Open | None = None
        for child in node.named_children:
            start = child.start_point[0]
            end, column = child.end_point
            kind = child.kind_id
            rule = actions.get(kind)
            if start == end and rule is None and noted < 0:
                previous = end
                continue
            if not column and end > start:
                end -= 1
            first = noted if 0 <= noted <= start <= noted_end + 1 else start
            meaning = rule.meaning if rule is not None else ""
            if meaning == "note":
                if start > previous or first < start:
                    noted, noted_end = first, end
                else:
                    noted = -1
                if end > start:
                    steps[start + 1] += _SOLID_COST
                    steps[end + 1] -= _SOLID_COST
                previous = end
                continue
            noted, previous = -1, end
            definition = None
            if meaning not in {"", "open", "body"}:
                assert rule is not None
                if not (inner and rule.outer):
                    definition = _definition(child, rule, owner, data, first, end, bodies)
            if definition is not None:
                found.append(definition)
                latest = definition
                extra[first] -= _START_BONUS
            elif meaning == "body" and latest is not None:
                latest.end = max(latest.end, end)
            if first < end:
                if definition is not None:
                    weight = _FUNCTION_COST if definition.kind in FUNCTIONS else _HOLDER_COST
                elif kind in solid:
                    weight = _SOLID_COST
                elif (
                    meaning == "open"
                    or kind in bodies
                    or kind in clauses
                    or (start == top and end == bottom)
                ):
                    weight = 0.0
                else:
                    weight = _NODE_COST
                if weight:
                    steps[first + 1] += weight
                    steps[end + 1] -= weight
                    extra[end] += _CLOSING_COST
                if first < start:
                    steps[first + 1] += _ATTACHED_COST
                    steps[start + 1] -= _ATTACHED_COST
                if kind in clauses:
                    extra[start] += _CLAUSE_COST
            if kind in solid:
                continue
            if start < end or definition is not None or (meaning in {"open", "body"} and not inner):
                within = definition or (latest if meaning == "body" and latest else owner)
                if meaning == "type" and definition is not None and grammar.name in _TYPEDEFS:
                    within = owner
                deeper = inner or (within is not None and within.kind in FUNCTIONS)
                if meaning == "open":
                    stack.append((child, within, deeper, top, bottom, first))
                else:
                    stack.append((child, within, deeper, start, end, -1))
    costs = list(accumulate(steps))
    return found, [cost + more for cost, more in zip(costs, extra, strict=True)][:lines]


def _add_blanks(costs: list[float], text: str) -> None:
    blank = True
    for number, line in enumerate(text.split("\n")):
        if not line or line.isspace():
            costs[number] += _BLANK_COST
            blank = True
        else:
            if not blank:
                costs[number] += _CROWDED_COST
            blank = False


def _definition(  # noqa: PLR0917 - called for every definition: by position is quicker
    node: Node,
    rule: Rule,
    owner: _Open | None,
    data: bytes,
    first: int,
    end: int,
    bodies: frozenset[int],
) -> _Open | None:
    kind, text, body = _named(node, rule, data) or ("", "", None)
    if not kind or (not text and kind != SCOPE) or (kind == "key" and _key_depth(owner)):
        return None
    if kind == "function" and owner is not None and owner.kind in HOLDERS:
        kind = "method"
    name, qualified = qualified_of(kind, text, owner)
    signature = "" if kind == SCOPE else signature_of(node, kind, body, data, bodies)
    return _Open(kind, name, qualified, signature, first, end, node.start_byte, owner)


def _named(node: Node, rule: Rule, data: bytes) -> Named:
    step = rule.path[0]
    if step.startswith("!"):
        return NAMING[step[1:]](node, rule.meaning, data)
    found: Node | None = node
    for step in rule.path:
        if found is None:
            break
        if step == "<>":
            found = next(iter(found.named_children), None)
        elif step.startswith("<"):
            found = child_of(found, step[1:-1])
        else:
            found = found.child_by_field_name(step)
    return rule.meaning, text_of(found, data), None


def _key_depth(owner: _Open | None) -> bool:
    """Return whether a key within *owner* lies too deep to be a symbol."""
    for _ in range(KEY_DEPTH):
        if owner is None:
            return False
        owner = owner.owner
    return True


def qualified_of(kind: str, text: str, owner: _Open | None) -> tuple[str, str]:
    """Return the bare and the qualified name of *text*, a definition in *owner*."""
    name = " ".join(text.split())
    if kind in WORDED:
        name = name.strip("\"'`")[:_NAME_CHARACTERS]
        qualified = name
    elif _PLAIN_NAME.fullmatch(name):
        qualified = name
    else:
        if "<" in name and "operator" not in name:
            name = _TYPE_ARGUMENTS.sub("", _TYPE_ARGUMENTS.sub("", name))
        parts = [one for one in _SEPARATOR.split(name.strip("\"'`")) if one.strip()]
        parts = [one.strip()[:_NAME_CHARACTERS] for one in parts] or [name[:_NAME_CHARACTERS]]
        if owner is not None and len(parts) > 1 and parts[0] == owner.name:
            del parts[0]
        name, qualified = parts[-1], ".".join(parts)
    if owner is not None and owner.qualified:
        qualified = f"{owner.qualified}.{qualified}" if qualified else owner.qualified
    return name, qualified


def signature_of(
    node: Node, kind: str, body: Node | None, data: bytes, bodies: frozenset[int]
) -> str:
    """Return the declaration of *node*, of the tree of *data*, on one line and without its body."""
    start, column = node.start_byte, node.start_point[1]
    before = data[start - min(column, _SIGNATURE_BYTES) : start]
    if _STATEMENT_START.fullmatch(before):
        start -= len(before)
    if body is None:
        body = node.child_by_field_name("body")
    if body is None:
        last = next(reversed(node.named_children), None)
        if last is not None and last.kind_id in bodies:
            body = last
    stop = min(node.end_byte if body is None else body.start_byte, start + _SIGNATURE_BYTES)
    text = _REMARK.sub(":", data[start:stop].decode("utf-8", "ignore").strip())
    if body is None:
        text = _declaration(text, kind)
    text = " ".join(text.split())
    if kind not in WORDED and text.startswith(("@", "#[", "[")):
        text = _ANNOTATION.sub("", text)
    if "( " in text or " )" in text or "[ " in text:
        text = _PADDING.sub("", text)
    for one in _SIGNATURE_ENDS:
        text = text.removesuffix(one).rstrip()
    return text[:SIGNATURE_CHARACTERS].rstrip()


def _declaration(text: str, kind: str) -> str:
    """Return the first line of *text*, and of a function those with its parameters."""
    first, _, rest = text.partition("\n")
    if kind in FUNCTIONS and not text.startswith("("):
        for line in rest.split("\n") if rest else ():
            if first.count("(") <= first.count(")"):
                break
            first += "\n" + line
    return first


def _merge(found: list[_Open], costs: list[float], grammar: Grammar) -> list[_Open]:
    """Return *found* in document order, the clauses of one function as one."""
    found.sort(key=lambda one: (one.byte, -one.end))
    if grammar.name not in _CLAUSED:
        return found
    merged: list[_Open] = []
    latest: dict[int, _Open] = {}
    for one in found:
        before = latest.get(id(one.owner))
        latest[id(one.owner)] = one
        if before is None or (before.qualified, before.kind) != (one.qualified, one.kind):
            merged.append(one)
            continue
        before.end = one.end
        latest[id(one.owner)] = before
        costs[one.start] += _FUNCTION_COST + _START_BONUS
    return merged


def _symbols(found: Sequence[_Open]) -> list[Symbol]:
    return [
        Symbol(one.name, one.kind, one.qualified, one.signature, one.start + 1, one.end + 1)
        for one in found
        if one.kind != SCOPE and one.name
    ]
