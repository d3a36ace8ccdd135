"""The LanceDB client, imported when it is first needed, and in a third of its time.

Most of `import lancedb` is spent on things that no local table uses, which are put off or left out:

* it imports the models of a namespace server's REST interface and its clients: they are promised
  until somebody uses one (`_deferred`). For the few that it imports itself, and its own, pydantic
  builds the validators when they are first needed;
* before Python 3.12 it has `overrides` check each method that it overrides: from 3.12 on it uses
  `typing.override`, which checks nothing, and so it does here.
"""

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import TYPE_CHECKING, Any

from victor_memory.providers._deferred import defer, promised

if TYPE_CHECKING:
    import lancedb
    from lancedb.expr import col
    from lancedb.index import FTS, IvfSq
    from lancedb.query import MatchQuery

__all__ = ["FTS", "IvfSq", "MatchQuery", "col", "lancedb", "load"]


_lock = threading.Lock()


def load() -> None:
    """Import the client, which takes some tenths of a second."""
    with _lock:
        if "lancedb" in globals():
            return
        defer("lance_namespace_urllib3_client")
        defer("lance_namespace_urllib3_client.models")
        with _unbuilt_models(), _unchecked_overrides(), promised("lance_namespace"):
            import lancedb
            from lancedb.expr import col
            from lancedb.index import FTS, IvfSq
            from lancedb.query import MatchQuery

        globals().update(lancedb=lancedb, col=col, FTS=FTS, IvfSq=IvfSq, MatchQuery=MatchQuery)


@contextmanager
def _unbuilt_models() -> Iterator[None]:
    """Let pydantic models that are defined meanwhile build their validators when first used."""
    from pydantic import BaseModel

    if "defer_build" in BaseModel.model_config:
        yield
        return
    BaseModel.model_config["defer_build"] = True
    try:
        yield
    finally:
        del BaseModel.model_config["defer_build"]


@contextmanager
def _unchecked_overrides() -> Iterator[None]:
    if sys.version_info >= (3, 12):
        yield
        return
    import overrides

    stand_in = ModuleType(overrides.__name__)
    vars(stand_in).update(vars(overrides))
    vars(stand_in).update(override=lambda method: method, EnforceOverrides=object)
    sys.modules[overrides.__name__] = stand_in
    try:
        yield
    finally:
        sys.modules[overrides.__name__] = overrides


def __getattr__(name: str) -> Any:
    if name not in __all__:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    load()
    return globals()[name]
