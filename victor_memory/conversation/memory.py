"""`ConversationMemory`: remember, recall and forget, on any store, without a language model.

What it promises is said here; how it is done, in `writing`, `recall` and `forgetting`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path

from victor_memory.conversation import timeline
from victor_memory.conversation.fence import Recollections
from victor_memory.conversation.forgetting import Forgetter
from victor_memory.conversation.lineage import Lineage, trace
from victor_memory.conversation.ranking import Recalled
from victor_memory.conversation.recall import Reader
from victor_memory.conversation.records import (
    KINDS,
    USER,
    ConversationStatus,
    Forgotten,
    Memory,
    Remembered,
    Session,
    Turn,
    check_scope,
)
from victor_memory.conversation.retention import Policy, Retention
from victor_memory.conversation.selecting import WHOLE, Source, fetch, only
from victor_memory.conversation.tombstones import Tombstones
from victor_memory.conversation.wanted import wanted
from victor_memory.conversation.writing import Writer
from victor_memory.errors import InvalidRequestError
from victor_memory.filters import And, where
from victor_memory.providers.base import BaseEmbeddingProvider
from victor_memory.redaction import Redactor
from victor_memory.types import Metadata, StoreStats


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
        user: BaseEmbeddingProvider | None = None,
        root: Path | None = None,
        retention: Policy | None = None,
    ) -> None:
        """Use the memories of *project* in *provider*, which stays the caller's to close.

        *user* is the collection of what is remembered for all projects. *root* is the working tree
        that notes are taken in: links to files and the name of the branch come from there.
        """
        if not isinstance(project, str) or not project.strip():
            msg = f"project is {project!r}; name the project whose memory this is."
            raise InvalidRequestError(msg)
        self.provider = provider
        self.project = project
        self.user = user
        self.root = root
        self._recalled = Recollections()
        gone = [Tombstones(one) for one in (provider, user) if one is not None]
        self._writer = Writer(
            provider, project, redactors, root=root, recalled=self._recalled, tombstones=gone[0]
        )
        self._user_writer = (
            None if user is None else Writer(user, USER, redactors, tombstones=gone[1])
        )
        self.sources: tuple[Source, ...] = (Source(provider, where("project", "=", project)),)
        """Where memories are found: this project's, and then what the user has in all projects."""
        if user is not None:
            self.sources += (Source(user, where("project", "=", USER)),)
        self._reader = Reader(self.sources, root)
        self._forgetter = Forgetter(self.sources, gone)
        self._retention = Retention(self.sources[0], retention or Policy())

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
        scope: str = "project",
        speaker: str | None = None,
        tool: str | None = None,
        branch: str | None = None,
        worktree: str | None = None,
        links: Sequence[str] = (),
        files: Sequence[str] = (),
        commits: Sequence[str] = (),
        supersedes: Sequence[str] = (),
    ) -> Remembered:
        """Store *text* unless the same is stored already; when the call returns, it is durable.

        The same is the same words, or those of a short note of this kind in another form: other
        inflections, articles or word order that change nothing. A fact, decision or preference
        takes the place of the memories in *supersedes*, and of each short one that clearly gives
        another value to the same thing; those stay in the history. See `statements`.

        *scope* says who sees a note: its project, all projects of the user, or only its *session*
        or *agent*. *links* are ids of the turns it comes from; *files* (paths in the working tree,
        or `path@digest`) and *commits* are what it rests on: when they change, it is stale.

        Of two tasks that store the same at once, both may be told that it is new; it is one memory.

        Raises:
            InvalidRequestError: a field has a value that cannot be remembered; the scope lacks its
                session or agent; what is to be superseded, or a file, is not there.
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
            "scope": scope,
            "speaker": speaker,
            "tool": tool,
            "branch": branch,
            "worktree": worktree,
            "links": links,
            "files": files,
            "commits": commits,
            "supersedes": supersedes,
        }
        done = await self._writer_for(scope).remember(given)
        self._retention.written(int(done.new))
        return done

    async def add_turns(self, turns: Iterable[Turn], *, forgotten: bool = False) -> int:
        """Store those of *turns* that are not stored already, in one batch; return how many were.

        Left out is what was recalled and comes back as part of the conversation; see `fence`. What
        was forgotten stays so, unless *forgotten*.

        Raises:
            InvalidRequestError: a turn cannot be remembered; none of the call's turns is stored.
            PluginError: a redactor failed; none of the call's turns is stored.

        """
        count = await self._writer.add_turns(turns, forgotten=forgotten)
        self._retention.written(count)
        return count

    async def restore(self, memories: Iterable[Memory], *, forgotten: bool = False) -> int:
        """Store whole *memories* as they are, unless they are stored; return how many were not.

        They keep their ids, times, places and what they supersede, but belong to this project. A
        text that a redactor changes gets the id of the new text. What was forgotten stays so,
        unless *forgotten*.

        Raises:
            InvalidRequestError: a memory cannot be kept; none of the call's memories is stored.
            PluginError: a redactor failed; none of the call's memories is stored.

        """
        given = list(memories)
        stored = 0
        for scope in dict.fromkeys(one.scope for one in given):
            some = [one for one in given if one.scope == scope]
            stored += await self._writer_for(scope).restore(some, forgotten=forgotten)
        return stored

    def _writer_for(self, scope: str) -> Writer:
        if check_scope(scope) != "user":
            return self._writer
        if self._user_writer is None:
            msg = (
                "There is no collection for what the user has in all projects. Use another scope, "
                "or give ConversationMemory(user=...) a provider, as open_runtime() does."
            )
            raise InvalidRequestError(msg)
        return self._user_writer

    # -- reading ----------------------------------------------------------------------------------

    async def recall(
        self,
        query: str,
        *,
        limit: int = 10,
        kinds: str | Iterable[str] | None = None,
        session: str | None = None,
        agent: str | None = None,
        role: str | None = None,
        speaker: str | None = None,
        branch: str | None = None,
        worktree: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        now: datetime | None = None,
        min_score: float | None = None,
        budget: int | None = None,
        include_superseded: bool = False,
        all_projects: bool = False,
        viewer: tuple[str | None, str | None] = (None, None),
    ) -> list[Recalled]:
        """Return up to *limit* memories that answer *query*, best first, each with its context.

        Only *kinds*; only of this *session*, *agent*, *role*, *speaker*, *branch* or *worktree*;
        only what was said from *since* and before *until*. Time words in the query ("last week",
        "in March") prefer that time, as seen from *now*. Only what scores at least *min_score* (0
        to 1; see `calibration`), and no more than *budget* tokens of text (of 4 characters).

        What was superseded is left out without *include_superseded*. What only a session or an
        agent sees is found where it is asked for, or asks: *viewer* names both. Other projects in
        the same store are searched with *all_projects*.

        Raises:
            InvalidRequestError: the query is empty, or an argument cannot be used.

        """
        within = wanted(
            kinds=kinds, since=since, until=until, session=session, agent=agent, role=role,
            speaker=speaker, branch=branch, worktree=worktree, viewer=viewer,
        )  # fmt: skip
        found = await self._reader.recall(
            query,
            within,
            limit=limit,
            now=now,
            min_score=min_score,
            budget=budget,
            include_superseded=include_superseded,
            all_projects=all_projects,
        )
        self._recalled.add(one.memory for one in found)
        return found

    async def get(self, identifier: str) -> Memory | None:
        """Return the memory with this id, or a part with it, whole; `None` if there is none.

        It is this project's or, kept for all projects, the user's.
        """
        for source in self.sources:
            if await source.provider.exists():
                for memory in await fetch(source, [identifier]):
                    return memory
        return None

    async def trace(self, identifier: str) -> Lineage | None:
        """Return a memory with what took its place, what it replaced, and why it may be stale.

        `None` if there is none with this id.
        """
        for source in self.sources:
            if await source.provider.exists() and (
                found := await trace(source, identifier, self.root)
            ):
                return found
        return None

    async def recent(
        self,
        limit: int = 20,
        *,
        kinds: str | Iterable[str] | None = None,
        session: str | None = None,
        include_superseded: bool = True,
    ) -> list[Memory]:
        """Return the *limit* newest memories, newest first; the user's for all projects, too."""
        within = wanted(kinds=kinds, session=session)
        return await timeline.newest(
            self.sources, within, limit, include_superseded=include_superseded
        )

    async def timeline(
        self,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        kinds: str | Iterable[str] | None = None,
        session: str | None = None,
        limit: int = 100,
    ) -> list[Memory]:
        """Return what was remembered from *since* and before *until*, oldest first.

        Of more than *limit*, the newest; with *since* or *session*, the first from there.
        """
        within = wanted(kinds=kinds, session=session, since=since, until=until)
        if since is None and session is None:
            return (await timeline.newest(self.sources, within, limit))[::-1]
        return await timeline.oldest(self.sources, within, limit)

    async def sessions(self) -> list[Session]:
        """Return every session with a memory, the one with the newest memory first."""
        return await timeline.sessions(self.sources[0], wanted())

    async def close(self) -> None:
        """Drop what this process holds in memory; the providers stay the caller's to close."""
        await self._retention.finish()
        await self._reader.close()

    async def stats(self) -> StoreStats:
        """Return what the store holds, other projects' memories included, and what it costs."""
        return await self.provider.stats()

    async def status(self) -> ConversationStatus:
        """Return how much this project remembers, and where."""
        ours = where("project", "=", self.project)
        whole = And((ours, WHOLE))
        counts = [await self.provider.count(only(whole, kind)) for kind in KINDS]
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
        scope: str | None = None,
        all: bool = False,  # noqa: A002 - forget(all=True) says what it does
        with_history: bool = False,
        dry_run: bool = False,
        erase: bool = True,
    ) -> Forgotten:
        """Delete this project's memories that meet every criterion given; return what they were.

        Who imports them again does not get them back; who remembers one again, does.
        *query* selects the texts that have every word of it, and those that nearly are it. *all*
        is needed to delete without any other criterion. *ids* may also be of what the user has in
        all projects, which *scope* `user` is about; *with_history* takes what they superseded too,
        which would else be current again. With *dry_run* nothing is deleted.

        They are gone from the store's files when this returns, which takes as long as writing what
        is left anew: several calls are faster without *erase*, and `erase` after them.

        Raises:
            InvalidRequestError: there is no criterion, or one cannot be used.

        """
        return await self._forgetter.forget(
            ids=ids,
            session=session,
            kind=kind,
            before=before,
            query=query,
            scope=scope,
            all=all,
            with_history=with_history,
            dry_run=dry_run,
            erase=erase,
        )

    async def erase(self) -> bool:
        """Remove from the store's files what was deleted before; return whether that was done."""
        return await self._forgetter.erase()

    async def retain(self, *, now: datetime | None = None, dry_run: bool = False) -> Forgotten:
        """Forget what the retention policy does not keep, as of *now*; return what it was."""
        return await self._retention.apply(now=now, dry_run=dry_run)
