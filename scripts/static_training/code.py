"""Pairs of (what is said about code, the code), read from source files with tree-sitter."""
# ruff: noqa: PLR2004 - numbers of words and lines say how much is worth a pair

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from tree_sitter import Node, Parser

LANGUAGES: Final = {
    "bash": "bash sh",
    "c": "c h",
    "cpp": "cc cpp cxx hpp hxx",
    "csharp": "cs",
    "elixir": "ex exs",
    "go": "go",
    "haskell": "hs",
    "java": "java",
    "javascript": "js mjs cjs",
    "kotlin": "kt kts",
    "lua": "lua",
    "php": "php",
    "python": "py",
    "ruby": "rb",
    "rust": "rs",
    "scala": "scala",
    "swift": "swift",
    "tsx": "tsx jsx",
    "typescript": "ts mts cts",
}
BY_EXTENSION: Final = {
    extension: language for language, listed in LANGUAGES.items() for extension in listed.split()
}
FUNCTIONS: Final = frozenset(
    """
    function_definition function_declaration function_item method_declaration method_definition
    method singleton_method function constructor_declaration local_function
    generator_function_declaration template_declaration function_signature_item
    init_declaration protocol_function_declaration bind property_declaration
    """.split()
)
TYPES: Final = frozenset(
    """
    class_definition class_declaration class class_specifier struct_specifier struct_item enum_item
    trait_item impl_item interface_declaration enum_declaration struct_declaration object_definition
    trait_definition trait_declaration type_declaration module object_declaration
    record_declaration data_type newtype class_decl type_alias_declaration protocol_declaration
    enum_specifier
    """.split()
)
BETWEEN: Final = frozenset(
    ["annotation", "attribute_item", "attribute_list", "modifiers", "signature"]
)
"""What may stand between a comment and the definition it describes."""
WRAPPERS: Final = frozenset(["export_statement", "decorated_definition", "template_declaration"])
CLOSING: Final = re.compile(
    r"^\s*(?:@\w+|:\w+ ?\w*:|\\\w+|Args:|Arguments:|Parameters:?$|Returns:?|"
    r"Raises:|Throws|Examples?:|---+$|===+$|>>>|# (?:Arguments|Examples?)|```)"
)
"""Where the description ends and the list of parameters, or an example, begins."""
MARKS: Final = re.compile(
    r"^\s*(?:/\*+!?|\*+/|\*+(?=\s|$)|//[/!]*<?|#+:?|--+\s*[|^]?|\{-\s*\|?|-\}|;+)?\s?"
)
TAGS: Final = re.compile(
    r"</?\w+[^>]*>|\{@\w+\s+#?([^}]*)\}|[\\@](?:brief|short|summary|desc(?:ription)?|return|p|c|a|ref|see)\b"
)
NOT_PROSE: Final = re.compile(
    r"copyright|licen[cs]e|all rights reserved|\bTODO\b|\bFIXME\b|eslint|prettier-ignore|noqa|"
    r"pylint|NOLINT|generated (?:by|from)|inheritdoc|SPDX|istanbul|@ts-|clang-format|type: ignore",
    re.IGNORECASE,
)
WORD: Final = re.compile(r"[A-Za-z]{2,}")
LONGEST_FILE: Final = 400_000
BODY: Final = 1500
"""Characters of code kept of one definition: a chunk of some 40 lines."""
SHORT: Final = 600
"""Characters of a definition that is also given with what follows it, as a chunk would have it."""
WINDOW: Final = 40
"""Lines of a chunk."""
PER_FILE: Final = 60
TOP: Final = 12
"""Nodes at the top of a file among which is what the file says about itself."""
TELLING: Final = 6
"""Words that say something about a file."""
GENERIC: Final = frozenset(
    """
    src lib main java org com net io github golang google apache package pkg internal index init
    source sources include python php ruby share usr common core impl packages build types
    """.split()
)
"""Words of paths that say nothing of what is in the file."""


class Pair(NamedTuple):
    """A text that asks and a text that answers, and where they are from."""

    kind: str
    language: str
    question: str
    answer: str
    name: str
    file: str


@functools.cache
def parser(language: str) -> Parser:
    """Return the tree-sitter parser of *language*."""
    from semble_grammars import get_parser

    found: Parser = get_parser(language)
    return found


def pairs(source: str, language: str, file: str) -> Iterator[Pair]:
    """Yield the pairs of one source file, at most 60, in the order of the file."""
    data = source.encode("utf-8", "replace")
    if len(data) > LONGEST_FILE:
        return
    root = parser(language).parse(data).root_node
    yield from _of_path(source, language, file)
    yield from _of_file(root, source, language, file)
    found = 0
    for node in _definitions(root):
        if found >= PER_FILE:
            return
        for pair in _of_definition(node, data, language, file):
            found += 1
            yield pair


def _of_path(source: str, language: str, file: str) -> Iterator[Pair]:
    """Yield the words of the path with two chunks of the file."""
    parts = file.partition(":")[2].rpartition(".")[0].split("/")[-3:]
    said = [word for part in parts for word in words(part) if len(word) > 1 and word not in GENERIC]
    if len(set(said)) > 1:
        for text in _windows(source.splitlines()):
            yield Pair("path", language, " ".join(dict.fromkeys(said)), text, "", file)


def _of_file(root: Node, source: str, language: str, file: str) -> Iterator[Pair]:
    """Yield what the top of a file says about it with two chunks of the file."""
    said: list[str] = []
    above: Node | None = None
    for node in root.children[:TOP]:
        if language == "python" and node.type == "expression_statement" and node.named_children:
            first = node.named_children[0]
            said += [_text(first).strip("rRuUbB").strip("\"'")] if first.type == "string" else []
        elif "comment" in node.type or node.type == "haddock":
            near = above is not None and node.start_point[0] - above.end_point[0] <= 1
            if near and said:
                said[-1] += "\n" + _text(node)
            else:
                said.append(_text(node))
            above = node
    for text in map(clean, said):
        if len(WORD.findall(text)) >= TELLING and is_prose(text):
            for window in _windows(source.splitlines()):
                yield Pair("about", language, text, window, "", file)
            return


def _windows(lines: list[str]) -> Iterator[str]:
    """Yield the chunks that begin a quarter and half down a file, if there is something in them."""
    if len(lines) > WINDOW:
        for start in (len(lines) // 4, len(lines) // 2):
            text = "\n".join(lines[start : start + WINDOW])[:BODY]
            if len(text) > SHORT:
                yield text


def _definitions(root: Node) -> Iterator[Node]:
    stack = [root]
    while stack:
        node = stack.pop()
        if node.is_named and (node.type in FUNCTIONS or node.type in TYPES or _elixir(node)):
            yield node
        stack.extend(reversed(node.children))


def _elixir(node: Node) -> bool:
    if node.type != "call" or not node.children or node.children[0].type != "identifier":
        return False
    return node.children[0].text in {b"def", b"defp", b"defmacro", b"defmodule"}


def _of_definition(node: Node, data: bytes, language: str, file: str) -> Iterator[Pair]:
    if node.type == "template_declaration":  # what it declares comes by itself
        return
    wrapped = node.parent is not None and node.parent.type in WRAPPERS
    outer = node.parent if wrapped and node.parent is not None else node
    name = _name(node)
    documentation, start, body = _documented(node, outer, data, language)
    if body.count("\n") < 1 and len(body) < 60:
        return
    kind = "doc" if node.type in FUNCTIONS or _elixir(node) else "type"
    text = clean(documentation)
    if is_prose(text):
        yield Pair(kind, language, text, body, name, file)
        if kind == "doc" and len(body) < SHORT:
            chunk = _cut(data[start : start + 2 * BODY])
            if len(chunk) > len(body) + SHORT // 2:
                yield Pair("chunk", language, text, chunk, name, file)
        elif kind == "type" and outer.end_byte - start > 3 * BODY:
            inside = _cut(data[(start + outer.end_byte) // 2 : outer.end_byte])
            yield Pair("about", language, text, inside, name, file)
    elif kind == "doc" and len(words(name)) > 1 and body.count("\n") > 3:
        yield Pair("name", language, " ".join(words(name)), body, name, file)
    if kind == "doc":
        yield from _comments(node, data, language, file, name)


def _documented(node: Node, outer: Node, data: bytes, language: str) -> tuple[str, int, str]:
    """Return the documentation, where the code begins, and 1500 characters of the code alone."""
    start, end = outer.start_byte, outer.end_byte
    if language == "python":
        first = _docstring(node)
        if first is None:
            return "", start, _cut(data[start:end])
        text = _text(first).strip("rRuUbB").strip("\"'")
        without = data[start : first.start_byte] + data[first.end_byte : end]
        return text, first.end_byte, _cut(without)
    text, start = _comments_above(outer)
    if language == "haskell":
        end = _equations_end(outer, end)
    return text, start, _cut(data[start:end])


def _docstring(node: Node) -> Node | None:
    body = node.child_by_field_name("body")
    first = body.named_children[0] if body is not None and body.named_children else None
    if first is None or first.type != "expression_statement" or not first.named_children:
        return None
    return first if first.named_children[0].type == "string" else None


def _comments_above(outer: Node) -> tuple[str, int]:
    """Return the comments above a definition, and where the code begins: at a signature, if any."""
    start = outer.start_byte
    comments: list[str] = []
    above = outer.prev_sibling
    if above is None and outer.parent is not None and outer.parent.start_byte == outer.start_byte:
        above = outer.parent.prev_sibling
    line = outer.start_point[0]
    while above is not None:
        gap = line - above.end_point[0]
        if "comment" in above.type or above.type == "haddock":
            if gap > 1 + _text(above).endswith("\n"):
                break
            comments.append(_text(above))
        elif above.type == "unary_operator" and gap <= 2:
            said = _attribute(_text(above))
            if said is None:
                break
            comments.append(said)
        elif above.type in BETWEEN and gap <= 2:
            start = above.start_byte if above.type == "signature" else start
        else:
            break
        line = above.start_point[0]
        above = above.prev_sibling
    return "\n".join(x for x in reversed(comments) if x), start


def _attribute(text: str) -> str | None:
    """Return what Elixir's `@doc` says, nothing for other notes, `None` for what is none."""
    if text.startswith("@doc") and '"' in text:
        return text[4:].strip().lstrip("~sS").strip('"\n ')
    return "" if text.startswith(("@spec", "@impl", "@deprecated", "@since")) else None


def _text(node: Node) -> str:
    return (node.text or b"").decode("utf-8", "replace")


def _equations_end(node: Node, end: int) -> int:
    name = _name(node)
    after = node.next_sibling
    while after is not None and after.type in {"function", "bind"} and _name(after) == name:
        end, after = after.end_byte, after.next_sibling
    return end


def _cut(code: bytes) -> str:
    text = code.decode("utf-8", "replace")[: BODY * 2]
    lines = text.splitlines()
    margin = min((len(x) - len(x.lstrip()) for x in lines[1:] if x.strip()), default=0)
    lines = lines[:1] + [x[margin:] if x[:margin].isspace() else x for x in lines[1:]]
    return "\n".join(lines)[:BODY].strip()


def _name(node: Node) -> str:
    if _elixir(node) and len(node.named_children) > 1:
        return (_text(node.named_children[1]) or "(").replace("(", " (").split()[0]
    for field in ("name", "declarator"):
        child = node.child_by_field_name(field)
        while child is not None and child.child_by_field_name("declarator") is not None:
            child = child.child_by_field_name("declarator")
        if child is not None and child.text and len(child.text) < 80:
            return child.text.decode("utf-8", "replace").split("(")[0].strip("*& ")
    for child in node.named_children:
        if child.type in {
            "identifier",
            "simple_identifier",
            "type_identifier",
            "property_identifier",
        }:
            return (child.text or b"").decode("utf-8", "replace")
    return ""


def _comments(node: Node, data: bytes, language: str, file: str, name: str) -> Iterator[Pair]:
    """Yield comments of four words and more in a body, with the lines that follow them."""
    if node.end_point[0] - node.start_point[0] < 8:
        return
    lines = data[node.start_byte : node.end_byte].decode("utf-8", "replace").splitlines()
    at = 0
    mark = (
        "#"
        if language in {"python", "ruby", "bash", "elixir"}
        else "--"
        if language in {"haskell", "lua"}
        else "//"
    )
    given = 0
    while at < len(lines) and given < 3:
        if not lines[at].lstrip().startswith(mark):
            at += 1
            continue
        start = at
        while at < len(lines) and lines[at].lstrip().startswith(mark):
            at += 1
        text = clean("\n".join(lines[start:at]))
        code = [x for x in lines[at : at + 12] if not x.lstrip().startswith(mark)]
        if len(WORD.findall(text)) >= 4 and is_prose(text) and len(code) > 2:
            given += 1
            yield Pair("comment", language, text, _cut("\n".join(code).encode()), name, file)


def clean(comment: str) -> str:
    """Return the description in a comment: without marks and tags, to the list of parameters."""
    kept: list[str] = []
    for raw in comment.splitlines():
        line = MARKS.sub("", raw.rstrip().removesuffix("*/").removesuffix("-}")).rstrip()
        line = TAGS.sub(lambda m: m[1] or " ", line)
        if CLOSING.match(line):
            if kept and any(kept):
                break
            continue
        if not line.strip() and kept and sum(map(len, kept)) > 150:
            break
        kept.append(line.strip())
    text = re.sub(r"`+", "", " ".join(kept))
    return re.sub(r"\s+", " ", text).strip()[:400]


def is_prose(text: str) -> bool:
    """Return whether *text* is a phrase of three words and more that says something of code."""
    found = WORD.findall(text)
    if len(found) < 3 or NOT_PROSE.search(text):
        return False
    letters = sum(x.isalpha() or x.isspace() for x in text)
    return letters > 0.75 * len(text) and text.isascii()


def words(name: str) -> list[str]:
    """Return the words of an identifier, in lower case: `parseURL` is parse url."""
    parts = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+", name)
    return [part.lower() for part in parts]
