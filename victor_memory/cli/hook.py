"""`hook`: what an agent runs at an event of a session; people have no use for it."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from victor_memory.hosts import session_start


def hook(
    event: Annotated[Literal["session-start"], typer.Argument(help="What happens in the agent.")],
) -> None:
    """Answer an agent's hook: its event comes as JSON on standard input.

    `session-start` tells a new session what is remembered of its project. `install-host --hooks`
    writes it into the agent's settings. It never fails: when there is nothing to tell, or not in
    time, it prints nothing.
    """
    del event  # typer has checked it, and there is one
    raise typer.Exit(session_start.run())


COMMANDS = (hook,)
