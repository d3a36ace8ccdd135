"""One server process, from its start to a clean end."""

from __future__ import annotations

import asyncio
import gc
import os
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from victor_memory._signals import stop_signal
from victor_memory.hosts.mcp import stdio
from victor_memory.scope import directory

if TYPE_CHECKING:
    from victor_memory.hosts.mcp.server import MemoryServer
    from victor_memory.settings import MemorySettings

CLOSE_SECONDS: Final = 10.0
"""After so long, a process that was asked to end is ended, whatever its threads do."""


@dataclass(frozen=True, slots=True)
class Options:
    """What a server process is asked for."""

    settings: MemorySettings
    project: Path | None = None
    """The project of all clients; without it they may name their own."""
    tools: tuple[str, ...] | None = None
    """As for `tools.offered`; without it the settings choose."""


def serve_stdio(options: Options, streams: stdio.Streams) -> None:
    """Serve the one client at the other end of *streams*, until it leaves or a signal comes."""
    # Half a second of imports makes many objects and no garbage.
    gc.disable()
    asyncio.run(_stdio(options, streams))


async def _stdio(options: Options, streams: stdio.Streams) -> None:
    memory = _server(options)
    gc.freeze()
    gc.enable()
    stop = stop_signal()
    async with stdio.connection(streams) as (reading, writing):
        serving = asyncio.create_task(
            memory.protocol.run(reading, writing, memory.protocol.create_initialization_options())
        )
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
        _end_soon()
        for task in (serving, stopping):
            task.cancel()
        await asyncio.gather(serving, stopping, return_exceptions=True)
    await memory.close()


def serve_http(options: Options, port: int, tell: Callable[[str], None]) -> None:
    """Serve programs of this machine on *port* until a signal comes; *tell* is given what to print.

    Raises:
        ConfigurationError: the port or the token cannot be used.

    """
    asyncio.run(_http(options, port, tell))


async def _http(options: Options, port: int, tell: Callable[[str], None]) -> None:
    from victor_memory.hosts.mcp import http

    given = options.settings.memory_mcp_token
    token, made_up = http.read_token(
        given.get_secret_value() if given else None, options.settings.memory_mcp_token_file
    )
    listening = http.listen(port)
    port = listening.getsockname()[1]
    memory = _server(options)
    tell(f"Listening on http://{http.HOST}:{port}{http.PATH}")
    if made_up:
        tell(f"Token, shown once: {token}")
    stop = stop_signal()
    await http.serve(http.application(memory.protocol, port, token), listening, stop)
    _end_soon()
    await memory.close()


def _server(options: Options) -> MemoryServer:
    from victor_memory.hosts.mcp.projects import Projects
    from victor_memory.hosts.mcp.server import MemoryServer
    from victor_memory.tools import offered

    # Names that there are not are said now, not to the first client.
    offered(options.settings.memory_tools if options.tools is None else options.tools)
    project = None if options.project is None else directory(options.project)
    projects = Projects(options.settings, project or Path.cwd())
    return MemoryServer(projects, project=project, chosen=options.tools)


def _end_soon() -> None:
    """End the process in any case: what a kill leaves behind, the next run puts right."""

    def end() -> None:
        with suppress(OSError, ValueError):
            sys.stderr.flush()
        os._exit(0)

    timer = threading.Timer(CLOSE_SECONDS, end)
    timer.daemon = True
    timer.start()
