"""Packages whose own module is run only when somebody asks it for something."""

from __future__ import annotations

import importlib.util
import re
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any


def defer(name: str) -> None:
    """Let the package *name* be imported without running it until an attribute of it is needed.

    Its submodules are imported as ever. `importlib.util.LazyLoader` cannot do this: for it, looking
    for a submodule is use enough. A package that is imported already, or missing, is left alone.
    """
    if name in sys.modules:
        return
    try:
        spec = importlib.util.find_spec(name)
    except ModuleNotFoundError:  # what it is in is missing
        return
    if spec is None or spec.loader is None or spec.submodule_search_locations is None:
        return
    module = _DeferredPackage(name)
    module.defer(spec)
    sys.modules.setdefault(name, module)
    parent, _, last = name.rpartition(".")
    if parent:
        setattr(sys.modules[parent], last, module)


@contextmanager
def promised(name: str) -> Iterator[None]:
    """Defer the package *name*, and meanwhile promise what is imported from it.

    What `from name import x` binds then stands for `x`: it can be called, subclassed, asked for
    attributes, used in annotations and in `isinstance`, and runs the package when it is. Nothing is
    promised of a package that has run, nor a name that does not occur in its source.
    """
    defer(name)
    module = sys.modules.get(name)
    if type(module) is not _DeferredPackage:
        yield
        return
    module.promise()
    try:
        yield
    finally:
        vars(module).pop("_promised", None)


class _DeferredPackage(ModuleType):
    def defer(self, spec: ModuleSpec) -> None:
        self.__dict__.update(
            __spec__=spec,
            __loader__=spec.loader,
            __path__=spec.submodule_search_locations,
            __file__=spec.origin,
            __package__=self.__name__,
            _turn=threading.RLock(),
            _runs=False,
        )

    def promise(self) -> None:
        source = getattr(self.__dict__["__loader__"], "get_source", lambda _: None)(self.__name__)
        self.__dict__["_promised"] = frozenset(re.findall(r"[^\W\d]\w*", source or ""))

    def __getattr__(self, name: str) -> Any:
        # Only what is missing comes here. Nobody's business but `import *` starts with underscores.
        if name.startswith("__") and name != "__all__":
            raise AttributeError(name)
        known = self.__dict__
        if not name.startswith("_") and name in known.get("_promised", ()):
            return _Promised(self, name)
        with known["_turn"]:
            if type(self) is _DeferredPackage:
                if known["_runs"]:
                    raise AttributeError(name)  # its own code asks, in a circle
                known.pop("_promised", None)
                known["_runs"] = True
                try:
                    known["__spec__"].loader.exec_module(self)
                finally:
                    known["_runs"] = False
                # Only now: until then, others wait for what is not there yet.
                self.__class__ = ModuleType  # type: ignore[assignment]  # as any module from now on
        return getattr(self, name)


class _Promised:
    """Stands for the attribute *name* of *package*."""

    def __init__(self, package: ModuleType, name: str) -> None:
        self._package = package
        self._name = name

    def _kept(self) -> Any:
        vars(self._package).pop("_promised", None)
        return getattr(self._package, self._name)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._kept()(*args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        # `typing` asks whatever stands in an annotation what kind of generic it is.
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(self._kept(), name)

    def __mro_entries__(self, _bases: tuple[Any, ...]) -> tuple[Any, ...]:
        return (self._kept(),)

    def __instancecheck__(self, instance: object) -> bool:
        return isinstance(instance, self._kept())

    def __subclasscheck__(self, subclass: type) -> bool:
        return issubclass(subclass, self._kept())

    def __or__(self, other: Any) -> Any:
        return self._kept() | other

    def __ror__(self, other: Any) -> Any:
        return other | self._kept()
