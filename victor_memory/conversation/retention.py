"""Retention: how long memories of each kind are kept, and how many of them.

What is too old goes, and of a kind with too many what was superseded, then what matters least, then
what is oldest. What has the importance 1 is kept for ever. Nothing is looked at while reading: it
is done by a command, and from time to time after writing, beside what the program does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from victor_memory._logging import get_logger
from victor_memory.conversation.forgetting import delete, purge, whole
from victor_memory.conversation.records import KINDS, Forgotten, Memory
from victor_memory.conversation.selecting import WHOLE, Source, age, memories, only
from victor_memory.errors import ConfigurationError, VictorMemoryError
from victor_memory.filters import And

log = get_logger(__name__)
KEPT: Final = 1.0
"""The importance of what is never forgotten by itself."""
WRITES: Final = 1000
"""Memories written between two looks; the first is after the first write of a process."""
OVERDUE: Final = timedelta(days=1)
SURPLUS: Final = 0.02
"""By itself a cap acts when it is exceeded by this share: each time all files are written anew."""


@dataclass(frozen=True, slots=True)
class Policy:
    """Ages at which memories of a kind go, and how many of a kind stay; kinds not named stay."""

    ages: Mapping[str, timedelta] = field(default_factory=dict)
    caps: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse kinds that there are not.

        Raises:
            ConfigurationError: a kind is not one of `KINDS`.

        """
        if unknown := sorted({*self.ages, *self.caps} - {*map(str, KINDS)}):
            msg = f"{unknown[0]!r} is no kind of memory. Name some of: {', '.join(KINDS)}."
            raise ConfigurationError(msg)

    def __bool__(self) -> bool:
        return bool(self.ages or self.caps)


class Retention:
    """Keeps *source* to *policy*."""

    def __init__(self, source: Source, policy: Policy) -> None:
        """Do nothing until something is written, or `apply` is called."""
        self._source = source
        self._policy = policy
        self._written = WRITES - 1
        self._under_way: asyncio.Task[None] | None = None

    async def apply(
        self, *, now: datetime | None = None, dry_run: bool = False, slack: bool = False
    ) -> Forgotten:
        """Forget what the policy does not keep; return what it was.

        With *slack* only if it is enough to be worth writing the files anew.
        """
        if not self._policy or not await self._source.provider.exists():
            return Forgotten((), dry_run, erased=not dry_run)
        moment = now or datetime.now(UTC)
        found = {one.id: one for one in await self._aged(moment, slack=slack)}
        for kind, most in self._policy.caps.items():
            found |= {one.id: one for one in await self._beyond(kind, most, found, slack=slack)}
        gone = sorted(found.values(), key=age)
        if dry_run or not gone:
            return Forgotten(tuple(gone), dry_run, erased=not dry_run)
        await delete(self._source.provider, gone)
        erased = await purge(self._source.provider)
        log.info("retention_applied", records=len(gone))
        return Forgotten(tuple(gone), dry_run=False, erased=erased)

    def written(self, count: int) -> None:
        """Look, beside what the caller does, whether it is time; *count* memories were written."""
        self._written += count
        if not self._policy or self._written < WRITES:
            return
        if self._under_way is None or self._under_way.done():
            self._written = 0
            self._under_way = asyncio.get_running_loop().create_task(self._look())

    async def finish(self) -> None:
        """Wait for what is under way."""
        task = self._under_way
        if task is not None and task.get_loop() is asyncio.get_running_loop():
            await asyncio.wait([task])

    async def _look(self) -> None:
        try:
            await self.apply(slack=True)
        except VictorMemoryError as exc:
            # Nobody waits for it, and the next look does what this one could not.
            log.warning("retention_failed", error_type=type(exc).__name__)

    async def _aged(self, now: datetime, *, slack: bool) -> list[Memory]:
        """Return what is older than its kind may be; with *slack*, if something is by a day."""
        found: list[Memory] = []
        overdue = False
        for kind, oldest in self._policy.ages.items():
            some = await self._of(kind, until=now - oldest)
            found += some
            overdue = overdue or any(one.created_at < now - oldest - OVERDUE for one in some)
        return found if overdue or not slack else []

    async def _beyond(
        self, kind: str, most: int, gone: Mapping[str, Memory], *, slack: bool
    ) -> list[Memory]:
        """Return which memories of *kind*, those *gone* left out, are more than there may be."""
        within = only(And((self._source.owner, WHOLE)), kind)
        count = await self._source.provider.count(within)
        count -= sum(one.kind == kind for one in gone.values())
        if count <= most * (1 + SURPLUS if slack else 1):
            return []
        every = [one for one in await self._of(kind) if one.id not in gone]
        replaced = {old for one in every for old in one.supersedes}
        # An older memory must not be current again because the one that replaced it went first.
        every.sort(key=lambda one: (one.id not in replaced, one.importance, age(one)))
        return every[: max(0, count - most)]

    async def _of(self, kind: str, until: datetime | None = None) -> list[Memory]:
        within = only(self._source.owner, kind, until=until)
        found: Sequence[Memory] = [
            one async for one in memories(self._source.provider, within) if one.importance < KEPT
        ]
        return whole(found)
