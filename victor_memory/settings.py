"""`MemorySettings`: what the environment says, read once and checked."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, TypeAlias, get_args

from pydantic import BeforeValidator, Field, PositiveInt, SecretStr, ValidationError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from victor_memory.config import DEFAULT_STORE, EmbeddingConfig, Metric, describe
from victor_memory.errors import ConfigurationError, InvalidRequestError

if TYPE_CHECKING:
    from victor_memory.providers.base import BaseEmbeddingProvider

Memory: TypeAlias = Literal["conversation", "codebase"]
MEMORIES: Final[tuple[Memory, ...]] = get_args(Memory)
PREFIX: Final = "VICTOR_"
OURSELVES: Final = "victor_memory"
"""A host that shares the variables calls this package so: of our stores that chooses none."""


def _names(value: object) -> object:
    return (
        [one.strip() for one in value.split(",") if one.strip()]
        if isinstance(value, str)
        else value
    )


def _pairs(value: str) -> dict[str, str]:
    pairs = [one.partition("=") for one in value.split(",") if one.strip()]
    return {kind.strip(): rest.strip() for kind, _, rest in pairs}


def _numbers(value: object) -> object:
    if not isinstance(value, str):
        return value
    pairs = _pairs(value)
    for kind, most in pairs.items():
        if not most.isdecimal() or not int(most):
            msg = f"{kind}={most} is no number of memories. Write it as {kind}=1000."
            raise InvalidRequestError(msg)
    return pairs


def _ages(value: object) -> object:
    if not isinstance(value, str):
        return value
    return {kind: age_of(rest) for kind, rest in _pairs(value).items()}


def age_of(text: str) -> timedelta:
    """Return the time that *text* names: a number, and `h`, `d`, `w` or `y` (365 days).

    Raises:
        InvalidRequestError: it names none.

    """
    found = re.fullmatch(r"(\d{1,5})([hdwy])", text.strip())
    if found is None or not int(found[1]):
        msg = f"{text!r} is no time. Write it as 12h, 90d, 8w or 2y."
        raise InvalidRequestError(msg)
    hours = {"h": 1, "d": 24, "w": 7 * 24, "y": 365 * 24}
    return timedelta(hours=int(found[1]) * hours[found[2]])


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
    memory_keep: Annotated[dict[str, timedelta], NoDecode, BeforeValidator(_ages)] = Field(
        {},
        description="Ages at which memories of a kind are forgotten, as `turn=180d,summary=2y`.",
    )
    memory_most: Annotated[dict[str, PositiveInt], NoDecode, BeforeValidator(_numbers)] = Field(
        {}, description="Most memories of a kind that are kept, as `turn=200000,summary=500`."
    )
    memory_capture: bool = Field(
        default=True,
        description="Whether what is said in agents is kept by itself: from hooks, and from Victor "
        "(`on` or `off`).",
    )
    memory_strict: bool = Field(
        default=False,
        description="Whether an experimental store that cannot be opened is an error.",
    )
    memory_disabled_plugins: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_names)] = Field(
        (), description="Names of plugins not to load, separated by commas."
    )
    memory_tools: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_names)] = Field(
        ("core",),
        description="Tools offered to agents: `core`, `all`, or their names, separated by commas.",
    )
    memory_mcp_token: SecretStr | None = Field(
        None, description="Token that clients of `victor-memory mcp --http` must send."
    )
    memory_mcp_token_file: Path | None = Field(
        None, description="File that holds this token, where it is not in the environment."
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
        if specific and specific != OURSELVES:
            return specific, variable(field)
        if "vector_store" in self.model_fields_set and self.vector_store != OURSELVES:
            return self.vector_store, variable("vector_store")
        return DEFAULT_STORE, "default"

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
