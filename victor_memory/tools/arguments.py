"""What each tool takes, checked by pydantic; the JSON Schemas come from these models.

Descriptions are what a model reads while it fills in a call: one short sentence each.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field

NoteKind = Literal["fact", "decision", "preference", "task", "summary", "error_fix"]
Kind = Literal[NoteKind, "turn"]

LEAST_BUDGET: Final = 200
MOST_BUDGET: Final = 20_000


class Arguments(BaseModel):
    """Arguments of a tool; there are no others than these."""

    model_config = ConfigDict(extra="forbid")


def _budget(default: int) -> int:
    budget: int = Field(
        default,
        ge=LEAST_BUDGET,
        le=MOST_BUDGET,
        description="About how many tokens the answer may have.",
    )
    return budget


class CodeSearch(Arguments):
    """Arguments of `code_search`."""

    query: str = Field(
        min_length=1,
        description="What to look for: a question or a task in plain words, or a name.",
    )
    target: Literal["code", "symbol", "history"] = Field(
        "code",
        description="`code` finds code by meaning and words; `symbol` finds where the name in "
        "`query` is defined; `history` finds commits that say why code is as it is.",
    )
    path: str | None = Field(
        None, description="Only files matching this glob, for example src/**/*.py."
    )
    language: str | None = Field(
        None, description="Only this language, for example python. Not for `history`."
    )
    limit: int = Field(5, ge=1, le=50, description="How many results at most.")
    budget: int = _budget(2500)


class MemoryRecall(Arguments):
    """Arguments of `memory_recall`."""

    query: str = Field(min_length=1, description="What to recall, in plain words.")
    kinds: list[Kind] | None = Field(
        None,
        description="Only these kinds. `turn` is what was said in a conversation; the others are "
        "notes that somebody kept.",
    )
    since: datetime | None = Field(
        None, description="Only from this time on: 2026-01-31 or 2026-01-31T12:00:00+00:00."
    )
    until: datetime | None = Field(None, description="Only before this time, written like `since`.")
    include_superseded: bool = Field(
        default=False, description="Also what newer memories have taken the place of."
    )
    limit: int = Field(5, ge=1, le=50, description="How many results at most.")
    budget: int = _budget(1500)


class MemoryRemember(Arguments):
    """Arguments of `memory_remember`."""

    text: str = Field(
        min_length=1,
        description="One statement that is clear without the conversation around it; with the "
        "reason, if it is a decision.",
    )
    kind: NoteKind = Field("fact", description="What sort of statement it is.")
    importance: float = Field(0.5, ge=0, le=1, description="How much it matters, from 0 to 1.")
    scope: Literal["project", "user"] = Field(
        "project", description="`user` for what holds in all projects, as the user's habits do."
    )
    tags: list[str] | None = Field(None, description="Words by which it should be found, too.")
    files: list[str] | None = Field(
        None, description="Files of the project it is about; when they change, it may be stale."
    )
    supersedes: list[str] | None = Field(
        None, description="Ids of memories that hold no longer now; they stay in the history."
    )


class MemoryContext(Arguments):
    """Arguments of `memory_context`."""

    query: str = Field(
        min_length=1, description="The task or question at hand, in the user's own words."
    )
    budget: int = _budget(2000)


class MemoryForget(Arguments):
    """Arguments of `memory_forget`."""

    ids: list[str] = Field(
        min_length=1, max_length=100, description="Ids of memories, as memory_recall gave them."
    )


class CodeRelated(Arguments):
    """Arguments of `code_related`."""

    place: str = Field(
        min_length=1, description="A file and lines: src/app.py:120-140, or src/app.py for all."
    )
    path: str | None = Field(
        None, description="Only files matching this glob, for example src/**/*.py."
    )
    limit: int = Field(5, ge=1, le=50, description="How many results at most.")
    budget: int = _budget(2500)


class CodeOutline(Arguments):
    """Arguments of `code_outline`."""

    path: str = Field(min_length=1, description="A file, relative to the project's root.")
    budget: int = _budget(2000)


class CodeCallers(Arguments):
    """Arguments of `code_callers`."""

    name: str = Field(
        min_length=1, description="What is called, as the code has it: parse or Client.get."
    )
    path: str | None = Field(
        None, description="Only files matching this glob, for example src/**/*.py."
    )
    limit: int = Field(30, ge=1, le=500, description="How many calls at most.")
    budget: int = _budget(2000)


class MemoryTimeline(Arguments):
    """Arguments of `memory_timeline`."""

    kinds: list[Kind] | None = Field(None, description="Only these kinds.")
    since: datetime | None = Field(
        None, description="Only from this time on: 2026-01-31 or 2026-01-31T12:00:00+00:00."
    )
    until: datetime | None = Field(None, description="Only before this time, written like `since`.")
    session: str | None = Field(None, description="Only this conversation, by its id.")
    limit: int = Field(20, ge=1, le=200, description="How many memories at most.")
    budget: int = _budget(2000)


class MemoryStatus(Arguments):
    """`memory_status` takes no arguments."""
