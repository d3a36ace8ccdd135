"""Weights of `victor_memory.conversation.calibration` for the bundled model, fitted and printed.

    python benchmarks/fit_calibration.py --bench DIRECTORY

DIRECTORY is as for `recall_noise`. Its conversations, whole and cut to a few texts, are asked
questions that they answer and questions that they do not; a logistic regression tells the two apart
by what `confidence` is given. Each size of collection and each of the two kinds counts the same.
"""

from __future__ import annotations

import argparse
import math
import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final
from unittest import mock

import long_chats
import numpy as np
import recall_noise
from recall_noise import Question

from victor_memory.conversation import scoring

SIZES: Final = (1, 3, 10, 30, 100, 300)
DRAWS: Final = 8
MOST: Final = 80
"""Questions of either kind for one collection."""
FOUND: Final = 10
"""Results among which the answer is."""
PENALTY: Final = 1e-3
STEPS: Final = 50


def main() -> None:
    """Print the weights, and the share of questions that they judge wrongly at 0.5."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bench", type=Path, required=True)
    given = parser.parse_args()
    features, answered, groups = seen(given.bench)
    counts = {one: groups.count(one) for one in set(groups)}
    weights = np.array([1 / counts[one] for one in groups])
    fitted = regression(features, answered, weights / weights.sum())
    names = ("INTERCEPT", "LIFT_WEIGHT", "WINDOW_WEIGHT", "TEXT_WEIGHT", "SIZE_WEIGHT")
    for name, value in zip(names, fitted, strict=True):
        print(f"{name}: Final = {value:.2f}")
    wrong = ((features @ fitted > 0) != answered) * weights / weights.sum()
    print(f"{len(answered)} questions; wrong at 0.5: {wrong.sum():.3f}")


def seen(bench: Path) -> tuple[Any, Any, list[tuple[int, bool]]]:
    """Return what `confidence` was given for each question, and whether there is an answer."""
    rows: list[tuple[float, ...]] = []

    def note(lift: float, window: float, text: float, documents: int) -> float:
        rows.append((1.0, lift, window, text, math.log(max(1, documents))))
        return 0.5

    answered: list[bool] = []
    groups: list[tuple[int, bool]] = []
    system = long_chats.adapter()
    with mock.patch.object(scoring, "confidence", note):
        for number, (size, documents, questions, others) in enumerate(collections(bench)):
            system.ingest(str(number), documents)
            for one in (*questions, *others):
                before = len(rows)
                found = system.search(str(number), one.text, FOUND)
                if one in questions and one.answers.isdisjoint(found):
                    del rows[before:]  # what is not found is not answered
                elif len(rows) > before:
                    answered.append(one in questions)
                    groups.append((size, answered[-1]))
    return np.array(rows), np.array(answered), groups


def collections(
    bench: Path,
) -> Iterator[tuple[int, list[dict[str, Any]], list[Question], list[Question]]]:
    """Yield size class, documents, questions that they answer, and questions that they do not."""
    chance = random.Random(11)  # noqa: S311 - not for secrets
    whole = list(recall_noise.answered(bench))
    asked = {name: questions for name, _, questions in whole}
    code = [Question(x, frozenset()) for x in recall_noise.code_questions(bench.parent)]
    for name, documents, questions in whole:
        kind = name.partition("-")[0]
        others = [
            one
            for other, questions_there in asked.items()
            if other != name and (kind != "chat" or not other.startswith("chat"))
            for one in questions_there
        ]
        if kind != "sde":
            others += chance.sample(code, min(len(code), len(others)))
        by_id = {one["id"]: one for one in documents}
        for size in (*SIZES, len(documents)):
            for _ in range(DRAWS if size < len(documents) else 1):
                some = cut(size, by_id, questions, chance)
                known = {one["id"] for one in some}
                mine = [one for one in questions if one.answers and one.answers <= known]
                count = min(MOST, len(others), max(1, len(mine)))
                yield (
                    min((*SIZES, 1000), key=lambda known: abs(math.log(known / len(some)))),
                    some,
                    chance.sample(mine, min(MOST, len(mine))),
                    chance.sample(others, count),
                )


def cut(
    size: int, by_id: dict[str, Any], questions: Sequence[Any], chance: random.Random
) -> list[dict[str, Any]]:
    """Return *size* documents, in their order, with those that answer one of *questions*."""
    if size >= len(by_id):
        return list(by_id.values())
    answerable = [one for one in questions if one.answers and len(one.answers) <= size]
    kept = set(chance.choice(answerable).answers) if answerable else set()
    rest = sorted(by_id.keys() - kept)
    kept.update(chance.sample(rest, max(0, size - len(kept))))
    return [one for key, one in by_id.items() if key in kept]


def regression(features: Any, answered: Any, weights: Any) -> Any:
    """Return the weights of a logistic regression, by Newton's method."""
    fitted = np.zeros(features.shape[1])
    for _ in range(STEPS):
        likely = 1 / (1 + np.exp(-features @ fitted))
        gradient = features.T @ (weights * (likely - answered)) + PENALTY * fitted * (
            np.arange(len(fitted)) > 0
        )
        curve = (features * (weights * likely * (1 - likely))[:, None]).T @ features
        fitted -= np.linalg.solve(curve + PENALTY * np.eye(len(fitted)), gradient)
    return fitted


if __name__ == "__main__":
    main()
