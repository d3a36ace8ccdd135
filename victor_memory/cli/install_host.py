"""`install-host`: one command that makes an agent load this package, and undoes it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from victor_memory.cli.output import Debug, Json, execute, note, out, print_json
from victor_memory.errors import ConfigurationError, InvalidRequestError
from victor_memory.scope import project_scope

if TYPE_CHECKING:
    from victor_memory.hosts.setup.hosts import Host, Scope
    from victor_memory.hosts.setup.install import Change
    from victor_memory.hosts.setup.paths import Machine

VICTOR: Final = "victor"
DONE: Final = {
    "create": "written", "add": "added to", "update": "brought up to date in",
    "keep": "nothing to do in", "remove": "taken out of", "restore": "put back as it was:",
    "delete": "removed:",
}  # fmt: skip


def install_host(
    name: Annotated[str | None, typer.Argument(help="The agent, as --list names it.")] = None,
    *,
    list_all: Annotated[
        bool, typer.Option("--list", help="Show all agents: here or not, set up or not.")
    ] = False,
    user: Annotated[
        bool, typer.Option("--user", help="For all projects of this user; the default.")
    ] = False,
    project: Annotated[
        bool, typer.Option("--project", help="For the project around this directory.")
    ] = False,
    hooks: Annotated[
        bool,
        typer.Option("--hooks", help="Also keep what is said, and tell new sessions about it."),
    ] = False,
    portable: Annotated[
        bool,
        typer.Option("--portable", help="Name the program without its path, to share the file."),
    ] = False,
    code_search: Annotated[
        bool | None,
        typer.Option(help="Victor only: answer its own code search."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show the difference, and change nothing.")
    ] = False,
    uninstall: Annotated[
        bool, typer.Option("--uninstall", "--undo", help="Take out what this command put in.")
    ] = False,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Make the agent NAME load this package: add it to the agent's settings file."""

    async def body() -> None:
        if list_all:
            await asyncio.to_thread(_list, as_json=as_json)
            return
        if name is None:
            msg = "Name an agent, or use --list to see them all."
            raise InvalidRequestError(msg)
        if name == VICTOR:
            if project or hooks or portable:
                msg = "Victor is set up for its user, and has no hooks. Leave these options out."
                raise InvalidRequestError(msg)
            _victor(uninstall=uninstall, code_search=code_search, dry=dry_run, as_json=as_json)
            return
        if code_search is not None:
            msg = "--code-search is for the agent `victor` alone. Leave it out."
            raise InvalidRequestError(msg)
        wanted: dict[Scope, bool] = {"user": user, "project": project}
        chosen = [scope for scope, given in wanted.items() if given]
        await asyncio.to_thread(
            _change, name, chosen,
            hooks=hooks, portable=portable, uninstall=uninstall, dry=dry_run, as_json=as_json,
        )  # fmt: skip

    execute(body(), as_json=as_json, debug=debug)


def this_machine() -> Machine:
    """Return this machine, with the project around the current directory."""
    from victor_memory.hosts.setup.paths import Machine

    return Machine(Path(project_scope().root))


def _change(
    name: str,
    scopes: Sequence[Scope],
    *,
    hooks: bool,
    portable: bool,
    uninstall: bool,
    dry: bool,
    as_json: bool,
) -> None:
    from victor_memory.hosts.setup import hosts, install
    from victor_memory.hosts.setup.launch import launch

    host, machine, how = hosts.host(name), this_machine(), launch(portable=portable)
    if uninstall:
        changes = list(install.uninstall_all(host, scopes or host.scopes, machine, how))
    else:
        changes = [
            install.install(target)
            for scope in scopes or host.scopes[:1]
            for target in install.targets(host, scope, machine, how, hooks=hooks)
        ]
    if not dry:
        install.apply(changes)
    if as_json:
        told = [_as_dict(one, diff=dry) for one in changes]
        print_json("install-host", {"host": host.name, "dry_run": dry, "changes": told})
        return
    for change in changes:
        if dry:
            out.print(change.diff(), end="", markup=False)
        if change.action != "keep" or not uninstall or dry:
            would = "would be " if dry and change.action != "keep" else ""
            note(f"{host.title}: {would}{DONE[change.action]} {change.path}")
        if change.backup and change.action in {"add", "update"} and not dry:
            note(f"The file as it was: {change.backup}")
    if uninstall and all(change.action == "keep" for change in changes):
        note(f"{host.title} was not set up to load victor-memory.")
    if not uninstall:
        _advise(host, machine, how.withheld, how.line, shared="project" in scopes)


def _advise(
    host: Host, machine: Machine, withheld: Sequence[str], line: Sequence[str], *, shared: bool
) -> None:
    if not machine.has(host):
        note(f"{host.title} was not found on this machine; it will load this once it is there.")
    if withheld:
        note(f"Not written, because it may be secret: {', '.join(withheld)}. Set it for the agent.")
    if shared and Path(line[0]).is_absolute():
        note("The file names a path of this machine. To share it with others, use --portable.")
    if host.after:
        note(host.after)


def _as_dict(change: Change, *, diff: bool) -> dict[str, Any]:
    told = {"path": str(change.path), "action": change.action}
    if change.backup and change.action in {"add", "update"}:
        told["backup"] = str(change.backup)
    return {**told, "diff": change.diff()} if diff else told


def _list(*, as_json: bool) -> None:
    from victor_memory.hosts.setup.checks import states

    found: list[dict[str, Any]] = [
        {
            "name": one.host.name,
            "title": one.host.title,
            "detected": one.detected,
            "installed": list(one.installed),
            "hooks": list(one.hooks),
            "problems": [*one.problems, *(f"{program} is gone" for program in one.gone)],
        }
        for one in states(this_machine())
    ]
    found.append(_victor_state())
    if as_json:
        print_json("hosts", {"hosts": found})
        return
    from rich.table import Table

    table = Table("Agent", "Here", "Loads victor-memory", "What it is", box=None, pad_edge=False)
    for one in found:
        places = [*one["installed"], *(f"hooks ({scope})" for scope in one["hooks"])]
        table.add_row(
            one["name"],
            "yes" if one["detected"] else "",
            "; ".join(one["problems"]) or ", ".join(places),
            one["title"],
        )
    out.print(table, markup=False)


def _victor_state() -> dict[str, Any]:
    from victor_memory.hosts.victor import install

    detected, done, problems = install.host_version() is not None, False, []
    if detected:
        try:
            done = all(one.action == "keep" for one in install.plan())
        except ConfigurationError as exc:
            problems.append(str(exc))
    return {
        "name": VICTOR,
        "title": "Victor",
        "detected": detected,
        "installed": ["user"] if done else [],
        "hooks": [],
        "problems": problems,
    }


def _victor(*, uninstall: bool, code_search: bool | None, dry: bool, as_json: bool) -> None:
    from victor_memory.hosts.victor import install

    changes = install.plan(uninstall=uninstall, code_search=code_search)
    if not dry:
        install.apply(changes)
    if as_json:
        told = [{"path": str(one.path), "action": one.action, "what": one.what} for one in changes]
        print_json("install-host", {"host": VICTOR, "dry_run": dry, "changes": told})
        return
    for one in changes:
        note(f"Victor: {'would ' if dry else ''}{one.action} {one.path}: {one.what}")
    if not changes:
        note("Victor: nothing to do.")


COMMANDS = (install_host,)
