"""`MemorySettings`: what the environment says, read once and checked."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, TypeAlias, get_args

from pydantic import BeforeValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from victor_memory.config import DEFAULT_STORE, EmbeddingConfig, Metric, describe
from victor_memory.errors import ConfigurationError

if TYPE_CHECKING:
    from victor_memory.providers.base import BaseEmbeddingProvider

Memory: TypeAlias = Literal["conversation", "codebase"]
MEMORIES: Final[tuple[Memory, ...]] = get_args(Memory)
PREFIX: Final = "VICTOR_"


def _names(value: object) -> object:
    return (
        [one.strip() for one in value.split(",") if one.strip()]
        if isinstance(value, str)
        else value
    )


class MemorySettings(BaseSettings):
    """The settings of this package: environment variables with the prefix `VICTOR_`.

    The prefix is the host's too, so variables unknown here are none of our business. An empty
    variable is the same as none.

    Raises:
        ConfigurationError: a variable has a value that cannot be used; the message names it.

    """

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_ignore_empty=True, extra="ignore", frozen=True
    )

    vector_store: str = Field(DEFAULT_STORE, description="Store of both memories.")
    conversation_vector_store: str | None = Field(
        None, description="Store of the conversation memory, where it differs."
    )
    codebase_vector_store: str | None = Field(
        None, description="Store of the codebase memory, where it differs."
    )
    embeddings_dir: Path = Field(
        Path("~/.victor/embeddings"),
        description="Directory of all collections; `<memory>/<project>` is appended.",
    )
    distance_metric: Metric = Field("cosine", description="`cosine`, `euclidean` or `dot`.")
    embedding_model_type: str = Field("static", description="Embedder of both memories.")
    embedding_model_name: str | None = Field(
        None, description="Model the embedder loads; unset is the embedder's default."
    )
    embedding_api_key: SecretStr | None = Field(None, description="Key for a remote embedder.")
    embedding_base_url: str | None = Field(None, description="Address of a remote embedder.")
    vector_cache_mb: int = Field(
        512, ge=0, description="Megabytes of vectors kept by content for all indexes; 0 keeps none."
    )
    history_commits: int = Field(
        20_000, ge=1, description="Commits of a repository that `history` searches, the newest."
    )
    memory_strict: bool = Field(
        default=False,
        description="Whether an experimental store that cannot be opened is an error.",
    )
    memory_disabled_plugins: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_names)] = Field(
        (), description="Names of plugins not to load, separated by commas."
    )
    memory_log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"] = Field(
        "WARNING", description="Least severe event that our programs write to stderr."
    )
    memory_log_format: Literal["console", "json"] = Field(
        "console", description="Form of those events."
    )

    def __init__(self, **fields: Any) -> None:
        """Read the environment; *fields* given here win over it."""
        try:
            super().__init__(**fields)
        except ValidationError as exc:
            names = {field: variable(field) for field in type(self).model_fields}
            raise ConfigurationError(describe(exc, "environment", names)) from exc

    def store_choice(self, memory: Memory) -> tuple[str, str]:
        """Return the name of the store chosen for *memory*, and what chose it."""
        field = f"{memory}_vector_store"
        specific: str | None = getattr(self, field)
        if specific:
            return specific, variable(field)
        chosen = "vector_store" in self.model_fields_set
        return self.vector_store, variable("vector_store") if chosen else "default"

    def config(self, memory: Memory, project: str) -> EmbeddingConfig:
        """Return the configuration of *memory* for *project* (safe as a directory name)."""
        return EmbeddingConfig(
            vector_store=self.store_choice(memory)[0],
            persist_directory=self.embeddings_dir.expanduser() / memory,
            distance_metric=self.distance_metric,
            embedding_model_type=self.embedding_model_type,
            embedding_model_name=self.embedding_model_name,
            embedding_api_key=self.embedding_api_key,
            embedding_base_url=self.embedding_base_url,
            extra_config={"collection": project},
        )


def variable(field: str) -> str:
    """Return the environment variable of a settings *field*."""
    return f"{PREFIX}{field.upper()}"


def store_options(
    provider: type[BaseEmbeddingProvider], environ: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Return the options of *provider* that the environment sets, as `VICTOR_<STORE>_<OPTION>`.

    The collection is not among them: it belongs to a project, not to a machine.
    """
    source = os.environ if environ is None else environ
    prefix = f"{PREFIX}{provider.name.upper().replace('-', '_')}_"
    options = (field for field in provider.options_model.model_fields if field != "collection")
    return {
        one: source[prefix + one.upper()] for one in options if source.get(prefix + one.upper())
    }
