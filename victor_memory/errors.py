"""Every error and warning this package raises on purpose.

```
Exception
└── VictorMemoryError
    ├── ConfigurationError                also ValueError
    ├── InvalidRequestError               also ValueError
    ├── RegistryError
    │   ├── UnknownProviderError          also LookupError
    │   ├── DuplicateProviderError        also ValueError
    │   └── ContractError                 also TypeError
    ├── ProviderError
    │   ├── MissingDependencyError        also ImportError
    │   ├── ProviderUnavailableError
    │   ├── ProviderClosedError
    │   ├── UnsupportedOperationError     also NotImplementedError
    │   ├── DimensionMismatchError        also ValueError
    │   ├── StoreMismatchError
    │   ├── EmbedderMismatchError
    │   └── CorruptStoreError
    ├── EmbeddingError
    ├── TransferError
    ├── HostError
    └── PluginError
UserWarning
└── VictorMemoryWarning
    ├── ProviderFallbackWarning
    └── ExperimentalProviderWarning       also FutureWarning
```

Catch `VictorMemoryError` to handle everything; the second base of a class lets code that
knows nothing about this package catch it by its ordinary Python meaning. A message ends
with what to do next. `tests/test_errors.py` compares this drawing with the classes.
"""

from __future__ import annotations


class VictorMemoryError(Exception):
    """Base of every error raised on purpose by this package."""


class ConfigurationError(VictorMemoryError, ValueError):
    """A setting or an environment variable has a value that cannot be used."""


class InvalidRequestError(VictorMemoryError, ValueError):
    """A record, query, filter or limit that no store could accept."""


class RegistryError(VictorMemoryError):
    """Something is wrong with the names a registry knows."""


class UnknownProviderError(RegistryError, LookupError):
    """No provider or embedder is registered under this name."""


class DuplicateProviderError(RegistryError, ValueError):
    """The name is taken: a registration never replaces another in silence."""


class ContractError(RegistryError, TypeError):
    """A registered object does not have the shape its registration promises."""


class ProviderError(VictorMemoryError):
    """A vector store failed; the store's own exception is the `__cause__`."""


class MissingDependencyError(ProviderError, ImportError):
    """A package needed by the chosen provider or embedder is not installed."""


class ProviderUnavailableError(ProviderError):
    """The engine is installed but cannot be reached, started or written to."""


class ProviderClosedError(ProviderError):
    """The provider was used after `close()`."""


class UnsupportedOperationError(ProviderError, NotImplementedError):
    """The store cannot do this, now or ever; its traits say so beforehand."""


class DimensionMismatchError(ProviderError, ValueError):
    """A vector has another length than the collection's vectors."""


class StoreMismatchError(ProviderError):
    """The directory holds a collection written by another store or metric."""


class EmbedderMismatchError(ProviderError):
    """The collection's vectors were made by another embedding model."""


class CorruptStoreError(ProviderError):
    """The stored data cannot be read back as what was written."""


class EmbeddingError(VictorMemoryError):
    """A model could not be loaded or returned something that is not a usable vector."""


class TransferError(VictorMemoryError):
    """Moving data between stores failed; the source is untouched."""


class HostError(VictorMemoryError):
    """The settings of an agent host cannot be read or changed; they are as they were."""


class PluginError(VictorMemoryError):
    """A third-party plugin failed; it is unregistered and everything else goes on."""


class VictorMemoryWarning(UserWarning):
    """Base of every warning of this package: filter on it to silence them all."""


class ProviderFallbackWarning(VictorMemoryWarning):
    """An experimental provider could not be opened and another one is used instead."""


class ExperimentalProviderWarning(VictorMemoryWarning, FutureWarning):
    """An experimental provider was opened: it may lose data or change without notice."""
