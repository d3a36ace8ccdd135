"""`index`: the code below a directory, brought up to date once or all the time."""

from __future__ import annotations

from dataclasses import asdict
from time import strftime
from typing import TYPE_CHECKING, Annotated

import typer

from victor_memory._signals import stop_signal
from victor_memory.cli.output import (
    Debug,
    Json,
    execute,
    note,
    out,
    print_json,
    progress_bar,
)
from victor_memory.runtime import open_runtime

if TYPE_CHECKING:
    from victor_memory.codebase.memory import CodebaseMemory
    from victor_memory.codebase.progress import IndexProgress, IndexReport

Path = Annotated[str, typer.Argument(help="Directory of the code.", show_default=True)]


def index(
    path: Path = ".",
    *,
    rebuild: Annotated[
        bool, typer.Option("--rebuild", help="Embed everything anew; other worktrees go on.")
    ] = False,
    watch: Annotated[
        bool, typer.Option("--watch", help="Then go on with each change, until interrupted.")
    ] = False,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Bring the index of the code below PATH up to date; only what changed is embedded."""

    async def body() -> None:
        async with open_runtime(project=path) as memory:
            codebase = memory.codebase_at(path)
            report = await brought_up_to_date(codebase, rebuild=rebuild)
            if as_json:
                print_json("index", asdict(report))
            else:
                out.print(_summary(report), markup=False)
                _print_left_out(report)
            if watch:
                await _watched(codebase)

    execute(body(), as_json=as_json, debug=debug)


async def brought_up_to_date(codebase: CodebaseMemory, *, rebuild: bool = False) -> IndexReport:
    """Index what changed, with a progress bar."""
    with progress_bar() as bar:
        task = bar.add_task("indexing", total=None, unit="files")

        def advance(progress: IndexProgress) -> None:
            waiting = progress.phase == "wait"
            bar.update(
                task,
                description="waiting for another process" if waiting else "indexing",
                completed=progress.files_done,
                total=progress.files_total,
            )

        return await codebase.index(rebuild=rebuild, progress=advance)


async def _watched(codebase: CodebaseMemory) -> None:
    """Keep the index up to date until a person or the system says stop."""
    updates = files = removed = chunks = 0
    note(f"Watching {codebase.root}. Stop with Ctrl-C.")
    async for update in codebase.watch(stop_signal()):
        if update.report is None:
            note(f"Not up to date: {update.problem}")
            continue
        report = update.report
        updates, files = updates + 1, files + report.files_indexed
        removed, chunks = removed + report.files_removed, chunks + report.chunks_written
        note(f"{strftime('%H:%M:%S')} {_summary(report)}")
    note(
        f"Stopped after {updates} updates: {files} files indexed, {removed} removed; "
        f"{chunks} chunks written."
    )


def _summary(report: IndexReport) -> str:
    return (
        f"{report.files_indexed} files indexed, {report.files_unchanged} unchanged, "
        f"{report.files_removed} removed; {report.chunks_written} chunks written, "
        f"{report.chunks_embedded} of them embedded, in {report.seconds:.1f} s"
    )


def _print_left_out(report: IndexReport) -> None:
    if report.left_out:
        reasons = ", ".join(f"{count} {reason}" for reason, count in report.left_out.items())
        note(f"Left out: {reasons}.")
    if report.secrets_redacted:
        note(f"Secrets taken out of what is stored: {report.secrets_redacted}.")


COMMANDS = (index,)
