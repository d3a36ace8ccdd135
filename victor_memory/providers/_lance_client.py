"""The LanceDB client, imported when it is first needed, and in two thirds of its time.

`lancedb` imports the models of a namespace server's REST interface, whose package also runs its
clients: a third of the time of `import lancedb`, for something that no local table uses.
"""

from typing import TYPE_CHECKING, Any

from victor_memory.providers._deferred import defer

if TYPE_CHECKING:
    import lancedb
    from lancedb.expr import col
    from lancedb.index import FTS, IvfSq
    from lancedb.query import MatchQuery

__all__ = ["FTS", "IvfSq", "MatchQuery", "col", "lancedb", "load"]


def load() -> None:
    """Import the client, which takes some tenths of a second."""
    defer("lance_namespace_urllib3_client")
    import lancedb
    from lancedb.expr import col
    from lancedb.index import FTS, IvfSq
    from lancedb.query import MatchQuery

    globals().update(lancedb=lancedb, col=col, FTS=FTS, IvfSq=IvfSq, MatchQuery=MatchQuery)


def __getattr__(name: str) -> Any:
    if name not in __all__:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    load()
    return globals()[name]
