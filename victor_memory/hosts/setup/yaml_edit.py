"""YAML: lines are added or taken out; no other byte changes.

A writer of this language, even one that keeps comments, lays indentation, quotes and long lines
out anew. So `ruamel.yaml` only reads: it says where each value stands.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from victor_memory.errors import HostError
from victor_memory.hosts.setup.edits import INDENT, Key, nested, newline_of

PLAIN: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")


class YamlFormat:
    """YAML in one document."""

    def parse(self, text: str) -> Any:
        """Return what *text* says; one without any value is an empty mapping."""
        from ruamel.yaml import YAML
        from ruamel.yaml.error import YAMLError

        try:
            document = YAML(typ="safe", pure=True).load(text)
        except (YAMLError, ValueError, RecursionError) as exc:
            msg = f"not valid YAML: {exc}"
            raise HostError(msg) from exc
        return {} if document is None else document

    def put(self, text: str, at: Sequence[str], key: Key, value: Any) -> str:
        """Return *text* with *value* under *key* of the container *at*, made if it is missing."""
        end = newline_of(text)
        node = _tree(text)
        if node is None or (node.id == "scalar" and _is_empty(node)):
            gap = end if text and not text.endswith("\n") else ""
            return text + gap + _block(nested(at, key, value), "", end)
        for place, step in enumerate(at):
            item = _item(node, step)
            if item is None:
                return _added(text, node, step, nested(at[place + 1 :], key, value))
            if _is_empty(item):
                rest = nested(at[place + 1 :], key, value)
                return _filled(text, item, _item_key(node, step), rest)
            node = item
        if key is not None and _item(node, key) is not None:
            return self._replaced(text, at, key, value)
        return _added(text, node, key, value)

    def _replaced(self, text: str, at: Sequence[str], key: str | int, value: Any) -> str:
        node = _tree(text)
        for step in at:
            node = _item(node, step)
        new = _item(node, key)
        if node.flow_style:
            start, stop = new.start_mark.index, new.end_mark.index
            return text[:start] + json.dumps(value, ensure_ascii=False) + text[stop:]
        start, stop = _span(text, node, key)
        entry = _entry(node, key, value, newline_of(text))
        closing = "" if text[stop - 1 : stop] == "\n" else newline_of(text)
        return text[:start] + (entry if not closing else entry.rstrip("\r\n")) + text[stop:]

    def drop(self, text: str, at: Sequence[str], key: str | int) -> str:
        """Return *text* without what is under *key* of the container *at*."""
        node, parent = _tree(text), None
        for step in at:
            parent, node = node, _item(node, step)
        if node.flow_style:
            return _cut_flow(text, node, key)
        start, stop = _span(text, node, key)
        if len(node.value) > 1:
            return text[:start] + text[stop:]
        opened = _item_key(parent, at[-1]).end_mark.index
        colon = text.index(":", opened) + 1
        empty = " []" if isinstance(key, int) else " {}"
        return text[:colon] + empty + text[colon:start] + text[stop:]


def _tree(text: str) -> Any:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        return YAML(typ="safe", pure=True).compose(text)
    except (YAMLError, ValueError, RecursionError) as exc:
        msg = f"not valid YAML: {exc}"
        raise HostError(msg) from exc


def _item(node: Any, key: str | int) -> Any:
    if isinstance(key, int):
        return node.value[key]
    pairs = node.value if node.id == "mapping" else ()
    return next((item for name, item in pairs if name.value == key), None)


def _item_key(node: Any, key: str) -> Any:
    return next(name for name, _ in node.value if name.value == key)


def _is_empty(node: Any) -> bool:
    """Whether *node* is nothing, or an empty container in brackets."""
    if node.id == "scalar":
        return bool(node.value == "" and node.style is None)
    return not node.value


def _added(text: str, node: Any, key: Key, value: Any) -> str:
    """Return *text* with *value* behind the last item of *node*."""
    if node.flow_style:
        last = node.value[-1][1] if node.id == "mapping" else node.value[-1]
        label = f"{json.dumps(key)}: " if isinstance(key, str) else ""
        entry = f", {label}{json.dumps(value, ensure_ascii=False)}"
        return text[: last.end_mark.index] + entry + text[last.end_mark.index :]
    end = newline_of(text)
    stop = _line_end(text, _content_end(text, node))
    entry = _entry(node, key, value, end)
    if text[stop - 1 : stop] != "\n":
        return text[:stop] + end + entry + text[stop:]
    return text[:stop] + entry + text[stop:]


def _filled(text: str, node: Any, name: Any, value: Any) -> str:
    """Return *text* with *value* in the place of *node*, which is empty, below its *name*."""
    end = newline_of(text)
    indent = " " * name.start_mark.column
    if node.id == "scalar":
        start = stop = text.index(":", name.end_mark.index) + 1
    else:
        start, stop = node.start_mark.index, node.end_mark.index
        start = len(text[:start].rstrip(" "))
    line_end = _line_end(text, stop)
    rest = text[stop:line_end].rstrip("\r\n")
    block = _block(value, indent + INDENT, end)
    return text[:start] + rest.rstrip() + end + block + text[line_end:]


def _entry(node: Any, key: Key, value: Any, end: str) -> str:
    indent = " " * node.start_mark.column
    whole = {key: value} if isinstance(key, str) else [value]
    return _block(whole, indent, end)


def _span(text: str, node: Any, key: str | int) -> tuple[int, int]:
    """Return where the lines of the item *key* of a block begin and end."""
    item = _item(node, key)
    first = item if isinstance(key, int) else _item_key(node, key)
    start = text.rfind("\n", 0, first.start_mark.index) + 1
    return start, _line_end(text, _content_end(text, item))


def _content_end(text: str, node: Any) -> int:
    """Return where the last thing that *node* says ends; blank lines and comments follow."""
    while node.id != "scalar" and node.value and not node.flow_style:
        last = node.value[-1]
        pair = last if node.id == "mapping" else (last,)
        node = pair[-1]
        if node.id == "scalar" and not node.value and node.style is None and len(pair) > 1:
            return text.index(":", pair[0].end_mark.index) + 1
    return len(text[: node.end_mark.index].rstrip())


def _line_end(text: str, at: int) -> int:
    end = text.find("\n", at)
    return len(text) if end < 0 else end + 1


def _cut_flow(text: str, node: Any, key: str | int) -> str:
    spans = [
        (pair[0].start_mark.index, pair[1].end_mark.index)
        if node.id == "mapping"
        else (pair.start_mark.index, pair.end_mark.index)
        for pair in node.value
    ]
    place = key if isinstance(key, int) else [one.value for one, _ in node.value].index(key)
    start, stop = spans[place]
    if place:
        start = spans[place - 1][1]
    elif len(spans) > 1:
        stop = spans[1][0]
    return text[:start] + text[stop:]


def _block(value: Any, indent: str, end: str) -> str:
    """Return *value*, which is not empty, as lines indented by *indent*."""
    lines = []
    if isinstance(value, Mapping):
        for key, one in value.items():
            name = key if PLAIN.fullmatch(key) else json.dumps(key, ensure_ascii=False)
            if one and isinstance(one, Mapping | list) and not _short(one):
                lines.append(f"{indent}{name}:{end}{_block(one, indent + INDENT, end)}")
            else:
                lines.append(f"{indent}{name}: {json.dumps(one, ensure_ascii=False)}{end}")
    else:
        for one in value:
            block = _block(one, indent + INDENT, end)
            lines.append(f"{indent}- {block[len(indent) + len(INDENT) :]}")
    return "".join(lines)


def _short(value: Any) -> bool:
    return isinstance(value, list) and not any(isinstance(one, Mapping | list) for one in value)
