"""`status`, `stores` and `doctor`: what there is, what could be, and what is wrong."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import asdict
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Annotated

import typer

from victor_memory.cli.output import EXIT_FAILURE, Debug, Json, execute, note, out, print_json
from victor_memory.diagnosis import Check, diagnose
from victor_memory.runtime import MemoryRuntime, open_runtime

if TYPE_CHECKING:
    from victor_memory.types import StoreStats

Path = Annotated[str, typer.Argument(help="Directory inside the project.")]


def status(path: Path = ".", *, as_json: Json = False, debug: Debug = False) -> None:
    """Show what both memories of a project hold and what they cost."""

    async def body() -> None:
        async with open_runtime(project=path) as memory:
            stats = {
                "codebase": await memory.codebase_at(path).stats(),
                "conversation": await memory.conversation.stats(),
            }
            scope = memory.scope
        if as_json:
            print_json(
                "status",
                {"project": scope.project, **{name: asdict(one) for name, one in stats.items()}},
            )
            return
        out.print(f"project       {scope.project} ({scope.root})", markup=False)
        for name, one in stats.items():
            out.print(f"{name:13} {_described(one)}", markup=False)

    execute(body(), as_json=as_json, debug=debug)


def _described(stats: StoreStats) -> str:
    size = "" if stats.disk_bytes is None else f", {stats.disk_bytes / 1e6:.1f} MB"
    place = f" at {stats.location}" if stats.location else ""
    fallback = f" (fallback: {stats.fallback.reason})" if stats.fallback else ""
    return f"{stats.records} records in {stats.provider}{size}, {stats.embedder}{place}{fallback}"


def stores(*, as_json: Json = False, debug: Debug = False) -> None:
    """List every known vector store: default, installed, missing, experimental."""

    async def body() -> None:
        async with open_runtime() as memory:
            known = memory.registries["codebase"].available_providers()
        if as_json:
            print_json("stores", {"stores": [asdict(one) for one in known]})
            return
        from rich.table import Table

        table = Table("Store", box=None, pad_edge=False)
        table.add_column("State", overflow="fold")  # a pip line is there to be copied: never cut
        table.add_column("What it is", overflow="fold")
        for one in known:
            states = [
                "default" if one.default else "",
                "experimental" if one.experimental else "",
                "installed" if one.installed else f"missing: {one.pip_line}",
            ]
            table.add_row(one.name, ", ".join(filter(None, states)), one.description)
        out.print(table, markup=False)

    execute(body(), as_json=as_json, debug=debug)


def doctor(path: Path = ".", *, as_json: Json = False, debug: Debug = False) -> None:
    """Check everything: what is selected and why, what fell back or broke, whether stores work."""

    async def body() -> None:
        checks = []
        async with open_runtime(project=path) as memory:
            async for check in _everything(memory):
                checks.append(check)
                if not as_json:
                    mark = {True: "ok  ", False: "FAIL", None: "-   "}[check.ok]
                    out.print(f"{mark} {check.name}: {check.detail}", markup=False)
        healthy = all(check.ok is not False for check in checks)
        if as_json:
            print_json("doctor", {"healthy": healthy, "checks": [asdict(one) for one in checks]})
        elif healthy:
            note("Everything works.")
        if not healthy:
            raise typer.Exit(EXIT_FAILURE)

    execute(body(), as_json=as_json, debug=debug)


async def _everything(memory: MemoryRuntime) -> AsyncIterator[Check]:
    """Yield what there is to say of *memory*, and of the agents that may load it."""
    from victor_memory.hosts.setup.checks import checks
    from victor_memory.hosts.setup.paths import Machine
    from victor_memory.hosts.victor import health

    async for check in diagnose(memory):
        yield check
    root = FilePath(memory.scope.root)
    for check in (*health.checks(root), *checks(Machine(root))):
        yield check


COMMANDS = (status, stores, doctor)
