"""Put our entry into an agent's settings files, and take it out again.

Nothing is written down about what was done: a file that still is what our entry made of its backup
is put back byte for byte, and from any other only the entry is taken out.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

from victor_memory.errors import HostError, InvalidRequestError
from victor_memory.hosts.setup import edits, files
from victor_memory.hosts.setup.edits import Edit, FormatName
from victor_memory.hosts.setup.files import Content
from victor_memory.hosts.setup.hosts import SERVER, Host, Scope, SettingsFile, filled
from victor_memory.hosts.setup.launch import Launch
from victor_memory.hosts.setup.paths import Machine

Action: TypeAlias = Literal["create", "add", "update", "keep", "remove", "restore", "delete"]
HOOK: Final = re.compile(r"\bvictor[-_]memory\b.*\s(capture|hook session-start)\s*$")
"""Tells our hooks from others."""


@dataclass(frozen=True, slots=True)
class Change:
    """What one file becomes: `new` is its text, `None` if it goes or stays."""

    path: Path
    action: Action
    content: Content
    new: bytes | None = None
    backup: Path | None = None
    """Where the old content is kept, or is taken from."""

    def diff(self) -> str:
        """Return the difference as a unified diff; nothing if there is none."""
        after = self.content.raw if self.action == "keep" else self.new
        old, new = (
            text.splitlines(keepends=True)
            for text in (self.content.text, replace(self.content, raw=after).text)
        )
        shown = difflib.unified_diff(old, new, str(self.path), str(self.path))
        return "".join(one if one.endswith("\n") else one + "\n" for one in shown)


@dataclass(frozen=True, slots=True)
class Target:
    """One file of an agent, and the entries that are ours in it."""

    path: Path
    form: FormatName
    edits: tuple[Edit, ...]
    preamble: tuple[Edit, ...] = ()

    def entries(self, content: Content) -> list[Any]:
        """Return our entries that are in *content*."""
        form = edits.load(self.form)
        return [item for one in self.edits for item in edits.found(form, content.text, one)]

    def installed(self, content: Content) -> bool:
        """Return whether any entry of ours is in *content*."""
        return bool(self.entries(content))


def targets(
    host: Host, scope: Scope, machine: Machine, launch: Launch, *, hooks: bool
) -> list[Target]:
    """Return the files that the set-up of *host* changes, and how.

    Raises:
        InvalidRequestError: *host* has no file of *scope*, or no hooks where *hooks* are wanted.

    """
    settings = host.settings(scope)
    entry = filled(host.entry, launch.values())
    found = [
        Target(
            machine.file(settings),
            settings.form,
            (_server(settings, entry),),
            tuple(Edit((), value, name) for name, value in settings.preamble.items()),
        )
    ]
    if hooks:
        path = machine.hook_file(host, scope)
        if path is None or host.hooks is None:
            msg = f"{host.title} has no hooks that are known here. Leave --hooks out."
            raise InvalidRequestError(msg)
        entries = tuple(
            Edit((*host.hooks.at, event), filled(item, launch.values()), ours=_is_hook)
            for event, item in host.hooks.events.items()
        )
        found.append(Target(path, host.hooks.form, entries))
    return found


def _server(settings: SettingsFile, entry: Any) -> Edit:
    if settings.listed:
        return Edit(settings.at, entry, ours=_is_server)
    return Edit(settings.at, entry, SERVER)


def _is_server(item: Any) -> bool:
    return isinstance(item, dict) and item.get("name") == SERVER


def _is_hook(item: Any) -> bool:
    """Whether the commands in *item* are our hooks."""
    ours = [HOOK.search(one) is not None for one in _commands(item)]
    if any(ours) and not all(ours):
        msg = "A hook of victor-memory shares an entry with another. Give each its own entry."
        raise HostError(msg)
    return any(ours)


def _commands(item: Any) -> Iterator[str]:
    hooks = item.get("hooks") if isinstance(item, dict) else None
    for one in hooks if isinstance(hooks, list) else ():
        if isinstance(one, dict) and isinstance(command := one.get("command"), str):
            yield command


def install(target: Target) -> Change:
    """Return the change that puts our entries into the file of *target*.

    Raises:
        HostError: the file cannot be read, or not changed safely.

    """
    content = Content.read(target.path)
    with _naming(content.path):
        form = edits.load(target.form)
        present = target.installed(content)
        text = content.text
        for edit in (*(target.preamble if not text.strip() else ()), *target.edits):
            text = edits.put(form, text, edit)
    if text == content.text:
        return Change(target.path, "keep", content)
    new = content.encoded(text)
    if content.raw is None:
        return Change(target.path, "create", content, new)
    # The backup is of the file without our entry: an update keeps the one that is there, and a
    # file that holds nothing else has none.
    kept = present and (content.backup.exists() or _made_of(target, "", content.text))
    backup = None if kept else content.backup
    return Change(target.path, "update" if present else "add", content, new, backup)


def uninstall(target: Target) -> Change:
    """Return the change that takes our entries out of the file of *target*.

    Raises:
        HostError: the file cannot be read, or not changed safely.

    """
    content = Content.read(target.path)
    with _naming(content.path):
        if content.raw is None or not target.installed(content):
            return Change(target.path, "keep", content)
        form = edits.load(target.form)
        text = content.text
        backup = Content.read(content.backup)
        if backup.raw is not None and _made_of(target, backup.text, text):
            return Change(target.path, "restore", content, backup.raw, content.backup)
        if backup.raw is None and _made_of(target, "", text):
            return Change(target.path, "delete", content)
        for edit in target.edits:
            text = edits.drop(form, text, edit)
    return Change(target.path, "remove", content, content.encoded(text))


def _made_of(target: Target, before: str, after: str) -> bool:
    """Whether *after* is *before* with the entries that are ours in it, and nothing else."""
    form = edits.load(target.form)
    try:
        if any(edits.found(form, before, edit) for edit in target.edits):
            return False
        text = before
        for edit in target.preamble if not before.strip() else ():
            text = edits.put(form, text, edit)
        for edit in target.edits:
            for entry in edits.found(form, after, edit):
                text = edits.put(form, text, replace(edit, value=entry, ours=lambda _: False))
    except HostError:
        return False
    return text == after


def apply(changes: Sequence[Change]) -> None:
    """Write *changes*; a file is changed completely or not at all.

    Raises:
        HostError: one cannot be written; it and those after it are as they were.

    """
    for change in changes:
        if change.action == "delete":
            files.remove(change.content)
        elif change.action != "keep":
            assert change.new is not None
            if change.backup and change.action in {"add", "update"}:
                assert change.content.raw is not None
                kept = Content.read(change.backup)
                files.replace(kept, change.content.raw, like=change.content.path)
            files.replace(change.content, change.new)
            if change.backup and change.action == "restore":
                files.remove(Content.read(change.backup))


class _naming:  # noqa: N801 - used as a statement
    """Puts the path of the file before the message of what is wrong in it."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, exc: BaseException | None, trace: object) -> None:
        if isinstance(exc, HostError) and not str(exc).startswith(str(self._path)):
            reason = str(exc).rstrip(".")
            msg = f"{self._path}: {reason}. Nothing was changed: mend the file, and run this again."
            raise HostError(msg) from exc


def uninstall_all(
    host: Host, scopes: Sequence[Scope], machine: Machine, launch: Launch
) -> Iterator[Change]:
    """Yield the changes that take everything of ours out of the files of *host*."""
    for scope in scopes:
        for target in targets(host, scope, machine, launch, hooks=host.hooks is not None):
            yield uninstall(target)
