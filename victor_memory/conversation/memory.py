"""`ConversationMemory`: remember, recall and forget, on any store, without a language model."""

from __future__ import annotations

import asyncio
import heapq
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any, Final

from victor_memory.conversation.ranking import Ranking, Recalled, Span, coverage
from victor_memory.conversation.records import (
    KINDS,
    ConversationStatus,
    Forgotten,
    Memory,
    Remembered,
    Session,
    Turn,
    at_index,
    check_kind,
    check_time,
    from_record,
    new_memory,
    to_record,
)
from victor_memory.errors import InvalidRequestError
from victor_memory.filters import And, Filter, Or, where
from victor_memory.providers.base import BaseEmbeddingProvider
from victor_memory.redaction import Redactor, redact, redact_secrets
from victor_memory.retrieval.text import query_terms
from victor_memory.types import Metadata, StoreStats

MAX_LIMIT: Final = 1000
POOL: Final = 50
"""How many candidates words and vectors bring each, at least."""
FORGET_CANDIDATES: Final = 1000
FORGET_SIMILARITY: Final = 0.9
"""A text without the query's words is forgotten only if it is nearly the query itself."""


class ConversationMemory:
    """The memory of one project. It may be shared by tasks; many processes may use one project.

    Nothing is stored before `redact_secrets` and then each of *redactors* have seen it: texts,
    tags, links, sources and metadata. Names of sessions, roles and agents are kept as they are.
    Reading never writes.
    """

    def __init__(
        self,
        provider: BaseEmbeddingProvider,
        project: str,
        *,
        redactors: Sequence[Redactor] = (),
    ) -> None:
        """Use the memories of *project* in *provider*, which stays the caller's to close."""
        if not isinstance(project, str) or not project.strip():
            msg = f"project is {project!r}; name the project whose memory this is."
            raise InvalidRequestError(msg)
        self.provider = provider
        self.project = project
        self._ours = where("project", "=", project)
        self._redactors = (redact_secrets, *redactors)

    # -- writing ----------------------------------------------------------------------------------

    async def remember(
        self,
        text: str,
        *,
        kind: str = "fact",
        session: str | None = None,
        role: str | None = None,
        agent: str | None = None,
        source: str | None = None,
        importance: float = 0.5,
        tags: Sequence[str] = (),
        created_at: datetime | None = None,
        metadata: Metadata | None = None,
    ) -> Remembered:
        """Store *text* unless the same is stored already; when the call returns, it is durable.

        Of two tasks that store the same at once, both may be told that it is new; it is one memory.

        Raises:
            InvalidRequestError: a field has a value that cannot be remembered.
            PluginError: a redactor failed; nothing was stored.

        """
        given = {
            "text": text,
            "kind": kind,
            "session": session,
            "role": role,
            "agent": agent,
            "source": source,
            "importance": importance,
            "tags": tags,
            "created_at": created_at,
            "metadata": metadata,
        }
        memory, labels = await asyncio.to_thread(self._prepare, given)
        if known := await self.get(memory.id):
            return Remembered(known, new=False, redacted=labels)
        (memory,) = await self._placed([memory])
        await self._store([memory])
        return Remembered(memory, new=True, redacted=labels)

    async def add_turns(self, turns: Iterable[Turn]) -> int:
        """Store those of *turns* that are not stored already, in one batch; return how many were.

        Raises:
            InvalidRequestError: a turn cannot be remembered; none of the call's turns is stored.
            PluginError: a redactor failed; none of the call's turns is stored.

        """
        given = [_turn_fields(turn) for turn in turns]
        prepared = await asyncio.to_thread(lambda: [self._prepare(one)[0] for one in given])
        wanted: dict[str, Memory] = {}
        for one in prepared:
            wanted.setdefault(one.id, one)
        for record in await self.provider.get(wanted):
            del wanted[record.id]
        fresh = await self._placed(list(wanted.values()))
        await self._store(fresh)
        return len(fresh)

    def _prepare(self, given: Mapping[str, Any]) -> tuple[Memory, tuple[str, ...]]:
        """Return the checked memory of the fields *given*, and what was removed from it."""
        # Checked once before, so that a redactor is only given what could be stored.
        plain = new_memory(**given, project=self.project)
        labels: list[str] = []

        def clean(text: str) -> str:
            done = redact(text, self._redactors)
            labels.extend(done.labels)
            return done.text

        cleaned = {
            **given,
            "text": clean(plain.text),
            "source": clean(plain.source) if plain.source else None,
            "created_at": plain.created_at,
            "tags": [clean(tag) for tag in plain.tags],
            "links": [clean(link) for link in plain.links],
            "metadata": _clean_value("", plain.metadata, clean),
        }
        return new_memory(**cleaned, project=self.project), tuple(labels)

    async def _placed(self, memories: list[Memory]) -> list[Memory]:
        """Return *memories* with the turns that have no index after those of their session."""
        following: dict[str, int] = {}
        placed: list[Memory] = []
        for one in memories:
            if one.kind == "turn" and one.index is None and one.session is not None:
                if one.session not in following:
                    # A count, not the highest index, because stores count without reading. It is
                    # too low after turns were forgotten, which only makes neighbours of strangers.
                    following[one.session] = await self.provider.count(
                        _only(self._ours, "turn", one.session)
                    )
                placed.append(at_index(one, following[one.session]))
                following[one.session] += 1
            else:
                placed.append(one)
        return placed

    async def _store(self, memories: Sequence[Memory]) -> None:
        vectors = await self.provider.embedder.embed([one.text for one in memories])
        await self.provider.upsert(
            to_record(one, vector) for one, vector in zip(memories, vectors, strict=True)
        )

    # -- reading ----------------------------------------------------------------------------------

    async def recall(
        self,
        query: str,
        *,
        limit: int = 10,
        kinds: str | Iterable[str] | None = None,
        session: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        min_score: float | None = None,
        all_projects: bool = False,
    ) -> list[Recalled]:
        """Return up to *limit* memories that answer *query*, best first.

        Only *kinds*, only *session*, only what was said from *since* and before *until*, and only
        what scores at least *min_score* (0 to 1). Other projects are searched with *all_projects*.

        Raises:
            InvalidRequestError: the query is empty, or an argument cannot be used.

        """
        _check_query(query)
        _check_limit(limit)
        if min_score is not None and not 0 <= min_score <= 1:
            msg = f"min_score is {min_score!r}; give a number from 0 to 1."
            raise InvalidRequestError(msg)
        owner = where("project", "exists") if all_projects else self._ours
        within = _only(owner, kinds, session, since, until)
        (vector,) = await self.provider.embedder.embed([query], purpose="query")
        pool = max(POOL, 4 * limit)
        lexical, dense = await asyncio.gather(
            self.provider.search_text(query, limit=pool, where=within),
            self.provider.search(vector, limit=pool, where=within),
        )
        ranking = Ranking(query, lexical, dense)
        if spans := ranking.around():
            beside = Or(tuple(_inside(span) for span in spans))
            ranking.add([one async for one in self._memories(And((within, beside)))])
        found = ranking.answer(datetime.now(UTC))
        return [one for one in found if min_score is None or one.score >= min_score][:limit]

    async def get(self, identifier: str) -> Memory | None:
        """Return the memory with this id; `None` if this project has no such memory."""
        for record in await self.provider.get([identifier]):
            memory = from_record(record)
            if memory.project == self.project:
                return memory
        return None

    async def recent(
        self,
        limit: int = 20,
        *,
        kinds: str | Iterable[str] | None = None,
        session: str | None = None,
    ) -> list[Memory]:
        """Return the *limit* newest memories, newest first."""
        _check_limit(limit)
        memories = [one async for one in self._memories(_only(self._ours, kinds, session))]
        return heapq.nlargest(limit, memories, key=_age)

    async def sessions(self) -> list[Session]:
        """Return every session with a memory, the one with the newest memory first."""
        turns: Counter[str] = Counter()
        times: dict[str, tuple[datetime, datetime]] = {}
        within = And((self._ours, where("session", "exists")))
        async for one in self._memories(within):
            if one.session is not None:
                first, last = times.get(one.session, (one.created_at, one.created_at))
                times[one.session] = min(first, one.created_at), max(last, one.created_at)
                turns[one.session] += one.kind == "turn"
        found = [Session(name, turns[name], *span) for name, span in times.items()]
        return sorted(found, key=lambda one: (one.last, one.id), reverse=True)

    async def stats(self) -> StoreStats:
        """Return what the store holds, other projects' memories included, and what it costs."""
        return await self.provider.stats()

    async def status(self) -> ConversationStatus:
        """Return how much this project remembers, and where."""
        counts = [await self.provider.count(_only(self._ours, kind)) for kind in KINDS]
        kinds = {str(kind): count for kind, count in zip(KINDS, counts, strict=True) if count}
        return ConversationStatus(self.project, sum(counts), kinds, await self.stats())

    # -- forgetting -------------------------------------------------------------------------------

    async def forget(
        self,
        *,
        ids: Iterable[str] | None = None,
        session: str | None = None,
        kind: str | None = None,
        before: datetime | None = None,
        query: str | None = None,
        all: bool = False,  # noqa: A002 - forget(all=True) says what it does
        dry_run: bool = False,
    ) -> Forgotten:
        """Delete this project's memories that meet every criterion given; return what they were.

        *query* selects the texts that have every word of it, and those that nearly are it. *all*
        is needed to delete without any other criterion. With *dry_run* nothing is deleted.

        Raises:
            InvalidRequestError: there is no criterion, or one cannot be used.

        """
        if not all and (ids, session, kind, before, query) == (None,) * 5:
            msg = (
                "Nothing was forgotten: say what to forget by ids, session, kind, before or query, "
                "or set all=True to forget everything of this project."
            )
            raise InvalidRequestError(msg)
        within = _only(self._ours, kind, session, until=before)
        if ids is not None:
            records = await self.provider.get(ids)
            found = [from_record(one) for one in records if within.matches(one.metadata)]
            if query is not None:
                about = {one.id for one in await self._about(query, within)}
                found = [one for one in found if one.id in about]
        elif query is not None:
            found = await self._about(query, within)
        else:
            found = [one async for one in self._memories(within)]
        found.sort(key=_age)
        if not dry_run:
            await self.provider.delete([one.id for one in found])
        return Forgotten(tuple(found), dry_run)

    async def _about(self, query: str, within: Filter) -> list[Memory]:
        """Return the memories that are beyond doubt about *query*."""
        _check_query(query)
        terms = query_terms(query)
        (vector,) = await self.provider.embedder.embed([query], purpose="query")
        lexical, dense = await asyncio.gather(
            self.provider.search_text(query, limit=FORGET_CANDIDATES, where=within),
            self.provider.search(
                vector, limit=FORGET_CANDIDATES, where=within, min_score=FORGET_SIMILARITY
            ),
        )
        found = {hit.id: from_record(hit) for hit in dense}
        for memory in map(from_record, lexical):
            if coverage(terms, memory) == 1.0:
                found[memory.id] = memory
        return list(found.values())

    # -- helpers ----------------------------------------------------------------------------------

    async def _memories(self, within: Filter) -> AsyncIterator[Memory]:
        async for batch in self.provider.scan(within):
            for record in batch:
                yield from_record(record)


def _only(
    owner: Filter,
    kinds: str | Iterable[str] | None = None,
    session: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> Filter:
    """Return *owner* and these *kinds*, in *session*, from *since* and before *until*."""
    parts = [owner]
    if kinds is not None:
        chosen = [kinds] if isinstance(kinds, str) else kinds
        parts.append(where("kind", "in", [check_kind(one) for one in chosen]))
    if session is not None:
        parts.append(where("session", "=", session))
    if since is not None:
        parts.append(where("created_ts", ">=", check_time(since).timestamp()))
    if until is not None:
        parts.append(where("created_ts", "<", check_time(until).timestamp()))
    return And(tuple(parts))


def _inside(span: Span) -> Filter:
    return And(
        (
            where("session", "=", span.session),
            where("project", "=", span.project),
            where("index", ">=", span.first),
            where("index", "<=", span.last),
        )
    )


def _turn_fields(turn: Turn) -> dict[str, Any]:
    if not isinstance(turn, Turn):
        msg = f"add_turns() takes Turn objects, not {type(turn).__name__}."
        raise InvalidRequestError(msg)
    return {one.name: getattr(turn, one.name) for one in fields(turn)} | {"kind": "turn"}


def _clean_value(key: str, value: Any, clean: Callable[[str], str]) -> Any:
    """Return the metadata *value* of *key* with every string in it redacted."""
    if isinstance(value, str):
        # With its name, which may be what shows that it is a secret.
        named = clean(f"{key}={value}")
        return named.removeprefix(f"{key}=")
    if isinstance(value, Mapping):
        names = {name: clean(str(name)) for name in value}
        return {names[name]: _clean_value(names[name], one, clean) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_clean_value(key, one, clean) for one in value]
    return value


def _check_query(query: object) -> None:
    if not isinstance(query, str) or not query.strip():
        msg = "The query is empty. Say what to look for."
        raise InvalidRequestError(msg)


def _check_limit(limit: object) -> None:
    if isinstance(limit, bool) or not isinstance(limit, int) or not 1 <= limit <= MAX_LIMIT:
        msg = f"limit is {limit!r}; ask for 1 to {MAX_LIMIT} memories."
        raise InvalidRequestError(msg)


def _age(memory: Memory) -> tuple[datetime, int, str]:
    """Return what orders memories by time; turns of one moment by their place."""
    return memory.created_at, memory.index or 0, memory.id
