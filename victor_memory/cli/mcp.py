"""`mcp`: both memories for every agent that speaks the Model Context Protocol."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Final

import typer

from victor_memory._logging import configure_logging
from victor_memory.errors import VictorMemoryError
from victor_memory.hosts.mcp.serving import Options, serve_http, serve_stdio
from victor_memory.hosts.mcp.stdio import claim
from victor_memory.settings import MemorySettings

PORT: Final = 8973


def mcp(
    *,
    project: Annotated[
        str | None,
        typer.Option(
            help="Directory of the project; without it, clients name their own, or it is the "
            "current directory."
        ),
    ] = None,
    tools: Annotated[
        str | None,
        typer.Option(help="`core`, `all` or names of tools, separated by commas."),
    ] = None,
    http: Annotated[
        bool, typer.Option("--http", help="Serve several clients on a port of this machine.")
    ] = False,
    port: Annotated[int, typer.Option(help="The port, with --http; 0 is any free one.")] = PORT,
    debug: Annotated[bool, typer.Option("--debug", help="Log everything.")] = False,
) -> None:
    """Serve both memories over the Model Context Protocol, on standard input and output.

    An agent host starts it; see docs/mcp.md for what to write into a host's settings.
    """
    streams = None if http else claim()
    try:
        settings = MemorySettings()
        level = "DEBUG" if debug else settings.memory_log_level
        configure_logging(level, settings.memory_log_format)
        chosen = None if tools is None else tuple(filter(None, map(str.strip, tools.split(","))))
        options = Options(settings, None if project is None else Path(project), chosen)
        if streams is None:
            serve_http(options, port, _tell)
        else:
            serve_stdio(options, streams)
    except VictorMemoryError as exc:
        if debug:
            raise
        _tell(f"error: {' '.join(str(exc).split())}")
        raise typer.Exit(2) from exc


def _tell(line: str) -> None:
    """Tell the person who starts it; the host keeps standard error as its log."""
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


def run() -> None:
    """Run this command alone, on the command line's arguments; never returns."""
    app = typer.Typer(
        add_completion=False,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.command()(mcp)
    app(args=sys.argv[2:], prog_name="victor-memory mcp")


COMMANDS = (mcp,)
