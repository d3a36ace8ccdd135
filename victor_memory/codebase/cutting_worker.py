"""The process that cuts files ahead of the indexer: `python -m` this module, from `CuttingProcess`.

It is told what to cut in one line of JSON. Then it answers with frames: an empty one when it is
ready, and one for each file in the order given, a pickled `Cutting`. It ends with its standard
input, so it never outlives who started it.
"""

from __future__ import annotations

import gc
import json
import os
import pickle
import sys
import threading
from typing import BinaryIO

from victor_memory.codebase.cutting import Cutter
from victor_memory.codebase.files import SourceTree

LENGTH_BYTES = 4
OBJECTS_PER_COLLECTION = 100_000
"""Cutting leaves no cycles behind: to look for them more often takes a tenth of the time."""


def write(channel: BinaryIO, frame: bytes) -> None:
    """Send *frame*."""
    channel.write(len(frame).to_bytes(LENGTH_BYTES, "big") + frame)
    channel.flush()


def main() -> None:
    """Cut what the standard input names."""
    source = sys.stdin.buffer
    # Whatever a library prints must not end up between the frames.
    channel = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    gc.freeze()
    gc.set_threshold(OBJECTS_PER_COLLECTION)
    task = json.loads(source.readline())
    threading.Thread(target=_end_with, args=(source,), daemon=True).start()
    cutter = Cutter(SourceTree(task["root"], max_file_bytes=task["max_file_bytes"]))
    write(channel, b"")
    for path in task["paths"]:
        write(channel, pickle.dumps(cutter.cut(path), pickle.HIGHEST_PROTOCOL))
    channel.close()
    os._exit(0)


def _end_with(source: BinaryIO) -> None:
    source.read()
    os._exit(0)


if __name__ == "__main__":
    main()
