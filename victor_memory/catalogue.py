"""What ships with this package, handed in through the same hooks as anyone else's plugin."""

from __future__ import annotations

from typing import Final

from victor_memory.embedders.base import EmbedderSpec
from victor_memory.embedders.catalogue import BUILTIN_EMBEDDERS
from victor_memory.hookspecs import hookimpl
from victor_memory.providers.base import ProviderSpec
from victor_memory.specs import Stability

BUILTIN_PROVIDERS: Final[tuple[ProviderSpec, ...]] = (
    ProviderSpec(
        name="lancedb",
        target="victor_memory.providers.lancedb:LanceDBProvider",
        title="LanceDB",
        description="Files in a local directory, shared by any number of processes.",
        requires=("lancedb", "pyarrow"),
    ),
    ProviderSpec(
        name="memory",
        target="victor_memory.providers.memory:MemoryProvider",
        title="In-process memory",
        description="Exact search in this process; nothing is kept. For tests and development.",
    ),
    ProviderSpec(
        name="proximadb",
        target="victor_memory.providers.proximadb:ProximaDBProvider",
        title="ProximaDB",
        description="The embedded ProximaDB engine behind a SQLite file; 1.7 GB of memory each.",
        requires=("proximadb_embedded", "apsw"),
        extra="vector-experimental",
        stability=Stability.EXPERIMENTAL,
    ),
    ProviderSpec(
        name="sqlite",
        target="victor_memory.providers.sqlite:SQLiteProvider",
        title="SQLite",
        description="One file, shared by any number of processes: the smallest footprint.",
        requires=("apsw", "sqlite_vec"),
        extra="sqlite",
    ),
)


@hookimpl
def victor_memory_register_providers() -> tuple[ProviderSpec, ...]:
    """Return the built-in stores."""
    return BUILTIN_PROVIDERS


@hookimpl
def victor_memory_register_embedders() -> tuple[EmbedderSpec, ...]:
    """Return the built-in embedders."""
    return BUILTIN_EMBEDDERS
