"""What an agent should read before it answers: code and conversation in one budget of tokens.

The best of both is taken in turns, because their scores have no common order, and each thing once:
what repeats something taken is left out, and so is what the session was given before. Of the
conversation only what is likely an answer is taken; nothing is better than noise.
"""

from __future__ import annotations

import asyncio
import re
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from victor_memory.conversation.calibration import DEFAULT_MIN_SCORE
from victor_memory.conversation.ledger import fingerprint
from victor_memory.errors import InvalidRequestError, VictorMemoryError

if TYPE_CHECKING:
    from victor_memory.codebase.memory import CodebaseMemory
    from victor_memory.conversation.ledger import Ledger
    from victor_memory.conversation.memory import ConversationMemory
    from victor_memory.conversation.ranking import Recalled
    from victor_memory.conversation.records import Memory

Kind: TypeAlias = Literal["code", "conversation"]
DEFAULT_BUDGET: Final = 2000
LEAST_BUDGET: Final = 50
CHARACTERS_PER_TOKEN: Final = 4
CODE_HITS: Final = 12
MEMORIES: Final = 20
LEAST_CODE: Final = 0.5
"""Share of the best piece's score from which code is worth reading."""
SHINGLE: Final = 5
"""Words of a run by which two texts are compared."""
REPEATED: Final = 0.7
"""Share of a text's runs that are in what was taken, from which it only repeats that."""
PREFERENCES: Final = 8
TASKS: Final = 5
DECISIONS: Final = 6
LAST_TURNS: Final = 4
LONGEST_TURN: Final = 300
"""Characters shown of a turn of the last session."""
_WORD: Final = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Item:
    """One thing in a context."""

    kind: Kind
    place: str
    """`path:first-last` of code, the id of a memory."""
    title: str
    text: str
    key: str
    """What makes it the same thing when it is found again."""

    @property
    def shown(self) -> str:
        """The item as it stands in the text."""
        return f"{self.title}\n{self.text}"

    @property
    def tokens(self) -> int:
        """About how many tokens a language model reads."""
        return -(-(len(self.shown) + 2) // CHARACTERS_PER_TOKEN)


@dataclass(frozen=True, slots=True)
class Context:
    """What to read first; empty if there is nothing worth it."""

    items: tuple[Item, ...]
    notice: str | None = None
    """What a person should know, also why one of the memories could not answer."""
    repeated: int = 0
    """How many were left out because the session was given them before."""

    @property
    def text(self) -> str:
        """All items, readable, best first."""
        return "\n\n".join(one.shown for one in self.items)

    @property
    def tokens(self) -> int:
        """About how many tokens the text has."""
        return sum(one.tokens for one in self.items)


async def build_context(
    query: str | None,
    *,
    conversation: ConversationMemory,
    code: CodebaseMemory | None = None,
    budget: int = DEFAULT_BUDGET,
    session: str | None = None,
    ledger: Ledger | None = None,
    now: datetime | None = None,
    min_score: float = DEFAULT_MIN_SCORE,
    refresh: bool = True,
) -> Context:
    """Return what is known about *query*, in at most *budget* tokens (of 4 characters).

    With *session* and *ledger*, nothing that the session was given before is in it, and what is in
    it is noted. Without a *query* it is what a new session should know: preferences, open tasks,
    the latest decisions, and how the last session ended; the code is not asked.

    Raises:
        InvalidRequestError: the query is blank, or the budget too small to say anything.
        VictorMemoryError: no memory could answer; it is what the first one said.

    """
    if isinstance(budget, bool) or not isinstance(budget, int) or budget < LEAST_BUDGET:
        msg = f"budget is {budget!r}; give at least {LEAST_BUDGET} tokens."
        raise InvalidRequestError(msg)
    notice: str | None = None
    if query is None:
        queues = [await _opening(conversation, session)]
    else:
        queues, notice = await _asked(
            query,
            conversation,
            code,
            session=session,
            now=now,
            min_score=min_score,
            refresh=refresh,
        )
    seen = ledger.seen(session) if ledger is not None and session is not None else frozenset()
    taken, repeated = _packed(queues, budget, seen)
    if ledger is not None and session is not None:
        ledger.add(session, [one.key for one in taken])
    return Context(tuple(taken), notice, repeated)


async def _asked(
    query: str,
    conversation: ConversationMemory,
    code: CodebaseMemory | None,
    *,
    session: str | None,
    now: datetime | None,
    min_score: float,
    refresh: bool,
) -> tuple[list[list[Item]], str | None]:
    """Return what each memory has, best first, and what is to be said about it."""
    if not query.strip():
        msg = "The query is empty. Say what to look for, or leave it out."
        raise InvalidRequestError(msg)

    async def said() -> tuple[list[Item], str | None]:
        found = await conversation.recall(
            query, limit=MEMORIES, min_score=min_score, now=now, viewer=(session, None)
        )
        # What this session said is in its context already.
        others = (one for one in found if session is None or one.memory.session != session)
        return [_recalled(one) for one in others], None

    async def written() -> tuple[list[Item], str | None]:
        if code is None:
            return [], None
        answer = await code.search(query, limit=CODE_HITS, refresh=refresh)
        least = LEAST_CODE * max((hit.score for hit in answer.hits), default=0.0)
        hits = (hit for hit in answer.hits if hit.score >= least)
        items = [
            _code(f"{hit.path}:{hit.start_line}-{hit.end_line}", hit.text, hit.symbol)
            for hit in hits
        ]
        return items, answer.notice

    answers = await asyncio.gather(said(), written(), return_exceptions=True)
    queues: list[list[Item]] = []
    notices: list[str] = []
    failures: list[VictorMemoryError] = []
    for answer in answers:
        if isinstance(answer, VictorMemoryError):
            failures.append(answer)
            notices.append(str(answer))
        elif isinstance(answer, BaseException):
            raise answer
        else:
            queues.append(answer[0])
            notices += [answer[1]] if answer[1] else []
    if failures and (len(failures) == len(answers) or code is None):
        raise failures[0]
    return queues, " ".join(notices) or None


async def _opening(conversation: ConversationMemory, session: str | None) -> list[Item]:
    """Return what a new session should know, the most lasting first."""
    items: list[Item] = []
    for kind, count in (("preference", PREFERENCES), ("task", TASKS), ("decision", DECISIONS)):
        found = await conversation.recent(count, kinds=kind, include_superseded=False)
        items += [_memory(one, one.text) for one in found]
    summary = await conversation.recent(1, kinds="summary", include_superseded=False)
    items += [_memory(one, one.text) for one in summary]
    if not summary:
        before = (one for one in await conversation.sessions() if one.id != session)
        if last := next(before, None):
            turns = await conversation.recent(LAST_TURNS, kinds="turn", session=last.id)
            items += [_memory(one, _shortened(one.text)) for one in reversed(turns)]
    return items


def _packed(
    queues: Sequence[Iterable[Item]], budget: int, seen: frozenset[str]
) -> tuple[list[Item], int]:
    """Return what fits, in turns from each queue, and how many the session had before.

    What does not fit is passed over, because something shorter may. Each queue may use at most its
    part of what is left, and the rest of others that have ended.
    """
    waiting = deque(deque(queue) for queue in queues)
    taken: list[Item] = []
    runs: set[tuple[str, ...]] = set()
    left, repeated = budget, 0
    while waiting:
        queue = waiting.popleft()
        while queue:
            one = queue.popleft()
            if fingerprint(one.key) in seen:
                repeated += 1
                continue
            said = _runs(one.text)
            if one.tokens > left or (said and len(said & runs) >= REPEATED * len(said)):
                continue
            taken.append(one)
            runs |= said
            left -= one.tokens
            waiting.append(queue)
            break
    return taken, repeated


def _runs(text: str) -> set[tuple[str, ...]]:
    words = [word.lower() for word in _WORD.findall(text)]
    size = min(SHINGLE, len(words))
    return {tuple(words[at : at + size]) for at in range(len(words) - size + 1)} if size else set()


def _code(place: str, text: str, symbol: str | None) -> Item:
    title = f"## {place}" + (f"  {symbol}" if symbol else "")
    return Item("code", place, title, text, f"code {place} {fingerprint(text)}")


def _recalled(one: Recalled) -> Item:
    return _memory(one.memory, one.excerpt or one.memory.text, one.stale)


def _memory(memory: Memory, text: str, stale: Sequence[str] = ()) -> Item:
    who = memory.speaker or memory.role
    parts = [memory.kind, memory.created_at.date().isoformat(), *([who] if who else ())]
    if memory.session:
        parts.append(f"session {memory.session}")
    if stale:
        parts.append(f"may not hold any more: {'; '.join(stale)}")
    title = f"## {', '.join(parts)} [{memory.id}]"
    return Item("conversation", memory.id, title, text, f"memory {memory.id} {fingerprint(text)}")


def _shortened(text: str) -> str:
    return text if len(text) <= LONGEST_TURN else text[: LONGEST_TURN - 1].rstrip() + "…"
