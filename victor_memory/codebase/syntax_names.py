"""How a definition's name is found where it is more than a field of its node.

Each function takes the node, the kind its rule gives and the text's bytes, and returns the kind,
the name (dotted, if it says what it belongs to) and the node where the body begins, if that is not
the field `body`; or `None`: the node defines nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from tree_sitter import Node

Named: TypeAlias = "tuple[str, str, Node | None] | None"

_FUNCTION_VALUES: Final = frozenset(
    "arrow_function function_expression generator_function function_definition function".split()
)
ELIXIR_DEFINITIONS: Final = {
    "defmodule": "module",
    "defprotocol": "interface",
    "defimpl": "scope",
    "def": "function",
    "defp": "function",
    "defdelegate": "function",
    "defguard": "macro",
    "defguardp": "macro",
    "defmacro": "macro",
    "defmacrop": "macro",
    "defn": "function",
    "defnp": "function",
}
_KEYWORDS: Final = {
    "interface": "interface",
    "enum": "enum",
    "struct": "struct",
    "extension": "scope",
}
_ZIG: Final = {
    "struct_declaration": "struct",
    "union_declaration": "struct",
    "enum_declaration": "enum",
    "opaque_declaration": "struct",
    "error_set_declaration": "enum",
}
_GO: Final = {"struct_type": "struct", "interface_type": "interface"}
_R: Final = {
    "setClass": "class",
    "setRefClass": "class",
    "R6Class": "class",
    "setGeneric": "function",
    "setMethod": "method",
}
_PREFIX: Final = re.compile(r"(?:module\.)?exports\.|(?:this|self|window|globalThis)\.")
_NO_FUNCTIONS: Final = frozenset("if for while switch return else do case defined".split())
"""What a parser takes for a function's name where a macro confused it."""
_TEXT_BYTES: Final = 400
_DESCENT: Final = 12
"""Declarators within declarators."""


def text_of(node: Node | None, data: bytes) -> str:
    """Return how *node*, of the tree of *data*, begins: names are short."""
    if node is None:
        return ""
    start, end = node.byte_range
    return data[start : min(end, start + _TEXT_BYTES)].decode("utf-8", "ignore")


def child_of(node: Node, *types: str) -> Node | None:
    """Return the first named child of one of *types*."""
    return next((one for one in node.named_children if one.type in types), None)


def _value(node: Node, kind: str, data: bytes) -> Named:  # noqa: PLR0911 - many spellings
    """`name = function ...`, in its many spellings; without a function a variable."""
    kind_of_node = node.type
    value = _last(node)
    if kind_of_node == "assignment_statement":  # Lua
        left, right = child_of(node, "variable_list"), child_of(node, "expression_list")
        name = text_of(left, data)
        value = right.named_children[0] if right is not None and right.named_children else None
        if left is not None and left.named_child_count > 1:
            return None
    elif kind_of_node == "binary_operator":  # R
        operator = text_of(node.child_by_field_name("operator"), data)
        if operator not in {"<-", "=", "<<-"}:
            return None
        name, value = (
            text_of(node.child_by_field_name("lhs"), data),
            node.child_by_field_name("rhs"),
        )
    else:
        name = text_of(
            node.child_by_field_name("name")
            or node.child_by_field_name("property")
            or node.child_by_field_name("key")
            or node.child_by_field_name("left"),
            data,
        )
        value = node.child_by_field_name("value") or node.child_by_field_name("right")
    name = _PREFIX.sub("", name, count=1).replace(".prototype.", ".").strip("\"'`#")
    if value is not None and value.type in _FUNCTION_VALUES:
        owned = kind_of_node in {"pair", "field", "field_definition", "public_field_definition"}
        return "method" if owned else "function", name, value.child_by_field_name("body")
    if value is not None and value.type == "class":
        return "class", name, value.child_by_field_name("body")
    if kind_of_node in {"variable_declarator", "assignment_statement"}:
        if not re.fullmatch(r"[\w$]+", name) or _is_import(value, data):
            return None
        return kind, name, value
    return None


def _is_import(value: Node | None, data: bytes) -> bool:
    return text_of(value, data).lstrip("(").startswith(("require(", "require ", "import("))


def _last(node: Node) -> Node | None:
    children = node.named_children
    return children[-1] if children else None


def _assigned(node: Node, kind: str, data: bytes) -> Named:
    left = node.child_by_field_name("left")
    if left is None or left.type != "identifier":
        return None
    name = text_of(left, data)
    return "constant" if name.isupper() else kind, name, node.child_by_field_name("right")


def _constant(node: Node, kind: str, data: bytes) -> Named:
    left = node.child_by_field_name("left")
    if left is None or left.type != "constant":
        return None
    return kind, text_of(left, data), node.child_by_field_name("right")


def _declarator(node: Node) -> Node | None:
    for _ in range(_DESCENT):
        inner = node.child_by_field_name("declarator")
        if inner is None and node.type in {"parenthesized_declarator", "reference_declarator"}:
            inner = _last(node)
        if inner is None:
            return node
        node = inner
    return None


def _declared(node: Node, kind: str, data: bytes) -> Named:
    """Find the name inside C's declarators; a misread macro has none worth telling."""
    found = _declarator(node)
    if found is None or found == node:
        return None
    name = text_of(found, data)
    if kind == "function":
        return None if "\n" in name or name in _NO_FUNCTIONS else (kind, name, None)
    inner = node.child_by_field_name("type")
    body = inner.child_by_field_name("body") if inner is not None else None
    if inner is not None and body is not None:
        own = inner.child_by_field_name("name")
        if own is None:
            return "enum" if inner.type == "enum_specifier" else "struct", name, body
        if text_of(own, data) == name:
            return None  # the structure itself is the definition
    return kind, name, None


def _defined(node: Node, kind: str, data: bytes) -> Named:
    """A macro with a value: one without is a guard or a switch."""
    if node.child_by_field_name("value") is None:
        return None
    return kind, text_of(node.child_by_field_name("name"), data), None


def _prototype(node: Node, kind: str, data: bytes) -> Named:
    """A member that is a function."""
    name = declared_function(node.child_by_field_name("declarator"), data)
    return None if name is None else (kind, name, None)


def declared_function(declarator: Node | None, data: bytes) -> str | None:
    """Return the name of the function that *declarator* declares; `None` if it is none."""
    while declarator is not None and declarator.type in {
        "pointer_declarator",
        "reference_declarator",
    }:
        declarator = declarator.child_by_field_name("declarator") or _last(declarator)
    if declarator is None or declarator.type != "function_declarator":
        return None
    inner = declarator.child_by_field_name("declarator")
    if inner is not None and inner.type == "parenthesized_declarator":
        inner = _last(inner)
    if inner is None or inner.type in {"pointer_declarator", "function_declarator"}:
        return None  # a pointer to a function, or a macro around the name
    return text_of(inner, data)


def _variable(node: Node, kind: str, data: bytes) -> Named:
    """A variable of C with a value: mere prototypes and `extern` are told elsewhere."""
    declarator = node.child_by_field_name("declarator")
    if declarator is None or declarator.type not in {"init_declarator", "array_declarator"}:
        return None
    found = _declarator(declarator)
    if found is None or found.type != "identifier":
        return None
    return kind, text_of(found, data), declarator.child_by_field_name("value")


def _bodied(node: Node, kind: str, data: bytes) -> Named:
    name, body = node.child_by_field_name("name"), node.child_by_field_name("body")
    if name is None or body is None:
        return None
    return kind, text_of(name, data), body


def _keyword(node: Node, kind: str, data: bytes) -> Named:
    """Kotlin and Swift say with one node type and a keyword what it is."""
    for child in node.children[:6]:
        if not child.is_named or child.type == "modifiers":
            kind = _KEYWORDS.get(child.type, kind)
        modifiers = child.named_children if child.type == "modifiers" else ()
        if any(text_of(one, data) == "enum" for one in modifiers):
            kind = "enum"
    return kind, text_of(node.child_by_field_name("name"), data), None


def _receiver(node: Node, kind: str, data: bytes) -> Named:
    """`func (t *Tree) Grow` and `fun Tree.shake` belong to a type."""
    name = text_of(node.child_by_field_name("name"), data)
    receiver = node.child_by_field_name("receiver")
    if receiver is not None:
        words = re.findall(r"\w+", re.sub(r"\[.*\]", "", text_of(receiver, data)))
        return kind, f"{words[-1]}.{name}" if words else name, None
    for before, after in zip(node.children, node.children[1:], strict=False):
        if after.type == "." and before.is_named:
            owner = re.sub(r"<.*>|\?", "", text_of(before, data))
            return "method", f"{owner}.{name}", None
    return kind, name, None


def _type(node: Node, kind: str, data: bytes) -> Named:
    value = node.child_by_field_name("type")
    name = text_of(node.child_by_field_name("name"), data)
    return _GO.get(value.type if value is not None else "", kind), name, None


def _operator(node: Node, kind: str, data: bytes) -> Named:
    operator = node.child_by_field_name("operator") or child_of(node, "binary_operator")
    return kind, f"operator{text_of(operator, data)}", None


def _first(node: Node, kind: str, data: bytes) -> Named:
    """The keyword is the name: `init`."""
    word = next((one for one in node.children if one.type != "modifiers"), None)
    return kind, text_of(word, data), None


def _elixir(node: Node, _kind: str, data: bytes) -> Named:
    kind = ELIXIR_DEFINITIONS.get(text_of(node.child_by_field_name("target"), data))
    arguments = child_of(node, "arguments")
    if kind is None or arguments is None or not arguments.named_children:
        return None
    head = arguments.named_children[0]
    if text_of(head, data).startswith("unquote("):
        return None  # the name is computed
    for _ in range(3):
        if head.type == "binary_operator" and head.named_children:  # a guard
            head = head.named_children[0]
        elif head.type == "call":
            head = head.child_by_field_name("target") or head.named_children[0]
    body = child_of(node, "do_block")
    if body is None and arguments.named_child_count > 1 and kind in {"function", "macro"}:
        body = arguments.named_children[-1]
    if kind == "scope":
        target = child_of(arguments, "keywords")
        name = text_of(target, data).partition("for:")[2].strip() or text_of(head, data)
        return kind, name.partition(",")[0], body
    return kind, text_of(head, data), body


def _zig(node: Node, kind: str, data: bytes) -> Named:
    name = text_of(child_of(node, "identifier"), data)
    value = next((one for one in node.named_children if one.type in _ZIG), None)
    if value is not None:
        return _ZIG[value.type], name, value
    if node.parent is not None and node.parent.type == "block":
        return None
    return (kind, name, None) if "@import(" not in text_of(node, data) else None


def _html(node: Node, kind: str, data: bytes) -> Named:
    tag = child_of(node, "start_tag", "self_closing_tag")
    found = re.search(r"""\bid\s*=\s*["']?([^"'\s>]+)""", text_of(tag, data))
    return (kind, found[1], None) if found else None


def _dart(node: Node, kind: str, data: bytes) -> Named:
    """Find a signature, which may stand in a node of its own and then belongs to a class."""
    own = node
    if kind == "method":
        own = next((one for one in node.named_children if one.type.endswith("_signature")), node)
        if own == node:
            return None
    elif node.parent is not None and node.parent.type in {"method_signature", "declaration"}:
        return None
    if own.type == "operator_signature":
        return _operator(own, kind, data)
    names = [one for one in own.named_children if one.type == "identifier"]
    return kind, text_of(names[-1] if names else None, data), None


def _r(node: Node, kind: str, data: bytes) -> Named:
    found = _R.get(text_of(node.child_by_field_name("function"), data).rpartition(":")[2])
    arguments = node.child_by_field_name("arguments")
    if found is None or arguments is None or not arguments.named_children:
        return None
    return found or kind, text_of(arguments.named_children[0], data).strip("\"'"), None


def _hcl(node: Node, kind: str, data: bytes) -> Named:
    words = [text_of(one, data).strip('"') for one in node.named_children[:3] if one.type != "body"]
    return kind, ".".join(word for word in words if re.fullmatch(r"[\w-]+", word)), None


def _julia(node: Node, kind: str, data: bytes) -> Named:
    head = next(iter(node.named_children), None)
    if node.type == "assignment" and (head is None or head.type != "call_expression"):
        return None
    found = re.match(r"[\w.!]+", re.sub(r"\{.*?\}", "", text_of(head, data)).strip())
    return (kind, found[0], None) if found else None


_LISP: Final = {"defmacro": "macro", "define-syntax": "macro", "ns": "module", "def": "variable"}


def _lisp(node: Node, kind: str, data: bytes) -> Named:
    children = node.named_children
    if len(children) < 2:  # noqa: PLR2004 - the word and the name
        return None
    word = text_of(children[0], data)
    if not (word.startswith("def") or word == "ns"):
        return None
    name = text_of(children[1], data).lstrip("([").split()
    found = name[0].strip("()[]") if name else ""
    if children[1].type.startswith("list") or word.startswith(("defn", "defmacro")):
        return _LISP.get(word, kind), found, None
    return _LISP.get(word, kind if word.startswith("defm") else "variable"), found, None


def _cmake(node: Node, kind: str, data: bytes) -> Named:
    found = re.match(r"\w+\s*\(\s*([\w:.-]+)", text_of(node, data))
    return (kind, found[1], None) if found else None


def _objc(node: Node, kind: str, data: bytes) -> Named:
    found = re.match(r"[-+]\s*\([^)]*\)\s*(\w+)", text_of(node, data))
    return (kind, found[1], child_of(node, "compound_statement")) if found else None


NAMING: Final[dict[str, Callable[[Node, str, bytes], Named]]] = {
    "assigned": _assigned,
    "bodied": _bodied,
    "cmake": _cmake,
    "constant": _constant,
    "dart": _dart,
    "declared": _declared,
    "defined": _defined,
    "elixir": _elixir,
    "first": _first,
    "hcl": _hcl,
    "html": _html,
    "julia": _julia,
    "keyword": _keyword,
    "lisp": _lisp,
    "objc": _objc,
    "operator": _operator,
    "prototype": _prototype,
    "r": _r,
    "receiver": _receiver,
    "type": _type,
    "value": _value,
    "variable": _variable,
    "zig": _zig,
}
