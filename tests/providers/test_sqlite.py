"""SQLite keeps every promise of the protocol."""

from victor_memory.providers.sqlite import SQLiteProvider
from victor_memory.testing.contract import ProviderContract


class TestSQLite(ProviderContract):
    provider_class = SQLiteProvider
