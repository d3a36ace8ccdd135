"""Questions about code and prose of packages the bundled model was not trained on.

    python benchmarks/model_quality.py --work DIRECTORY [--baseline DIRECTORY] [--no-teacher]

DIRECTORY is the work directory of `scripts/train_static_model.py`, which holds the pairs of the
packages marked `held-out` in its list. For every language, up to 500 first sentences of
documentation seek their function among up to 3,000 (`--questions`, `--functions`), by BM25, by the
bundled model, by the model of `--baseline`, by the teacher, and by each of them fused with BM25:
the sum of both scores, each on a scale from 0 to the question's best. Figures are MRR@10. Speed is
processor time on the same functions, cold load the processor time of a new process.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import re
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "RAYON_NUM_THREADS"):
    os.environ[variable] = "1"
os.environ["HF_HUB_OFFLINE"] = "1"
sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))

import numpy as np  # noqa: E402 - the environment comes first
from static_training import corpus, registries, teacher  # noqa: E402 - see above
from static_training.code import Pair, words  # noqa: E402 - see above

from victor_memory.config import EmbeddingConfig  # noqa: E402 - see above
from victor_memory.embedders.base import Purpose  # noqa: E402 - see above
from victor_memory.embedders.static import BUNDLED, StaticEmbedder  # noqa: E402 - see above

Encode = Callable[[list[str], Purpose], Any]
KINDS: Final = {"doc": "functions", "heading": "sections", "cloze": "sections"}
SPEED: Final = 256
RUNS: Final = 5
DEPTH: Final = 10


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--model", type=Path, default=BUNDLED)
    parser.add_argument("--baseline", type=Path)
    parser.add_argument("--questions", type=int, default=500)
    parser.add_argument("--functions", type=int, default=3000)
    parser.add_argument("--fewest", type=int, default=300)
    parser.add_argument("--no-teacher", action="store_true")
    arguments = parser.parse_args()
    models: dict[str, Encode] = {arguments.model.name: static(arguments.model)}
    if arguments.baseline:
        models[arguments.baseline.name] = static(arguments.baseline)
    if not arguments.no_teacher:
        models["teacher"] = by_teacher()
    held = held_out(arguments.work, arguments.functions)
    if not held:
        sys.exit(f"{arguments.work} has no pairs held out: run scripts/train_static_model.py.")
    totals: defaultdict[str, list[float]] = defaultdict(list)
    print("language, texts:", *(f"{name} alone / fused" for name in ["BM25", *models]), sep=" | ")
    for language, pairs in sorted(held.items()):
        if len(pairs) < arguments.fewest:
            continue
        row = measure(pairs, arguments.questions, models)
        cells = [
            f"{row[name, 'alone']:.3f} / {row[name, 'fused']:.3f}" for name in ["BM25", *models]
        ]
        print(f"{language}, {len(pairs)}", *cells, sep=" | ", flush=True)
        if language != "english":
            for (name, how), value in row.items():
                totals[f"{name} {how}"].append(value)
    for name, values in totals.items():
        print(f"mean of {len(values)} languages of code: {name} {np.mean(values):.4f}")
    some = [pair.answer for pairs in held.values() for pair in pairs[: SPEED // len(held)]]
    for name, encode in models.items():
        print(f"{name}: {rate(encode, some):.0f} texts/s")
    print(f"cold load: {min(cold_load(arguments.model) for _ in range(RUNS)):.2f} s")


def held_out(work: Path, most: int) -> dict[str, list[Pair]]:
    """Return, for each language, up to *most* pairs in an order drawn with a fixed seed."""
    found: defaultdict[str, list[Pair]] = defaultdict(list)
    for package in registries.listed():
        file = work / "pairs" / f"{package.key}.jsonl"
        if package.held_out and file.exists():
            for pair in corpus.read(file):
                if pair.kind in KINDS:
                    found[pair.language].append(pair)
    for language, pairs in found.items():
        random.Random(7).shuffle(pairs)  # noqa: S311 - a choice to repeat, not to guard
        questions: set[str] = set()
        answers: set[str] = set()
        kept = []
        for pair in pairs:
            if pair.question not in questions and pair.answer not in answers:
                kept.append(pair)
            questions.add(pair.question)
            answers.add(pair.answer)
        found[language] = kept[:most]
    return dict(found)


def measure(
    pairs: list[Pair], count: int, models: dict[str, Encode]
) -> dict[tuple[str, str], float]:
    """Return MRR@10 of every model, alone and fused with BM25."""
    questions = [pair.question for pair in pairs[:count]]
    answers = [pair.answer for pair in pairs]
    lexical = bm25(questions, answers)
    row = {("BM25", "alone"): reciprocal_rank(lexical), ("BM25", "fused"): reciprocal_rank(lexical)}
    for name, encode in models.items():
        scores = encode(questions, "query") @ encode(answers, "document").T
        low = scores.min(axis=1, keepdims=True)
        scaled = (scores - low) / (scores.max(axis=1, keepdims=True) - low)
        fused = scaled + lexical / np.maximum(lexical.max(axis=1, keepdims=True), 1e-9)
        row[name, "alone"] = reciprocal_rank(scores)
        row[name, "fused"] = reciprocal_rank(fused)
    return row


def reciprocal_rank(scores: Any) -> float:
    """Return the mean reciprocal rank, to 10, of answer i for question i; ties share ranks."""
    right = scores[np.arange(len(scores)), np.arange(len(scores))][:, None]
    ranks = 1 + (scores > right).sum(axis=1) + ((scores == right).sum(axis=1) - 1) / 2
    return float(np.where(ranks <= DEPTH, 1 / ranks, 0).mean())


def bm25(questions: list[str], answers: list[str], k1: float = 1.5, b: float = 0.75) -> Any:
    """Return the BM25 score of every answer for every question, over the words of identifiers."""
    texts = [Counter(tokens(answer)) for answer in answers]
    places: defaultdict[str, list[tuple[int, int]]] = defaultdict(list)
    for at, text in enumerate(texts):
        for word, count in text.items():
            places[word].append((at, count))
    lengths = np.array([text.total() for text in texts], dtype=np.float64)
    norms = k1 * (1 - b + b * lengths / lengths.mean())
    scores = np.zeros((len(questions), len(answers)))
    for row, question in zip(scores, questions, strict=True):
        for word in sorted(set(tokens(question)) & places.keys()):
            found, counts = np.array(places[word]).T
            weight = np.log(1 + (len(answers) - len(found) + 0.5) / (len(found) + 0.5))
            row[found] += weight * counts * (k1 + 1) / (counts + norms[found])
    return scores


def tokens(text: str) -> list[str]:
    """Return the lower-case words of *text*, those of identifiers apart."""
    return [word for run in re.findall(r"[A-Za-z0-9]+", text) for word in words(run)]


def static(folder: Path) -> Encode:
    """Return what embeds texts with the model2vec directory *folder*."""
    embedder = StaticEmbedder(EmbeddingConfig(embedding_model_name=str(folder)))
    return lambda texts, purpose: asyncio.run(embedder.embed(texts, purpose=purpose))


def by_teacher() -> Encode:
    """Return what embeds texts with the teacher, as its library does it, in float32."""
    encoder = teacher.model()
    return lambda texts, _: teacher.encode(texts, encoder)


def rate(encode: Encode, texts: list[str]) -> float:
    """Return how many of *texts* are embedded in a second of processor time."""
    encode(texts[:8], "document")
    began = time.process_time()
    encode(texts, "document")
    return len(texts) / (time.process_time() - began)


def cold_load(folder: Path) -> float:
    """Return the processor time of a new process, from before numpy's import to the model."""
    program = (
        "import asyncio, sys\n"
        "from victor_memory.config import EmbeddingConfig\n"
        "from victor_memory.embedders.static import StaticEmbedder\n"
        "import time; start = time.process_time()\n"
        "embedder = StaticEmbedder(EmbeddingConfig(embedding_model_name=sys.argv[1]))\n"
        "asyncio.run(embedder.load()); print(time.process_time() - start)\n"
    )
    command = [sys.executable, "-c", program, str(folder)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


if __name__ == "__main__":
    main()
