"""`BaseEmbedder`: the one interface of every embedding model, and the checks they all share."""

from __future__ import annotations

import abc
import asyncio
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal, TypeAlias

from victor_memory.errors import EmbeddingError, InvalidRequestError, VictorMemoryError
from victor_memory.specs import ComponentSpec

if TYPE_CHECKING:
    from victor_memory.config import EmbeddingConfig
    from victor_memory.types import Vectors

Purpose: TypeAlias = Literal["document", "query"]


@dataclass(frozen=True, slots=True)
class EmbedderInfo:
    """What identifies a model: two models with equal info produce interchangeable vectors."""

    type: str
    name: str
    dimension: int
    digest: str = ""
    """Digest of the weights; empty where they cannot be seen (a remote model)."""

    @property
    def fingerprint(self) -> str:
        """The info as one line, stored with every collection."""
        return ":".join((self.type, self.name, str(self.dimension), self.digest))


class BaseEmbedder(abc.ABC):
    """Turns text into vectors. Instances are shared, and safe to call from several threads.

    A subclass sets `type`, and writes `_load` (once, before anything else, off the event loop) and
    `_embed`. Models that compute in this process derive from `LocalEmbedder` instead.
    """

    type: ClassVar[str]
    default_model: ClassVar[str]
    """What `embedding_model_name=None` means."""

    def __init__(self, config: EmbeddingConfig) -> None:
        """Remember *config*; nothing is loaded yet."""
        self.config = config
        self.model_name = config.embedding_model_name or self.default_model
        self._info: EmbedderInfo | None = None

    async def load(self) -> EmbedderInfo:
        """Load the model unless that is done, and return what identifies it.

        Raises:
            EmbeddingError: the model cannot be loaded; the message names the remedy.

        """
        if self._info is None:
            try:
                self._info = await self._load()
            except VictorMemoryError:
                raise
            except Exception as exc:
                msg = f"The {self.type} model {self.model_name!r} could not be loaded: {exc}"
                raise EmbeddingError(msg) from exc
        return self._info

    async def embed(self, texts: Sequence[str], *, purpose: Purpose = "document") -> Vectors:
        """Return one vector for each of *texts*: float32, shape `(len(texts), dimension)`.

        Texts beyond the model's input length are handled by the model (truncated or pooled), never
        refused. *purpose* tells asymmetric models a question from a passage.

        Raises:
            InvalidRequestError: *texts* is a bare string, or an element is not a string.
            EmbeddingError: the model failed, or returned a zero, NaN or wrongly sized vector.

        """
        import numpy as np

        if isinstance(texts, str) or not all(isinstance(text, str) for text in texts):
            msg = "embed() takes a list of strings. Wrap a single text in a list."
            raise InvalidRequestError(msg)
        info = await self.load()
        if not texts:
            return np.empty((0, info.dimension), dtype=np.float32)
        try:
            vectors = np.asarray(await self._embed(texts, purpose), dtype=np.float32)
        except VictorMemoryError:
            raise
        except Exception as exc:
            msg = f"The {self.type} model {self.model_name!r} failed: {exc}"
            raise EmbeddingError(msg) from exc
        self._check(vectors, len(texts), info)
        return vectors

    def _check(self, vectors: Vectors, count: int, info: EmbedderInfo) -> None:
        import numpy as np

        if vectors.shape != (count, info.dimension):
            msg = (
                f"The {self.type} model {self.model_name!r} returned vectors of shape "
                f"{vectors.shape} for {count} texts of dimension {info.dimension}. "
                "Nothing was stored; check that the model has not changed."
            )
            raise EmbeddingError(msg)
        if not np.isfinite(vectors).all():
            msg = (
                f"The {self.type} model {self.model_name!r} returned NaN or infinite numbers. "
                "Nothing was stored; check the model's files."
            )
            raise EmbeddingError(msg)
        if not vectors.any(axis=1).all():
            row = int((~vectors.any(axis=1)).argmax())
            msg = (
                f"The {self.type} model {self.model_name!r} returned a zero vector for text {row} "
                "of the batch. Nothing was stored; check the model, or leave that text out."
            )
            raise EmbeddingError(msg)

    async def close(self) -> None:
        """Release what the model holds; closing twice is allowed."""
        return

    @abc.abstractmethod
    async def _load(self) -> EmbedderInfo:
        """Load the model; called again by a later `load` if it raised, and maybe twice at once."""

    @abc.abstractmethod
    async def _embed(self, texts: Sequence[str], purpose: Purpose) -> Vectors:
        """Return the vectors of *texts*, at least one, shape `(len(texts), dimension)`."""


class LocalEmbedder(BaseEmbedder):
    """A model that computes in this process: loaded once, run in worker threads."""

    def __init__(self, config: EmbeddingConfig) -> None:
        """Remember *config*; nothing is loaded yet."""
        super().__init__(config)
        self._lock = threading.Lock()

    async def _load(self) -> EmbedderInfo:
        return await asyncio.to_thread(self._load_once)

    def _load_once(self) -> EmbedderInfo:
        with self._lock:
            return self._info or self._load_model()

    async def _embed(self, texts: Sequence[str], purpose: Purpose) -> Vectors:
        return await asyncio.to_thread(self._encode, texts, purpose)

    @abc.abstractmethod
    def _load_model(self) -> EmbedderInfo:
        """Load the model; never run by two threads at once."""

    @abc.abstractmethod
    def _encode(self, texts: Sequence[str], purpose: Purpose) -> Vectors:
        """Return the vectors of *texts*; may be run by several threads at once."""


class QuickEmbedder(LocalEmbedder):
    """A model that reads a short text in microseconds, so that a search may embed hundreds.

    Its vectors have unit length.
    """

    def embed_now(self, texts: Sequence[str]) -> Vectors:
        """Return the vectors of *texts* as `embed` does, without its checks; `load` comes first."""
        return self._encode(texts, "document")


@dataclass(frozen=True, slots=True)
class EmbedderSpec(ComponentSpec[BaseEmbedder]):
    """Describes one embedding model; its fields are those of `ComponentSpec`."""
