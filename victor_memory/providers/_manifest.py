"""The manifest of a collection: who wrote it, with which model. Checked before data is opened."""

from __future__ import annotations

import contextlib
import os
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from victor_memory.config import Metric
from victor_memory.errors import CorruptStoreError, EmbedderMismatchError, StoreMismatchError
from victor_memory.specs import package_version

SCHEMA_VERSION: Final = 1


class Manifest(BaseModel):
    """What must be equal for a collection to be opened."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    schema_version: int = SCHEMA_VERSION
    provider: str
    metric: Metric
    embedder: str
    """Fingerprint: type, name, dimension and weights digest."""
    dimension: int = Field(gt=0)
    created_at: datetime = Field(default_factory=lambda: datetime.now(UTC))
    created_by: str = Field(default_factory=lambda: f"victor-memory {package_version()}")

    def check(self, wanted: Manifest, place: str) -> None:
        """Raise unless data under this manifest can be used as *wanted*; *place* is for messages.

        Raises:
            StoreMismatchError: another store, metric or schema version wrote it.
            EmbedderMismatchError: another model made its vectors.

        """
        if self.schema_version > SCHEMA_VERSION:
            msg = (
                f"{place} was written by a newer version ({self.created_by}, schema "
                f"{self.schema_version}). Upgrade with: pip install --upgrade victor-memory"
            )
            raise StoreMismatchError(msg)
        if self.provider != wanted.provider:
            msg = (
                f"{place} was written by the store {self.provider!r}, and {wanted.provider!r} is "
                f"selected. Set VICTOR_VECTOR_STORE={self.provider} to use it, or choose another "
                "VICTOR_EMBEDDINGS_DIR; a codebase index can be rebuilt with: "
                "victor-memory index --rebuild"
            )
            raise StoreMismatchError(msg)
        if self.metric != wanted.metric:
            msg = (
                f"{place} was written with the metric {self.metric!r}, and {wanted.metric!r} is "
                f"selected. Set VICTOR_DISTANCE_METRIC={self.metric} to use it; a codebase index "
                "can be rebuilt with: victor-memory index --rebuild"
            )
            raise StoreMismatchError(msg)
        if self.embedder != wanted.embedder:
            # The name may hold colons; the dimension and the digest behind it do not.
            named = self.embedder.rsplit(":", 2)[0]
            kind, _, name = named.partition(":")
            if named == wanted.embedder.rsplit(":", 2)[0]:
                way = "The model's files have changed: bring the former ones back to use them"
            else:
                way = (
                    f"Set VICTOR_EMBEDDING_MODEL_TYPE={kind} and "
                    f"VICTOR_EMBEDDING_MODEL_NAME={name} to use them"
                )
            msg = (
                f"{place} holds vectors of the model {self.embedder!r}, and {wanted.embedder!r} is "
                f"selected. {way}; a codebase index can be rebuilt with: victor-memory index "
                "--rebuild, a conversation memory with: victor-memory rebuild"
            )
            raise EmbedderMismatchError(msg)


def read_manifest(path: Path) -> Manifest | None:
    """Return the manifest in the file *path*, or `None` if there is no such file.

    Raises:
        CorruptStoreError: the file is there and is not a manifest.

    """
    try:
        return Manifest.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except ValidationError as exc:
        msg = (
            f"The manifest {path} is damaged. Restore it from a backup, or delete the directory "
            "around it and build the collection anew."
        )
        raise CorruptStoreError(msg) from exc


def write_manifest(path: Path, manifest: Manifest) -> Manifest:
    """Create the file *path* with *manifest* unless it exists; return what it then holds.

    The file appears whole or not at all, and of two processes that try at once, one wins and the
    other returns the winner's manifest.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(manifest.model_dump_json(indent=2) + "\n")
            stream.flush()
            os.fsync(stream.fileno())
        try:
            os.link(name, path)
        except FileExistsError:
            existing = read_manifest(path)
            return existing if existing is not None else manifest
        except OSError:
            # A file system without hard links: rename is atomic there too, only not exclusive.
            Path(name).replace(path)
        return manifest
    finally:
        with contextlib.suppress(FileNotFoundError):
            Path(name).unlink()
