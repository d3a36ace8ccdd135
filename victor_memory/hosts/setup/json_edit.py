"""JSON, also with comments and trailing commas: one value is changed, no other byte.

No library of this language writes comments back, so the text itself is edited: it is read into
nodes that know their place, and the new value is laid out as its neighbours are.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final, NoReturn

from victor_memory.errors import HostError
from victor_memory.hosts.setup.edits import INDENT, Key, nested, newline_of, position

TRIVIA: Final = re.compile(r"[ \t\r\n]+|//[^\n]*|/\*.*?\*/", re.DOTALL)
SAME_LINE: Final = re.compile(r"(?:[ \t]+|/\*.*?\*/)*(?://[^\r\n]*)?", re.DOTALL)
STRING: Final = re.compile(r'"(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"')
NUMBER: Final = re.compile(r"-?(?:0|[1-9][0-9]*)(?P<part>\.[0-9]+)?(?P<power>[eE][+-]?[0-9]+)?")
WORDS: Final = {"true": True, "false": False, "null": None}


@dataclass(slots=True)
class Node:
    """A value and its place; `keys` belong to the items of an object, one to one."""

    start: int
    end: int = 0
    value: Any = None
    items: list[Node] = field(default_factory=list)
    keys: list[tuple[str, int]] = field(default_factory=list)
    comma: bool = False
    """Whether a comma follows the last item."""


class _Reader:
    def __init__(self, text: str, *, strict: bool) -> None:
        self.text, self.strict = text, strict

    def document(self) -> Node | None:
        start = self.space(0)
        if start == len(self.text):
            return None
        try:
            node = self.value(start)
        except RecursionError:
            self.fail(start, "values are nested too deeply")
        if (end := self.space(node.end)) < len(self.text):
            self.fail(end, "there is something behind the end")
        return node

    def fail(self, at: int, what: str) -> NoReturn:
        msg = f"not valid JSON at {position(self.text, at)}: {what}"
        raise HostError(msg)

    def space(self, at: int) -> int:
        while match := TRIVIA.match(self.text, at):
            if self.strict and match[0][0] == "/":
                self.fail(at, "comments are not allowed in this file")
            at = match.end()
        return at

    def value(self, at: int) -> Node:
        opening = self.text[at : at + 1]
        if opening in {"{", "["}:
            return self.container(at, opening)
        if opening == '"':
            return self.string(at)
        if match := NUMBER.match(self.text, at):
            whole = match["part"] is None and match["power"] is None
            number = int(match[0]) if whole and len(match[0]) < 1000 else Decimal(match[0])  # noqa: PLR2004 - Python refuses longer ones
            return Node(at, match.end(), number)
        for word, value in WORDS.items():
            if self.text.startswith(word, at):
                return Node(at, at + len(word), value)
        return self.fail(at, "a value is missing here")

    def string(self, at: int) -> Node:
        match = STRING.match(self.text, at)
        if match is None:
            self.fail(at, "this is no complete string")
        assert match is not None
        return Node(at, match.end(), json.loads(match[0]))

    def container(self, at: int, opening: str) -> Node:
        node, closing = Node(at), "}" if opening == "{" else "]"
        at = self.space(at + 1)
        while self.text[at : at + 1] != closing:
            if node.items and not node.comma:
                self.fail(at, f"a comma or {closing!r} is missing")
            if opening == "{":
                key = self.string(at)
                node.keys.append((key.value, key.start))
                at = self.space(key.end)
                if self.text[at : at + 1] != ":":
                    self.fail(at, "a colon is missing")
                at = self.space(at + 1)
            node.items.append(self.value(at))
            at = self.space(node.items[-1].end)
            if node_comma := self.text[at : at + 1] == ",":
                at = self.space(at + 1)
            node.comma = node_comma
        if self.strict and node.comma:
            self.fail(at, "a comma before the end is not allowed in this file")
        node.end = at + 1
        if opening == "{":
            values = (one.value for one in node.items)
            node.value = dict(zip((key for key, _ in node.keys), values, strict=True))
        else:
            node.value = [one.value for one in node.items]
        return node


@dataclass(frozen=True, slots=True)
class JsonFormat:
    """JSON; comments and trailing commas are refused only where the host refuses them: *strict*."""

    strict: bool = False

    def parse(self, text: str) -> Any:
        """Return what *text* says; a text without any value is an empty object."""
        try:  # files of many megabytes are rarely anything but plain JSON
            return json.loads(text, parse_float=Decimal, parse_constant=_refuse)
        except (ValueError, RecursionError):
            node = _Reader(text, strict=self.strict).document()
            return {} if node is None else node.value

    def put(self, text: str, at: Sequence[str], key: Key, value: Any) -> str:
        """Return *text* with *value* under *key* of the container *at*, made if it is missing."""
        node = _Reader(text, strict=self.strict).document()
        end = newline_of(text)
        if node is None:
            whole = nested(at, key, value)
            gap = end if text and not text.endswith("\n") else ""
            return f"{text}{gap}{_written(whole, INDENT, '', end)}{end}"
        unit = _unit(text, node)
        for place, step in enumerate(at):
            item = _item(node, step)
            if item is None:
                return _added(text, node, step, nested(at[place + 1 :], key, value), unit)
            node = item
        old = None if key is None else _item(node, key)
        if old is None:
            return _added(text, node, key, value, unit)
        new = _written(value, unit, _indent(text, old.start), end)
        return text[: old.start] + new + text[old.end :]

    def drop(self, text: str, at: Sequence[str], key: str | int) -> str:
        """Return *text* without what is under *key* of the container *at*."""
        node: Node | None = _Reader(text, strict=self.strict).document()
        for step in at:
            assert node is not None
            node = _item(node, step)
        assert node is not None
        place = key if isinstance(key, int) else [one for one, _ in node.keys].index(key)
        return _without(text, node, place)


def _refuse(name: str) -> None:
    raise ValueError(name)


def _item(node: Node, key: str | int) -> Node | None:
    if isinstance(key, int):
        return node.items[key]
    places = [place for place, (name, _) in enumerate(node.keys) if name == key]
    if len(places) > 1:
        msg = f"the name {key!r} is there twice. Remove one of them, then run the command again."
        raise HostError(msg)
    return node.items[places[0]] if places else None


def _added(text: str, node: Node, key: Key, value: Any, unit: str) -> str:
    """Return *text* with *value* as the last item of *node*, laid out as the others are."""
    end = newline_of(text)
    label = f"{json.dumps(key, ensure_ascii=False)}: " if isinstance(key, str) else ""
    separator = "," if node.items and not node.comma else ""
    trailing = "," if node.comma else ""
    comma, behind = _end_of_items(text, node)
    kept = text[comma:behind].rstrip(" \t")
    if node.items and not _has_lines(text, node):
        entry = f" {label}{_flat(value)}{trailing}"
        return f"{text[:comma]}{separator}{kept}{entry}{text[comma + len(kept) :]}"
    outer = _indent(text, node.start)
    inner = _inner_indent(text, node) if node.items else outer + unit
    entry = f"{end}{inner}{label}{_written(value, unit, inner, end)}{trailing}"
    rest = text[behind:]
    if "\n" not in text[behind : node.end - 1]:
        rest = end + outer + rest.lstrip(" \t")
    return f"{text[:comma]}{separator}{kept}{entry}{rest}"


def _end_of_items(text: str, node: Node) -> tuple[int, int]:
    """Return where a comma goes behind the last item, and where what belongs to its line ends."""
    if not node.items:
        return node.start + 1, _last_comment(text, node.start + 1, node.end - 1)
    comma = node.items[-1].end
    if node.comma:
        comma = text.index(",", _skipped(text, comma)) + 1
    match = SAME_LINE.match(text, comma)
    assert match is not None  # it matches nothing, too
    return comma, min(match.end(), node.end - 1)


def _has_lines(text: str, node: Node) -> bool:
    """Whether the items of *node* are on other lines than its brackets."""
    first, last = node.items[0].start, node.items[-1].end
    return "\n" in text[node.start : first] or "\n" in text[last : node.end]


def _without(text: str, node: Node, place: int) -> str:
    """Return *text* without the item *place* of *node* and the comma that belonged to it."""
    item = node.items[place]
    start = node.keys[place][1] if node.keys else item.start
    end, last = item.end, place == len(node.items) - 1
    if not last or node.comma:
        comma = text.index(",", _skipped(text, end))
        if text[end:comma].strip():  # a comment stands between
            text = text[:comma] + text[comma + 1 :]
        else:
            end = comma + 1
    before = len(text[:start].rstrip(" \t\r\n"))
    line_goes_on = text[end:].split("\n", 1)[0].strip(" \t\r")
    if line_goes_on and "\n" in text[before:start]:
        stop = end + len(text[end:]) - len(text[end:].lstrip(" \t"))
        text = text[:start] + text[stop:]
    else:
        text = text[:before] + text[end:]
    if last and place and not node.comma:
        previous = node.items[place - 1].end
        comma = text.index(",", _skipped(text, previous))
        text = text[:comma] + text[comma + 1 :]
    inside = text[node.start + 1 :]
    if len(node.items) == 1 and inside.lstrip(" \t\r\n")[:1] in {"}", "]"}:
        text = text[: node.start + 1] + inside.lstrip(" \t\r\n")
    return text


def _skipped(text: str, at: int) -> int:
    while match := TRIVIA.match(text, at):
        at = match.end()
    return at


def _last_comment(text: str, at: int, stop: int) -> int:
    """Return the end of the last comment between *at* and *stop*; *at* if there is none."""
    last = at
    while at < stop and (match := TRIVIA.match(text, at)):
        at = match.end()
        if match[0][0] == "/":
            last = at - (1 if match[0].endswith("\r") else 0)
    return last


def _indent(text: str, at: int) -> str:
    """Return what the line around *at* is indented by."""
    line = text[text.rfind("\n", 0, at) + 1 : at]
    return line[: len(line) - len(line.lstrip(" \t"))]


def _inner_indent(text: str, node: Node) -> str:
    start = node.keys[-1][1] if node.keys else node.items[-1].start
    return _indent(text, start)


def _unit(text: str, root: Node) -> str:
    """Return what one level is indented by."""
    for node in root.items[:1]:
        start = root.keys[0][1] if root.keys else node.start
        indent = _indent(text, start)
        outer = _indent(text, root.start)
        if "\n" in text[root.start : start] and indent.startswith(outer) and indent != outer:
            return indent.removeprefix(outer)
    return INDENT


def _flat(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _written(value: Any, unit: str, indent: str, end: str) -> str:
    """Return *value* as JSON over several lines; a list of plain values stays on one."""
    if isinstance(value, Mapping) and value:
        inner = indent + unit
        items = [f"{_flat(key)}: {_written(one, unit, inner, end)}" for key, one in value.items()]
    elif isinstance(value, list) and any(isinstance(one, Mapping | list) for one in value):
        inner = indent + unit
        items = [_written(one, unit, inner, end) for one in value]
    else:
        return _flat(value)
    opening, closing = "{}" if isinstance(value, Mapping) else "[]"
    return f"{opening}{end}{inner}" + f",{end}{inner}".join(items) + f"{end}{indent}{closing}"
