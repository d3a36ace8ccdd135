"""Packages whose own module is run only when somebody asks it for something."""

from __future__ import annotations

import importlib.util
import sys
import threading
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
    spec = importlib.util.find_spec(name)
    if spec is None or spec.loader is None or spec.submodule_search_locations is None:
        return
    module = _DeferredPackage(name)
    module.defer(spec)
    sys.modules.setdefault(name, module)


class _DeferredPackage(ModuleType):
    def defer(self, spec: ModuleSpec) -> None:
        self.__dict__.update(
            __spec__=spec,
            __loader__=spec.loader,
            __path__=spec.submodule_search_locations,
            __file__=spec.origin,
            __package__=self.__name__,
            _turn=threading.RLock(),
        )

    def __getattr__(self, name: str) -> Any:
        # Only what is missing comes here. Nobody's business but `import *` starts with underscores.
        if name.startswith("__") and name != "__all__":
            raise AttributeError(name)
        with self.__dict__["_turn"]:
            if type(self) is _DeferredPackage:
                spec = self.__dict__["__spec__"]
                self.__class__ = ModuleType  # type: ignore[assignment]  # as any module from now on
                spec.loader.exec_module(self)
        return getattr(self, name)
