"""The commands put together."""

from __future__ import annotations

from typing import Annotated

import typer

from victor_memory.cli import (
    code,
    conversation,
    forget,
    history,
    hook,
    inspection,
    install_host,
    mcp,
    recall,
    search,
    structure,
    transfer,
)
from victor_memory.errors import VictorMemoryError
from victor_memory.plugins import Plugins
from victor_memory.settings import MemorySettings
from victor_memory.specs import CommandSpec, package_version

app = typer.Typer(
    name="victor-memory",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for module in (
    code, search, structure, history, conversation, recall, forget, inspection, install_host, hook,
    mcp, transfer,
):  # fmt: skip
    for command in module.COMMANDS:
        app.command()(command)


def _answer_version(wanted: bool) -> None:  # noqa: FBT001 - typer calls it so
    if wanted:
        typer.echo(f"victor-memory {package_version()}")
        raise typer.Exit


@app.callback()
def options(
    *,
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_answer_version, is_eager=True, help="Show the version."
        ),
    ] = False,
) -> None:
    """Memory for coding agents: search code by meaning, remember and recall."""
    del version  # its callback has answered already


def run() -> None:
    """Run the program on the command line's arguments; never returns."""
    _add_plugin_commands()
    app()


def _add_plugin_commands() -> None:
    """Add what plugins bring; one that cannot be loaded is left out and named by `doctor`."""
    try:
        plugins = Plugins(MemorySettings().memory_disabled_plugins)
    except VictorMemoryError:
        return  # the command itself reports the environment
    plugins.load_entry_points()
    plugins.collect("victor_memory_register_commands", _add_command)


def _add_command(spec: CommandSpec) -> None:
    target = spec.load()
    if isinstance(target, typer.Typer):
        app.add_typer(target, name=spec.name, help=spec.help or None)
    else:
        app.command(name=spec.name, help=spec.help or None)(target)
