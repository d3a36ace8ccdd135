"""The life of a provider: options, opening under a manifest, closing, and the error boundary."""

from __future__ import annotations

import abc
import asyncio
import errno
import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final, Self
from weakref import WeakKeyDictionary

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, ValidationError

from victor_memory._logging import get_logger
from victor_memory.config import EmbeddingConfig, describe
from victor_memory.embedders.catalogue import EmbedderCatalogue
from victor_memory.errors import (
    ConfigurationError,
    CorruptStoreError,
    ProviderClosedError,
    ProviderError,
    ProviderUnavailableError,
    StoreMismatchError,
    VictorMemoryError,
)
from victor_memory.providers._manifest import Manifest, read_manifest, write_manifest
from victor_memory.types import FallbackInfo, Traits

if TYPE_CHECKING:
    from victor_memory.embedders.base import BaseEmbedder

log = get_logger(__name__)
MANIFEST_NAME: Final = "manifest.json"
COLLECTION: Final = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$"


class ProviderOptions(BaseModel):
    """Options every store understands; a store derives its own model and adds fields.

    They come from `EmbeddingConfig.extra_config` or `VICTOR_<STORE>_<OPTION>`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    collection: str = Field(
        "embeddings",
        pattern=COLLECTION,
        validation_alias=AliasChoices("collection", "table_name", "collection_name"),
        description="Name of the collection inside the store.",
    )


class Lifecycle(abc.ABC):
    """How a provider is configured, opened once and closed: a base of `BaseEmbeddingProvider`."""

    name: ClassVar[str]
    """The registered name, also written into manifests."""
    title: ClassVar[str]
    """The store's name as its makers write it."""
    traits: ClassVar[Traits]
    options_model: ClassVar[type[ProviderOptions]] = ProviderOptions

    def __init__(
        self,
        config: EmbeddingConfig,
        *,
        embedder: BaseEmbedder | None = None,
        embedders: EmbedderCatalogue | None = None,
    ) -> None:
        """Remember *config*; nothing is opened or loaded yet.

        *embedder* replaces the model that the configuration names; *embedders* is where its name is
        looked up, by default among the built-in ones.

        Raises:
            ConfigurationError: `extra_config` does not fit the store's options, or a store that
                keeps files is given no `persist_directory`.

        """
        self.config = config
        self.metric = config.distance_metric
        try:
            self.options = self.options_model(**config.extra_config)
        except ValidationError as exc:
            names = {
                field: f"VICTOR_{self.name.upper()}_{field.upper()}"
                for field in self.options_model.model_fields
            }
            raise ConfigurationError(describe(exc, f"{self.title} options", names)) from exc
        if self.traits.persistent and not self.traits.remote and config.persist_directory is None:
            msg = (
                f"{self.title} keeps files and needs a directory. Set persist_directory, or "
                "VICTOR_EMBEDDINGS_DIR in the environment."
            )
            raise ConfigurationError(msg)
        self.fallback: FallbackInfo | None = None
        """Set when this provider stands in for one that could not be opened."""
        self.on_open: Callable[[Any], None] | None = None
        """Called once, when the store has been opened."""
        self._owns_embedders = embedder is None and embedders is None
        self._embedders = embedders or EmbedderCatalogue()
        self._embedder = embedder
        self._dimension: int | None = None
        self._fingerprint: str | None = None
        self._opened = self._closed = False
        self._in_flight = 0
        self._locks: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = (
            WeakKeyDictionary()
        )

    def __repr__(self) -> str:
        state = "closed" if self._closed else "open" if self._opened else "not opened"
        return f"<{type(self).__name__} {self.collection!r} {state}>"

    @property
    def closed(self) -> bool:
        """Whether `close` was called: a closed provider cannot be used again."""
        return self._closed

    @property
    def opened(self) -> bool:
        """Whether the store was opened, and with it the model loaded."""
        return self._opened

    @property
    def collection(self) -> str:
        """Name of the collection inside the store."""
        return self.options.collection

    @property
    def directory(self) -> Path:
        """The directory that holds this collection's files and nothing else."""
        assert self.config.persist_directory is not None
        return self.config.persist_directory / self.collection

    @property
    def embedder(self) -> BaseEmbedder:
        """The model behind `embed_text` and the document operations."""
        if self._embedder is None:
            self._embedder = self._embedders.get(self.config)
        return self._embedder

    @property
    def dimension(self) -> int:
        """Length of the collection's vectors; known once the store is open."""
        if self._dimension is None:
            msg = f"The {self.title} collection is not open yet. Await initialize() first."
            raise ProviderError(msg)
        return self._dimension

    # -- life cycle -------------------------------------------------------------------------------

    async def initialize(self) -> None:
        """Open the collection, creating it if it does not exist. Opening twice is allowed.

        Raises:
            StoreMismatchError: the data was written by another store, metric or newer version.
            EmbedderMismatchError: the data was embedded by another model.
            CorruptStoreError: the data cannot be read.
            EmbeddingError: the model cannot be loaded.

        """
        if self._opened and not self._closed:
            return
        async with (
            self._under_way(),
            self._locks.setdefault(asyncio.get_running_loop(), asyncio.Lock()),
        ):
            if not self._opened:
                with self._boundary("open"):
                    await self._initialize()
                self._opened = True
                log.debug("provider_opened", provider=self.name, collection=self.collection)
                if self.on_open:
                    self.on_open(self)

    async def _initialize(self) -> None:
        info = await self.embedder.load()
        wanted = Manifest(
            provider=self.name,
            metric=self.metric,
            embedder=info.fingerprint,
            dimension=info.dimension,
        )
        found = await self._read_manifest()
        if found is None:
            # Another process may have created the collection since, manifest first.
            if await self._holds_foreign_data() and await self._read_manifest() is None:
                msg = (
                    f"{self._place} holds data that was not written by victor_memory. "
                    "Choose another directory or collection."
                )
                raise StoreMismatchError(msg)
            await self._create(wanted)
            return
        found.check(wanted, self._place)
        self._agree(found)
        await self._open()

    async def _create(self, wanted: Manifest) -> None:
        """Open a collection that is not there yet; if that fails, leave nothing of it behind."""
        written = await self._write_manifest(wanted)
        written.check(wanted, self._place)
        self._agree(written)
        try:
            await self._open()
        except Exception:
            # A manifest without data would keep another store, a fallback too, out of the place.
            if written is wanted:
                await self._withdraw_manifest()
            raise

    def _agree(self, manifest: Manifest) -> None:
        self._dimension, self._fingerprint = manifest.dimension, manifest.embedder

    async def exists(self) -> bool:
        """Whether the collection is there; asking does not create it.

        Raises:
            ProviderClosedError: the provider is closed.

        """
        self._refuse_if_closed()
        if self._opened:
            return True
        with self._boundary("look"):
            return await self._read_manifest() is not None

    def _refuse_if_closed(self) -> None:
        if self._closed:
            msg = f"This {self.title} provider is closed. Create a new one from the registry."
            raise ProviderClosedError(msg)

    async def recorded_model(self) -> str | None:
        """Return the fingerprint of the model that made the vectors; `None` if there are none.

        The collection is not opened, so it need not be the model that is configured.
        """
        with self._boundary("look"):
            found = await self._read_manifest()
            return found.embedder if found else None

    async def recreate(self) -> None:
        """Delete the collection, whatever wrote it, and open an empty one under this configuration.

        This is the way out of a mismatch for data that can be built again.

        Raises:
            StoreMismatchError: what is there was never written by this package; it is kept.

        """
        if self._opened:
            await self.clear_index()
            return
        with self._boundary("recreate"):
            try:
                ours = await self._read_manifest() is not None
            except CorruptStoreError:
                ours = True  # a damaged manifest is still a manifest
            if not ours and await self._holds_foreign_data():
                msg = f"{self._place} was not written by victor_memory and is kept. Choose another."
                raise StoreMismatchError(msg)
            await self._drop()
        await self.initialize()

    async def close(self) -> None:
        """Close the store after the operations under way; closing twice is allowed."""
        if self._closed:
            return
        self._closed = True
        # Operations may belong to several event loops, which share no condition to wait on.
        while self._in_flight:  # noqa: ASYNC110 - an Event would belong to one of the loops
            await asyncio.sleep(0.005)
        if self._opened:
            with self._boundary("close"):
                await self._close()
        if self._owns_embedders:
            await self._embedders.close()

    async def drop(self) -> None:
        """Close the store and delete the collection with everything in it."""
        await self.initialize()
        await self.close()
        with self._boundary("drop"):
            await self._drop()

    async def __aenter__(self) -> Self:
        await self.initialize()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    # -- what a store writes ----------------------------------------------------------------------

    @abc.abstractmethod
    async def _open(self) -> None:
        """Open or create the collection for vectors of `self.dimension` under `self.metric`."""

    @abc.abstractmethod
    async def _close(self) -> None:
        """Release what `_open` took."""

    @abc.abstractmethod
    async def clear_index(self) -> None:
        """Delete every record of the collection; the collection itself stays usable."""

    # -- the manifest: a store without a directory of its own replaces these ----------------------

    async def _read_manifest(self) -> Manifest | None:
        """Return the collection's manifest; a store without a directory keeps it elsewhere."""
        if not self.traits.persistent:
            return None
        return await asyncio.to_thread(read_manifest, self.directory / MANIFEST_NAME)

    async def _write_manifest(self, manifest: Manifest) -> Manifest:
        """Keep *manifest* unless there is one; return the one that is kept."""
        if not self.traits.persistent:
            return manifest
        return await asyncio.to_thread(write_manifest, self.directory / MANIFEST_NAME, manifest)

    async def _withdraw_manifest(self) -> None:
        """Remove the manifest if there is nothing beside it."""
        if not self.traits.persistent:
            return
        with suppress(OSError):
            names = {path.name for path in self.directory.iterdir() if path.name[0] != "."}
            if names == {MANIFEST_NAME}:
                (self.directory / MANIFEST_NAME).unlink()

    async def _holds_foreign_data(self) -> bool:
        """Whether there is data although there is no manifest."""
        return (
            self.traits.persistent
            and self.directory.exists()
            and any(path.name[0] != "." for path in self.directory.iterdir())
        )

    async def _drop(self) -> None:
        """Delete the collection and its manifest, opened or not."""
        if self.traits.persistent and self.directory.exists():
            await asyncio.to_thread(shutil.rmtree, self.directory)

    # -- the boundary -----------------------------------------------------------------------------

    @property
    def _place(self) -> str:
        """Where the data is, for messages."""
        if self.traits.persistent and not self.traits.remote:
            return f"The collection in {self.directory}"
        return f"The collection {self.collection!r}"

    @asynccontextmanager
    async def _operation(self, operation: str) -> AsyncIterator[None]:
        """Run one operation on the open store; `close` waits for it."""
        async with self._under_way():
            await self.initialize()
            with self._boundary(operation):
                yield

    @asynccontextmanager
    async def _under_way(self) -> AsyncIterator[None]:
        """Keep the store open meanwhile; refuse to begin once it is closed."""
        self._refuse_if_closed()
        self._in_flight += 1
        try:
            yield
        finally:
            self._in_flight -= 1

    @contextmanager
    def _boundary(self, operation: str) -> Iterator[None]:
        """Let only this package's exceptions out, with the foreign one as the cause."""
        try:
            yield
        except (VictorMemoryError, GeneratorExit):
            raise
        except OSError as exc:
            msg = f"{self.title}: {operation} failed: {exc}. {_remedy(exc)} ({self._place}.)"
            raise ProviderUnavailableError(msg) from exc
        except Exception as exc:
            msg = (
                f"{self.title}: {operation} failed: {type(exc).__name__}: {exc}. "
                "Run: victor-memory doctor"
            )
            raise ProviderError(msg) from exc


def _remedy(exc: OSError) -> str:
    if exc.errno in (errno.ENOSPC, errno.EDQUOT):
        return "The disk is full: free some space and try again; what was stored before is kept."
    if exc.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return "Nothing can be written there: change its permissions or set VICTOR_EMBEDDINGS_DIR."
    return "Check that the place can be reached, and try again."
