"""`symbols`, `callers` and `outline`: what the syntax trees of the files say, as they are now."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Annotated

import typer

from victor_memory.cli.output import Debug, Json, execute, note, out, print_json
from victor_memory.errors import InvalidRequestError
from victor_memory.runtime import open_runtime
from victor_memory.scope import project_scope

if TYPE_CHECKING:
    from victor_memory.codebase.structure import Defined

Path = Annotated[str, typer.Argument(help="Directory of the code.", show_default=True)]
Glob = Annotated[
    str | None, typer.Option("--path", help="Only files matching this glob, as 'src/**/*.py'.")
]
Limit = Annotated[int, typer.Option("--limit", "-n", help="How many results.")]


def symbols(
    name: Annotated[str, typer.Argument(help="A name, or the end of one: `get`, `Client.get`.")],
    path: Path = ".",
    *,
    kind: Annotated[str | None, typer.Option(help="Only this kind, for example `class`.")] = None,
    glob: Glob = None,
    limit: Limit = 50,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Show where NAME is defined in the code below PATH; no index is needed."""

    async def body() -> None:
        async with open_runtime(project=path) as memory:
            structure = memory.structure_at(path)
            answer = await structure.symbols(name, kind=kind, path=glob, limit=limit)
        if as_json:
            print_json("symbols", {**asdict(answer), "notice": answer.looked.notice()})
            return
        _say(answer.looked.notice(), len(answer.results), answer.total)
        if not answer.results:
            alike = ", ".join(answer.suggestions)
            note(f"Nothing is called {name}." + (f" Alike: {alike}." if alike else ""))
        for one in answer.results:
            _print_definition(one)

    execute(body(), as_json=as_json, debug=debug)


def callers(
    name: Annotated[str, typer.Argument(help="The name of what is called.")],
    path: Path = ".",
    *,
    glob: Glob = None,
    limit: Limit = 200,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Show what calls something called NAME below PATH; names are compared, not resolved."""

    async def body() -> None:
        async with open_runtime(project=path) as memory:
            structure = memory.structure_at(path)
            answer = await structure.callers(name, path=glob, limit=limit)
        if as_json:
            print_json("callers", {**asdict(answer), "notice": answer.looked.notice()})
            return
        _say(answer.looked.notice(), len(answer.results), answer.total)
        if not answer.results:
            note(f"No call of {name} in {answer.looked.files} files.")
        for one in answer.results:
            within = f"  in {one.within}" if one.within else ""
            how = "" if one.parsed else "  (by text)"
            out.print(f"{one.path}:{one.line}{within}{how}", style="bold", markup=False)
            out.print(f"    {one.text}", markup=False)

    execute(body(), as_json=as_json, debug=debug)


def outline(
    file: Annotated[str, typer.Argument(help="A file.")],
    *,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Show what FILE defines, nested, and what it imports."""

    async def body() -> None:
        root, path = _place(file)
        async with open_runtime(project=root) as memory:
            answer = await memory.structure_at(root).outline(path)
        if as_json:
            print_json("outline", asdict(answer))
            return
        if not answer.parsed:
            note("There is no grammar for this file: its definitions were found by text.")
        for one in answer.imports:
            names = f": {', '.join(one.names)}" if one.names else ""
            out.print(f"{one.line:6}  import {one.module}{names}", style="dim", markup=False)
        around: list[int] = []
        for symbol in answer.symbols:
            while around and around[-1] < symbol.start_line:
                around.pop()
            indent = "  " * len(around)
            around.append(symbol.end_line)
            shown = symbol.signature or f"{symbol.kind} {symbol.name}"
            out.print(f"{symbol.start_line:6}  {indent}{shown}", markup=False)

    execute(body(), as_json=as_json, debug=debug)


def _place(file: str) -> tuple[FilePath, str]:
    """Return the root of the project around *file*, and the file's path from there."""
    # The directory may lead through links; the file itself may not be one.
    directory = FilePath(file).expanduser().parent
    if not directory.is_dir():
        msg = f"There is no directory {str(directory)!r}. Name a file that exists."
        raise InvalidRequestError(msg)
    place = directory.resolve() / FilePath(file).name
    root = FilePath(project_scope(place.parent).root)
    if not place.is_relative_to(root):
        root = place.parent
    return root, place.relative_to(root).as_posix()


def _say(notice: str | None, shown: int, total: int) -> None:
    if notice:
        note(notice)
    if shown < total:
        note(f"{shown} of {total} are shown; --limit sets how many.")


def _print_definition(one: Defined) -> None:
    lines = f"{one.start_line}-{one.end_line}" if one.end_line > one.start_line else one.start_line
    how = "" if one.parsed else "  (by text)"
    out.print(f"{one.path}:{lines}  {one.kind} {one.qualified}{how}", style="bold", markup=False)
    out.print(f"    {one.signature}", markup=False)


COMMANDS = (symbols, callers, outline)
