"""The vectors training starts from: each word as the teacher reads it alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

SMOOTHING: Final = 1e-4
"""Words more frequent than this are weighted down (SIF; Arora et al., 2017)."""
BATCH: Final = 256
MOST_PIECES: Final = 8


def vectors(
    encoder: Any, vocabulary: Sequence[str], counts: npt.NDArray[np.int64], dimension: int
) -> npt.NDArray[np.float32]:
    """Return a row of *dimension* for each piece of *vocabulary*, seen *counts* times in the texts.

    As model2vec's distillation does it: the mean of the teacher's outputs for the piece alone,
    reduced by PCA, weighted by frequency. The mean length of a row is 1.
    """
    import numpy as np

    rows = _outputs(encoder, vocabulary)
    rows -= rows.mean(axis=0)
    _, _, axes = np.linalg.svd(rows, full_matrices=False)
    shares = (counts + 1) / (counts + 1).sum()
    reduced = (rows @ axes[:dimension].T) * (SMOOTHING / (SMOOTHING + shares))[:, None]
    reduced /= np.linalg.norm(reduced, axis=1).mean()
    table: npt.NDArray[np.float32] = reduced.astype(np.float32)
    return table


def _outputs(encoder: Any, vocabulary: Sequence[str]) -> Any:
    import numpy as np
    import torch

    tokenizer = encoder.tokenizer
    known = tokenizer.get_vocab()
    network = encoder[0].auto_model
    outputs = []
    with torch.no_grad():
        for start in range(0, len(vocabulary), BATCH):
            cut = [
                [known[word]] if word in known else tokenizer.encode(word, add_special_tokens=False)
                for word in vocabulary[start : start + BATCH]
            ]
            framed = [
                [tokenizer.cls_token_id, *pieces[:MOST_PIECES], tokenizer.sep_token_id]
                for pieces in cut
            ]
            longest = max(map(len, framed))
            ids = torch.tensor([x + [tokenizer.pad_token_id] * (longest - len(x)) for x in framed])
            mask = torch.tensor([[1] * len(x) + [0] * (longest - len(x)) for x in framed])
            hidden = network(input_ids=ids, attention_mask=mask).last_hidden_state
            total = (hidden * mask[:, :, None]).sum(dim=1)
            outputs.append((total / mask.sum(dim=1, keepdim=True)).numpy())
    return np.concatenate(outputs).astype(np.float64)
