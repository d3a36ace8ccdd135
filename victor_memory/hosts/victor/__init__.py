"""The agent host Victor (`victor-ai`), reached through its own plugin seams.

Nothing outside this package imports the host, and here it is imported only where it is used: this
package can be imported where the host is not installed. `entry` is what the host finds by entry
point, `Plugin` (in `tools`) what it finds by package or by the file `install` writes, and
`code_search` what answers `code search` once the user has asked for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from victor_memory.hosts.victor.tools import Plugin

__all__ = ["Plugin"]


def __getattr__(name: str) -> Any:
    # The host asks `hasattr(package, "Plugin")`: only then is its plugin class imported.
    if name == "Plugin":
        try:
            from victor_memory.hosts.victor.tools import Plugin
        except ModuleNotFoundError as exc:
            if exc.name != "victor":
                raise
        else:
            return Plugin
    msg = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(msg)
