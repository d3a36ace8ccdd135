"""`remember`, `show`, `sessions`, `rebuild`: what a memory is given, and what it holds."""

from __future__ import annotations

import functools
import sys
from collections.abc import Iterable
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from victor_memory.cli.output import Debug, Json, execute, note, out, print_json, progress_bar
from victor_memory.conversation.lineage import Lineage
from victor_memory.conversation.records import USER, Memory
from victor_memory.errors import InvalidRequestError
from victor_memory.runtime import open_runtime

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

Project = Annotated[
    str, typer.Option("--project", help="Directory inside the project whose memory is used.")
]
Session = Annotated[str | None, typer.Option(help="Only this session.")]
Many = list[str] | None


def remember(
    text: Annotated[str, typer.Argument(help="What to remember; '-' reads standard input.")],
    *,
    kind: Annotated[
        str,
        typer.Option(help="`fact`, `decision`, `preference`, `task`, `summary` or `error_fix`."),
    ] = "fact",
    scope: Annotated[
        str, typer.Option(help="Who sees it: `project`, `user`, or one `session` or `agent`.")
    ] = "project",
    session: Annotated[str | None, typer.Option(help="Session it was said in.")] = None,
    agent: Annotated[str | None, typer.Option(help="Agent it was said to.")] = None,
    tag: Annotated[Many, typer.Option(help="Label; may be given again.")] = None,
    importance: Annotated[float, typer.Option(help="From 0 to 1.")] = 0.5,
    supersedes: Annotated[
        Many, typer.Option(help="Id of a memory whose place it takes; may be given again.")
    ] = None,
    file: Annotated[
        Many, typer.Option(help="File it rests on: it is stale when that changes.")
    ] = None,
    commit: Annotated[Many, typer.Option(help="Commit it rests on; may be given again.")] = None,
    link: Annotated[Many, typer.Option(help="Id of a turn or note it comes from.")] = None,
    project: Project = ".",
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Store TEXT in the project's memory, unless the same is there; a changed fact replaces."""

    async def body() -> None:
        said = sys.stdin.read() if text == "-" else text
        async with open_runtime(project=project) as memory:
            done = await memory.conversation.remember(
                said,
                kind=kind,
                scope=scope,
                session=session,
                agent=agent,
                tags=tag or (),
                importance=importance,
                supersedes=supersedes or (),
                files=file or (),
                commits=commit or (),
                links=link or (),
                source="cli",
            )
            kept = memory.conversation.provider.traits.persistent
        if not kept:
            note("The chosen store keeps nothing: this is forgotten when the program ends.")
        if as_json:
            others = {"superseded": done.superseded, "similar": done.similar}
            listed = {name: [as_dict(one) for one in some] for name, some in others.items()}
            print_json("remember", {"memory": as_dict(done.memory), "new": done.new, **listed})
            return
        state = "Remembered" if done.new else "Known already"
        out.print(f"{state}: {done.memory.id}", markup=False)
        _print_each("supersedes", done.superseded)
        if done.similar:
            _print_each("similar to", done.similar)
            note("To replace one of these: remember again with --supersedes ID.")

    execute(body(), as_json=as_json, debug=debug)


def show(
    identifier: Annotated[str, typer.Argument(metavar="ID", help="Id of a memory.")],
    *,
    project: Project = ".",
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Show one memory whole: what it says, where it comes from, and whether it still holds."""

    async def body() -> None:
        async with open_runtime(project=project) as memory:
            found = await memory.conversation.trace(identifier)
        if found is None:
            msg = (
                f"There is no memory {identifier!r} in this project. "
                "'victor-memory recall' shows the ids of what it finds."
            )
            raise InvalidRequestError(msg)
        if as_json:
            others = {"newer": found.newer, "older": found.older, "linked": found.linked}
            listed = {name: [as_dict(one) for one in some] for name, some in others.items()}
            print_json(
                "show", {"memory": as_dict(found.memory), **listed, "stale": list(found.stale)}
            )
        else:
            _print_lineage(found)

    execute(body(), as_json=as_json, debug=debug)


def sessions(
    *,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="How many.")] = 20,
    project: Project = ".",
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """List the sessions of the project's memory, the one with the newest memory first."""

    async def body() -> None:
        async with open_runtime(project=project) as memory:
            found = await memory.conversation.sessions()
        if as_json:
            listed = [
                {**asdict(one), "first": one.first.isoformat(), "last": one.last.isoformat()}
                for one in found[:limit]
            ]
            print_json("sessions", {"total": len(found), "sessions": listed})
            return
        if not found:
            note("No session is remembered yet.")
        for one in found[:limit]:
            first, last = (f"{moment:%Y-%m-%d %H:%M}" for moment in (one.first, one.last))
            turns = "1 turn" if one.turns == 1 else f"{one.turns} turns"
            out.print(f"{one.id}  {turns}  {first} to {last}", markup=False)
        if len(found) > limit:
            note(f"{len(found) - limit} older ones are not shown; --limit shows more.")

    execute(body(), as_json=as_json, debug=debug)


def rebuild(
    *,
    every: Annotated[
        bool, typer.Option("--all-projects", help="The memories of all projects.")
    ] = False,
    project: Project = ".",
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Embed what is remembered anew, with the model that is chosen now; stop agents before."""

    async def body() -> None:
        done: list[dict[str, Any]] = []
        async with open_runtime(project=project) as memory:
            names = memory.projects() if every else [memory.scope.project]
            with progress_bar() as bar:
                for name in (*names, USER):
                    task = bar.add_task(f"embedding {name}", total=None, unit="records")
                    report = functools.partial(_advance, bar, task)
                    rebuilt = await memory.rebuild_conversation(name, report)
                    if rebuilt:
                        done.append({"collection": name, **asdict(rebuilt)})
        if as_json:
            print_json("rebuild", {"rebuilt": done})
            return
        for one in done:
            out.print(f"{one['collection']}: {one['records']} records", markup=False)
        if not done:
            note("Everything has the vectors of the chosen model already.")

    execute(body(), as_json=as_json, debug=debug)


def as_dict(memory: Memory) -> dict[str, Any]:
    """Return *memory* as JSON values."""
    return {**asdict(memory), "created_at": memory.created_at.isoformat()}


def _advance(bar: Progress, task: TaskID, done: int, total: int) -> None:
    bar.update(task, completed=done, total=total)


def _print_lineage(found: Lineage) -> None:
    memory = found.memory
    state = "superseded" if found.newer else "stale" if found.stale else "current"
    out.print(f"{memory.kind}  {memory.id}  {state}", markup=False)
    out.print(f"\n{memory.text}\n", markup=False)
    origin = {
        "said": f"{memory.created_at:%Y-%m-%d %H:%M} UTC",
        "by": " ".join(filter(None, (memory.speaker, memory.role, memory.agent, memory.tool))),
        "session": memory.session
        and memory.session + (f", turn {memory.index}" if memory.index is not None else ""),
        "scope": memory.scope,
        "branch": memory.branch,
        "worktree": memory.worktree,
        "source": memory.source,
        "tags": ", ".join(memory.tags),
        "files": ", ".join(memory.files),
        "commits": ", ".join(memory.commits),
        "stale": "; ".join(found.stale),
    }
    for name, value in origin.items():
        if value:
            out.print(f"{name + ':':<12}{value}", markup=False)
    _print_each("superseded by", found.newer)
    _print_each("supersedes", found.older)
    _print_each("comes from", found.linked)


def _print_each(label: str, memories: Iterable[Memory]) -> None:
    for one in memories:
        line = " ".join(one.text.split())[:100]
        out.print(f"{label}  {one.id}  {one.created_at.date()}  {line}", markup=False)


COMMANDS = (remember, show, sessions, rebuild)
