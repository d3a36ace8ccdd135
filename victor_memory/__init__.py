"""Conversation memory and codebase memory for coding agents, on any vector store.

Every public name is imported when it is first used: importing this package loads no store, no
numpy and no agent host.
"""

from __future__ import annotations

import importlib

# Not from `typing`: a hook that runs `capture` pays for every import, each time.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from victor_memory.config import EmbeddingConfig
    from victor_memory.embedders.base import BaseEmbedder, EmbedderSpec
    from victor_memory.hookspecs import hookimpl
    from victor_memory.providers.base import BaseEmbeddingProvider, ProviderOptions, ProviderSpec
    from victor_memory.redaction import Redaction
    from victor_memory.registry import EmbeddingRegistry, register_provider
    from victor_memory.runtime import MemoryRuntime, open_runtime
    from victor_memory.settings import MemorySettings
    from victor_memory.specs import CommandSpec, Stability, ToolSpec
    from victor_memory.types import Chunk, Hit, Record, Traits

__all__ = [
    "BaseEmbedder",
    "BaseEmbeddingProvider",
    "Chunk",
    "CommandSpec",
    "EmbedderSpec",
    "EmbeddingConfig",
    "EmbeddingRegistry",
    "Hit",
    "MemoryRuntime",
    "MemorySettings",
    "ProviderOptions",
    "ProviderSpec",
    "Record",
    "Redaction",
    "Stability",
    "ToolSpec",
    "Traits",
    "hookimpl",
    "open_runtime",
    "register_provider",
]

# The registry comes from the runtime module, which gives its class methods their default instance.
_HOMES = {
    "BaseEmbedder": "embedders.base",
    "BaseEmbeddingProvider": "providers.base",
    "Chunk": "types",
    "CommandSpec": "specs",
    "EmbedderSpec": "embedders.base",
    "EmbeddingConfig": "config",
    "EmbeddingRegistry": "runtime",
    "Hit": "types",
    "MemoryRuntime": "runtime",
    "MemorySettings": "settings",
    "ProviderOptions": "providers.base",
    "ProviderSpec": "providers.base",
    "Record": "types",
    "Redaction": "redaction",
    "Stability": "specs",
    "ToolSpec": "specs",
    "Traits": "types",
    "hookimpl": "hookspecs",
    "open_runtime": "runtime",
    "register_provider": "registry",
}
# Where the agent host Victor looks for its plugin class; only where that host is installed.
_HOST_HOMES = {"Plugin": "hosts.victor"}


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name) or _HOST_HOMES.get(name)
    if home is None:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    if home == "registry":
        importlib.import_module(f"{__name__}.runtime")
    value = getattr(importlib.import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
