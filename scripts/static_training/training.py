"""Fine-tuning of word vectors: questions near their answers, sentences as the teacher has them."""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final, NamedTuple

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    Ids = npt.NDArray[np.int32]

LONGEST: Final = 400
"""Word pieces of a text that training reads."""
AT_ONCE: Final = 4096
TEXTS: Final = "texts.npz"
KEYS: Final = "keys.npy"
TAUGHT: Final = "taught.npy"
START: Final = "start.npz"
"""Files that training reads."""


@dataclass(frozen=True)
class Bags:
    """Texts as the distinct word pieces in each, sorted, and how often each is there.

    Those of text i are `ids[starts[i]:starts[i + 1]]`, with `counts` beside them.
    """

    PARTS: ClassVar = ("ids", "counts", "starts")

    ids: Ids
    counts: npt.NDArray[np.uint16]
    starts: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.starts) - 1

    def take(self, rows: npt.NDArray[np.int64]) -> tuple[Any, Any, Any]:
        """Return the pieces of *rows*, their counts as float32, and where each row begins."""
        import torch

        lengths = self.starts[rows + 1] - self.starts[rows]
        begins = np.cumsum(lengths) - lengths
        at = np.repeat(self.starts[rows] - begins, lengths) + np.arange(lengths.sum())
        counts = torch.from_numpy(self.counts[at].astype(np.float32))
        return torch.from_numpy(self.ids[at]), counts, torch.from_numpy(begins)


def save(path: Path, **named: Bags) -> None:
    """Write bags of texts to the file *path*."""
    arrays = {
        f"{name}_{part}": getattr(x, part) for name, x in named.items() for part in Bags.PARTS
    }
    np.savez(path, **arrays)


def load(path: Path, name: str) -> Bags:
    """Return the bags that `save` wrote under *name*."""
    with np.load(path) as arrays:
        return Bags(*(arrays[f"{name}_{part}"] for part in Bags.PARTS))


def bags(tokenizer: Any, texts: list[str], longest: int = LONGEST) -> Bags:
    """Return *texts* as bags of their first *longest* pieces."""
    ids: list[Any] = []
    counts: list[Any] = []
    for start in range(0, len(texts), AT_ONCE):
        encodings = tokenizer.encode_batch_fast(
            texts[start : start + AT_ONCE], add_special_tokens=False
        )
        for one in encodings:
            found, often = np.unique(np.array(one.ids[:longest], np.int32), return_counts=True)
            ids.append(found)
            counts.append(often.astype(np.uint16))
    starts = np.concatenate([[0], np.cumsum([len(x) for x in ids])]).astype(np.int64)
    return Bags(np.concatenate(ids), np.concatenate(counts), starts)


class Run(NamedTuple):
    """One of the trainings whose results are averaged."""

    seed: int
    """Of the order of the pairs, and the exponents drawn."""
    temperature: float
    """Of the pairs' cosines. A low one looks at the few likeliest wrong answers, and finds single
    functions better; a search that fuses ranks wants the right file among the first fifty."""


@dataclass(frozen=True)
class Recipe:
    """What training does; the times are of one core of 2026."""

    epochs: int = 1
    batch: int = 1024
    count_exponent: float = 0.5
    """The power of a piece's count that it counts with in a text where this project embeds."""
    half_weight_at: float = 32
    """The place in a passage where a piece counts half, where this project embeds. Not in training:
    vectors trained with it are no better with it."""
    trained_exponents: tuple[float, ...] = (0.5, 1.0)
    """One of them, drawn for each batch: 1 is what model2vec itself counts with."""
    block: int = 16
    """Pairs that stay together when the others are shuffled: hard negatives from the same file."""
    rate: float = 0.01
    sentences: int = 512
    """Sentences beside each batch of pairs, whose similarities are the teacher's."""
    sentence_weight: float = 2.0
    teacher_temperature: float = 0.05
    share: float = 0.85
    """How far from the start to the trained vectors to stop (WiSE-FT; Wortsman et al., 2022)."""
    runs: tuple[Run, ...] = (Run(7, 0.1), Run(12, 0.1), Run(7, 0.15))
    """What they train is averaged: two orders of the same pairs differ by as much as two recipes
    do. ("Model soups"; Wortsman et al., 2022.)"""


def trained(prepared: Path, recipe: Recipe, run: Run) -> npt.NDArray[np.float32]:
    """Return the word vectors that *run* trains on what is in *prepared*, and leave them there.

    Of another text or recipe they have another name, so none is taken for another's.
    """
    import torch

    # What else a recipe says makes other vectors; how a text is embedded later does not.
    of = hashlib.sha256(repr(replace(recipe, runs=(), half_weight_at=0)).encode())
    for name in (TEXTS, KEYS, TAUGHT, START):
        with (prepared / name).open("rb") as stream:
            of.update(hashlib.file_digest(stream, "sha256").digest())
    out = prepared / f"trained-{of.hexdigest()[:8]}-{run.seed}-{run.temperature}.npy"
    if out.exists():
        kept: npt.NDArray[np.float32] = np.load(out)
        return kept
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(mode=True)
    texts = [load(prepared / TEXTS, x) for x in ("questions", "answers", "sentences")]
    with np.load(prepared / START) as begun:
        table = train(
            begun["table"],
            begun["frozen"],
            *texts,
            keys=np.load(prepared / KEYS),
            taught=np.load(prepared / TAUGHT),
            recipe=recipe,
            run=run,
        )
    partial = out.with_suffix(".part.npy")
    np.save(partial, table)
    partial.rename(out)
    return table


def train(
    start: npt.NDArray[np.float32],
    frozen: npt.NDArray[np.bool_],
    questions: Bags,
    answers: Bags,
    sentences: Bags,
    *,
    keys: npt.NDArray[np.int64],
    taught: npt.NDArray[np.float16],
    recipe: Recipe,
    run: Run,
) -> npt.NDArray[np.float32]:
    """Return the word vectors *start*, trained on pairs as *run* says.

    Questions i and answers i are pairs; *keys* says which pairs may stand for one another and are
    no negatives of each other. *taught* holds the teacher's vectors of *sentences*. Rows that are
    *frozen* are zero and stay so. The loss is the cross-entropy of the right answer among those of
    the batch and of the right question (van den Oord et al., 2018), plus the divergence of the
    sentences' similarities from the teacher's (as Hinton et al., 2015).
    """
    import torch
    from torch.nn import functional

    generator = np.random.default_rng(run.seed)
    torch.manual_seed(run.seed)
    table = torch.nn.Parameter(torch.from_numpy(start.copy()))
    still = torch.from_numpy(frozen)
    optimizer = torch.optim.Adam([table], lr=recipe.rate, betas=(0.9, 0.98))
    steps = recipe.epochs * (len(questions) // recipe.batch)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda at: min(1, (at + 1) / 50) * max(0.02, 1 - at / steps)
    )

    def vectors(texts: Bags, rows: Any, exponent: float) -> Any:
        ids, counts, begins = texts.take(rows)
        weights = counts**exponent
        summed = functional.embedding_bag(
            ids, table, begins, mode="sum", per_sample_weights=weights
        )
        return functional.normalize(summed, dim=1, eps=1e-6)

    at, began, shown = 0, time.monotonic(), [0.0, 0.0]
    sentence_order = np.array([], dtype=np.int64)
    for _ in range(recipe.epochs):
        order = _blocks(len(questions), recipe.block, generator)
        for place in range(0, len(order) - recipe.batch + 1, recipe.batch):
            rows = order[place : place + recipe.batch]
            exponent = float(generator.choice(recipe.trained_exponents))
            asked, answered = (vectors(x, rows, exponent) for x in (questions, answers))
            scores = asked @ answered.T / run.temperature
            key = torch.from_numpy(keys[rows])
            alike = (key[:, None] == key[None, :]) & ~torch.eye(len(rows), dtype=torch.bool)
            scores = scores.masked_fill(alike, -1e4)
            loss = _contrast(scores)
            shown[0] += loss.item()
            if recipe.sentences:
                if len(sentence_order) < recipe.sentences:
                    sentence_order = _blocks(len(sentences), 8, generator)
                some, sentence_order = np.split(sentence_order, [recipe.sentences])
                extra = _divergence(
                    vectors(sentences, some, recipe.count_exponent), taught[some], recipe
                )
                shown[1] += extra.item()
                loss = loss + recipe.sentence_weight * extra
            optimizer.zero_grad(set_to_none=False)
            loss.backward()
            assert table.grad is not None
            table.grad[still] = 0
            optimizer.step()
            schedule.step()
            at += 1
            if at % 50 == 0:
                print(
                    f"step {at}/{steps}, loss {shown[0] / 50:.3f} + {shown[1] / 50:.3f}, "
                    f"{time.monotonic() - began:.0f} s",
                    flush=True,
                )
                shown = [0.0, 0.0]
    trained: npt.NDArray[np.float32] = table.detach().numpy()
    return start + recipe.share * (trained - start)


def _contrast(scores: Any) -> Any:
    """Return the cross-entropy of the diagonal, among the answers and among the questions."""
    import torch
    from torch.nn import functional

    right = torch.arange(len(scores))
    return (functional.cross_entropy(scores, right) + functional.cross_entropy(scores.T, right)) / 2


def _blocks(count: int, size: int, generator: Any) -> Any:
    """Return 0 … *count* - 1 in blocks of *size* neighbours, the blocks shuffled."""
    offset = int(generator.integers(size))
    starts = generator.permutation(np.arange(-offset, count, size))
    return np.concatenate([np.arange(max(0, x), min(count, x + size)) for x in starts])


def _divergence(found: Any, taught: Any, recipe: Recipe) -> Any:
    import torch
    from torch.nn import functional

    target = torch.from_numpy(taught.astype("float32"))
    hidden = torch.eye(len(target), dtype=torch.bool)
    theirs = (target @ target.T / recipe.teacher_temperature).masked_fill(hidden, -1e4)
    ours = (found @ found.T / recipe.teacher_temperature).masked_fill(hidden, -1e4)
    return functional.kl_div(
        functional.log_softmax(ours, 1), functional.softmax(theirs, 1), reduction="batchmean"
    )
