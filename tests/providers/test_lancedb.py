from victor_memory.providers.lancedb import LanceDBProvider
from victor_memory.testing import ProviderContract


class TestLanceDB(ProviderContract):
    provider_class = LanceDBProvider
