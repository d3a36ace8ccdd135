"""DuckDB as a store of victor_memory. This module is what the entry point names."""

from victor_memory import ProviderSpec, hookimpl


@hookimpl
def victor_memory_register_providers():
    """Describe the store; nothing of it is imported until somebody chooses it."""
    target = "victor_memory_duckdb.store:DuckDBProvider"
    package = "victor-memory-duckdb"
    return [ProviderSpec("duckdb", target, "DuckDB", requires=("duckdb",), distribution=package)]
