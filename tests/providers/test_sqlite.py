import pytest

pytest.importorskip("apsw", reason="the extra 'sqlite' is not installed")

from victor_memory.providers.sqlite import SQLiteProvider
from victor_memory.testing import ProviderContract


class TestSQLite(ProviderContract):
    provider_class = SQLiteProvider
