"""`Transfer`: import, queue and export of one runtime, put together."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from pathlib import Path
from typing import Final

from victor_memory.conversation.memory import ConversationMemory
from victor_memory.conversation.records import USER
from victor_memory.errors import InvalidRequestError, VictorMemoryError
from victor_memory.transfer import formats
from victor_memory.transfer.capture import DIRECTORY
from victor_memory.transfer.exporting import exported
from victor_memory.transfer.importing import Importer, ImportReport, Progress
from victor_memory.transfer.places import Source, kept_by_agents, named_by_person
from victor_memory.transfer.queue import Queue
from victor_memory.transfer.state import Cursors
from victor_memory.transfer.watching import watched

_MANIFEST: Final = "manifest.json"


class Transfer:
    """What goes into and out of the conversation memory of the project at *root*.

    *memories* returns the memory of a project, by its identifier; *directory* holds the queue and
    the cursors (`VICTOR_EMBEDDINGS_DIR`).
    """

    def __init__(
        self,
        project: str,
        root: Path,
        memories: Callable[[str], ConversationMemory],
        directory: Path,
    ) -> None:
        self._project = project
        self._root = root
        self._memories = memories
        self._directory = directory
        self.queue = Queue(directory / DIRECTORY)

    async def update(
        self,
        *,
        format: str | None = None,  # noqa: A002 - as the command's option
        every: bool = False,
        again: bool = False,
        forgotten: bool = False,
        progress: Progress | None = None,
    ) -> ImportReport:
        """Import what hooks have queued, and what is new in the transcripts that agents keep.

        Only of the agent *format*, if it is given; of this project's transcripts, or with *every*
        of all, each into its own project. With *again*, look at all of it; with *forgotten* too,
        and bring back what was forgotten.

        Raises:
            InvalidRequestError: there is no such format.
            VictorMemoryError: a memory cannot be written; what was stored before is kept.

        """
        sources = await asyncio.to_thread(self._kept, format)
        report = await self._importer(every=every).run(
            sources, progress, again=again, forgotten=forgotten
        )
        await self._drain(report)
        return report

    async def import_files(
        self,
        paths: Iterable[str | Path],
        *,
        format: str | None = None,  # noqa: A002 - as the command's option
        every: bool = False,
        into: bool = False,
        again: bool = False,
        forgotten: bool = False,
        progress: Progress | None = None,
    ) -> ImportReport:
        """Import what is new in files, and in the transcripts below directories.

        What belongs to another project is left out, unless *every* (it goes into its own) or
        *into* (it goes into this one). *again* and *forgotten* as for `update`.

        Raises:
            InvalidRequestError: there is no such file or format.
            VictorMemoryError: a memory cannot be written; what was stored before is kept.

        """
        sources = await asyncio.to_thread(self._named, tuple(paths), format)
        return await self._importer(every=every, into=into).run(
            sources, progress, again=again, forgotten=forgotten
        )

    async def drain(self) -> ImportReport:
        """Store what hooks have queued, for whichever project; see `victor_memory.transfer.queue`.

        When another process is doing it, nothing is done.

        Raises:
            VictorMemoryError: a memory cannot be written; what was not stored stays queued.

        """
        report = ImportReport()
        await self._drain(report)
        return report

    def watch(
        self,
        stop: asyncio.Event,
        paths: Iterable[str | Path] = (),
        *,
        format: str | None = None,  # noqa: A002 - as the command's option
        every: bool = False,
        into: bool = False,
    ) -> AsyncIterator[ImportReport | VictorMemoryError]:
        """Import what is there, and then what comes, until *stop* is set; yield what was done.

        Without *paths* that is what `update` imports. A failure is yielded, and tried again.
        """
        given = tuple(paths)
        importer = self._importer(every=every, into=into, stop=stop)

        def sources() -> list[Source]:
            return self._named(given, format) if given else self._kept(format)

        async def look() -> ImportReport:
            report = await importer.run(await asyncio.to_thread(sources))
            if not given:
                await self._drain(report)
            return report

        def directories() -> set[Path]:
            found = {one.path.parent for one in sources()}
            return found if given else found | {self.queue.directory}

        return watched(directories, look, stop)

    def export(
        self, form: str = "jsonl", *, session: str | None = None, user: bool = False
    ) -> AsyncIterator[str]:
        """Yield the project's memory, or one *session* of it, as `jsonl` or `markdown`.

        With *user*, yield what is remembered for all projects of the user instead.

        Raises:
            InvalidRequestError: there is no such form.

        """
        return exported(self._memories(USER if user else self._project), form, session=session)

    async def _drain(self, report: ImportReport) -> None:
        def importer(project: str) -> Importer:
            return self._importer(project=project)

        await self.queue.drain(self._memories, importer, report)

    def _importer(
        self,
        *,
        every: bool = False,
        into: bool = False,
        project: str | None = None,
        stop: asyncio.Event | None = None,
    ) -> Importer:
        chosen = project or self._project
        if every and into:
            msg = "Either each turn goes into its own project, or all go into one. Choose."
            raise InvalidRequestError(msg)
        scope = "*" if every else f"{chosen} <- *" if into else chosen
        kept = self._memories(chosen).provider.traits.persistent
        cursors = Cursors(self._directory if kept else None, scope, self._stamp)
        return Importer(self._memories, cursors, chosen, every=every, into=into, stop=stop)

    def _stamp(self, project: str) -> str:
        """Return what tells the project's collection from one that takes its place."""
        provider = self._memories(project).provider
        if provider.traits.remote or not provider.traits.persistent:
            return ""
        try:
            status = (provider.directory / _MANIFEST).stat()
        except OSError:
            return ""
        return f"{status.st_ino}-{status.st_mtime_ns}"

    def _kept(self, format: str | None) -> list[Source]:  # noqa: A002 - see above
        reader = formats.named(format) if format is not None else None
        return list(kept_by_agents(self._root, reader))

    @staticmethod
    def _named(paths: Iterable[str | Path], format: str | None) -> list[Source]:  # noqa: A002 - see above
        reader = formats.named(format) if format is not None else None
        return list(named_by_person(paths, reader))
