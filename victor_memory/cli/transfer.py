"""`import`, `export` and `capture`: what other agents wrote, and the memory written out."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import suppress
from time import strftime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from victor_memory._signals import stop_signal
from victor_memory.cli.conversation import Project, Session
from victor_memory.cli.output import (
    Debug,
    Json,
    err,
    execute,
    note,
    out,
    print_json,
)
from victor_memory.errors import InvalidRequestError, TransferError, VictorMemoryError
from victor_memory.runtime import open_runtime

if TYPE_CHECKING:
    from rich.progress import Progress as Bar

    from victor_memory.transfer.importing import ImportProgress, ImportReport, Progress
    from victor_memory.transfer.service import Transfer

SHOWN_PROBLEMS = 10


def import_(
    sources: Annotated[
        list[str] | None,
        typer.Argument(
            help="Files, or directories of transcripts; without, what the agents on this machine "
            "keep of the project."
        ),
    ] = None,
    *,
    format_: Annotated[
        str | None,
        typer.Option(
            "--format", "--from",
            help="`victor`, `claude-code`, `codex`, `openai`, `jsonl`, `markdown` or "
            "`victor-memory`; otherwise a file's content tells.",
        ),
    ] = None,
    project: Annotated[
        str | None,
        typer.Option(
            "--project",
            help="Directory inside the project to import for. With SOURCES, what was said in "
            "other projects goes into it, too.",
        ),
    ] = None,
    all_projects: Annotated[
        bool, typer.Option("--all-projects", help="Import everything, each into its own project.")
    ] = False,
    again: Annotated[
        bool, typer.Option("--again", help="Look also at what was read before.")
    ] = False,
    forgotten: Annotated[
        bool, typer.Option("--forgotten", help="The same, and bring back what was forgotten.")
    ] = False,
    watch: Annotated[
        bool, typer.Option("--watch", help="Then go on with what agents add, until interrupted.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Tell only problems.")] = False,
    as_json: Json = False,
    debug: Debug = False,
) -> None:  # fmt: skip
    """Remember what other agents wrote; what is known already is not stored again."""

    async def body() -> None:
        chosen: dict[str, Any] = {
            "format": format_, "every": all_projects,
        }  # fmt: skip
        if sources:
            # Whoever names both the files and the project means these for that one.
            chosen["into"] = project is not None and not all_projects
        async with open_runtime(project=project or ".") as memory:
            transfer = memory.transfer
            if not memory.conversation.provider.traits.persistent:
                note("The chosen store keeps nothing: this is forgotten when the program ends.")
            if watch:
                if again or forgotten or as_json:
                    msg = (
                        "--watch cannot be used with --again, --forgotten or --json. Leave one out."
                    )
                    raise InvalidRequestError(msg)
                await _watched(transfer, sources or [], chosen, quiet=quiet)
                return
            with _import_bar(quiet=quiet) as bar:
                chosen |= {"again": again, "forgotten": forgotten, "progress": _advance(bar)}
                if sources:
                    report = await transfer.import_files(sources, **chosen)
                else:
                    report = await transfer.update(**chosen)
        _print_report(report, as_json=as_json, quiet=quiet)

    execute(body(), as_json=as_json, debug=debug)


import_.__name__ = "import"  # the command's name, which Python keeps for itself


def export(
    target: Annotated[
        str, typer.Argument(help="File to write; '-' is standard output.", show_default=True)
    ] = "-",
    *,
    form: Annotated[str, typer.Option("--format", help="`jsonl` or `markdown`.")] = "jsonl",
    session: Session = None,
    user: Annotated[
        bool, typer.Option("--user", help="What is remembered for all projects instead.")
    ] = False,
    project: Project = ".",
    debug: Debug = False,
) -> None:
    """Write the project's memory as JSON lines, which can be imported again, or as Markdown."""

    async def body() -> None:
        async with open_runtime(project=project) as memory:
            pieces = memory.transfer.export(form, session=session, user=user)
            if target == "-":
                async for piece in pieces:
                    sys.stdout.write(piece)
            else:
                await _write(target, pieces)
                note(f"Written: {target}")

    execute(body(), as_json=False, debug=debug)


def capture(
    event: Annotated[
        str | None, typer.Argument(help="The event as JSON; without, it is read from stdin.")
    ] = None,
) -> None:
    """Queue what an agent's hook was given, and return at once; `import` stores it."""
    # Only its help comes here: `victor_memory.cli.main` runs it without loading this program.
    from victor_memory.transfer.capture import run

    raise typer.Exit(run([] if event is None else [event]))


async def _write(target: str, pieces: AsyncIterator[str]) -> None:
    """Write the file *target* whole or not at all, for its owner only: it is what was said."""
    path = os.path.expanduser(target)  # noqa: PTH111, ASYNC240 - no file is touched
    directory, base = os.path.split(path)
    written = None
    try:
        handle, written = tempfile.mkstemp(prefix=f".{base}.", dir=directory or ".")
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as stream:
            async for piece in pieces:
                stream.write(piece)
        os.replace(written, path)  # noqa: PTH105 - paths are strings here
    except OSError as exc:
        msg = f"{target} cannot be written: {exc}. Name a file in a directory that can be written."
        raise TransferError(msg) from exc
    finally:
        if written is not None:
            with suppress(FileNotFoundError):
                os.unlink(written)  # noqa: PTH108 - as above


async def _watched(
    transfer: Transfer, sources: list[str], chosen: dict[str, Any], *, quiet: bool
) -> None:
    """Import until a person or the system says stop."""
    new = problems = 0
    if not quiet:
        note("Watching for what agents add. Stop with Ctrl-C.")
    async for done in transfer.watch(stop_signal(), sources, **chosen):
        if isinstance(done, VictorMemoryError):
            note(f"Not imported: {done}")
            continue
        new += done.new
        problems += len(done.problems) + done.more_problems
        if not quiet and done.new:
            note(f"{strftime('%H:%M:%S')} {done.new} remembered")
        _print_problems(done)
    if not quiet:
        note(f"Stopped: {new} remembered, {problems} problems.")


def _import_bar(*, quiet: bool) -> Bar:
    from rich import progress

    return progress.Progress(
        progress.TextColumn("{task.description}"),
        progress.BarColumn(),
        progress.DownloadColumn(),
        progress.TextColumn("{task.fields[rate]}"),
        progress.TimeElapsedColumn(),
        console=err,
        transient=True,
        disable=quiet or not err.is_terminal,
    )


def _advance(bar: Bar) -> Progress:
    task = bar.add_task("importing", total=None, rate="")

    def advance(done: ImportProgress) -> None:
        seconds = bar.tasks[0].elapsed or 0
        bar.update(
            task,
            description=f"importing {done.sources_done + 1}/{done.sources}",
            completed=done.bytes_done,
            total=done.bytes,
            rate=f"{done.read / seconds:.0f} turns/s" if seconds else "",
        )

    return advance


def _print_report(report: ImportReport, *, as_json: bool, quiet: bool) -> None:
    if as_json:
        values = {
            "new": report.new, "known": report.read - report.new, "sources": report.sources,
            "unchanged": report.unchanged, "formats": dict(report.formats),
            "left_out": report.left_out, "other_projects": sorted(report.elsewhere),
            "waiting": report.waiting,
            "problems": [
                {"path": one.path, "line": one.line, "reason": one.reason}
                for one in report.problems
            ],
            "more_problems": report.more_problems,
        }  # fmt: skip
        print_json("import", values)
        return
    if not quiet:
        out.print(
            f"{report.new} remembered, {report.read - report.new} known already, "
            f"from {report.sources} sources; {report.unchanged} unchanged",
            markup=False,
        )
        if report.elsewhere:
            note(
                f"Left out: what was said in {len(report.elsewhere)} other projects. Import it "
                "into them with --all-projects, or a file into this one with --project."
            )
        if report.waiting:
            note(f"{report.waiting} sources end in a line that is still being written.")
    _print_problems(report)


def _print_problems(report: ImportReport) -> None:
    for one in report.problems[:SHOWN_PROBLEMS]:
        place = f"{one.path}:{one.line}" if one.line else one.path
        note(f"Skipped: {place}: {' '.join(one.reason.split())}")
    if (more := len(report.problems) + report.more_problems - SHOWN_PROBLEMS) > 0:
        note(f"Skipped as well: {more} more. All are in --json.")


COMMANDS = (import_, export, capture)
