"""A model2vec directory: word vectors as int8, a scale for each, and the tokenizer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from victor_memory.embedders.static import COUNT_EXPONENT, HALF_WEIGHT_AT

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


def write(
    out: Path,
    table: npt.NDArray[np.float32],
    tokenizer: Any,
    teacher: str,
    *,
    count_exponent: float = 1.0,
    half_weight_at: float | None = None,
) -> None:
    """Write *table*, one row for each piece of *tokenizer*, as a model that model2vec reads.

    *count_exponent* and *half_weight_at* are for this project's embedder; model2vec itself counts
    every piece as one.

    A row is rounded to int8, with its largest value at 127; its scale is in model2vec's `weights`.
    """
    import numpy as np
    from safetensors.numpy import save

    out.mkdir(parents=True, exist_ok=True)
    largest = np.abs(table).max(axis=1)
    scales = (largest / 127).astype(np.float32)
    rows = np.rint(table / np.where(largest > 0, scales, 1)[:, None]).astype(np.int8)
    (out / "model.safetensors").write_bytes(save({"embeddings": rows, "weights": scales}))
    tokenizer.save(str(out / "tokenizer.json"), pretty=False)
    config = {
        "model_type": "model2vec",
        "architectures": ["StaticModel"],
        "tokenizer_name": teacher,
        "apply_pca": table.shape[1],
        "sif_coefficient": None,
        "hidden_dim": table.shape[1],
        "embedding_dtype": "int8",
        "max_length": None,
        "normalize": True,
        "pooling": "mean",
        COUNT_EXPONENT: count_exponent,
    }
    if half_weight_at is not None:
        config[HALF_WEIGHT_AT] = half_weight_at
    (out / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
