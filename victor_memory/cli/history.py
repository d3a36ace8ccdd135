"""`history`: why the code is as it is, by what its commits say."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from victor_memory.cli.output import (
    Debug,
    Json,
    execute,
    note,
    out,
    print_json,
    progress_bar,
    to_time,
)  # fmt: skip
from victor_memory.errors import ProviderUnavailableError
from victor_memory.runtime import open_runtime

if TYPE_CHECKING:
    from victor_memory.codebase.commit_search import CommitHit
    from victor_memory.codebase.history import HistoryMemory, HistoryReport

SHOWN_FILES = 5


def history(
    query: Annotated[str, typer.Argument(help="What to ask, as 'why was the retry limit raised'.")],
    path: Annotated[str, typer.Argument(help="Directory inside the repository.")] = ".",
    *,
    limit: Annotated[int, typer.Option("--limit", "-n", help="How many commits.")] = 5,
    mode: Annotated[
        str, typer.Option(help="`hybrid`, `semantic` (by meaning) or `lexical` (by words).")
    ] = "hybrid",
    glob: Annotated[
        str | None,
        typer.Option("--path", help="Only commits that touch files matching this glob, from the "
                     "repository's top."),
    ] = None,
    author: Annotated[str | None, typer.Option(help="Only authors whose name has this.")] = None,
    since: Annotated[str | None, typer.Option(help="Not before this date, as 2026-01-31.")] = None,
    until: Annotated[str | None, typer.Option(help="Only before this date.")] = None,
    why: Annotated[bool, typer.Option("--why", help="Show the parts of each score.")] = False,
    as_json: Json = False,
    debug: Debug = False,
) -> None:  # fmt: skip
    """Find the commits that say why; those that are new are read first."""

    async def body() -> None:
        async with open_runtime(project=path) as runtime:
            memory = runtime.history
            given: dict[str, Any] = {
                "limit": limit, "mode": mode, "path": glob, "author": author,
                "since": to_time(since), "until": to_time(until),
            }  # fmt: skip
            memory.check_request(query, **given)
            notices: list[str] = []
            try:
                notices += (await _updated(memory)).notes
            except ProviderUnavailableError as exc:
                # What is stored can still be searched; if nothing is, the search says so itself.
                notices.append(f"The history could not be brought up to date: {exc}")
            answer = await memory.search(query, refresh=False, **given)
        notices += [answer.notice] if answer.notice else []
        if as_json:
            results = [asdict(one) for one in answer.hits]
            print_json("history", {"query": query, "results": results, "notices": notices})
            return
        if not answer.hits and not notices:
            notices.append("Nothing found. Try other words, or fewer restrictions.")
        for one in notices:
            note(one)
        for hit in answer.hits:
            print_commit(hit, why=why)

    execute(body(), as_json=as_json, debug=debug)


async def _updated(memory: HistoryMemory) -> HistoryReport:
    with progress_bar() as bar:
        task = bar.add_task("reading history", total=None, unit="commits")

        def advance(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total)

        return await memory.update(advance)


def print_commit(hit: CommitHit, *, why: bool) -> None:
    """Print one commit that was found."""
    out.print(
        f"{hit.short}  {hit.date[:10]}  {hit.author}  {hit.score:.3f}", style="dim", markup=False
    )
    if why:
        parts = "  ".join(f"{name}={value:.3f}" for name, value in hit.parts.items())
        out.print(f"  {parts}", style="dim", markup=False)
    out.print(f"  {hit.subject}", style="bold", markup=False)
    for line in hit.excerpt.split("\n") if hit.excerpt else ():
        out.print(f"    {line}", markup=False)
    if hit.files:
        shown = ", ".join(hit.files[:SHOWN_FILES])
        more = hit.file_count - len(hit.files[:SHOWN_FILES])
        out.print(f"  {shown}{f' and {more} more' if more else ''}", style="cyan", markup=False)
    out.print()


COMMANDS = (history,)
