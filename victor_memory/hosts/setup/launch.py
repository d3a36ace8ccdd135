"""How an agent starts our server: the program, its arguments, and the settings it needs."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
import sysconfig
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, get_args

from pydantic import SecretStr

from victor_memory.catalogue import BUILTIN_PROVIDERS
from victor_memory.hosts.setup.hosts import ARGUMENTS, BEGIN, CAPTURE, COMMAND, ENVIRONMENT, LINE
from victor_memory.settings import PREFIX, MemorySettings, variable
from victor_memory.specs import PACKAGE

SERVE: Final = ("mcp",)
QUEUE: Final = ("capture",)
TELL: Final = ("hook", "session-start")


@dataclass(frozen=True, slots=True)
class Launch:
    """A command line without the subcommand, and variables; `withheld` names secrets left out."""

    line: tuple[str, ...]
    environment: Mapping[str, str]
    withheld: tuple[str, ...] = ()

    def values(self) -> dict[str, Any]:
        """Return what stands for the stand-ins of an agent's entry."""
        whole = [*self.line, *SERVE]
        return {
            COMMAND: whole[0],
            ARGUMENTS: whole[1:],
            LINE: whole,
            ENVIRONMENT: dict(self.environment),
            CAPTURE: self.shell(*QUEUE),
            BEGIN: self.shell(*TELL),
        }

    def shell(self, *arguments: str) -> str:
        """Return the command for a POSIX shell, which agents run hooks in on every system.

        The settings go along: unlike a server, a hook has no list of variables of its own.
        """
        # Windows knows slashes too, and a shell would take backslashes for something else.
        program = self.line[0].replace("\\", "/") if os.name == "nt" else self.line[0]
        settings = [f"{name}={value}" for name, value in self.environment.items()]
        before = ["env", *settings] if settings else []
        return shlex.join([*before, program, *self.line[1:], *arguments])


def launch(*, portable: bool = False, environ: Mapping[str, str] | None = None) -> Launch:
    """Return how this installation is started.

    A program that stays is named by its absolute path, because an agent with windows often has
    another `PATH` than a terminal. One that `uvx` or `pipx run` made for this call alone is
    started by them again. *portable* is the bare name, for a file that several machines share.
    Settings that the environment sets are carried over, secrets never.
    """
    source = os.environ if environ is None else environ
    values, withheld = _settings(source)
    return Launch((PACKAGE,) if portable else _line(), values, withheld)


def _line() -> tuple[str, ...]:
    prefix = Path(sys.prefix)
    if "archive-v0" in prefix.parts:  # uv's cache of environments
        return (_absolute("uvx"), PACKAGE)
    if prefix.parent.name == "pipx" or prefix.parts[-3:-1] == ("pipx", ".cache"):
        return (_absolute("pipx"), "run", PACKAGE)
    script = Path(sysconfig.get_path("scripts"), PACKAGE + (".exe" if os.name == "nt" else ""))
    if not script.is_file():
        return (sys.executable, "-m", "victor_memory")
    linked = shutil.which(PACKAGE)
    # A link in a directory of programs outlives the environment it leads to.
    if linked and Path(linked).resolve() == script.resolve():
        return (os.path.abspath(linked),)  # noqa: PTH100 - links are kept
    return (str(script),)


def _absolute(program: str) -> str:
    return os.path.abspath(found) if (found := shutil.which(program)) else program  # noqa: PTH100 - links are kept


def _settings(source: Mapping[str, str]) -> tuple[dict[str, str], tuple[str, ...]]:
    known = {variable(name): field for name, field in MemorySettings.model_fields.items()}
    stores = tuple(f"{PREFIX}{spec.name.upper()}_" for spec in BUILTIN_PROVIDERS)
    values: dict[str, str] = {}
    withheld = []
    for name, value in sorted(source.items()):
        if not value or (name not in known and not name.startswith(stores)):
            continue
        kind = known[name].annotation if name in known else None
        if SecretStr in (kind, *get_args(kind)) or _tells_secret(name):
            withheld.append(name)
        elif Path in (kind, *get_args(kind)) and not value.startswith("~"):
            values[name] = os.path.abspath(value)  # noqa: PTH100 - an agent starts elsewhere
        else:
            values[name] = value
    return values, tuple(withheld)


def _tells_secret(name: str) -> bool:
    return any(word in name for word in ("KEY", "TOKEN", "SECRET", "PASSWORD"))
