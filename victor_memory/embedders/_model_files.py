"""Where a model's files are, and what identifies them."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from victor_memory.errors import EmbeddingError


def local_directory(name: str) -> Path | None:
    """Return the directory *name* is a path of, or `None` when *name* is a model's name.

    Raises:
        EmbeddingError: *name* can only be a path (`/…`, `./…`, `~…`), and no directory is there.

    """
    path = Path(name).expanduser()
    if path.is_dir():
        return path
    if path.is_absolute() or name.startswith((".", "~")) or "\\" in name:
        msg = (
            f"There is no model directory at {name!r}. Correct the embedding model's name or path."
        )
        raise EmbeddingError(msg)
    return None


@contextlib.contextmanager
def silent_hub() -> Iterator[None]:
    """Keep the hub's client from drawing progress bars; afterwards it does again if it did."""
    from huggingface_hub.utils.tqdm import (
        are_progress_bars_disabled,
        disable_progress_bars,
        enable_progress_bars,
    )

    if are_progress_bars_disabled():
        yield
        return
    disable_progress_bars()
    try:
        yield
    finally:
        enable_progress_bars()


def digest(files: Iterable[Path]) -> str:
    """Return 16 hex digits that differ as soon as a byte of *files* does; their order counts."""
    total = hashlib.sha256()
    for file in files:
        with file.open("rb") as stream:
            total.update(hashlib.file_digest(stream, "sha256").digest())
    return total.hexdigest()[:16]
