"""TOML: the lines of one table are added or taken out; no other byte changes.

`tomlkit` reads the text, and changes what is written in one line (`servers = { ... }`). It is not
asked to take a table out: where tables of one parent do not stand together, it cannot.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from victor_memory.errors import HostError
from victor_memory.hosts.setup.edits import Key, newline_of

HEADER: Final = re.compile(r"^[ \t]*\[.*$", re.MULTILINE)
OTHERS: Final = re.compile(r"(?:^[ \t]*(?:#[^\n]*)?(?:\n|\Z))*\Z", re.MULTILINE)
"""Empty lines and comments before a header: they belong to what follows."""


class TomlFormat:
    """TOML, whose entries here are tables by name; a list of tables is not supported."""

    def parse(self, text: str) -> Any:
        """Return what *text* says."""
        return _read(text).unwrap()

    def put(self, text: str, at: Sequence[str], key: Key, value: Any) -> str:
        """Return *text* with the table *key* of *at* at its end, or in the old one's place."""
        import tomlkit.items

        assert isinstance(key, str)
        document = _read(text)
        container: Any = document
        for step in at:
            container = container.get(step, {})
        end = newline_of(text)
        if not at:
            return f"{tomlkit.key(key).as_string()} = {_inline(value).as_string()}{end}{text}"
        new = _section((*at, key), value, end)
        if spans := list(_spans(text, (*at, key))):
            start, stop = spans[0]
            return text[:start] + new + _cut(text[stop:], spans[1:], -stop)
        if key in container or isinstance(container, tomlkit.items.InlineTable):
            container[key] = _inline(value)
            return str(document.as_string())
        gap = "" if not text else end if text.endswith("\n") else end * 2
        return text + gap + new

    def drop(self, text: str, at: Sequence[str], key: str | int) -> str:
        """Return *text* without the table *key* of *at*."""
        assert isinstance(key, str)
        if spans := list(_spans(text, (*at, key))):
            rest = _cut(text, spans)
            end = newline_of(text)
            # The empty line that `put` leaves before a table at the end.
            last = spans[-1][1] == len(text) and rest.endswith(end * 2)
            return rest.removesuffix(end) if last else rest
        document = _read(text)
        container: Any = document
        for step in at:
            container = container[step]
        del container[key]
        return str(document.as_string())


def _read(text: str) -> Any:
    import tomlkit
    import tomlkit.exceptions

    try:
        document = tomlkit.parse(text)
    except tomlkit.exceptions.TOMLKitError as exc:
        msg = f"not valid TOML: {exc}"
        raise HostError(msg) from exc
    return document


def _spans(text: str, path: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Yield where the tables *path* and below it stand, each to the next one's header."""
    headers = [(match.start(), _path(match[0])) for match in HEADER.finditer(text)]
    headers = [(start, where) for start, where in headers if where]
    ends = [*(start for start, _ in headers), len(text)][1:]
    for (start, where), end in zip(headers, ends, strict=True):
        if tuple(where[: len(path)]) == tuple(path):
            match = OTHERS.search(text, start, end)
            yield start, end if match is None or end == len(text) else match.start()


def _path(line: str) -> list[str]:
    """Return the names in the table header *line*, none if it is no header."""
    try:
        document: Any = tomllib.loads(line.strip())
    except tomllib.TOMLDecodeError:
        return []
    names = []
    while document:
        if isinstance(document, list):
            (document,) = document
        else:
            ((name, document),) = document.items()
            names.append(name)
    return names


def _cut(text: str, spans: Sequence[tuple[int, int]], shift: int = 0) -> str:
    for start, end in reversed(spans):
        text = text[: start + shift] + text[end + shift :]
    return text


def _section(path: Sequence[str], value: Mapping[str, Any], end: str) -> str:
    import tomlkit

    name = ".".join(tomlkit.key(step).as_string() for step in path)
    pairs = (
        f"{tomlkit.key(one).as_string()} = {_inline(item).as_string()}"
        for one, item in value.items()
    )
    return end.join([f"[{name}]", *pairs, ""])


def _inline(value: Any) -> Any:
    import tomlkit

    if isinstance(value, Mapping):
        table = tomlkit.inline_table()
        table.update({key: _inline(one) for key, one in value.items()})
        return table
    return tomlkit.item(value)
