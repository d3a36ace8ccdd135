"""Keeping up with agents that are running: what they append to their transcripts is imported.

The directories of the sources are watched, and now and then everything is looked at, so that a new
directory, and what a file system does not tell, is seen too. A source whose size and time are as
they were is not opened.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable
from contextlib import aclosing, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from victor_memory._logging import get_logger
from victor_memory.errors import VictorMemoryError

if TYPE_CHECKING:
    from victor_memory.transfer.importing import ImportReport

log = get_logger(__name__)
QUIET_MS: Final = 100
"""Changes are gathered until there was none for so long."""
LONGEST_MS: Final = 1000
"""Changes are gathered for so long at most."""
LOOK_MS: Final = 15_000
"""Between two looks at everything while nothing is said to change."""
POLL_SECONDS: Final = 2.0
"""Between two looks at everything where nothing can be watched."""


async def watched(
    directories: Callable[[], Iterable[Path]],
    look: Callable[[], Awaitable[ImportReport]],
    stop: asyncio.Event,
) -> AsyncIterator[ImportReport | VictorMemoryError]:
    """Yield what each pass did, until *stop* is set; what it failed with is yielded, too.

    Passes that did nothing are not yielded, nor is a failure that was yielded before.
    """
    told: str | None = None
    while not stop.is_set():
        places = _there(directories())
        # Not `stop` itself, because a watch that ends for another reason sets its event.
        ended = asyncio.Event()
        stopping = asyncio.ensure_future(stop.wait())
        stopping.add_done_callback(partial(_set, ended))
        async with aclosing(_changes(places, ended)) as changes:
            following = asyncio.ensure_future(anext(changes, None))
            try:
                # The watches are set by now: what is written from here on is not missed.
                await asyncio.sleep(0)
                goes_on = True
                while goes_on:
                    try:
                        report = await look()
                    except VictorMemoryError as exc:
                        if str(exc) != told:
                            told = str(exc)
                            yield exc
                    else:
                        told = None
                        if report.changed:
                            yield report
                    told_of = await following
                    goes_on = (
                        bool(told_of) and not stop.is_set() and _there(directories()) == places
                    )
                    if goes_on:
                        following = asyncio.ensure_future(anext(changes, None))
            finally:
                stopping.cancel()
                ended.set()
                await asyncio.gather(following, stopping, return_exceptions=True)


def _set(event: asyncio.Event, _: object) -> None:
    event.set()


def _there(directories: Iterable[Path]) -> list[Path]:
    return sorted({one for one in directories if one.is_dir()})


async def _changes(places: list[Path], ended: asyncio.Event) -> AsyncGenerator[bool, None]:
    """Yield whenever something changed in *places*, and now and then."""
    from watchfiles import awatch

    try:
        if places:
            async for _ in awatch(
                *places,
                debounce=LONGEST_MS,
                step=QUIET_MS,
                stop_event=ended,
                rust_timeout=LOOK_MS,
                yield_on_timeout=True,
                ignore_permission_denied=True,
            ):
                yield True
            return
    except OSError as exc:
        log.warning("watching_impossible", error=str(exc), count=len(places))
    while not ended.is_set():
        with suppress(TimeoutError):
            await asyncio.wait_for(ended.wait(), POLL_SECONDS)
        yield True
