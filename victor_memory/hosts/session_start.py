"""What a new session of an agent is told: the answer to its hook, in time or not at all.

A hook must never cost a session. So there is a deadline, whatever fails is told on stderr only, and
what is printed is either nothing or the one JSON object that the agent expects, within the length
that it accepts: https://code.claude.com/docs/en/hooks
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import threading
from collections.abc import Mapping
from typing import Any, Final

EVENT: Final = "SessionStart"
HEADING: Final = "What victor-memory remembers of this project."
TOKENS: Final = 1500
"""What may be told; the agent pays for it in each new session."""
CHARACTERS: Final = 9_000
"""Of the whole text: an agent does not take in one of more than 10,000."""
SECONDS: Final = 6.0
"""Until an answer is given up; the agent itself waits 10 seconds."""
EVENT_BYTES: Final = 1 << 20


def run() -> int:
    """Answer the event on standard input, on standard output; return 0.

    A process that is too late ends without waiting for what it began, which is only reading.
    """
    answer: list[str] = []
    worker = threading.Thread(target=_work, args=(answer,), daemon=True)
    worker.start()
    worker.join(SECONDS)
    late = worker.is_alive()
    if answer:
        sys.stdout.write(answer[0])
        sys.stdout.flush()
    elif late:
        _tell(f"no answer within {SECONDS:.0f} s")
    if late:
        sys.stderr.flush()
        os._exit(0)
    return 0


def _work(answer: list[str]) -> None:
    try:
        text = asyncio.run(_remembered(_event()))
        if text:
            answer.append(_as_json(text))
    except Exception as exc:  # noqa: BLE001 - whatever it is, the session goes on
        _tell(f"{type(exc).__name__}: {exc}")


def _event() -> Mapping[str, Any]:
    if sys.stdin is None or sys.stdin.isatty():
        return {}
    event = json.loads(sys.stdin.buffer.read(EVENT_BYTES) or b"{}")
    return event if isinstance(event, dict) else {}


async def _remembered(event: Mapping[str, Any]) -> str:
    """Return what the memory of the event's project holds for a new session."""
    from victor_memory.runtime import open_runtime

    given = event.get("session_id")
    session = given if isinstance(given, str) and given else None
    async with open_runtime(project=event.get("cwd") or ".") as memory:
        if session is not None:
            # Where it begins anew or was compacted, what it was told before is gone.
            memory.ledger.end(session)
        context = await memory.context(None, budget=TOKENS, session=session)
    return context.text


def _as_json(text: str) -> str:
    from victor_memory.conversation import fence
    from victor_memory.tools.rendering import fenced
    from victor_memory.tools.results import QUOTED

    if len(text) > CHARACTERS:
        text = text[:CHARACTERS].rpartition("\n")[0] or text[:CHARACTERS]
    marked = fence.wrap(f"{HEADING} {QUOTED}\n{fenced(text)}")
    told = {"hookEventName": EVENT, "additionalContext": marked}
    return json.dumps({"hookSpecificOutput": told}) + "\n"


def _tell(why: str) -> None:
    sys.stderr.write(f"victor-memory tells nothing about this project: {' '.join(why.split())}\n")
