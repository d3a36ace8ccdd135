"""The pluggy hooks of this package. A plugin is any object or module with some of these functions.

Declare it under the entry-point group `victor_memory`:

```toml
[project.entry-points.victor_memory]
my-plugin = "my_package.plugin"
```

Hooks are synchronous and return data; nothing they return is imported, opened or run until it is
needed. A hook that raises, or returns something of the wrong kind, costs only its own plugin:
that one is unregistered and named by `victor-memory doctor`. A misspelt hook is an error too.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

import pluggy

if TYPE_CHECKING:
    from victor_memory.codebase.chunking import Chunker
    from victor_memory.embedders.base import EmbedderSpec
    from victor_memory.providers.base import ProviderSpec
    from victor_memory.redaction import Redactor
    from victor_memory.specs import CommandSpec, ToolSpec

PROJECT: Final = "victor_memory"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def victor_memory_register_providers() -> Iterable[ProviderSpec]:  # type: ignore[empty-body]  # a hookspec has none
    """Return the vector stores this plugin adds to both memories."""


@hookspec
def victor_memory_register_embedders() -> Iterable[EmbedderSpec]:  # type: ignore[empty-body]  # a hookspec has none
    """Return the embedding models this plugin adds."""


@hookspec
def victor_memory_register_chunkers() -> Iterable[Chunker]:  # type: ignore[empty-body]  # a hookspec has none
    """Return chunkers, asked before the built-in ones for the languages they name."""


@hookspec
def victor_memory_register_redactors() -> Iterable[Redactor]:  # type: ignore[empty-body]  # a hookspec has none
    """Return redactors, run over every text before it is embedded or stored."""


@hookspec
def victor_memory_register_tools() -> Iterable[ToolSpec]:  # type: ignore[empty-body]  # a hookspec has none
    """Return operations to offer to agents beside the built-in ones."""


@hookspec
def victor_memory_register_commands() -> Iterable[CommandSpec]:  # type: ignore[empty-body]  # a hookspec has none
    """Return commands to add to the `victor-memory` program."""


@hookspec
def victor_memory_provider_opened(provider: str, memory: str, collection: str) -> None:
    """Be told that *memory* has opened *collection* in the store *provider*."""


@hookspec
def victor_memory_provider_fell_back(requested: str, used: str, memory: str, reason: str) -> None:
    """Be told that *memory* uses the store *used*, because *requested* could not be opened."""
