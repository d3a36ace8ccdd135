"""A collection made anew from its texts, because another model is to make its vectors.

The model that made the old ones is not needed, nor even known to this machine. The new collection
is written beside the old one and takes its place when it is complete; whenever that is interrupted,
one of both is whole.
"""

from __future__ import annotations

import asyncio
import dataclasses
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Final

from filelock import FileLock, Timeout

from victor_memory._logging import get_logger
from victor_memory.conversation.records import from_record, spoken
from victor_memory.conversation.tombstones import NAME as TOMBSTONES
from victor_memory.embedders.base import BaseEmbedder, EmbedderInfo, Purpose
from victor_memory.errors import (
    EmbeddingError,
    InvalidRequestError,
    ProviderError,
    ProviderUnavailableError,
)

if TYPE_CHECKING:
    from victor_memory.config import EmbeddingConfig
    from victor_memory.registry import EmbeddingRegistry
    from victor_memory.types import Vectors

log = get_logger(__name__)
NEW: Final = ".new"
OLD: Final = ".old"
"""What the collection being written, and the one being replaced, have behind their names."""


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What was made anew: how many records, from the vectors of which model to those of which."""

    records: int
    before: str
    after: str


async def rebuild(
    registry: EmbeddingRegistry,
    config: EmbeddingConfig,
    report: Callable[[int, int], None] = lambda _done, _all: None,
) -> Rebuilt | None:
    """Embed the texts of the collection *config* names with the model it names.

    `None` if there is no such collection, or it has the vectors of that model already. *report* is
    called with the number of records done and that of all. Nothing else may write meanwhile: it
    would be lost.

    Raises:
        InvalidRequestError: the store keeps no files of its own.
        ProviderUnavailableError: another process does the same.
        EmbeddingError: the model cannot be loaded, or failed; the collection is as it was.

    """
    wanted = registry.create(config)
    if not wanted.traits.persistent or wanted.traits.remote:
        msg = (
            f"A collection in {wanted.title} cannot be rebuilt in its place. Export it with the "
            "model it has, and import it into another collection."
        )
        raise InvalidRequestError(msg)
    place = wanted.directory
    await asyncio.to_thread(place.parent.mkdir, parents=True, exist_ok=True)
    lock = FileLock(place.parent / f".{place.name}.rebuild.lock", thread_local=False)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        msg = f"Another process is rebuilding {place}. Wait for it, and try again."
        raise ProviderUnavailableError(msg) from None
    try:
        _restore(place)
        before = await wanted.recorded_model()
        after = (await wanted.embedder.load()).fingerprint
        if before is None or before == after:
            return None
        count = await _write(registry, config, before, report)
        await asyncio.to_thread(_exchange, place)
        log.info("collection_rebuilt", collection=place.name, records=count)
        return Rebuilt(count, before, after)
    finally:
        lock.release()


async def _write(
    registry: EmbeddingRegistry,
    config: EmbeddingConfig,
    before: str,
    report: Callable[[int, int], None],
) -> int:
    """Write the collection anew beside the one that is there; return its number of records."""
    name = registry.create(config).collection
    beside = config.replace(extra_config={**config.extra_config, "collection": name + NEW})
    old = registry.create(config, embedder=_Absent(config, before))
    new = registry.create(beside)
    await asyncio.to_thread(shutil.rmtree, new.directory, ignore_errors=True)
    try:
        total, done = await old.count(), 0
        report(0, total)
        async for batch in old.scan():
            vectors = await new.embedder.embed([spoken(from_record(one)) for one in batch])
            await new.upsert(
                dataclasses.replace(one, vector=vector)
                for one, vector in zip(batch, vectors, strict=True)
            )
            done += len(batch)
            report(done, total)
        if await new.count() != total:
            msg = (
                f"The collection {name!r} changed while it was rebuilt, and is as it was. Stop "
                "what writes to it, and try again."
            )
            raise ProviderError(msg)
    finally:
        await old.close()
        await new.close()
    return total


def _exchange(place: Path) -> None:
    new, old = place.with_name(place.name + NEW), place.with_name(place.name + OLD)
    shutil.rmtree(old, ignore_errors=True)
    if (place / TOMBSTONES).exists():
        shutil.copy2(place / TOMBSTONES, new / TOMBSTONES)
    place.rename(old)
    new.rename(place)
    shutil.rmtree(old)


def _restore(place: Path) -> None:
    """Undo an exchange that was interrupted between its two steps."""
    old = place.with_name(place.name + OLD)
    if old.exists() and not place.exists():
        old.rename(place)


class _Absent(BaseEmbedder):
    """A model that is only known by its fingerprint, to open a collection that is to be read."""

    type: ClassVar[str] = "absent"
    default_model: ClassVar[str] = "absent"

    def __init__(self, config: EmbeddingConfig, fingerprint: str) -> None:
        super().__init__(config)
        kind, _, rest = fingerprint.partition(":")
        name, dimension, digest = rest.rsplit(":", 2)
        self._known = EmbedderInfo(kind, name, int(dimension), digest)

    async def _load(self) -> EmbedderInfo:
        return self._known

    async def _embed(self, texts: Sequence[str], purpose: Purpose) -> Vectors:
        msg = f"{len(texts)} texts ({purpose}) were given to a model that is not there."
        raise EmbeddingError(msg)
