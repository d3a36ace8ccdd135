from victor_memory.providers.memory import MemoryProvider
from victor_memory.testing import ProviderContract


class TestMemory(ProviderContract):
    provider_class = MemoryProvider
