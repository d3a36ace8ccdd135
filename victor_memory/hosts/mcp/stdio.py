"""JSON-RPC on the standard streams, one message a line, and nothing else on them.

The SDK's own transport reads lines of any length, drops what is not JSON without an answer, and
cannot leave a read that blocks. Here a line has a limit, whatever cannot be read is answered with
the error that JSON-RPC has for it, and the threads that block on the streams are daemons.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
    from mcp.shared.message import SessionMessage

MAX_LINE: Final = 16 * 1024 * 1024
"""Bytes of a message; a tool's arguments are some kilobytes."""
_READ: Final = 1024 * 1024
_NO_MESSAGE: Final = "Invalid request: send one JSON-RPC 2.0 message a line, and no batches."
_FLUSH_SECONDS: Final = 2.0
"""How long the last answers may take to be read by the client."""


@dataclass(frozen=True, slots=True)
class Streams:
    """The file descriptors of the protocol, which nobody else has."""

    reading: int
    writing: int


def claim() -> Streams:
    """Take the standard streams for the protocol.

    From now on whatever reads standard input finds it empty, and whatever is printed, by Python, a
    library or a child process, goes to standard error.
    """
    sys.stdout.flush()
    streams = Streams(_moved(0), _moved(1))
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    try:
        os.dup2(2, 1)
    except OSError:  # there is no standard error
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 1)
        os.close(null)
    return streams


def _moved(descriptor: int) -> int:
    copy = os.dup(descriptor)  # not inherited by children
    if copy <= 2:  # noqa: PLR2004 - the place of a standard stream that was closed
        try:
            return _moved(descriptor)
        finally:
            os.close(copy)
    return copy


@asynccontextmanager
async def connection(
    streams: Streams, limit: int = MAX_LINE
) -> AsyncIterator[
    tuple[
        MemoryObjectReceiveStream[SessionMessage | Exception],
        MemoryObjectSendStream[SessionMessage],
    ]
]:
    """Yield what the SDK's server reads messages from and writes them to, until the input ends.

    Messages are up to *limit* bytes long.
    """
    import anyio
    from mcp.shared.message import SessionMessage

    incoming, read_stream = anyio.create_memory_object_stream[SessionMessage | Exception](16)
    write_stream, outgoing = anyio.create_memory_object_stream[SessionMessage](16)
    writer = _Writer(streams.writing)
    loop = asyncio.get_running_loop()

    async def received(line: bytes | None) -> None:
        message = _parsed(line, limit)
        if isinstance(message, bytes):
            await writer.write(message)
        else:
            await incoming.send(SessionMessage(message))

    def read() -> None:
        """Hand each line to the loop and wait until it is taken: memory stays bounded."""
        with suppress(RuntimeError, anyio.BrokenResourceError, anyio.ClosedResourceError):
            for line in _lines(streams.reading, limit):
                if line is None or line.strip():
                    asyncio.run_coroutine_threadsafe(received(line), loop).result()
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(incoming.close)

    async def write() -> None:
        async for one in outgoing:
            text = one.message.model_dump_json(by_alias=True, exclude_unset=True)
            await writer.write(text.encode() + b"\n")

    threading.Thread(target=read, name="mcp-stdin", daemon=True).start()
    writing = asyncio.create_task(write())
    try:
        yield read_stream, write_stream
    finally:
        write_stream.close()
        await asyncio.wait({writing}, timeout=_FLUSH_SECONDS)
        writing.cancel()
        for one in (incoming, read_stream, outgoing):
            one.close()


class _Writer:
    """Writes whole lines, one after the other, in a thread that may block for ever."""

    def __init__(self, descriptor: int) -> None:
        from queue import SimpleQueue

        self._descriptor = descriptor
        self._queue: SimpleQueue[tuple[bytes, asyncio.Future[None]]] = SimpleQueue()
        self._loop = asyncio.get_running_loop()
        threading.Thread(target=self._run, name="mcp-stdout", daemon=True).start()

    async def write(self, line: bytes) -> None:
        """Return when *line* is written, or when nobody reads any more."""
        done = self._loop.create_future()
        self._queue.put((line, done))
        await done

    def _run(self) -> None:
        while True:
            line, done = self._queue.get()
            rest = memoryview(line)
            with suppress(OSError):  # the client is gone: the end of the input says so, too
                while rest:
                    rest = rest[os.write(self._descriptor, rest) :]
            with suppress(RuntimeError):
                self._loop.call_soon_threadsafe(_finish, done)


def _finish(done: asyncio.Future[None]) -> None:
    if not done.done():
        done.set_result(None)


def _lines(descriptor: int, limit: int) -> Iterator[bytes | None]:
    """Yield each line; `None` for one that is longer than *limit*, which is not kept."""
    held = bytearray()
    skipping = False
    while True:
        try:
            data = os.read(descriptor, _READ)
        except OSError:
            return
        if not data:
            if held and not skipping:
                yield bytes(held)
            return
        *ended, rest = data.split(b"\n")
        for one in ended:
            if not skipping:
                held += one
                yield bytes(held) if len(held) <= limit else None
            held.clear()
            skipping = False
        if not skipping:
            held += rest
            if len(held) > limit:
                yield None
                held.clear()
                skipping = True


def _parsed(line: bytes | None, limit: int) -> Any:
    """Return the message that *line* is, or the bytes of the error to answer with."""
    import mcp_types as types
    from pydantic import ValidationError

    if line is None:
        why = f"The message is longer than {limit} bytes and was not read. Send less at once."
        return _error(types.INVALID_REQUEST, why)
    message: types.JSONRPCMessage | None = None
    with suppress(ValidationError):
        message = types.jsonrpc_message_adapter.validate_json(line, by_name=False)
    # A request whose id is of no use looks like a notification, and would have no answer.
    if isinstance(message, types.JSONRPCNotification) and b'"id"' in line:
        return _error(types.INVALID_REQUEST, _NO_MESSAGE) if "id" in json.loads(line) else message
    return message or _unreadable(line)


def _unreadable(line: bytes) -> bytes:
    """Return the error for a *line* that is no message."""
    import mcp_types as types

    try:
        value = json.loads(line)
    except ValueError:
        return _error(types.PARSE_ERROR, "Parse error: the line is not JSON.")
    except RecursionError:
        return _error(types.PARSE_ERROR, "Parse error: the JSON is nested too deeply.")
    identifier = value.get("id") if isinstance(value, dict) else None
    known = isinstance(identifier, str | int) and not isinstance(identifier, bool)
    return _error(types.INVALID_REQUEST, _NO_MESSAGE, identifier if known else None)


def _error(code: int, message: str, identifier: str | int | None = None) -> bytes:
    error = {"jsonrpc": "2.0", "id": identifier, "error": {"code": code, "message": message}}
    return json.dumps(error).encode() + b"\n"
