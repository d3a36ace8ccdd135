"""One change of a settings file, and the proof that it changed nothing else.

A format knows how to put one value into a text, or to take one out. What it did is never trusted:
the result is read again and must be the old document with exactly that difference.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, Protocol, TypeAlias

from victor_memory.errors import HostError

FormatName: TypeAlias = Literal["json", "jsonc", "toml", "yaml"]
Key: TypeAlias = str | int | None
"""A name in a mapping, a place in a list, or `None` for the place behind a list's end."""


class Format(Protocol):
    """A language that settings are written in."""

    def parse(self, text: str) -> Any:
        """Return what *text* says; raise `HostError` if it is not of this language."""

    def put(self, text: str, at: Sequence[str], key: Key, value: Any) -> str:
        """Return *text* with *value* under *key* of the container *at*, made if it is missing."""

    def drop(self, text: str, at: Sequence[str], key: str | int) -> str:
        """Return *text* without what is under *key* of the container *at*."""


@dataclass(frozen=True, slots=True)
class Edit:
    """One entry of ours: *value* in the container *at* of a document.

    In a mapping it is found by its name, in a list by `ours`, which tells our entry from others.
    """

    at: tuple[str, ...]
    value: Any
    name: str | None = None
    ours: Callable[[Any], bool] = bool

    def keys(self, document: Any) -> Sequence[str | int]:
        """Return where the entry stands in *document*, last first."""
        for step in self.at:
            document = document.get(step) if isinstance(document, Mapping) else None
        if self.name is not None:
            there = isinstance(document, Mapping) and self.name in document
            return [self.name] if there else []
        items = document if isinstance(document, list) else []
        return [place for place, item in enumerate(items) if self.ours(item)][::-1]


def load(name: FormatName) -> Format:
    """Return the format called *name*."""
    if name == "toml":
        from victor_memory.hosts.setup.toml_edit import TomlFormat

        return TomlFormat()
    if name == "yaml":
        from victor_memory.hosts.setup.yaml_edit import YamlFormat

        return YamlFormat()
    from victor_memory.hosts.setup.json_edit import JsonFormat

    return JsonFormat(strict=name == "json")


def put(form: Format, text: str, edit: Edit) -> str:
    """Return *text* with the entry of *edit*; the same text if it is there already.

    Raises:
        HostError: *text* is not valid, or cannot be changed without touching something else.

    """
    document = form.parse(text)
    found = edit.keys(document)
    key: Key = found[-1] if found else edit.name
    if found and _get(document, (*edit.at, found[-1])) == edit.value:
        return text
    wanted = copy.deepcopy(document)
    _put(wanted, edit.at, key, edit.value)
    by_hand = f"Add it by hand: {json.dumps(edit.value, ensure_ascii=False)}."
    return _proved(form, form.put(text, edit.at, key, edit.value), wanted, edit, by_hand)


def drop(form: Format, text: str, edit: Edit) -> str:
    """Return *text* without any entry that *edit* finds.

    Raises:
        HostError: *text* is not valid, or cannot be changed without touching something else.

    """
    document = form.parse(text)
    for key in edit.keys(document):
        wanted = copy.deepcopy(document)
        del _get(wanted, edit.at)[key]
        by_hand = f"Take {key!r} out by hand."
        text = _proved(form, form.drop(text, edit.at, key), wanted, edit, by_hand)
        document = form.parse(text)
    return text


def found(form: Format, text: str, edit: Edit) -> list[Any]:
    """Return the entries that *edit* finds in *text*, first to last."""
    document = form.parse(text)
    return [_get(document, (*edit.at, key)) for key in edit.keys(document)[::-1]]


def _get(document: Any, path: Sequence[str | int]) -> Any:
    for step in path:
        document = document[step]
    return document


def _put(document: Any, at: Sequence[str], key: Key, value: Any) -> None:
    _check(document, ("the top",), "")
    for place, step in enumerate(at):
        last = place == len(at) - 1
        if document.get(step) is None:
            document[step] = [] if last and not isinstance(key, str) else {}
        document = document[step]
        _check(document, at[: place + 1], key if last else "")
    if key is None:
        document.append(value)
    else:
        document[key] = value


def _check(container: Any, at: Sequence[str], key: Key) -> None:
    wanted = Mapping if isinstance(key, str) else list
    if not isinstance(container, wanted):
        what = "a mapping" if wanted is Mapping else "a list"
        msg = (
            f"{'.'.join(at)} is not {what} in this file, so no entry can be added to it. "
            "Correct it, then run the command again."
        )
        raise HostError(msg)


def _proved(form: Format, text: str, wanted: Any, edit: Edit, by_hand: str) -> str:
    try:
        document = form.parse(text)
        same = document == wanted or _pruned(document, edit.at) == _pruned(wanted, edit.at)
    except HostError:
        same = False
    if not same:
        msg = (
            f"{'.'.join(edit.at)} is written in a way that cannot be changed without touching "
            f"something else. {by_hand}"
        )
        raise HostError(msg)
    return text


def _pruned(document: Any, at: Sequence[str]) -> Any:
    """Return *document* without what is empty on the way *at*: TOML need not write it down."""
    if not at or not isinstance(document, Mapping) or at[0] not in document:
        return document
    inner = _pruned(document[at[0]], at[1:])
    rest = {key: value for key, value in document.items() if key != at[0]}
    return {**rest, at[0]: inner} if inner else rest


INDENT: Final = "  "


def nested(at: Sequence[str], key: Key, value: Any) -> Any:
    """Return the containers that the steps *at* lead through, with *value* under *key* inside."""
    value = {key: value} if isinstance(key, str) else [value]
    for step in reversed(at):
        value = {step: value}
    return value


def newline_of(text: str) -> str:
    """Return the line ending that most lines of *text* have."""
    windows = text.count("\r\n")
    return "\r\n" if windows * 2 > text.count("\n") else "\n"


def position(text: str, at: int) -> str:
    """Return the place *at* of *text* for a message, as `line 3, column 7`."""
    before = text[:at]
    return f"line {before.count(chr(10)) + 1}, column {at - before.rfind(chr(10))}"
