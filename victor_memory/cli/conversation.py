"""`remember`, `recall` and `forget`: what was said and decided in a project."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import Annotated, Any

import typer

from victor_memory.cli.output import Debug, Json, execute, note, out, print_json, to_time
from victor_memory.conversation.ranking import Recalled
from victor_memory.conversation.records import Memory
from victor_memory.runtime import open_runtime

Project = Annotated[
    str, typer.Option("--project", help="Directory inside the project whose memory is used.")
]
Session = Annotated[str | None, typer.Option(help="Only this session.")]


def remember(
    text: Annotated[str, typer.Argument(help="What to remember; '-' reads standard input.")],
    *,
    kind: Annotated[
        str,
        typer.Option(help="`fact`, `decision`, `preference`, `task`, `summary` or `error_fix`."),
    ] = "fact",
    session: Annotated[str | None, typer.Option(help="Session it was said in.")] = None,
    tag: Annotated[list[str] | None, typer.Option(help="Label; may be given again.")] = None,
    importance: Annotated[float, typer.Option(help="From 0 to 1.")] = 0.5,
    project: Project = ".",
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Store TEXT in the project's memory; the same text twice is one memory."""

    async def body() -> None:
        said = sys.stdin.read() if text == "-" else text
        async with open_runtime(project=project) as memory:
            done = await memory.conversation.remember(
                said, kind=kind, session=session, tags=tuple(tag or ()), importance=importance,
                source="cli",
            )  # fmt: skip
            kept = memory.conversation.provider.traits.persistent
        if not kept:
            note("The chosen store keeps nothing: this is forgotten when the program ends.")
        if as_json:
            print_json("remember", {"memory": _as_dict(done.memory), "new": done.new})
        else:
            state = "Remembered" if done.new else "Known already"
            out.print(f"{state}: {done.memory.id}", markup=False)

    execute(body(), as_json=as_json, debug=debug)


def recall(
    query: Annotated[str, typer.Argument(help="What to recall, in words.")],
    *,
    limit: Annotated[int, typer.Option("--limit", "-n", help="How many results.")] = 5,
    kind: Annotated[list[str] | None, typer.Option(help="Only this kind; may be repeated.")] = None,
    session: Session = None,
    since: Annotated[str | None, typer.Option(help="Not before this date, as 2026-01-31.")] = None,
    until: Annotated[str | None, typer.Option(help="Only before this date.")] = None,
    min_score: Annotated[float | None, typer.Option(help="Drop results that score less.")] = None,
    why: Annotated[bool, typer.Option("--why", help="Show the parts of each score.")] = False,
    project: Project = ".",
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Find what the project's memory holds about QUERY."""

    async def body() -> None:
        async with open_runtime(project=project) as memory:
            found = await memory.conversation.recall(
                query,
                limit=limit,
                kinds=kind,
                session=session,
                since=to_time(since),
                until=to_time(until),
                min_score=min_score,
            )
        if as_json:
            print_json("recall", {"query": query, "results": [recalled(one) for one in found]})
            return
        if not found:
            note("Nothing found. Try other words, or remember something first.")
        for one in found:
            print_recalled(one, why=why)

    execute(body(), as_json=as_json, debug=debug)


def forget(
    ids: Annotated[list[str] | None, typer.Argument(help="Ids of memories.")] = None,
    *,
    session: Session = None,
    kind: Annotated[str | None, typer.Option(help="Only this kind.")] = None,
    before: Annotated[str | None, typer.Option(help="Only older than this date.")] = None,
    query: Annotated[str | None, typer.Option(help="Only what is about this.")] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Everything in the project's memory.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would go, and keep it.")
    ] = False,
    project: Project = ".",
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Delete memories by id, session, kind, age or content; several restrictions must all hold."""

    async def body() -> None:
        async with open_runtime(project=project) as memory:
            gone = await memory.conversation.forget(
                ids=ids or None,
                session=session,
                kind=kind,
                before=to_time(before),
                query=query,
                all=everything,
                dry_run=dry_run,
            )
        if as_json:
            memories = [_as_dict(one) for one in gone.memories]
            print_json("forget", {"dry_run": dry_run, "memories": memories})
            return
        for one in gone.memories:
            out.print(f"{one.kind}  {one.id}  {one.text[:100]}", markup=False)
        verb = "would be forgotten" if dry_run else "forgotten"
        note(f"{len(gone.memories)} {verb}.")

    execute(body(), as_json=as_json, debug=debug)


def recalled(one: Recalled) -> dict[str, Any]:
    """Return what was recalled as JSON values."""
    return {**_as_dict(one.memory), "score": one.score, "why": one.parts}


def print_recalled(one: Recalled, *, why: bool) -> None:
    """Print one memory that was recalled."""
    said = one.memory
    where = f"  session {said.session}" if said.session else ""
    date = said.created_at.date().isoformat()
    out.print(f"{said.kind}  {date}{where}  {one.score:.3f}  {said.id}", markup=False)
    if why:
        parts = "  ".join(f"{name}={value:.3f}" for name, value in one.parts.items())
        out.print(f"  {parts}", markup=False)
    out.print(f"  {said.text}\n", markup=False)


def _as_dict(memory: Memory) -> dict[str, Any]:
    return {**asdict(memory), "created_at": memory.created_at.isoformat()}


COMMANDS = (remember, recall, forget)
