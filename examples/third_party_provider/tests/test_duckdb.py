from victor_memory_duckdb.store import DuckDBProvider

from victor_memory.errors import ProviderError
from victor_memory.testing import Deviation, ProviderContract


class TestDuckDB(ProviderContract):
    provider_class = DuckDBProvider
    deviations = {
        "test_any_directory": Deviation("never", "DuckDB reads '?' as options", ProviderError),
    }
