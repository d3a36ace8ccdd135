"""`recall`, `context` and `timeline`: what was said and decided, found again."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from victor_memory.cli.conversation import Project, Session, as_dict
from victor_memory.cli.output import Debug, Json, execute, note, out, print_json, to_time
from victor_memory.context import DEFAULT_BUDGET
from victor_memory.conversation import fence
from victor_memory.conversation.calibration import DEFAULT_MIN_SCORE
from victor_memory.conversation.ranking import Recalled
from victor_memory.conversation.records import Memory
from victor_memory.errors import InvalidRequestError
from victor_memory.runtime import open_runtime

Kinds = Annotated[
    list[str] | None, typer.Option("--kind", "--kinds", help="Only this kind; may be given again.")
]
Since = Annotated[str | None, typer.Option(help="Not before this date, as 2026-01-31.")]
Until = Annotated[str | None, typer.Option(help="Only before this date.")]
AROUND = 120
"""Characters shown of a turn beside one that was found."""


def recall(
    query: Annotated[str, typer.Argument(help="What to recall, in words.")],
    *,
    limit: Annotated[int, typer.Option("--limit", "-n", help="How many results.")] = 5,
    kind: Kinds = None,
    session: Session = None,
    agent: Annotated[str | None, typer.Option(help="Only of this agent.")] = None,
    speaker: Annotated[str | None, typer.Option(help="Only what this person said.")] = None,
    role: Annotated[str | None, typer.Option(help="Only this role, as `user`.")] = None,
    branch: Annotated[str | None, typer.Option(help="Only of this branch.")] = None,
    worktree: Annotated[str | None, typer.Option(help="Only of this working tree.")] = None,
    since: Since = None,
    until: Until = None,
    min_score: Annotated[
        float, typer.Option(help="Drop results that score less, 0 to 1; 0 keeps all.")
    ] = DEFAULT_MIN_SCORE,
    budget: Annotated[
        int | None, typer.Option(help="Tokens that the texts may have together.")
    ] = None,
    include_superseded: Annotated[
        bool, typer.Option("--include-superseded", help="Also what newer memories replaced.")
    ] = False,
    all_projects: Annotated[
        bool, typer.Option("--all-projects", help="Search the memories of all projects.")
    ] = False,
    why: Annotated[bool, typer.Option("--why", help="Show what each score is made of.")] = False,
    project: Project = ".",
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Find what the project's memory holds about QUERY, in which "last week" is understood."""

    async def body() -> None:
        given: dict[str, Any] = {
            "kinds": kind,
            "session": session,
            "agent": agent,
            "speaker": speaker,
            "role": role,
            "branch": branch,
            "worktree": worktree,
            "since": to_time(since),
            "until": to_time(until),
            "min_score": min_score,
            "budget": budget,
            "include_superseded": include_superseded,
        }
        async with open_runtime(project=project) as memory:
            ask = memory.recall_everywhere if all_projects else memory.conversation.recall
            found = await ask(query, limit=limit, **given)
        if as_json:
            print_json("recall", {"query": query, "results": [recalled(one) for one in found]})
            return
        if not found:
            note(
                "Nothing relevant. Try other words, --min-score 0 for whatever is nearest, or "
                "remember something first."
            )
        for one in found:
            print_recalled(one, why=why, named=all_projects)

    execute(body(), as_json=as_json, debug=debug)


def context(
    query: Annotated[
        str | None,
        typer.Argument(help="The task; without it, what a new session should know."),
    ] = None,
    *,
    budget: Annotated[int, typer.Option(help="Tokens that it may have.")] = DEFAULT_BUDGET,
    session: Annotated[
        str | None,
        typer.Option(help="Session it is for: it gets nothing twice, and not what it said itself."),
    ] = None,
    end: Annotated[
        bool, typer.Option("--end", help="Only forget what the session was given; it has ended.")
    ] = False,
    no_code: Annotated[bool, typer.Option("--no-code", help="Only the conversation.")] = False,
    no_refresh: Annotated[
        bool, typer.Option("--no-refresh", help="Do not look for changed files first.")
    ] = False,
    project: Project = ".",
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Print what an agent should read about QUERY, of code and conversation, in a budget."""

    async def body() -> None:
        async with open_runtime(project=project) as memory:
            if end:
                if session is None:
                    msg = "--end needs the --session that has ended."
                    raise InvalidRequestError(msg)
                memory.ledger.end(session)
                return
            built = await memory.context(
                query, budget=budget, session=session, code=not no_code, refresh=not no_refresh
            )
        if as_json:
            items = [
                {"kind": one.kind, "place": one.place, "title": one.title, "text": one.text,
                 "tokens": one.tokens}
                for one in built.items
            ]  # fmt: skip
            values = {"query": query, "tokens": built.tokens, "repeated": built.repeated}
            print_json("context", {**values, "notice": built.notice, "items": items})
            return
        if built.notice:
            note(built.notice)
        if built.text:
            sys.stdout.write(fence.wrap(built.text) + "\n")
        elif built.repeated:
            note("Nothing new: the session was given all of it before.")
        else:
            note("Nothing relevant is known.")

    execute(body(), as_json=as_json, debug=debug)


def timeline(
    *,
    since: Since = None,
    until: Until = None,
    kind: Kinds = None,
    session: Session = None,
    limit: Annotated[int, typer.Option("--limit", "-n", help="How many memories.")] = 20,
    project: Project = ".",
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Print what was said and noted, oldest first: the newest, or from --since or in --session."""

    async def body() -> None:
        async with open_runtime(project=project) as memory:
            found = await memory.conversation.timeline(
                since=to_time(since), until=to_time(until), kinds=kind, session=session, limit=limit
            )
        if as_json:
            print_json("timeline", {"results": [as_dict(one) for one in found]})
            return
        if not found:
            note("Nothing is remembered of that time.")
        day = None
        for one in found:
            local = one.created_at.astimezone()
            if local.date() != day:
                day = local.date()
                out.print(f"{day.isoformat()}", markup=False)
            text = " ".join(one.text.split())
            told = f"  {local:%H:%M}  {_who(one)}  {text[:AROUND]}"
            out.print(told + ("…" if len(text) > AROUND else ""), markup=False)

    execute(body(), as_json=as_json, debug=debug)


def recalled(one: Recalled) -> dict[str, Any]:
    """Return what was recalled as JSON values."""
    return {
        **as_dict(one.memory),
        "score": one.score,
        "why": one.parts,
        "matched": one.matched,
        "excerpt": one.excerpt,
        "context": [as_dict(beside) for beside in one.context],
        "superseded_by": one.superseded_by,
        "amended_by": one.amended_by,
        "stale": one.stale,
    }


def print_recalled(one: Recalled, *, why: bool, named: bool = False) -> None:
    """Print one memory that was recalled; *named*, with its project."""
    said = one.memory
    where = f"  session {said.session}" if said.session else ""
    whose = f"  project {said.project}" if named else ""
    date = said.created_at.astimezone().date().isoformat()
    out.print(f"{_who(said)}  {date}{where}{whose}  {one.score:.3f}  {said.id}", markup=False)
    if one.superseded_by:
        out.print(f"  superseded by {one.superseded_by}", markup=False)
    if one.amended_by:
        out.print(f"  amended by {one.amended_by}", markup=False)
    for reason in one.stale:
        out.print(f"  may not hold any more: {reason}", markup=False)
    if why:
        shares = "  ".join(f"{name}={value:.3f}" for name, value in one.parts.items() if value)
        out.print(f"  {shares}", markup=False)
        out.print(f"  words: {' '.join(one.matched) or 'none'}", markup=False)
        for beside in one.context:
            text = " ".join(beside.text.split())
            out.print(f"  beside: {_who(beside)}  {text[:AROUND]}", markup=False)
    text = one.excerpt or said.text
    if len(text) < len(said.text):
        text = f"{text.strip()}\n  (a part of it; all of it: victor-memory show {said.id})"
    out.print(f"  {text}\n", markup=False)


def _who(said: Memory) -> str:
    who = said.speaker or said.role
    return f"{said.kind} {who}" if who else said.kind


COMMANDS = (recall, context, timeline)
