"""What a hook costs: `victor-memory capture` beside a Python that does nothing.

    python benchmarks/capture_cost.py [--runs 60]

Both are started by turns, so that a busy machine is as busy for one as for the other. Prints one
JSON object: milliseconds, wall and processor time, and of `enqueue` alone within one process.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from victor_memory.transfer.capture import enqueue

TURN = {"text": "We deploy on Fridays. " * 20, "session": "s", "role": "user", "project": "/"}
HOOK = {"session_id": "s", "cwd": "/", "hook_event_name": "Stop"}


def started(command: list[str], stdin: str, environment: dict[str, str]) -> tuple[float, float]:
    """Run *command*; return its wall and its processor time in milliseconds."""
    before, began = _spent(), time.perf_counter()
    subprocess.run(command, input=stdin.encode(), env=environment, check=True)
    return (time.perf_counter() - began) * 1e3, (_spent() - before) * 1e3


def _spent() -> float:
    """Return the processor seconds of the programs that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def summary(values: list[float]) -> dict[str, float]:
    """Return the least, the median and the 95th percentile."""
    ordered = sorted(values)
    return {
        "min": round(ordered[0], 2),
        "median": round(statistics.median(ordered), 2),
        "p95": round(ordered[int(len(ordered) * 0.95)], 2),
    }


def within(event: Callable[[int], dict[str, Any]], directory: Path, runs: int) -> dict[str, float]:
    """Return what `enqueue` takes in this process."""
    taken = []
    for number in range(runs):
        began = time.perf_counter()
        enqueue(event(number), directory)
        taken.append((time.perf_counter() - began) * 1e3)
    return summary(taken)


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=60)
    runs = parser.parse_args().runs
    with tempfile.TemporaryDirectory() as name:
        environment = {**os.environ, "VICTOR_EMBEDDINGS_DIR": name}
        capture = [sys.executable, "-c", "from victor_memory.cli import main; main()", "capture"]
        programs = {
            "python -c pass": ([sys.executable, "-c", "pass"], ""),
            "capture a turn": (capture, json.dumps(TURN)),
            "capture a transcript": (capture, json.dumps({**HOOK, "transcript_path": "/t.jsonl"})),
        }
        wall: dict[str, list[float]] = {one: [] for one in programs}
        cpu: dict[str, list[float]] = {one: [] for one in programs}
        for _ in range(runs):
            for one, (command, stdin) in programs.items():
                spent = started(command, stdin, environment)
                wall[one].append(spent[0])
                cpu[one].append(spent[1])
        inside = {
            "a turn": within(lambda _: TURN, Path(name) / "turns", runs),
            "a transcript": within(
                lambda n: {**HOOK, "transcript_path": f"/{n}"}, Path(name) / "new", runs
            ),
            "a transcript that waits": within(
                lambda _: {**HOOK, "transcript_path": "/t"}, Path(name) / "old", runs
            ),
        }
    processes = {one: {"wall": summary(wall[one]), "cpu": summary(cpu[one])} for one in programs}
    print(json.dumps({"process_ms": processes, "in_process_ms": inside}, indent=2))


if __name__ == "__main__":
    main()
