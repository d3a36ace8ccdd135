"""How well commits are found by what they are about, when those words are not in their message.

    python benchmarks/history_search.py REPOSITORY... [--questions 200] [--seed 1] [--commits 20000]

From each repository, commits with a body are drawn at random. The first sentence of the body is the
question, and is taken out of every message before it is stored, so that a commit is found only by
what is left: its subject, the rest of the body, and the files it touches. One line of JSON for each
repository and mode: how often the commit is the first answer, is among the first ten, and the
milliseconds of a search.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import re
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from victor_memory import MemorySettings, Redaction, open_runtime
from victor_memory.codebase.commit_search import MODES
from victor_memory.codebase.commits import Commit, Repository
from victor_memory.codebase.history import HistoryMemory

LEAST_WORDS = 8
MOST_WORDS = 60
SENTENCE = re.compile(r"[A-Z].*?(?:[.!?](?=\s|$)|(?=\n\s*\n)|\Z)", re.DOTALL)


def question(commit: Commit) -> str | None:
    """Return the first sentence of the commit's body as it is written, if it is one to ask."""
    found = SENTENCE.match(commit.body)
    if commit.parents != 1 or found is None:
        return None
    prose = LEAST_WORDS <= len(found[0].split()) <= MOST_WORDS and "://" not in found[0]
    return found[0] if prose else None


def without(questions: Mapping[str, str]) -> Callable[[str], Redaction]:
    """Return a redactor that takes every one of *questions* out."""

    def redact(text: str) -> Redaction:
        for one in questions.values():
            if one in text:
                text = text.replace(one, "")
        return Redaction(text)

    return redact


async def measure(repository: Path, arguments: argparse.Namespace) -> None:
    """Print the figures of *repository*."""
    reader = Repository(repository)
    commits = list(reader.read(reader.newest(arguments.commits)))
    able = {one.sha: asked for one in commits if (asked := question(one))}
    drawn = random.Random(arguments.seed).sample(sorted(able), min(arguments.questions, len(able)))  # noqa: S311 - a sample, to be drawn again
    questions = {sha: able[sha] for sha in drawn}
    with tempfile.TemporaryDirectory() as scratch:
        settings = MemorySettings(embeddings_dir=Path(scratch))
        async with open_runtime(settings, project=scratch) as runtime:
            history = HistoryMemory(
                runtime.provider("codebase", "history"),
                repository,
                redactors=[without(questions)],
                max_commits=arguments.commits,
            )
            report = await history.update()
            for mode in MODES:
                found = await ask(history, questions, mode)
                name = repository.parent.name if repository.name == "repo" else repository.name
                print(json.dumps({
                    "repository": name, "commits": report.commits,
                    "seconds": round(report.seconds, 1), "mode": mode, **found,
                }), flush=True)  # fmt: skip


async def ask(history: HistoryMemory, questions: Mapping[str, str], mode: str) -> dict[str, Any]:
    """Return the figures of *mode*."""
    ranks: list[int | None] = []
    took: list[float] = []
    for sha, asked in questions.items():
        started = time.perf_counter()
        answer = await history.search(" ".join(asked.split()), mode=mode, refresh=False)
        took.append(time.perf_counter() - started)
        shas = [one.sha for one in answer.hits]
        ranks.append(shas.index(sha) if sha in shas else None)
    found = [one for one in ranks if one is not None]
    return {
        "questions": len(ranks),
        "first": round(ranks.count(0) / max(1, len(ranks)), 3),
        "hit10": round(len(found) / max(1, len(ranks)), 3),
        "mrr10": round(sum(1 / (1 + one) for one in found) / max(1, len(ranks)), 3),
        "ms_p50": round(statistics.median(took) * 1e3, 1) if took else None,
    }


def main() -> None:
    """Measure the repositories on the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("repositories", nargs="+", type=Path)
    parser.add_argument("--questions", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--commits", type=int, default=20_000)
    arguments = parser.parse_args()
    for one in arguments.repositories:
        asyncio.run(measure(one, arguments))


if __name__ == "__main__":
    main()
