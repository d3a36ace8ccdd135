"""One question put to code, history and conversation at once.

Each answers with its own best; the scores of one section say nothing about another's. They come
from different collections, are scaled to the best of their own list, and add different signals, so
any common order would be made up. A reader sees three short lists and knows what each is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from victor_memory.errors import InvalidRequestError, VictorMemoryError

if TYPE_CHECKING:
    from victor_memory.codebase.answers import CodeHit
    from victor_memory.codebase.commit_search import CommitHit
    from victor_memory.codebase.history import HistoryMemory
    from victor_memory.codebase.memory import CodebaseMemory
    from victor_memory.conversation.memory import ConversationMemory
    from victor_memory.conversation.ranking import Recalled

Kind: TypeAlias = Literal["code", "history", "conversation"]
_Found: TypeAlias = "tuple[tuple[CodeHit | CommitHit | Recalled, ...], str | None]"


@dataclass(frozen=True, slots=True)
class Section:
    """What one memory knows about the question, best first."""

    kind: Kind
    results: tuple[CodeHit | CommitHit | Recalled, ...]
    """`CodeHit`, `CommitHit` or `Recalled`, by `kind`."""
    notice: str | None = None
    """What a person should know, also why this memory could not answer."""


async def search_together(
    query: str,
    *,
    code: CodebaseMemory | None = None,
    history: HistoryMemory | None = None,
    conversation: ConversationMemory | None = None,
    limit: int = 5,
    refresh: bool = True,
) -> tuple[Section, ...]:
    """Ask the memories that are given, at once, for up to *limit* results each.

    A memory that cannot answer (there is no repository, a store is away) has a section without
    results and a notice that says why. Unless *refresh* is false, code and history are brought up
    to date first, as their own searches do.

    Raises:
        InvalidRequestError: the query is empty, or the limit cannot be used.
        VictorMemoryError: no memory could answer; it is what the first one said.

    """
    if not isinstance(query, str) or not query.strip():
        msg = "The query is empty. Say what to look for, in plain words or names."
        raise InvalidRequestError(msg)
    asked: dict[Kind, Coroutine[Any, Any, _Found]] = {}
    if code is not None:
        code.check_request(query, limit=limit)
        asked["code"] = _of_code(code, query, limit, refresh=refresh)
    if history is not None:
        asked["history"] = _of_history(history, query, limit, refresh=refresh)
    if conversation is not None:
        asked["conversation"] = _of_conversation(conversation, query, limit)
    answers = await asyncio.gather(*asked.values(), return_exceptions=True)
    sections: list[Section] = []
    failures: list[VictorMemoryError] = []
    for kind, answer in zip(asked, answers, strict=True):
        if isinstance(answer, VictorMemoryError):
            failures.append(answer)
            sections.append(Section(kind, (), str(answer)))
        elif isinstance(answer, BaseException):
            raise answer
        else:
            sections.append(Section(kind, *answer))
    if failures and len(failures) == len(sections):
        raise failures[0]
    return tuple(sections)


async def _of_code(memory: CodebaseMemory, query: str, limit: int, *, refresh: bool) -> _Found:
    answer = await memory.search(query, limit=limit, refresh=refresh)
    return answer.hits, answer.notice


async def _of_history(memory: HistoryMemory, query: str, limit: int, *, refresh: bool) -> _Found:
    answer = await memory.search(query, limit=limit, refresh=refresh)
    return answer.hits, answer.notice


async def _of_conversation(memory: ConversationMemory, query: str, limit: int) -> _Found:
    return tuple(await memory.recall(query, limit=limit)), None
