"""What the program prints: results on stdout, progress, notes and failures on stderr."""

from __future__ import annotations

import asyncio
import json
import sys
import traceback
import warnings
from collections.abc import Coroutine, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from rich.console import Console

from victor_memory._logging import configure_logging
from victor_memory.errors import (
    ConfigurationError,
    InvalidRequestError,
    VictorMemoryError,
    VictorMemoryWarning,
)
from victor_memory.settings import MemorySettings

if TYPE_CHECKING:
    from rich.progress import Progress

EXIT_FAILURE: Final = 1
EXIT_USAGE: Final = 2
EXIT_INTERRUPTED: Final = 130

out = Console(soft_wrap=True, highlight=False)
err = Console(stderr=True, soft_wrap=True, highlight=False)

Json = Annotated[
    bool, typer.Option("--json", help="Print one JSON object instead; see the documentation.")
]
Debug = Annotated[
    bool, typer.Option("--debug", help="Log everything, and show the traceback of a failure.")
]


def print_json(kind: str, values: Mapping[str, Any]) -> None:
    """Print *values* as one JSON object under the schema `victor-memory.<kind>/1`."""
    document = {"schema": f"victor-memory.{kind}/1", **values}
    # Written, not printed by rich: no wrapping, no markup, and any terminal width.
    sys.stdout.write(json.dumps(document, ensure_ascii=False, indent=2, default=str) + "\n")


def note(message: str) -> None:
    """Tell the person something that is not a result."""
    err.print(message, style="dim", markup=False)


def to_time(text: str | None) -> datetime | None:
    """Return an ISO date or time in the local time zone unless it names another.

    Raises:
        InvalidRequestError: *text* is no date.

    """
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as exc:
        msg = f"{text!r} is not a date. Write it as 2026-01-31 or 2026-01-31T12:00:00+00:00."
        raise InvalidRequestError(msg) from exc
    return moment.astimezone(UTC)


def execute(body: Coroutine[Any, Any, None], *, as_json: bool, debug: bool) -> None:
    """Run *body*; let a failure be one readable line and a non-zero exit code.

    The code is 1 when something failed, 2 when the command line or the environment is wrong, and
    130 when the person interrupted.
    """
    with _failures(as_json=as_json, debug=debug), warnings.catch_warnings():
        warnings.simplefilter("once", VictorMemoryWarning)
        warnings.showwarning = _show_warning
        try:
            settings = MemorySettings()
            level = "DEBUG" if debug else settings.memory_log_level
            configure_logging(level, settings.memory_log_format)
        except VictorMemoryError:
            body.close()
            raise
        asyncio.run(body)


@contextmanager
def _failures(*, as_json: bool, debug: bool) -> Iterator[None]:
    try:
        yield
    except VictorMemoryError as exc:
        if debug:
            traceback.print_exc()
        _fail(exc, as_json=as_json)
        usage = isinstance(exc, ConfigurationError | InvalidRequestError)
        raise typer.Exit(EXIT_USAGE if usage else EXIT_FAILURE) from exc
    except KeyboardInterrupt:
        note("Interrupted. What was done is kept; run the command again to go on.")
        raise typer.Exit(EXIT_INTERRUPTED) from None


def _fail(exc: VictorMemoryError, *, as_json: bool) -> None:
    line = " ".join(str(exc).split())
    if as_json:
        print_json("error", {"error": {"type": type(exc).__name__, "message": line}})
    err.print("error: ", style="bold red", end="")
    err.print(line, markup=False)


def _show_warning(
    message: Warning | str, category: type[Warning], *_place: object, **_more: object
) -> None:
    if issubclass(category, VictorMemoryWarning):
        err.print("warning: ", style="yellow", end="")
        err.print(" ".join(str(message).split()), markup=False)


def progress_bar() -> Progress:
    """Return a progress bar on stderr that vanishes when it is done; plain where no one watches."""
    from rich import progress

    return progress.Progress(
        progress.TextColumn("{task.description}"),
        progress.BarColumn(),
        progress.MofNCompleteColumn(),
        progress.TextColumn("{task.fields[unit]}"),
        progress.TimeElapsedColumn(),
        console=err,
        transient=True,
        disable=not err.is_terminal,
    )
