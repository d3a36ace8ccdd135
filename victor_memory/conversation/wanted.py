"""Which memories are meant: one selection, for stores and for rows in memory."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final

from victor_memory.conversation.records import check_kind, check_time
from victor_memory.conversation.selecting import only, visible
from victor_memory.filters import And, Filter, where

if TYPE_CHECKING:
    from victor_memory.conversation.rows import Mask, Rows

_FIELDS: Final = ("session", "agent", "role", "speaker", "branch", "worktree")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which memories are meant; `None` is any."""

    kinds: tuple[str, ...] | None = None
    session: str | None = None
    agent: str | None = None
    role: str | None = None
    speaker: str | None = None
    branch: str | None = None
    worktree: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    viewer: tuple[str | None, str | None] = (None, None)
    """The session and the agent that ask: they see what is only theirs."""

    def filter(self) -> Filter:
        """Return what a store is to select by."""
        seen = visible(*self._viewer())
        every = [only(seen, self.kinds, self.session, self.since, self.until)]
        every += [
            where(name, "=", value)
            for name in _FIELDS
            if name != "session" and (value := getattr(self, name)) is not None
        ]
        return And(tuple(every))

    def mask(self, rows: Rows) -> Mask:
        """Return which of *rows* are selected; the same as `filter` says."""
        session, agent = self._viewer()
        mask: Mask = rows.column("live").astype(bool)
        private = rows.chosen("scope", ["session", "agent"])
        if private.any():
            if session is not None:
                ours = rows.chosen("scope", ["session"]) & rows.chosen("session", [session])
                private &= ~ours
            if agent is not None:
                private &= ~(rows.chosen("scope", ["agent"]) & rows.chosen("agent", [agent]))
            mask &= ~private
        if self.kinds is not None:
            mask &= rows.chosen("kind", self.kinds)
        for name in _FIELDS:
            if (value := getattr(self, name)) is not None:
                mask &= rows.chosen(name, [value])
        if self.since is not None:
            mask &= rows.column("created") >= self.since.timestamp()
        if self.until is not None:
            mask &= rows.column("created") < self.until.timestamp()
        return mask

    def _viewer(self) -> tuple[str | None, str | None]:
        session, agent = self.viewer
        return session or self.session, agent or self.agent


def wanted(
    *,
    kinds: str | Iterable[str] | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    viewer: tuple[str | None, str | None] = (None, None),
    **labels: str | None,
) -> Wanted:
    """Return the checked selection; *labels* are `session`, `agent`, `role` and so on."""
    chosen = None
    if kinds is not None:
        chosen = tuple(check_kind(one) for one in ([kinds] if isinstance(kinds, str) else kinds))
    return Wanted(
        kinds=chosen,
        since=None if since is None else check_time(since),
        until=None if until is None else check_time(until),
        viewer=viewer,
        **labels,
    )
