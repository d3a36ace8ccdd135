import pytest

pytest.importorskip("proximadb_embedded", reason="ProximaDB's engine is not installed")

from victor_memory.providers.proximadb import ProximaDBProvider
from victor_memory.testing import ProviderContract


@pytest.mark.timeout(900)  # each opening takes seconds
class TestProximaDB(ProviderContract):
    provider_class = ProximaDBProvider
    timeout = 600
