"""The `victor-memory` program: results on stdout, everything else on stderr."""

from __future__ import annotations


def main() -> None:
    """Run the program on the command line's arguments; never returns."""
    from victor_memory.cli.app import run

    run()
