"""The default embedder: a static model in model2vec's format, bundled, without torch or a download.

It is read and run here rather than by the library `model2vec`: that copies the tokenizer and sorts
its vocabulary before it is ready, and changes it while it runs, which is not safe in threads.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final

from victor_memory.embedders._model_files import digest, local_directory, silent_hub
from victor_memory.embedders._texts import pieces, unit
from victor_memory.embedders._word_pieces import WordPieces
from victor_memory.embedders.base import EmbedderInfo, Purpose, QuickEmbedder
from victor_memory.errors import EmbeddingError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from tokenizers import Tokenizer

    from victor_memory.types import Vectors

MODELS: Final = Path(__file__).parent / "models"
BUNDLED: Final = MODELS / "victor-static-384"
WEIGHTS: Final = "model.safetensors"
TOKENIZER: Final = "tokenizer.json"
CONFIG: Final = "config.json"
FILES: Final = (WEIGHTS, TOKENIZER, CONFIG)
COUNT_EXPONENT: Final = "count_exponent"
HALF_WEIGHT_AT: Final = "half_weight_at"
LONGEST: Final = 16_000
"""Characters tokenised as one text: with the batch, it bounds the memory that takes."""
PLACE_BITS: Final = 12
"""Bits of a piece's place in its text; all beyond 4,095 are the last one, where little is left."""


class StaticEmbedder(QuickEmbedder):
    """Every word piece has one vector, and a text is the normalised sum of its pieces' vectors.

    The model is `bundled` (in the wheel), the name of any that is in the wheel, the path of a
    model2vec directory, or a model's name on the Hugging Face hub. Vectors have unit length and
    depend on nothing but the model, the text and its purpose. A piece counts as often as it occurs
    or, where the model's `config.json` has a `count_exponent`, as that power of it: an identifier
    that fills a function does not drown the rest. (Sublinear counts: Salton and Buckley, 1988.)
    Where the file has a `half_weight_at` of h, the piece at place p of a passage counts h / (h + p)
    instead of 1: texts say first what they are about, functions their names. A question is read
    evenly.
    A text of any length is read whole. A text without a single known piece, the empty text among
    them, is the last axis: the direction in which texts differ least, so it is near no other text.
    """

    type: ClassVar[str] = "static"
    default_model: ClassVar[str] = "bundled"

    _model: _Model

    def _load_model(self) -> EmbedderInfo:
        name, folder = self._find()
        if absent := [file for file in FILES if not (folder / file).is_file()]:
            msg = (
                f"The static model {self.model_name!r} lacks {', '.join(absent)}. Name the "
                "directory of a complete model2vec model, or 'bundled'."
            )
            raise EmbeddingError(msg)
        self._model = _read(folder)
        files = [folder / WEIGHTS, folder / TOKENIZER]
        if self._model.exponent != 1 or self._model.half_weight_at is not None:
            files.append(folder / CONFIG)  # other settings make other vectors
        return EmbedderInfo(self.type, name, self._model.vectors.shape[1], digest(files))

    def _find(self) -> tuple[str, Path]:
        name = BUNDLED.name if self.model_name == self.default_model else self.model_name
        wheel = MODELS / name if name in (one.name for one in MODELS.iterdir()) else None
        folder = wheel or local_directory(name)
        if folder is None:
            return self.model_name, _from_hub(self.model_name)
        # The last part of the path: a model is the same one after its directory was moved.
        return folder.resolve().name, folder

    def _encode(self, texts: Sequence[str], purpose: Purpose) -> Vectors:
        import numpy as np

        vectors = np.zeros((len(texts), self._model.vectors.shape[1]), dtype=np.float32)
        parts = pieces(texts, LONGEST)
        found = list(self._model.pieces.ids([part for _, part in parts]))
        owners = np.repeat([owner for owner, _ in parts], [len(one) for one in found])
        half = self._model.half_weight_at if purpose == "document" else None
        for owner, tokens, counts in self._model.counted(np.concatenate(found), owners, half):
            vectors[owner] = self._model.sum(tokens, counts)
        vectors[~vectors.any(axis=1), -1] = 1
        return unit(vectors)


@dataclass(frozen=True, slots=True)
class _Model:
    """What a model2vec directory holds."""

    pieces: WordPieces
    vectors: npt.NDArray[Any]
    """A row for each piece, or for each number in `mapping`."""
    weights: npt.NDArray[np.float32] | None
    mapping: npt.NDArray[np.int64] | None
    """From a piece to its row."""
    unknown: int | None
    """The piece that stands for what no piece says."""
    exponent: float
    """A piece that occurs n times counts n to the power of this."""
    half_weight_at: float | None
    """The place in a passage where a piece counts half as much as at the first one."""

    def counted(
        self, ids: npt.NDArray[np.int64], owners: npt.NDArray[np.int64], half: float | None
    ) -> Iterator[tuple[int, npt.NDArray[np.int64], npt.NDArray[Any]]]:
        """Yield each of *owners* with its pieces, in order, and how often it has each.

        With *half*, how much all of one piece weigh where they stand, by `half_weight_at`.
        """
        import numpy as np

        # All at once: to look for what is equal text by text takes three times as long.
        known = ids != self.unknown
        size = int(ids.max(initial=0)) + 1
        both = owners[known] * size + ids[known]
        if half is None:
            both = np.sort(both.astype(np.int32) if both.max(initial=0) < 2**31 else both)
            firsts = np.flatnonzero(np.diff(both, prepend=-1))
            counts = np.diff(firsts, append=len(both))
        else:
            placed = np.sort((both << PLACE_BITS) | _places(owners[known]))
            both = placed >> PLACE_BITS
            firsts = np.flatnonzero(np.diff(both, prepend=-1))
            weights = half / (half + (placed & (2**PLACE_BITS - 1)))
            counts = np.add.reduceat(weights, firsts) if len(firsts) else weights
        owned, tokens = np.divmod(both[firsts], size)
        edges = np.flatnonzero(np.diff(owned, prepend=-1, append=-1))
        for start, end in pairwise(edges):
            yield int(owned[start]), tokens[start:end], counts[start:end]

    def sum(
        self, tokens: npt.NDArray[np.int64], counts: npt.NDArray[Any]
    ) -> npt.NDArray[np.float32]:
        """Return the weighted sum of the pieces' vectors, in the direction of their mean."""
        import numpy as np

        shares = counts.astype(np.float32) ** self.exponent
        if self.weights is not None:
            shares *= self.weights[tokens]
        rows = tokens if self.mapping is None else self.mapping[tokens]
        total: npt.NDArray[np.float32] = shares @ self.vectors[rows].astype(np.float32)
        return total


def _places(owners: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return the place of each piece among those of its owner, which stand together."""
    import numpy as np

    starts = np.flatnonzero(np.diff(owners, prepend=-1))
    places = np.arange(len(owners)) - np.repeat(starts, np.diff(starts, append=len(owners)))
    return np.minimum(places, 2**PLACE_BITS - 1)


def _read(folder: Path) -> _Model:
    from safetensors.numpy import load_file
    from tokenizers import Tokenizer

    tensors = load_file(folder / WEIGHTS)
    if "embeddings" not in tensors:
        msg = f"{folder / WEIGHTS} holds no static embeddings. Name a model2vec directory."
        raise EmbeddingError(msg)
    packed = (folder / TOKENIZER).read_text("utf-8")
    described = json.loads(packed)
    tokenizer = Tokenizer.from_str(packed)
    tokenizer.no_truncation()
    tokenizer.no_padding()
    described["truncation"] = described["padding"] = None
    vectors, mapping = tensors["embeddings"], tensors.get("mapping")
    if (size := tokenizer.get_vocab_size()) != len(vectors if mapping is None else mapping):
        msg = f"{folder} has {size} pieces and {len(vectors)} vectors. Name a whole model."
        raise EmbeddingError(msg)
    exponent, half_weight_at = _settings(folder)
    return _Model(
        pieces=WordPieces(tokenizer, described),
        vectors=vectors,
        weights=tensors.get("weights"),
        mapping=mapping,
        unknown=_unknown(tokenizer, described["model"]),
        exponent=exponent,
        half_weight_at=half_weight_at,
    )


def _unknown(tokenizer: Tokenizer, model: Mapping[str, Any]) -> int | None:
    if model["type"] == "Unigram":
        found: int | None = model.get("unk_id")
        return found
    name = model.get("unk_token")
    return None if name is None else tokenizer.token_to_id(name)


def _settings(folder: Path) -> tuple[float, float | None]:
    """Return the `count_exponent` and the `half_weight_at` of the model in *folder*.

    Raises:
        EmbeddingError: one of them is no number within its limits.

    """
    config = json.loads((folder / CONFIG).read_text("utf-8"))
    if not isinstance(config, dict):
        msg = f"{folder / CONFIG} holds no settings. Name a whole model2vec model."
        raise EmbeddingError(msg)

    def number(entry: str, least: int, most: int) -> float | None:
        if entry not in config:
            return None
        found = config[entry]
        numeric = isinstance(found, int | float) and not isinstance(found, bool)
        if numeric and least <= found <= most:
            return float(found)
        msg = (
            f"{folder / CONFIG} has the {entry} {found!r}. Write a number from {least} to {most}, "
            "or remove the entry."
        )
        raise EmbeddingError(msg)

    exponent = number(COUNT_EXPONENT, 0, 1)
    return 1.0 if exponent is None else exponent, number(HALF_WEIGHT_AT, 1, 2**PLACE_BITS)


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
    except Exception as exc:
        # Whatever the hub's client lets through: errors of its HTTP library among them.
        msg = (
            f"The static model {name!r} is not on this machine and could not be fetched from the "
            f"hub ({type(exc).__name__}). Set VICTOR_EMBEDDING_MODEL_NAME to a local model2vec "
            "directory, or leave it unset to use the bundled model."
        )
        raise EmbeddingError(msg) from exc
