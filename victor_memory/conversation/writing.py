"""The write path: what is to be remembered is checked, redacted, compared, placed and stored.

Writing only ever adds records. What a new memory changes about older ones it says itself.
"""

from __future__ import annotations

import asyncio
import dataclasses
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from victor_memory.conversation import fence, lineage, parts, statements
from victor_memory.conversation.records import (
    Memory,
    Remembered,
    Turn,
    at_index,
    from_record,
    new_memory,
    renewed,
    same_words,
    spoken,
    to_record,
)
from victor_memory.conversation.selecting import WHOLE, Source, fetch, only
from victor_memory.conversation.tombstones import Tombstones
from victor_memory.errors import InvalidRequestError
from victor_memory.filters import And, Filter, Not, where
from victor_memory.providers.base import BaseEmbeddingProvider
from victor_memory.redaction import Redactor, redact, redact_secrets
from victor_memory.scope import current_branch

if TYPE_CHECKING:
    from victor_memory.types import Vector

BATCH: Final = 2000
"""Memories embedded at once; each batch is durable as a whole or not at all."""
COMPARED: Final = 20
"""How many notes words and vectors each bring to be compared with a new one."""
SIMILAR: Final = 0.6
"""Cosine from which a note is about the same as another."""
REPORTED: Final = 3
"""How many of those a caller is told of."""
REPLACEABLE: Final = frozenset({"fact", "decision", "preference"})
"""Kinds that say how things are; the others say what happened or is to be done."""
_TURN_FIELDS: Final = tuple(one.name for one in dataclasses.fields(Turn))
_TEXTS: Final = ("text", "source", "metadata")
_CLEANED: Final = ("tags", "links", "files")
"""Lists of strings that may hold a secret."""


class Writer:
    """Writes the memories of *project* into *provider*."""

    def __init__(
        self,
        provider: BaseEmbeddingProvider,
        project: str,
        redactors: Sequence[Redactor],
        *,
        root: Path | None = None,
        recalled: fence.Recollections | None = None,
        tombstones: Tombstones | None = None,
    ) -> None:
        """Let each text pass `redact_secrets` and then *redactors*.

        *root* is the working tree that notes are taken in; *recalled* is what turns may repeat;
        *tombstones* are those of *provider*'s collection.
        """
        self.provider = provider
        self.project = project
        self.ours = where("project", "=", project)
        self.root = root
        self._redactors = (redact_secrets, *redactors)
        self._recalled = recalled or fence.Recollections()
        self._tombstones = tombstones or Tombstones(provider)

    # -- notes ------------------------------------------------------------------------------------

    async def remember(self, given: Mapping[str, Any]) -> Remembered:
        """Store the memory of the fields *given*; see `ConversationMemory.remember`."""
        memory, labels = await asyncio.to_thread(self._prepare, self._placed_here(given))
        await self._check_superseded(memory)
        newer = await lineage.links(self.provider, self.ours)
        memory, known = await self._current(memory, newer)
        if known is not None:
            return Remembered(known, new=False, redacted=labels)
        await asyncio.to_thread(self._tombstones.lift, [memory.id])
        if memory.kind == "turn":
            (memory,) = await self._indexed([memory])
            await self._store([memory])
            return Remembered(memory, new=True, redacted=labels)
        pieces = parts.split(memory)
        vectors = await self.provider.embedder.embed([spoken(one) for one in pieces])
        related = await self._related(pieces[0], vectors[0], newer) if len(pieces) == 1 else []
        said = statements.read(memory.text)
        old: list[Memory] = []
        for one, _ in related:
            stated = statements.read(one.text)
            if one.kind == memory.kind and statements.repeats(stated, said):
                if all(lineage.latest(each, newer) == one.id for each in memory.supersedes):
                    return Remembered(one, new=False, redacted=labels)
                old.append(one)
            elif self._takes_place(one, memory) and statements.supersedes(stated, said):
                old.append(one)
        supersedes = tuple(dict.fromkeys((*memory.supersedes, *(one.id for one in old))))
        pieces = [dataclasses.replace(one, supersedes=supersedes) for one in pieces]
        await self._upsert(pieces, vectors)
        similar = [one for one, near in related if near >= SIMILAR and one.id not in supersedes]
        return Remembered(
            dataclasses.replace(memory, supersedes=supersedes),
            new=True,
            redacted=labels,
            superseded=tuple(await self._fetch(supersedes)),
            similar=tuple(similar[:REPORTED]),
        )

    async def _fetch(self, identifiers: Sequence[str]) -> list[Memory]:
        return await fetch(Source(self.provider, self.ours), identifiers)

    def _placed_here(self, given: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return *given* with the branch, the working tree, and links to the files it names."""
        files = given.get("files") or ()
        if self.root is None:
            return given
        linked = files if isinstance(files, str) else [self._link(one) for one in files]
        here = {"worktree": str(self.root), "branch": current_branch(self.root)}
        return {**given, **{k: v for k, v in here.items() if given.get(k) is None}, "files": linked}

    def _link(self, file: object) -> object:
        return lineage.file_link(self.root, file) if self.root and isinstance(file, str) else file

    async def _check_superseded(self, memory: Memory) -> None:
        there = {one.id for one in await self._fetch(memory.supersedes)}
        for one in memory.supersedes:
            if parts.whole_id(one) not in there or parts.whole_id(one) == memory.id:
                what = "is this memory itself" if one == memory.id else "is not remembered here"
                msg = f"{one!r} cannot be superseded: it {what}. Recall it, and give its id."
                raise InvalidRequestError(msg)

    async def _current(
        self, memory: Memory, newer: Mapping[str, str]
    ) -> tuple[Memory, Memory | None]:
        """Return *memory* as it is to be stored, and the stored one if it is there and holds.

        What was superseded and is said again is a new memory: it supersedes what had superseded it.
        So is what is said again to supersede something else, because no record is ever changed.
        """
        if not await self._fetch([memory.id]):
            return memory, None
        (holds,) = await self._fetch([lineage.latest(memory.id, newer)])
        others = [one for one in memory.supersedes if lineage.latest(one, newer) != holds.id]
        if same_words(holds, memory) and not others:
            return memory, holds
        again = renewed(memory, ",".join((holds.id, *sorted(others))))
        return dataclasses.replace(again, supersedes=(holds.id, *others)), None

    async def _related(
        self, memory: Memory, vector: Vector, newer: Mapping[str, str]
    ) -> list[tuple[Memory, float]]:
        """Return the notes that hold, are seen by the same, and may be about what *memory* is.

        Each with its similarity, nearest first; those found by words alone have none.
        """
        same: list[Filter] = [WHOLE]
        owner = {"session": memory.session, "agent": memory.agent}.get(memory.scope)
        if owner is None:
            same.append(Not(where("scope", "in", ["session", "agent"])))
        else:
            same += [where("scope", "=", memory.scope), where(memory.scope, "=", owner)]
        seen = And(tuple(same))
        # Few conditions for the store, which looks at every record, and the others here.
        within = And((self.ours, where("kind", "!=", "turn")))
        dense, lexical = await asyncio.gather(
            self.provider.search(vector, limit=COMPARED, where=within),
            self.provider.search_text(memory.text, limit=COMPARED, where=within),
        )
        near = {hit.id: hit.score for hit in dense}
        found = {
            hit.id: from_record(hit) for hit in (*dense, *lexical) if seen.matches(hit.metadata)
        }
        return [
            (one, near.get(one.id, 0.0))
            for one in found.values()
            if one.parts == 1 and one.id not in newer and one.id != memory.id
        ]

    @staticmethod
    def _takes_place(old: Memory, new: Memory) -> bool:
        return {old.kind, new.kind} <= REPLACEABLE and old.created_at <= new.created_at

    # -- turns ------------------------------------------------------------------------------------

    async def add_turns(self, turns: Iterable[Turn], *, forgotten: bool) -> int:
        """Store *turns*; see `ConversationMemory.add_turns`."""
        given = [_turn_fields(turn) for turn in _said(turns, self._recalled)]
        prepared = await asyncio.to_thread(lambda: [self._prepare(one)[0] for one in given])
        return await self._add(prepared, forgotten=forgotten)

    async def restore(self, memories: Iterable[Memory], *, forgotten: bool) -> int:
        """Store *memories* as they are; see `ConversationMemory.restore`."""

        def checked(memory: Memory) -> Memory:
            fields = {one.name: getattr(memory, one.name) for one in dataclasses.fields(memory)}
            for derived in ("id", "project", "part", "parts"):
                del fields[derived]
            ready, _ = self._prepare(fields)
            same = ready.text == memory.text
            return dataclasses.replace(ready, id=memory.id) if same else ready

        given = list(memories)
        ready = await asyncio.to_thread(lambda: [checked(one) for one in given])
        return await self._add(ready, forgotten=forgotten)

    async def _add(self, prepared: Sequence[Memory], *, forgotten: bool) -> int:
        """Store those of *prepared* that are not there, in one batch; return how many it stored."""
        wanted: dict[str, Memory] = {}
        for one in prepared:
            wanted.setdefault(one.id, one)
        for record in await self.provider.get(wanted):
            del wanted[record.id]
        if forgotten:
            await asyncio.to_thread(self._tombstones.lift, list(wanted))
        else:
            for gone in await asyncio.to_thread(self._tombstones.among, wanted.keys()):
                del wanted[gone]
        fresh = await self._indexed(list(wanted.values()))
        await self._store(fresh)
        return len(fresh)

    async def _indexed(self, memories: list[Memory]) -> list[Memory]:
        """Return *memories* with the turns that have no index after those of their session."""
        following: dict[str, int] = {}
        placed: list[Memory] = []
        for one in memories:
            if one.kind == "turn" and one.index is None and one.session is not None:
                if one.session not in following:
                    # A count, not the highest index, because stores count without reading. It is
                    # too low after turns were forgotten, which only makes neighbours of strangers.
                    following[one.session] = await self.provider.count(
                        And((only(self.ours, "turn", one.session), WHOLE))
                    )
                placed.append(at_index(one, following[one.session]))
                following[one.session] += 1
            else:
                placed.append(one)
        return placed

    async def _store(self, memories: Sequence[Memory]) -> None:
        """Store *memories*, embedding some while those before them are written."""
        try:
            async with asyncio.TaskGroup() as writes:
                for at in range(0, len(memories), BATCH):
                    some = [part for one in memories[at : at + BATCH] for part in parts.split(one)]
                    vectors = await self.provider.embedder.embed([spoken(one) for one in some])
                    writes.create_task(self._upsert(some, vectors))
        except ExceptionGroup as failures:
            # The first failure cancelled the others; it alone is what the caller must read.
            raise failures.exceptions[0] from failures.exceptions[0].__cause__

    async def _upsert(self, pieces: Sequence[Memory], vectors: Iterable[Vector]) -> None:
        now = time.time()
        await self.provider.upsert(
            to_record(one, vector, now) for one, vector in zip(pieces, vectors, strict=True)
        )

    # -- what both need ---------------------------------------------------------------------------

    def _prepare(self, given: Mapping[str, Any]) -> tuple[Memory, tuple[str, ...]]:
        """Return the checked memory of the fields *given*, and what was removed from it."""
        # Checked once before, so that a redactor is only given what could be stored.
        plain = new_memory(**given, project=self.project)
        labels: list[str] = []

        def clean(text: str) -> str:
            done = redact(text, self._redactors)
            labels.extend(done.labels)
            return done.text

        cleaned: dict[str, Any] = {
            **given,
            "text": clean(plain.text),
            "source": clean(plain.source) if plain.source else None,
            "created_at": plain.created_at,
            "metadata": _clean_value("", plain.metadata, clean),
        }
        cleaned |= {name: [clean(one) for one in getattr(plain, name)] for name in _CLEANED}
        if all(cleaned[name] == getattr(plain, name) for name in _TEXTS) and all(
            cleaned[name] == list(getattr(plain, name)) for name in _CLEANED
        ):
            return plain, tuple(labels)
        return new_memory(**cleaned, project=self.project), tuple(labels)


def _said(turns: Iterable[Turn], recalled: fence.Recollections) -> Iterable[Turn]:
    """Yield what of *turns* was said, and is not what was recalled."""
    for turn in turns:
        if not isinstance(turn, Turn):
            msg = f"add_turns() takes Turn objects, not {type(turn).__name__}."
            raise InvalidRequestError(msg)
        if not isinstance(turn.text, str):
            yield turn
            continue
        text = fence.strip(turn.text)
        if text == turn.text:
            if not fence.is_own_answer(turn) and not recalled.hold(text):
                yield turn
        elif text:
            yield dataclasses.replace(turn, text=text)


def _turn_fields(turn: Turn) -> dict[str, Any]:
    return {name: getattr(turn, name) for name in _TURN_FIELDS} | {"kind": "turn"}


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
