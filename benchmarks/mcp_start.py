"""How long an agent host waits for the MCP server: `python benchmarks/mcp_start.py DIRECTORY`.

DIRECTORY is indexed first, into a temporary place. Then, in each round, these are timed one after
the other, so that a busy machine slows all of them: an interpreter that does nothing; one that does
`import lancedb`; and a server, from the start of its process to the answers of `initialize`,
`tools/list`, a first and a second `code_search` of different questions. Medians are reported. The
client is this program: lines of JSON written and read, no client library.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

INITIALIZE = {
    "protocolVersion": "2025-11-25",
    "capabilities": {},
    "clientInfo": {"name": "benchmark", "version": "1"},
}
QUESTIONS = ("where are errors turned into messages?", "how is a value checked")


class Client:
    """One server process and the lines to and from it."""

    def __init__(self, root: Path, environment: dict[str, str]) -> None:
        """Start the server for the project *root*."""
        self.began = time.perf_counter()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "victor_memory", "mcp"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=root, env=environment,
        )  # fmt: skip
        self.asked = 0

    def write(self, message: dict[str, Any]) -> None:
        """Send one message."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")
        self.process.stdin.flush()

    def ask(self, method: str, params: dict[str, Any]) -> tuple[dict[str, Any], float]:
        """Return the result of a request, and the seconds since the process was started."""
        self.asked += 1
        self.write({"id": self.asked, "method": method, "params": params})
        assert self.process.stdout is not None
        while True:
            answer = json.loads(self.process.stdout.readline())
            if answer.get("id") == self.asked:
                return answer["result"], time.perf_counter() - self.began

    def end(self) -> float:
        """Close the server's input; return the seconds until it has ended."""
        assert self.process.stdin is not None
        began = time.perf_counter()
        self.process.stdin.close()
        self.process.wait()
        return time.perf_counter() - began


def served(root: Path, environment: dict[str, str]) -> dict[str, float]:
    """Return when each answer of a new server was there."""
    client, times = Client(root, environment), {}
    _, times["initialize answered"] = client.ask("initialize", INITIALIZE)
    client.write({"method": "notifications/initialized"})
    _, times["tools/list answered"] = client.ask("tools/list", {})
    for number, question in enumerate(QUESTIONS, 1):
        call = {"name": "code_search", "arguments": {"query": question}}
        before = time.perf_counter() - client.began
        result, after = client.ask("tools/call", call)
        assert result["structuredContent"]["results"], result
        if number == 1:
            times["first search answered"] = after
        else:
            times["second search alone"] = after - before
    times["end of input to end of process"] = client.end()
    return times


def bare(code: str, environment: dict[str, str]) -> float:
    """Return how long an interpreter runs that does *code* alone."""
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)
    return time.perf_counter() - began


def main() -> None:
    """Measure and print one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--rounds", type=int, default=9)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        environment = {**os.environ, "VICTOR_EMBEDDINGS_DIR": place}
        done = subprocess.run(
            [sys.executable, "-m", "victor_memory", "index", str(given.directory), "--json"],
            check=True, capture_output=True, env=environment,
        )  # fmt: skip
        report = json.loads(done.stdout)
        rounds: dict[str, list[float]] = {}
        for _ in range(given.rounds):
            times = {
                "python -c pass": bare("pass", environment),
                'python -c "import lancedb"': bare("import lancedb", environment),
                **served(given.directory, environment),
            }
            for name, seconds in times.items():
                rounds.setdefault(name, []).append(seconds)
    medians = {name: round(statistics.median(some), 3) for name, some in rounds.items()}
    figures = {"files": report["files_indexed"], "chunks": report["chunks_written"]}
    print(json.dumps({**figures, "rounds": given.rounds, "median seconds": medians}, indent=2))


if __name__ == "__main__":
    main()
