"""Descriptions of providers and embedders: plain data, importing nothing until asked to load."""

from __future__ import annotations

import difflib
import enum
import importlib
import importlib.metadata
import importlib.util
import threading
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from victor_memory.errors import (
    ContractError,
    DuplicateProviderError,
    MissingDependencyError,
    UnknownProviderError,
)

PACKAGE: Final = "victor-memory"
T = TypeVar("T")
S = TypeVar("S", bound="ComponentSpec[Any]")


class Stability(enum.Enum):
    """Whether a component is held to its promises, or may fall back to another one."""

    STABLE = "stable"
    EXPERIMENTAL = "experimental"


@dataclass(frozen=True, slots=True)
class ComponentSpec(Generic[T]):
    """Where a class lives, what it needs, and how to install that.

    `target` is the class itself or `"package.module:Class"`, imported on `load`. `requires` names
    the importable modules it needs: they alone decide whether the component is installed, so an
    ImportError inside the component is a bug and is never reported as a missing package.
    """

    name: str
    target: type[T] | str
    title: str = ""
    description: str = ""
    requires: tuple[str, ...] = ()
    extra: str | None = None
    """The extra of this package that brings what is required, for the pip line."""
    distribution: str | None = None
    """The distribution to install instead, for a component of another package."""
    stability: Stability = Stability.STABLE

    @property
    def label(self) -> str:
        """The name to show a person."""
        return self.title or self.name

    @property
    def pip_line(self) -> str:
        """The command that installs what this component needs."""
        if self.extra:
            return f"pip install {PACKAGE}[{self.extra}]"
        return f"pip install {self.distribution or ' '.join(self.requires) or PACKAGE}"

    def missing(self) -> tuple[str, ...]:
        """Return the required modules that are not installed, importing none of them."""
        return tuple(name for name in self.requires if not _installed(name))

    def load(self) -> type[T]:
        """Import and return the class.

        Raises:
            MissingDependencyError: a required module is not installed; the message is the pip line.
            ContractError: the target is not a class.

        """
        if missing := self.missing():
            msg = (
                f"{self.label} needs {', '.join(missing)}, which is not installed. "
                f"Install with: {self.pip_line}"
            )
            raise MissingDependencyError(msg, name=missing[0])
        target: Any = self.target
        if isinstance(target, str):
            module, _, attribute = target.partition(":")
            target = getattr(importlib.import_module(module), attribute, None)
        if not isinstance(target, type):
            msg = f"{self.label}: {self.target!r} is not a class. Correct `target` in its spec."
            raise ContractError(msg)
        return target


class SpecTable(Generic[S]):
    """Specs by name, in order of registration; a name is never taken twice. Thread-safe."""

    def __init__(self, kind: type[S], noun: str) -> None:
        """Make a table of *kind*, called *noun* in messages."""
        self._kind = kind
        self._noun = noun
        self._specs: dict[str, S] = {}
        self._lock = threading.Lock()

    def add(self, spec: S) -> None:
        """Make *spec* known under its name; nothing is imported.

        Raises:
            DuplicateProviderError: the name is taken.
            ContractError: *spec* is of another kind.

        """
        if not isinstance(spec, self._kind):
            msg = f"Any {self._noun} is described by one {self._kind.__name__}, not by {spec!r}."
            raise ContractError(msg)
        with self._lock:
            if spec.name in self._specs:
                msg = f"The {self._noun} {spec.name!r} is registered already. Choose another name."
                raise DuplicateProviderError(msg)
            self._specs[spec.name] = spec

    def names(self) -> list[str]:
        """Return the names, in order of registration."""
        with self._lock:
            return list(self._specs)

    def get(self, name: str) -> S:
        """Return the spec of *name*.

        Raises:
            UnknownProviderError: there is no such name; the message has the nearest one.

        """
        with self._lock:
            known = self._specs.get(name)
        if known is None:
            near = difflib.get_close_matches(name.lower(), self.names(), n=1)
            hint = f"Did you mean {near[0]!r}? " if near else ""
            msg = f"Unknown {self._noun} {name!r}. {hint}Known: {', '.join(self.names())}."
            raise UnknownProviderError(msg)
        return known


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """One operation an agent can call: described by JSON Schema, run by an async function."""

    name: str
    description: str
    """Tells a model when to use the tool, and when not."""
    parameters: Mapping[str, Any]
    """JSON Schema of the arguments: an object without additional properties."""
    run: Callable[..., Awaitable[Any]]
    """Takes the open runtime, then the arguments by name; returns JSON values."""
    read_only: bool = True
    destructive: bool = False
    idempotent: bool = False
    """Whether calling it again with the same arguments changes nothing more."""
    title: str = ""
    """A name to show to people."""
    output_schema: Mapping[str, Any] | None = None
    """JSON Schema of the result, an object."""
    render: Callable[[Any], str] | None = None
    """Returns the text of a result, for a model; without it, that is its JSON."""


@dataclass(frozen=True, slots=True)
class CommandSpec:
    """One command, or group of commands, added to the `victor-memory` program."""

    name: str
    target: Any
    """A typer app, a function, or `"package.module:app"`, imported when the program runs."""
    help: str = ""

    def load(self) -> Any:
        """Import and return the app or function."""
        if not isinstance(self.target, str):
            return self.target
        module, _, attribute = self.target.partition(":")
        return getattr(importlib.import_module(module), attribute)


def _installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):
        # A dotted name whose parent is absent, or a module without a spec: not usable either way.
        return False


def package_version() -> str:
    """Return the installed version of this package, or `"0+unknown"` from a bare checkout."""
    try:
        return importlib.metadata.version(PACKAGE)
    except importlib.metadata.PackageNotFoundError:
        return "0+unknown"
