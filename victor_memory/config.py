"""`EmbeddingConfig`: everything that selects and configures one provider, as one frozen value."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal, TypeAlias

from pydantic import (
    AliasChoices,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
)

from victor_memory.errors import ConfigurationError

Metric: TypeAlias = Literal["cosine", "euclidean", "dot"]
DEFAULT_STORE: Final = "lancedb"
"""What is used when nothing is chosen, and what an experimental store falls back to."""


def _expanded(value: object) -> object:
    return Path(value).expanduser() if isinstance(value, str | Path) and str(value) else None


_SECRET: Final = ("key", "password", "secret", "token", "dsn", "url")
"""What the name of a field holds whose value is never shown."""


class EmbeddingConfig(BaseModel):
    """Which store, which embedder, where, and how they are tuned.

    The field names are the agent host's; `embedding_model` is accepted as another name of
    `embedding_model_name`. Two configurations that differ in any field, `extra_config` included,
    are two providers.

    Raises:
        ConfigurationError: a field has a value that cannot be used.

    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    vector_store: str = Field(DEFAULT_STORE, min_length=1, description="Name of the vector store.")
    persist_directory: Annotated[Path | None, BeforeValidator(_expanded)] = Field(
        None, description="Directory of the store's files; `~` is expanded."
    )
    distance_metric: Metric = Field("cosine", description="`cosine`, `euclidean` or `dot`.")
    embedding_model_type: str = Field("static", min_length=1, description="Name of the embedder.")
    embedding_model_name: str | None = Field(
        None,
        validation_alias=AliasChoices("embedding_model_name", "embedding_model"),
        description="Model the embedder loads; `None` is the embedder's default.",
    )
    embedding_api_key: SecretStr | None = Field(None, description="Key for a remote embedder.")
    embedding_base_url: str | None = Field(
        None, description="URL of a remote embedder; `None` is the embedder's default."
    )
    extra_config: dict[str, Any] = Field(
        default_factory=dict, description="Options of the chosen store, by its options model."
    )

    def __init__(self, **fields: Any) -> None:
        """Validate *fields*, reporting the first problem of each as a `ConfigurationError`."""
        try:
            super().__init__(**fields)
        except ValidationError as exc:
            raise ConfigurationError(describe(exc, "EmbeddingConfig")) from exc

    def replace(self, **changes: Any) -> EmbeddingConfig:
        """Return a validated copy with the fields in *changes* set."""
        if "embedding_model" in changes:
            changes["embedding_model_name"] = changes.pop("embedding_model")
        return EmbeddingConfig(**{**dict(self), **changes})

    @property
    def key(self) -> str:
        """A digest of every field: equal for equal configurations, revealing no secret."""
        values = {**dict(self), "embedding_api_key": self.api_key}
        packed = json.dumps(values, sort_keys=True, default=repr)
        return hashlib.sha256(packed.encode("utf-8", "surrogatepass")).hexdigest()

    @property
    def api_key(self) -> str | None:
        """The embedder's key in clear text, for the embedder alone."""
        return self.embedding_api_key.get_secret_value() if self.embedding_api_key else None


def describe(exc: ValidationError, subject: str, names: Mapping[str, str] | None = None) -> str:
    """Return one line for a pydantic error: each field (or its name in *names*) and reason."""
    parts = []
    for error in exc.errors(include_url=False, include_context=False):
        field = ".".join(str(part) for part in error["loc"]) or subject
        value = error.get("input")
        hidden = isinstance(value, dict) or any(word in field for word in _SECRET)
        shown = "" if hidden else f"={value!r}"
        parts.append(f"{(names or {}).get(field, field)}{shown}: {error['msg']}")
    return f"Invalid {subject}: {'; '.join(parts)}. Correct the value and try again."
