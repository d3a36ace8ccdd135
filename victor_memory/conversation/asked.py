"""What a question asks for: its words, its vector, who said it, and when."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final

from victor_memory.conversation.times import Period, periods
from victor_memory.retrieval.text import query_terms

if TYPE_CHECKING:
    from victor_memory.types import Vector

USERS: Final = ("user", "human")
ASSISTANTS: Final = ("assistant", "ai", "model")
ROLES: Final = frozenset({*USERS, *ASSISTANTS, "system", "developer", "tool", "function"})
"""Roles that are not names."""
_FIRST: Final = re.compile(r"\b(?:i|i'm|i've|i'd|my|mine|me|we|we've|our|ours|us)\b", re.IGNORECASE)
_SECOND: Final = re.compile(
    r"\b(?:(?:did|have|had|do|would) you|you(?:'ve| have| had)? (?:\w+ )?"
    r"(?:sa(?:y|id)|suggest\w*|recommend\w*|propos\w*|advi[sc]\w*|explain\w*|t(?:ell|old)|"
    r"mention\w*|list\w*|g(?:i|a)ve\w*|provid\w*|wr(?:i|o)t\w*|answer\w*|show\w*)|your)\b",
    re.IGNORECASE,
)
_WORDS: Final = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Asked:
    """A question, read."""

    text: str
    terms: tuple[str, ...]
    vector: Vector
    now: datetime
    periods: tuple[Period, ...]

    def roles(self) -> tuple[str, ...]:
        """Return the roles of who most likely said what is asked for; none if nothing tells.

        "What did I say about my ..." asks for what the user said, "what did you recommend" for
        what the assistant did.
        """
        if _SECOND.search(self.text):
            return ASSISTANTS
        return USERS if _FIRST.search(self.text) else ()

    def speaker(self, names: Iterable[str]) -> tuple[str, ...]:
        """Return those of *names* that are the one person the question names, or none."""
        words = {word.lower() for word in _WORDS.findall(self.text)}
        named: dict[str, list[str]] = {}
        for name in names:
            given = _WORDS.findall(name.lower())
            if given and given[0] in words and name.lower() not in ROLES:
                named.setdefault(given[0], []).append(name)
        return tuple(*named.values()) if len(named) == 1 else ()


def read(query: str, vector: Vector, now: datetime) -> Asked:
    """Return *query* read; times in it are relative to *now*."""
    return Asked(query, query_terms(query), vector, now, periods(query, now))
