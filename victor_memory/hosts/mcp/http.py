"""Streamable HTTP for the programs of this machine that know the token.

A page in a browser can make requests to this machine, and a name server can make them look as if
they were to its own: so the address is a loopback one, the Host and Origin headers must name it,
and every request carries the token.
"""

from __future__ import annotations

import asyncio
import hmac
import os
import secrets
import signal
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import uvicorn
from mcp.server.transport_security import TransportSecuritySettings
from starlette.responses import JSONResponse

from victor_memory.errors import ConfigurationError
from victor_memory.hosts.mcp.stdio import MAX_LINE

if TYPE_CHECKING:
    from mcp.server.lowlevel import Server
    from starlette.types import ASGIApp, Receive, Scope, Send

HOST: Final = "127.0.0.1"
PATH: Final = "/mcp"
MOST_SESSIONS: Final = 64
LEAST_TOKEN: Final = 16
"""Characters of a token."""
_IDLE_SESSION_SECONDS: Final = 3600.0
_SHUTDOWN_SECONDS: Final = 2


def listen(port: int) -> socket.socket:
    """Return a socket that listens on *port* of this machine; 0 is any free one.

    Raises:
        ConfigurationError: the port is in use, or not ours to use.

    """
    try:
        return socket.create_server((HOST, port))
    except OSError as exc:
        msg = f"Port {port} cannot be used: {exc.strerror}. Choose another with --port."
        raise ConfigurationError(msg) from exc


def read_token(token: str | None, file: Path | None) -> tuple[str, bool]:
    """Return the token that clients must send, and whether it was made up just now.

    *token* is used if it is given, else what *file* holds.

    Raises:
        ConfigurationError: the file cannot be read or others can read it, or the token is short.

    """
    if token is None and file is not None:
        path = file.expanduser()
        try:
            if os.name == "posix" and stat.S_IMODE(path.stat().st_mode) & 0o077:
                msg = f"Others can read the token in {path}. Run: chmod 600 {path}"
                raise ConfigurationError(msg)
            token = path.read_text(encoding="utf-8").strip()
        except OSError as exc:
            msg = f"The token in {path} cannot be read: {exc.strerror}. Write one to it."
            raise ConfigurationError(msg) from exc
    if token is None:
        return secrets.token_urlsafe(32), True
    if len(token) < LEAST_TOKEN or not token.isascii() or not token.isprintable():
        msg = (
            f"The token is short or not plain text. Choose {LEAST_TOKEN} ASCII characters or more."
        )
        raise ConfigurationError(msg)
    return token, False


def application(protocol: Server[Any], port: int, token: str) -> ASGIApp:
    """Return the ASGI application that serves *protocol* on *port* to those who have *token*."""
    names = [f"{host}:{port}" for host in (HOST, "localhost")]
    inner = protocol.streamable_http_app(
        streamable_http_path=PATH,
        max_request_body_size=MAX_LINE,
        session_idle_timeout=_IDLE_SESSION_SECONDS,
        max_sessions=MOST_SESSIONS,
        transport_security=TransportSecuritySettings(
            enable_dns_rebinding_protection=True,
            allowed_hosts=names,
            allowed_origins=[f"http://{name}" for name in names],
        ),
    )
    return _Gate(inner, token)


class _Gate:
    """Lets only requests with the token through to *app*."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app = app
        self._expected = f"bearer {token}".encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not self._allowed(scope):
            refused = JSONResponse(
                {"error": "This server wants its token: Authorization: Bearer TOKEN."},
                status_code=401,
                headers={"WWW-Authenticate": "Bearer"},
            )
            await refused(scope, receive, send)
        elif scope["type"] in {"http", "lifespan"}:
            await self._app(scope, receive, send)

    def _allowed(self, scope: Scope) -> bool:
        given = [value for name, value in scope["headers"] if name == b"authorization"]
        if len(given) != 1:
            return False
        scheme, _, token = given[0].partition(b" ")
        return hmac.compare_digest(scheme.lower() + b" " + token.strip(), self._expected)


class _Uvicorn(uvicorn.Server):
    """uvicorn, stopped by us: it would end the process with the signal it was sent."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals alone."""
        yield


async def serve(app: ASGIApp, listening: socket.socket, stop: asyncio.Event) -> None:
    """Serve *app* on the socket *listening* until *stop* is set."""
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        lifespan="on",
        ws="none",
        server_header=False,
        timeout_graceful_shutdown=_SHUTDOWN_SECONDS,
    )
    server = _Uvicorn(config)
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        stopping.cancel()
        server.handle_exit(signal.SIGTERM, None)  # as if it had been sent: open streams end, too
        await serving
