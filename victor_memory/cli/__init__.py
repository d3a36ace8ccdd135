"""The `victor-memory` program: results on stdout, everything else on stderr."""

from __future__ import annotations

import atexit
import gc
import sys


def main() -> None:
    """Run the program on the command line's arguments; never returns."""
    # At its end Python looks through all objects for cycles, which takes longer than many commands;
    # the system takes the memory back anyhow.
    atexit.register(gc.freeze)
    if sys.argv[1:2] == ["capture"] and not {"-h", "--help"} & set(sys.argv[2:]):
        # A hook waits for it, each time: nothing at all is loaded.
        from victor_memory.transfer.capture import run as capture

        sys.exit(capture(sys.argv[2:]))
    if sys.argv[1:] == ["hook", "session-start"]:
        # So does this one, and it uses no other command.
        from victor_memory.hosts.session_start import run as begin

        sys.exit(begin())
    if sys.argv[1:2] == ["mcp"]:
        # A client waits for the first answer: the other commands are not loaded for it.
        from victor_memory.cli.mcp import run
    else:
        from victor_memory.cli.app import run
    run()
