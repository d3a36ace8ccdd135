"""How often an unrelated question finds something, and how often a related one finds nothing.

    python benchmarks/recall_noise.py --bench DIRECTORY [--min-score 0.4]

DIRECTORY holds `memory_bench.py`, `locomo_dev.json`, `sde_decisions.json` and, for questions on
code, `*.json` files with a `query` in them, in any folder below it or beside it. Every conversation
of these sets, and chats of `long_chats`, is asked its own questions, and then others: those of
other sets and conversations, questions on code, and nonsense. Above the threshold is a question
whose best result scores as much; a related one is dropped if none does.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import random
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any, NamedTuple

import long_chats

from victor_memory.conversation.calibration import DEFAULT_MIN_SCORE

UNRELATED = 150
"""Questions of each kind for one conversation."""
NONSENSE = (
    "purple wandering algebra spoon",
    "trigger lantern happily seven orbit",
    "gravel whisper jacket under melt",
    "asdf qwer zxcv",
    "What is the boiling point of tungsten?",
    "How do I file taxes in Portugal?",
    "Who won the world cup of 1954?",
    "Translate this sentence into Latin.",
    "Explain quantum chromodynamics",
    "Best recipe for a sourdough rye bread",
)


class Question(NamedTuple):
    """A question, and the ids of the documents that answer it."""

    text: str
    answers: frozenset[str]


def main() -> None:
    """Print the shares, by kind of question."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bench", type=Path, required=True)
    parser.add_argument("--min-score", type=float, default=DEFAULT_MIN_SCORE)
    given = parser.parse_args()
    chance = random.Random(3)  # noqa: S311 - not for secrets
    corpora = [
        (name, documents, [one.text for one in questions])
        for name, documents, questions in answered(given.bench)
    ]
    code = code_questions(given.bench.parent)
    chance.shuffle(code)
    counts: defaultdict[str, list[bool]] = defaultdict(list)
    system = long_chats.adapter()
    for name, documents, questions in corpora:
        system.ingest(name, documents)
        kinds = {
            f"related: {name.partition('-')[0]}": questions,
            "unrelated: other conversations": _others(corpora, name, chance),
            "unrelated: code": code[:UNRELATED] if not name.startswith("sde") else [],
            "unrelated: nonsense": list(NONSENSE),
        }
        for kind, asked in kinds.items():
            for question in asked:
                counts[kind].append(system.best_score(name, question) >= given.min_score)
    told: dict[str, Any] = {"min_score": given.min_score}
    for kind, above in sorted(counts.items()):
        share = sum(above) / len(above) if above else 0.0
        dropped = kind.startswith("related")
        key = f"{kind}, {'dropped' if dropped else 'above'}"
        told[key] = {"share": round(1 - share if dropped else share, 4), "n": len(above)}
    json.dump(told, sys.stdout, indent=1)
    sys.stdout.write("\n")


def _others(corpora: list[Any], name: str, chance: random.Random) -> list[str]:
    """Return questions of other conversations; chats share their topics, so none of theirs."""
    own = name.partition("-")[0]
    some = [
        question
        for other, _, questions in corpora
        if other != name and (own != "chat" or not other.startswith("chat"))
        for question in questions
    ]
    return chance.sample(some, min(UNRELATED, len(some)))


def answered(bench: Path) -> list[tuple[str, list[dict[str, Any]], list[Question]]]:
    """Return the name, the documents and the questions of every conversation."""
    return [*_shared(bench), *_chats()]


def _shared(bench: Path) -> list[Any]:
    place = next(iter(sorted(bench.rglob("memory_bench.py"))), None)
    spec = importlib.util.spec_from_file_location("memory_bench", place) if place else None
    if place is None or spec is None or spec.loader is None:
        sys.exit(f"There is no memory_bench.py below {bench}.")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found = []
    for kind, file in (("locomo", "locomo_dev.json"), ("sde", "sde_decisions.json")):
        for name, documents, queries in module.load(str(place.parent / file), "turn"):
            questions = [Question(query[0], frozenset(query[1])) for query in queries]
            found.append((f"{kind}-{name}", documents, questions))
    return found


def _chats() -> list[Any]:
    names, found = list(long_chats.facts()["topics"]), []
    for number in range(0, len(names), 2):
        turns, questions = long_chats.chat(names[number : number + 2], 100_000, number)
        asked = [Question(one.text, frozenset([str(one.turn)])) for one in questions]
        found.append((f"chat-{number}", long_chats.documents(turns), asked))
    return found


def code_questions(folder: Path) -> list[str]:
    """Return the queries of the files of JSON below *folder*."""
    found: list[str] = []
    for file in sorted(folder.rglob("*.json")):
        content = json.loads(file.read_text("utf-8"))
        rows = content if isinstance(content, list) else [content]
        found += [row["query"] for row in rows if isinstance(row, dict) and "query" in row]
    return found


if __name__ == "__main__":
    main()
