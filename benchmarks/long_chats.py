"""Long user/assistant chats with facts in them, of `data/long_chats.json` and pydoc's topics.

A user tells facts about a few projects and asks for explanations between them; an assistant answers
at length, with the user's words and with paragraphs from Python's documentation, as language models
do. Each fact has two questions: one in other words, one that shares some. What is to be found is
the user's turn. The same seed gives the same chat, on one version of Python.

    python benchmarks/long_chats.py [--tokens 100000] [--topics 2] [--system words|vectors]
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import random
import re
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from pydoc_data import topics as documentation
from typing import Any, NamedTuple

import vectors_adapter

from victor_memory.retrieval.bm25 import InvertedIndex
from victor_memory.retrieval.text import analyse, query_terms

HERE = Path(__file__).parent
KINDS = ("same_words", "other_words")
WORD = re.compile(r"[A-Za-z][A-Za-z'-]{3,}")
SESSION = 40
"""Turns of a session."""


class Question(NamedTuple):
    """A question, the number of the turn that answers it, and how it is worded."""

    text: str
    turn: int
    kind: str


def facts() -> dict[str, Any]:
    """Return what the data file holds."""
    content: dict[str, Any] = json.loads((HERE / "data" / "long_chats.json").read_text("utf-8"))
    return content


def paragraphs() -> list[str]:
    """Return paragraphs that have nothing to do with what users say."""
    found = {
        " ".join(part.split())
        for topic in documentation.topics.values()
        for part in topic.split("\n\n")
    }
    return sorted(one for one in found if 80 < len(one) < 700)


def chat(names: list[str], tokens: int, seed: int) -> tuple[list[tuple[str, str]], list[Question]]:
    """Return the turns (role and text) of a chat on the topics *names*, and its questions."""
    chance = random.Random(seed)  # noqa: S311 - not for secrets
    kept, filler = facts(), paragraphs()
    topics = {name: kept["topics"][name] for name in names}
    order = [name for name, topic in topics.items() for _ in topic["facts"]]
    chance.shuffle(order)
    coming: dict[str, Iterator[dict[str, str]]] = {
        name: iter(topic["facts"]) for name, topic in topics.items()
    }
    turns: list[tuple[str, str]] = []
    questions: list[Question] = []
    for name in order:
        fact, words = next(coming[name]), topics[name]["words"]
        questions += [Question(fact[kind], len(turns), kind) for kind in KINDS]
        size, said = 0, fact["said"]
        while size < 4 * tokens // len(order):
            answer = reply(chance, said, words, kept["say"], filler)
            turns += [("user", said), ("assistant", answer)]
            size += len(said) + len(answer)
            said = chance.choice(kept["ask"]).format(a=chance.choice(words), b=chance.choice(words))
    return turns, questions


def reply(
    chance: random.Random, said: str, words: list[str], phrases: list[str], filler: list[str]
) -> str:
    """Return a long answer that repeats the user's words and says much else."""
    keys = [*WORD.findall(said), *chance.sample(words, 4)]
    length, parts = chance.randint(900, 2600), list[str]()
    while sum(map(len, parts)) < length:
        a, b, c = (chance.choice(keys) for _ in range(3))
        named = {"a": a, "b": b, "c": c, "A": a.capitalize(), "B": b.capitalize()}
        own = chance.random() < 0.55
        parts.append(chance.choice(phrases).format(**named) if own else chance.choice(filler))
    return "\n\n".join(parts)


def documents(turns: list[tuple[str, str]]) -> list[dict[str, Any]]:
    """Return *turns* as documents of the benchmark's adapter."""
    return [
        {"id": str(at), "text": text, "session": at // SESSION, "date": "", "speaker": role}
        for at, (role, text) in enumerate(turns)
    ]


def adapter(path: Path = HERE / "memory_adapter.py") -> Any:
    """Return a new adapter of the file *path*."""
    spec = importlib.util.spec_from_file_location("adapter", path)
    if spec is None or spec.loader is None:
        sys.exit(f"{path} cannot be loaded.")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.Adapter()


class Words:
    """BM25 over whole turns, to compare with."""

    def __init__(self) -> None:
        self._indexes: dict[str, InvertedIndex] = {}

    def ingest(self, conversation_id: str, docs: list[dict[str, Any]]) -> None:
        """Index *docs*."""
        index = self._indexes[conversation_id] = InvertedIndex()
        for doc in docs:
            index.put(doc["id"], analyse(doc["text"]))

    def search(self, conversation_id: str, question: str, k: int) -> list[str]:
        """Return the ids of the *k* docs that share most with *question*."""
        return [key for key, _ in self._indexes[conversation_id].search(query_terms(question), k)]


SYSTEMS: dict[str, Callable[[], Any]] = {
    "recall": adapter,
    "words": Words,
    "vectors": vectors_adapter.Adapter,
}


def main() -> None:
    """Print recall at 1, 5, 10 and 20 for both kinds of questions."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tokens", type=int, default=100_000)
    parser.add_argument("--topics", type=int, default=2, help="of one chat")
    parser.add_argument("--system", choices=SYSTEMS, default="recall")
    arguments = parser.parse_args()
    names = list(facts()["topics"])
    system = SYSTEMS[arguments.system]()
    ranks: defaultdict[str, list[int]] = defaultdict(list)
    latency: list[float] = []
    for number, start in enumerate(range(0, len(names), arguments.topics)):
        some = names[start : start + arguments.topics]
        turns, questions = chat(some, arguments.tokens, number)
        system.ingest(str(number), documents(turns))
        for question in questions:
            begun = time.perf_counter()
            found = system.search(str(number), question.text, 20)
            latency.append(1000 * (time.perf_counter() - begun))
            place = str(question.turn)
            ranks[question.kind].append(found.index(place) if place in found else 1000)
    told: dict[str, Any] = {
        kind: {
            f"recall@{k}": round(sum(rank < k for rank in some) / len(some), 4)
            for k in (1, 5, 10, 20)
        }
        | {"n": len(some)}
        for kind, some in ranks.items()
    }
    latency.sort()
    told["search_ms_p50"] = round(latency[len(latency) // 2], 2)
    json.dump(told, sys.stdout, indent=1)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()
