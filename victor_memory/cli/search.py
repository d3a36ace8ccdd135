"""`search`: the code below a directory, by words, by meaning, by name or by likeness."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from victor_memory.cli.code import brought_up_to_date
from victor_memory.cli.history import print_commit
from victor_memory.cli.output import Debug, Json, execute, note, out, print_json
from victor_memory.cli.recall import print_recalled, recalled
from victor_memory.codebase.answers import CodeHit
from victor_memory.codebase.commit_search import CommitHit
from victor_memory.conversation.ranking import Recalled
from victor_memory.errors import InvalidRequestError, ProviderUnavailableError
from victor_memory.runtime import open_runtime

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from victor_memory.codebase.answers import MappedFile
    from victor_memory.together import Section

Path = Annotated[str, typer.Argument(help="Directory of the code.", show_default=True)]


def search(
    query: Annotated[str, typer.Argument(help="What to look for, in words or names.")],
    path: Path = ".",
    *,
    limit: Annotated[int, typer.Option("--limit", "-n", help="How many results.")] = 5,
    mode: Annotated[
        str,
        typer.Option(
            help="`hybrid`, `semantic` (by meaning), `lexical` (by words), `symbol` (where the "
            "name is defined) or `related` (like a place, as 'src/app.py:120-140')."
        ),
    ] = "hybrid",
    glob: Annotated[
        str | None, typer.Option("--path", help="Only files matching this glob, as 'src/**/*.py'.")
    ] = None,
    language: Annotated[
        str | None, typer.Option(help="Only this language, for example `python`.")
    ] = None,
    kind: Annotated[
        str | None, typer.Option(help="Only code that defines this: `function`, `class`, ...")
    ] = None,
    symbol: Annotated[
        str | None, typer.Option(help="Only code that defines this name, as 'Client.get'.")
    ] = None,
    budget: Annotated[
        int | None, typer.Option(help="Tokens that the results may have together.")
    ] = None,
    show_map: Annotated[
        bool, typer.Option("--map", help="Show the files that have most to do with it first.")
    ] = False,
    everything: Annotated[
        bool, typer.Option("--all", help="Ask the history and the conversations too.")
    ] = False,
    why: Annotated[bool, typer.Option("--why", help="Show the parts of each score.")] = False,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Search the code below PATH, indexing it on first use and refreshing what changed since."""

    async def body() -> None:
        async with open_runtime(project=path) as memory:
            codebase = memory.codebase_at(path)
            asked = {
                "limit": limit,
                "mode": mode,
                "path": glob,
                "language": language,
                "kind": kind,
                "symbol": symbol,
                "budget": budget,
            }
            codebase.check_request(query, **asked)
            if everything and (
                mode != "hybrid" or show_map or any((glob, language, kind, symbol, budget))
            ):
                msg = (
                    "--all asks every memory, and takes only --limit and --why with it. "
                    "Leave it out, or the others."
                )
                raise InvalidRequestError(msg)
            try:
                await brought_up_to_date(codebase)
            except ProviderUnavailableError as exc:
                # What is indexed can still be searched; if nothing is, the search says so itself.
                note(f"The index could not be brought up to date: {exc}")
            if everything:
                sections = await memory.search_all(query, path=path, limit=limit)
                _tell_all(query, sections, why=why, as_json=as_json)
                return
            answer = await codebase.search(query, **asked, refresh=False)  # type: ignore[arg-type]  # as checked
        if as_json:
            print_json(
                "search",
                {
                    "query": query,
                    "results": [asdict(one) for one in answer.hits],
                    "files": [asdict(one) for one in answer.files],
                    "notice": answer.notice,
                },
            )
            return
        if not answer.hits:
            note(answer.notice or "Nothing found. Try other words, or fewer restrictions.")
        if answer.hits and (show_map or answer.overview):
            _print_map(answer.files)
        for hits in _by_file(answer.hits):
            _print_file(hits, why=why)

    execute(body(), as_json=as_json, debug=debug)


def _tell_all(query: str, sections: Sequence[Section], *, why: bool, as_json: bool) -> None:
    """Print what each memory knows, one after the other: their scores do not compare."""
    if as_json:
        told = [
            {"kind": one.kind, "results": list(map(_as_json, one.results)), "notice": one.notice}
            for one in sections
        ]
        print_json("search-all", {"query": query, "sections": told})
        return
    for section in sections:
        out.print(f"[bold underline]{section.kind}[/bold underline]")
        if section.notice or not section.results:
            note(f"{section.kind}: {section.notice or 'nothing found'}")
        for hits in _by_file(one for one in section.results if isinstance(one, CodeHit)):
            _print_file(hits, why=why)
        for one in section.results:
            if isinstance(one, CommitHit):
                print_commit(one, why=why)
            elif isinstance(one, Recalled):
                print_recalled(one, why=why)


def _as_json(one: CodeHit | CommitHit | Recalled) -> dict[str, Any]:
    return recalled(one) if isinstance(one, Recalled) else asdict(one)


def _by_file(hits: Iterable[CodeHit]) -> list[list[CodeHit]]:
    """Return *hits* file by file, the file with the best hit first, each file's in its order."""
    files: dict[str, list[CodeHit]] = {}
    for hit in hits:
        files.setdefault(hit.path, []).append(hit)
    return [sorted(some, key=lambda one: one.start_line) for some in files.values()]


def _print_map(files: Sequence[MappedFile]) -> None:
    for one in files:
        names = f"  [cyan]{_escaped(', '.join(one.symbols))}[/cyan]" if one.symbols else ""
        out.print(f"[bold]{_escaped(one.path)}[/bold]{names}")
    out.print()


def _print_file(hits: Sequence[CodeHit], *, why: bool) -> None:
    from rich.syntax import Syntax

    for hit in hits:
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


COMMANDS = (search,)
