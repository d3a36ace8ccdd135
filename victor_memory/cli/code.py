"""`index` and `search`: the code below a directory."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from victor_memory.cli.output import Debug, Json, execute, note, out, print_json, progress_bar
from victor_memory.errors import ProviderUnavailableError
from victor_memory.runtime import open_runtime

if TYPE_CHECKING:
    from victor_memory.codebase.indexer import IndexProgress, IndexReport
    from victor_memory.codebase.memory import CodebaseMemory
    from victor_memory.codebase.search import CodeHit

Path = Annotated[str, typer.Argument(help="Directory of the code.", show_default=True)]


def index(
    path: Path = ".",
    *,
    rebuild: Annotated[
        bool, typer.Option("--rebuild", help="Delete the index first and embed everything anew.")
    ] = False,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Bring the index of the code below PATH up to date; only what changed is embedded."""

    async def body() -> None:
        async with open_runtime(project=path) as memory:
            report = await _indexed(memory.codebase_at(path), rebuild=rebuild)
        if as_json:
            print_json("index", asdict(report))
        else:
            out.print(_summary(report), markup=False)
            _print_left_out(report)

    execute(body(), as_json=as_json, debug=debug)


def search(
    query: Annotated[str, typer.Argument(help="What to look for, in words or names.")],
    path: Path = ".",
    *,
    limit: Annotated[int, typer.Option("--limit", "-n", help="How many results.")] = 5,
    mode: Annotated[
        str, typer.Option(help="`hybrid`, `semantic` (by meaning) or `lexical` (by words).")
    ] = "hybrid",
    glob: Annotated[
        str | None, typer.Option("--path", help="Only files matching this glob, as 'src/**/*.py'.")
    ] = None,
    language: Annotated[
        str | None, typer.Option(help="Only this language, for example `python`.")
    ] = None,
    why: Annotated[bool, typer.Option("--why", help="Show the parts of each score.")] = False,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Search the code below PATH, indexing it on first use and refreshing what changed since."""

    async def body() -> None:
        async with open_runtime(project=path) as memory:
            codebase = memory.codebase_at(path)
            codebase.check_request(query, limit=limit, mode=mode, path=glob, language=language)
            try:
                await _indexed(codebase)
            except ProviderUnavailableError as exc:
                # What is indexed can still be searched; if nothing is, the search says so itself.
                note(f"The index could not be brought up to date: {exc}")
            answer = await codebase.search(
                query, limit=limit, mode=mode, path=glob, language=language, refresh=False
            )
        if as_json:
            print_json("search", {"query": query, "results": [asdict(one) for one in answer.hits]})
            return
        if not answer.hits:
            note(answer.notice or "Nothing found. Try other words, or fewer restrictions.")
        for hit in answer.hits:
            _print_hit(hit, why=why)

    execute(body(), as_json=as_json, debug=debug)


async def _indexed(codebase: CodebaseMemory, *, rebuild: bool = False) -> IndexReport:
    with progress_bar() as bar:
        task = bar.add_task("indexing", total=None, unit="files")

        def advance(progress: IndexProgress) -> None:
            bar.update(task, completed=progress.files_done, total=progress.files_total)

        return await codebase.index(rebuild=rebuild, progress=advance)


def _summary(report: IndexReport) -> str:
    return (
        f"{report.files_indexed} files indexed, {report.files_unchanged} unchanged, "
        f"{report.files_removed} removed; {report.chunks_written} chunks written "
        f"in {report.seconds:.1f} s"
    )


def _print_left_out(report: IndexReport) -> None:
    if report.left_out:
        reasons = ", ".join(f"{count} {reason}" for reason, count in report.left_out.items())
        note(f"Left out: {reasons}.")


def _print_hit(hit: CodeHit, *, why: bool) -> None:
    from rich.syntax import Syntax

    title = f"[bold]{_escaped(hit.path)}[/bold]:{hit.start_line}-{hit.end_line}"
    symbol = f"  [cyan]{_escaped(hit.symbol)}[/cyan]" if hit.symbol else ""
    out.print(f"{title}{symbol}  [dim]{hit.score:.3f}[/dim]")
    if why:
        parts = "  ".join(f"{name}={value:.3f}" for name, value in hit.parts.items())
        out.print(f"[dim]  {parts}[/dim]")
    if out.is_terminal:
        out.print(
            Syntax(
                hit.text,
                hit.language or "text",
                line_numbers=True,
                start_line=hit.start_line,
                word_wrap=True,
                background_color="default",
            )
        )
    else:
        out.print(hit.text.rstrip("\n"), markup=False)
    out.print()


def _escaped(text: str) -> str:
    from rich.markup import escape

    return escape(text)


COMMANDS = (index, search)
