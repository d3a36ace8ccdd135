"""What a recall returns, and how much of a question a text has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from victor_memory.conversation.records import Memory
from victor_memory.retrieval.text import analyse


@dataclass(frozen=True, slots=True)
class Recalled:
    """A memory that was found, with its score from 0 to 1 and why it has it."""

    memory: Memory
    score: float
    """Likelihood, roughly, that it answers the question; see `calibration`."""
    parts: dict[str, float] = field(default_factory=dict)
    """What adds up to the score: `lexical`, `dense`, `neighbours`, `session`, `speaker`, `time`,
    `recency`, `importance`, and `amends` for what stands before the older memory it amends."""
    excerpt: str = ""
    """The part of a long text that was found; otherwise the text."""
    matched: tuple[str, ...] = ()
    """The question's terms that are in the excerpt."""
    context: tuple[Memory, ...] = ()
    """The turns directly before and after it, the parts of them that stand next to it."""
    superseded_by: str | None = None
    """Id of the memory that took its place."""
    amended_by: str | None = None
    """Id of another result that, by what both say, changes this one."""
    stale: tuple[str, ...] = ()
    """Why it may not hold any more: files and commits it rests on that have changed."""


def coverage(terms: Sequence[str], memory: Memory) -> float:
    """Return which share of the query's *terms* is in the text or the tags of *memory*."""
    if not terms:
        return 0.0
    there = set(analyse("\n".join((memory.text, *memory.tags))))
    return sum(term in there for term in terms) / len(terms)
