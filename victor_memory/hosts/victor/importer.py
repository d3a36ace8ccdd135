"""`python -m victor_memory.hosts.victor.importer ROOT`: read what is new of one project, and end.

Started by `capture`. One at a time works on a project; the next waits for it and reads the rest.
"""

from __future__ import annotations

import asyncio
import os
import sys
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from filelock import FileLock, Timeout

from victor_memory.errors import TransferError, VictorMemoryError
from victor_memory.hosts.victor.imported import (
    State,
    database,
    read_state,
    signature,
    state_path,
    write_state,
)

TURN_SECONDS: Final = 300.0
"""How long to wait for another process that reads the same project."""
_NICE: Final = 10


def import_new(root: Path) -> State:
    """Remember what is new in the conversations of the project at *root*; return what was done.

    A failure is kept in the state, for `doctor`; what it stopped at is read the next time.

    Raises:
        ConfigurationError: an environment variable has a value that cannot be used.

    """
    place = state_path(root)
    place.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(place.with_suffix(".lock"), timeout=TURN_SECONDS):
        before, found = read_state(root), signature(root)
        if found is None or found == before.signature:
            return before
        state = State(found, datetime.now(UTC).isoformat(timespec="seconds"), before.turns)
        try:
            state = replace(state, turns=before.turns + asyncio.run(_import(root)))
        except Exception as exc:  # noqa: BLE001 - nobody sees what this process prints
            state = replace(state, signature=None, error=f"{type(exc).__name__}: {exc}")
        write_state(root, state)
        return state


async def _import(root: Path) -> int:
    from victor_memory.runtime import open_runtime  # what fails in there is for the state, too

    async with open_runtime(project=root) as memory:
        report = await memory.transfer.import_files([database(root)], format="victor")
        if report.problems and not report.read:
            raise TransferError(report.problems[0].reason)
        return report.new


def main() -> int:
    """Run on the command line's one argument; return the exit status."""
    with suppress(OSError, AttributeError):
        os.nice(_NICE)
    try:
        return 1 if import_new(Path(sys.argv[1])).error else 0
    except (VictorMemoryError, Timeout):
        return 1


if __name__ == "__main__":
    sys.exit(main())
