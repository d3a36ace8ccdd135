"""`forget`: what is not to be kept."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from victor_memory.cli.conversation import Project, Session, as_dict
from victor_memory.cli.output import Debug, Json, execute, note, out, print_json, to_time
from victor_memory.errors import InvalidRequestError
from victor_memory.runtime import open_runtime
from victor_memory.settings import age_of

if TYPE_CHECKING:
    from victor_memory.conversation.records import Forgotten


def forget(
    ids: Annotated[list[str] | None, typer.Argument(help="Ids of memories.")] = None,
    *,
    session: Session = None,
    kind: Annotated[str | None, typer.Option(help="Only this kind.")] = None,
    before: Annotated[str | None, typer.Option(help="Only older than this date.")] = None,
    older_than: Annotated[
        str | None, typer.Option("--older-than", help="Only older than this, as 90d, 8w or 2y.")
    ] = None,
    query: Annotated[str | None, typer.Option(help="Only what is about this.")] = None,
    scope: Annotated[
        str | None, typer.Option(help="`user`: of what the user has in all projects.")
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Everything in the project's memory.")
    ] = False,
    with_history: Annotated[
        bool, typer.Option("--with-history", help="And what these memories superseded.")
    ] = False,
    expired: Annotated[
        bool,
        typer.Option(
            "--expired", help="What VICTOR_MEMORY_KEEP and VICTOR_MEMORY_MOST do not keep."
        ),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would go, and keep it.")
    ] = False,
    project: Project = ".",
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Delete memories by id, session, kind, age or content; several restrictions must all hold.

    What was deleted is removed from the store's files too, together with what was deleted before.
    """

    async def body() -> None:
        if before is not None and older_than is not None:
            msg = "--before and --older-than say the same in two ways. Give one of them."
            raise InvalidRequestError(msg)
        until = to_time(before)
        if older_than is not None:
            until = datetime.now(UTC) - age_of(older_than)
        chosen = (ids or None, session, kind, until, query, scope)
        if expired and (everything or with_history or any(one is not None for one in chosen)):
            msg = "--expired means what the settings say. Leave out the other restrictions."
            raise InvalidRequestError(msg)
        if not (expired or everything or any(one is not None for one in chosen[:5])):
            msg = (
                "Nothing was forgotten: say what to forget by ids, --session, --kind, --before, "
                "--older-than or --query, or --all for everything of this project."
            )
            raise InvalidRequestError(msg)
        async with open_runtime(project=project) as memory:
            if expired:
                gone = await memory.conversation.retain(dry_run=dry_run)
            else:
                if not dry_run:
                    # What is waiting to be stored would come after what is forgotten.
                    await memory.transfer.drain()
                gone = await memory.conversation.forget(
                    ids=ids or None,
                    session=session,
                    kind=kind,
                    before=until,
                    query=query,
                    scope=scope,
                    all=everything,
                    with_history=with_history,
                    dry_run=dry_run,
                )
        if as_json:
            memories = [as_dict(one) for one in gone.memories]
            print_json(
                "forget",
                {
                    "dry_run": dry_run,
                    "erased": gone.erased,
                    "memories": memories,
                    "current_again": [*gone.current_again],
                },
            )
            return
        _print(gone)

    execute(body(), as_json=as_json, debug=debug)


def _print(gone: Forgotten) -> None:
    for one in gone.memories:
        out.print(f"{one.kind}  {one.id}  {one.text[:100]}", markup=False)
    note(f"{len(gone.memories)} {'would be forgotten' if gone.dry_run else 'forgotten'}.")
    if gone.current_again:
        verb = "would be" if gone.dry_run else "are"
        note(
            f"{len(gone.current_again)} that they had superseded {verb} current again; "
            "--with-history forgets those too."
        )
    if gone.memories and not gone.dry_run and not gone.erased:
        note(
            "They are not found any more, but the store could not remove them from its files now. "
            "The next `forget` that deletes something tries again."
        )


COMMANDS = (forget,)
