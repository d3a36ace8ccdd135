"""Structured logs through the standard library, silent until somebody asks for them.

An unconfigured structlog prints to stdout, which belongs to the host (and would corrupt an MCP
stream), so every logger here wraps a standard-library logger explicitly. The host's own logging
configuration decides where events go; the CLI and the servers call `configure_logging`, which
writes to stderr.

Events are constant snake_case names. Keys come from `LOG_KEYS`; anything else is dropped, so that
no content, query or secret can reach a log by accident. structlog itself is imported when the first
event is logged that somebody asked for: most processes log nothing, and it loads a pretty printer.
"""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING, Any, Final, Literal, TextIO, cast

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    import structlog

ROOT: Final = "victor_memory"
LOG_KEYS: Final = frozenset(
    {
        "attempt", "collection", "count", "dimension", "distribution", "elapsed_ms", "embedder",
        "error", "error_type", "fallback", "files", "hook", "index", "memory", "operation",
        "plugin", "project", "provider", "reason", "records", "version",
    }
)  # fmt: skip

logging.getLogger(ROOT).addHandler(logging.NullHandler())


def _keep_known_keys(
    _logger: object, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    for key in event.keys() - LOG_KEYS - {"event", "exc_info", "level", "logger", "timestamp"}:
        del event[key]
    return event


class _Logger:
    """Stands for a structlog logger, and passes on what its standard logger lets through."""

    def __init__(self, name: str) -> None:
        self._logger = logging.getLogger(name)
        self._bound: structlog.stdlib.BoundLogger | None = None

    def __getattr__(self, method: str) -> Any:
        level = _LEVELS.get(method)
        if level is not None and not self._logger.isEnabledFor(level):
            return _ignore
        if self._bound is None:
            self._bound = _wrapped(self._logger)
        return getattr(self._bound, method)


_LEVELS: Final = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
    "exception": logging.ERROR,
    "critical": logging.CRITICAL,
}


def _ignore(event: str, *arguments: object, **values: object) -> None:
    """Do nothing."""


def _wrapped(logger: logging.Logger) -> structlog.stdlib.BoundLogger:
    import structlog

    wrapped = structlog.wrap_logger(
        logger,
        processors=[
            structlog.stdlib.filter_by_level,
            _keep_known_keys,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        context_class=dict,
    )
    return cast("structlog.stdlib.BoundLogger", wrapped)


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """Return the structured logger for module *name* (`victor_memory.…`)."""
    return cast("structlog.stdlib.BoundLogger", _Logger(name))


def configure_logging(
    level: str = "WARNING",
    fmt: Literal["console", "json"] = "console",
    stream: TextIO | None = None,
) -> None:
    """Send this package's events of *level* and above to *stream* (default: stderr).

    Called by programs, never by the library. Calling it again replaces the former handler.
    """
    import structlog

    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer()
        if fmt == "json"
        else structlog.dev.ConsoleRenderer(colors=False)
    )
    shared: list[structlog.typing.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                renderer,
            ],
            foreign_pre_chain=shared,
        )
    )
    root = logging.getLogger(ROOT)
    for old in root.handlers[:]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level)
    root.propagate = False
