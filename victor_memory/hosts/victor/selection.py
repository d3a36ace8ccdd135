"""What makes the host offer a tool to the model: words of the user's message, by tool.

The host sends a tool only if its metadata has stages and keywords, and then if a keyword is in the
message or the tool is one of the host's core. A memory that is offered only when somebody says
"remember" is never asked, so `ALWAYS` are offered in every turn that gets any tools, those that
write once the agent writes; the others by their words.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

ALWAYS: Final = frozenset({"code_search", "memory_recall", "memory_remember", "memory_context"})
STAGES: Final = (
    "initial",
    "planning",
    "reading",
    "analysis",
    "execution",
    "verification",
    "completion",
)
"""All that the host knows: a memory is of use in each of them."""

_FIND: Final = "find search where how locate code function class implementation"
_PAST: Final = "remember recall decided decision why before earlier previous last session history"
KEYWORDS: Final[Mapping[str, tuple[str, ...]]] = {
    "code_search": (*_FIND.split(), "codebase", "defined", "which file"),
    "code_related": (*_FIND.split(), "similar", "related", "like this"),
    "code_outline": ("outline", "structure", "overview", "symbols", "map of"),
    "code_callers": ("callers", "called", "calls", "usages", "references", "who uses"),
    "memory_recall": (*_PAST.split(), "last time", "what did we", "prefer", "convention"),
    "memory_context": (*_PAST.split(), "context", "what do we know", "background", "continue"),
    "memory_timeline": ("timeline", "when", "since", "history", "order of", "yesterday"),
    "memory_remember": ("remember", "keep in mind", "note", "decided", "prefer", "from now on"),
    "memory_forget": ("forget", "delete the memory", "no longer true", "remove the note"),
    "memory_status": ("memory status", "what is remembered", "how much memory"),
}


def keywords(name: str, description: str) -> list[str]:
    """Return the words that bring up the tool *name*; for a plugin's tool, those of its own text.

    *description* is only read for a tool that is not built in.
    """
    known = KEYWORDS.get(name)
    if known:
        return list(known)
    first = description.partition(".")[0]
    words = re.findall(r"[a-z]{4,}", f"{name.replace('_', ' ')} {first}".lower())
    return list(dict.fromkeys(words)) or [name]
