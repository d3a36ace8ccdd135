"""Starting a module of this package in a Python process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


def start_module(name: str, *, cwd: Path | None = None) -> subprocess.Popen[bytes]:
    """Start the module *name* with pipes for its standard input and output, in *cwd*.

    It finds the modules that this process finds, and is not interrupted from the keyboard: that is
    for us. Its standard error goes nowhere.

    Raises:
        OSError: this Python cannot be started again.

    """
    if not sys.executable:
        msg = "this program does not say where its Python is"
        raise FileNotFoundError(msg)
    return subprocess.Popen(  # noqa: S603 - this Python, and one of our modules
        [sys.executable, "-P", "-m", name],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        start_new_session=True,
    )


def end(process: subprocess.Popen[bytes]) -> None:
    """End *process* at once, and close its pipes."""
    process.kill()
    process.wait()
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            # What was not written yet is for nobody now.
            try:
                stream.close()
            except OSError:
                continue
