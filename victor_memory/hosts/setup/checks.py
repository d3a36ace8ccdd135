"""Which agents there are on this machine, and which of them load us."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from victor_memory.diagnosis import Check
from victor_memory.errors import HostError
from victor_memory.hosts.setup.files import Content
from victor_memory.hosts.setup.hosts import COMMAND, HOSTS, LINE, Host, Scope
from victor_memory.hosts.setup.install import targets
from victor_memory.hosts.setup.launch import launch
from victor_memory.hosts.setup.paths import Machine


@dataclass(frozen=True, slots=True)
class State:
    """What is known about one agent: is it here, where is our server set up, what is wrong."""

    host: Host
    detected: bool
    installed: tuple[Scope, ...]
    hooks: tuple[Scope, ...]
    problems: tuple[str, ...]
    """Why a file of it cannot be read."""
    gone: tuple[str, ...] = ()
    """Programs that our entries name and that are not there any more."""


def states(machine: Machine) -> Iterator[State]:
    """Yield the state of every agent."""
    for host in HOSTS:
        yield state(host, machine)


def state(host: Host, machine: Machine) -> State:
    """Return the state of *host*; nothing is changed."""
    found: dict[str, list[Scope]] = {"server": [], "hooks": []}
    problems: list[str] = []
    gone: list[str] = []
    for scope in host.scopes:
        files = targets(host, scope, machine, launch(), hooks=host.hooks is not None)
        for kind, target in zip(found, files, strict=False):
            try:
                entries = target.entries(Content.read(target.path))
                if entries:
                    found[kind].append(scope)
                    gone += _gone(host, entries) if kind == "server" else []
            except HostError as exc:
                message = str(exc)
                named = message.startswith(str(target.path))
                problems.append(message if named else f"{target.path}: {message}")
    server, hooks = tuple(found["server"]), tuple(found["hooks"])
    return State(host, machine.has(host), server, hooks, tuple(problems), tuple(gone))


def _gone(host: Host, entries: Sequence[Any]) -> Iterator[str]:
    """Yield the programs that *entries* name by a path where nothing is."""
    name = next(key for key, value in host.entry.items() if value in (COMMAND, LINE))
    for entry in entries:
        named = entry.get(name) if isinstance(entry, dict) else None
        program = named[0] if isinstance(named, list) and named else named
        if isinstance(program, str) and Path(program).is_absolute() and not Path(program).exists():
            yield program


def checks(machine: Machine) -> Iterator[Check]:
    """Yield what `doctor` says about the agents that are on this machine."""
    for one in states(machine):
        if not one.detected:
            continue
        name = f"agent {one.host.title}"
        if one.problems:
            # Its own affair: it is told, and does not count as an illness of ours.
            yield Check(name, ok=None, detail=" ".join(one.problems))
        elif one.gone:
            how = f"victor-memory install-host {one.host.name}"
            lost = " and ".join(sorted(set(one.gone)))
            yield Check(
                name, ok=False, detail=f"is told to start {lost}, which is gone. Run: {how}"
            )
        elif one.installed:
            where = " and ".join(one.installed)
            hooks = f"; hooks: {' and '.join(one.hooks)}" if one.hooks else ""
            yield Check(name, ok=True, detail=f"loads victor-memory ({where}{hooks})")
        else:
            how = f"victor-memory install-host {one.host.name}"
            yield Check(name, ok=None, detail=f"does not load victor-memory. Set it up: {how}")
