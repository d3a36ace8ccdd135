"""The default embedder: a static model run by model2vec, bundled, without torch or a download."""

from __future__ import annotations

import functools
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Final

from victor_memory.embedders._model_files import digest, local_directory, silent_hub
from victor_memory.embedders.base import EmbedderInfo, LocalEmbedder, Purpose
from victor_memory.errors import EmbeddingError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from model2vec import StaticModel

    from victor_memory.types import Vectors

BUNDLED: Final = Path(__file__).parent / "models" / "minilm-256"
WEIGHTS: Final = "model.safetensors"
TOKENIZER: Final = "tokenizer.json"
FILES: Final = (WEIGHTS, TOKENIZER, "config.json")
BATCH: Final = 256
"""Texts tokenised at once: enough to keep every core busy, few enough to bound memory."""
PARALLELISM: Final = "TOKENIZERS_PARALLELISM"


class StaticEmbedder(LocalEmbedder):
    """Every word piece has one vector, and a text is the normalised sum of its pieces' vectors.

    The model is `bundled` (in the wheel), the path of a model2vec directory, or a model's name on
    the Hugging Face hub. Vectors have unit length and depend on nothing but the model and the text.
    A text of any length is read whole. A text without a single known piece, the empty text among
    them, is the last axis: the direction in which texts differ least, so it is near no other text.
    """

    type: ClassVar[str] = "static"
    default_model: ClassVar[str] = "bundled"

    _model: StaticModel

    def _load_model(self) -> EmbedderInfo:
        name, folder = self._find()
        if absent := [file for file in FILES if not (folder / file).is_file()]:
            msg = (
                f"The static model {self.model_name!r} lacks {', '.join(absent)}. Name the "
                "directory of a complete model2vec model, or 'bundled'."
            )
            raise EmbeddingError(msg)
        self._model = _read(folder)
        _silence_forks()
        weights = digest((folder / WEIGHTS, folder / TOKENIZER))
        return EmbedderInfo(self.type, name, self._model.dim, weights)

    def _find(self) -> tuple[str, Path]:
        folder = BUNDLED if self.model_name == "bundled" else local_directory(self.model_name)
        if folder is None:
            return self.model_name, _from_hub(self.model_name)
        # The last part of the path: a model is the same one after its directory was moved.
        return folder.resolve().name, folder

    def _encode(self, texts: Sequence[str], purpose: Purpose) -> Vectors:  # noqa: ARG002 - a static model has one kind of input
        import numpy as np

        tokenizer = self._model.tokenizer
        vectors = np.empty((len(texts), self._model.dim), dtype=np.float32)
        for start in range(0, len(texts), BATCH):
            batch = list(texts[start : start + BATCH])
            encodings = tokenizer.encode_batch_fast(batch, add_special_tokens=False)
            for row, encoding in enumerate(encodings, start):
                vectors[row] = self._pool(np.array(encoding.ids, dtype=np.int64))
        return vectors

    def _pool(self, ids: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        """Return the normalised sum of the pieces' vectors, as model2vec's own `encode` does.

        Not by calling that: it changes the tokenizer while it runs, so it is not safe in threads,
        and it sums in the precision the weights are stored in. Counting the pieces first bounds
        the memory of a long text by the vocabulary.
        """
        import numpy as np

        model = self._model
        pieces, counts = np.unique(ids[ids != model.unk_token_id], return_counts=True)
        shares = counts.astype(np.float32)
        if model.weights is not None:
            shares *= model.weights[pieces]
        rows = pieces if model.token_mapping is None else model.token_mapping[pieces]
        total: npt.NDArray[np.float32] = shares @ model.embedding[rows].astype(np.float32)
        length = np.linalg.norm(total)
        if not length:
            total[-1] = length = np.float32(1)
        return total / length


def _read(folder: Path) -> StaticModel:
    """Read a model2vec directory; the library's own reader takes 0.2 s to import the hub client."""
    from model2vec import StaticModel
    from safetensors.numpy import load_file
    from tokenizers import Tokenizer

    tensors = load_file(folder / WEIGHTS)
    if "embeddings" not in tensors:
        msg = f"{folder / WEIGHTS} holds no static embeddings. Name a model2vec directory."
        raise EmbeddingError(msg)
    return StaticModel(
        vectors=tensors["embeddings"],
        weights=tensors.get("weights"),
        token_mapping=tensors.get("mapping"),
        tokenizer=Tokenizer.from_file(str(folder / TOKENIZER)),
        max_length=None,
    )


def _from_hub(name: str) -> Path:
    """Return the directory of model *name*: from the local cache, else downloaded into it."""
    from huggingface_hub import snapshot_download

    fetch = functools.partial(snapshot_download, name, allow_patterns=list(FILES))
    try:
        cached = Path(fetch(local_files_only=True))
        if all((cached / file).is_file() for file in FILES):
            return cached
    except (OSError, ValueError):
        pass  # Not in the cache, or not a name at all: the hub's answer is the one to report.
    try:
        with silent_hub():
            return Path(fetch())
    except (OSError, ValueError) as exc:
        msg = (
            f"The static model {name!r} is not on this machine and could not be fetched from the "
            f"hub ({type(exc).__name__}). Set VICTOR_EMBEDDING_MODEL_NAME to a local model2vec "
            "directory, or leave it unset to use the bundled model."
        )
        raise EmbeddingError(msg) from exc


@functools.cache
def _silence_forks() -> None:
    """Make forked children tokenise in one thread, as tokenizers does by itself, but silently.

    Its threads do not survive a fork. It notices, and prints a warning to stderr in every child,
    unless its environment variable is set: so that is set for the moment of the fork, and this
    process keeps its own setting, and its speed.
    """
    if not hasattr(os, "register_at_fork"):
        return
    ours = False

    def before() -> None:
        nonlocal ours
        ours = PARALLELISM not in os.environ
        os.environ.setdefault(PARALLELISM, "false")

    def after_in_parent() -> None:
        if ours:
            os.environ.pop(PARALLELISM, None)

    os.register_at_fork(before=before, after_in_parent=after_in_parent)
