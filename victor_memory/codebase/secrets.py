"""Secrets in source code: taken out of a file's text before it is cut, so that no chunk has one.

A key may be longer than a chunk; what is left of a file has as many lines as before, so that chunks
still say where they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from difflib import SequenceMatcher

from victor_memory.redaction import Redactor, redact, redact_secrets


def redact_source(text: str, redactors: Sequence[Redactor] = ()) -> tuple[str, int]:
    r"""Return *text* without secrets, line for line, and how many there were.

    `redact_secrets` sees it first, then each of *redactors*.

    >>> redact_source("url = 'ftp://ci:hunter2@example.com'\nport = 21\n")
    ("url = 'ftp://ci:[redacted:url-password]@example.com'\nport = 21\n", 1)

    Raises:
        PluginError: a redactor failed.

    """
    done = redact(text, (redact_secrets, *redactors))
    if done.text == text:
        return text, 0
    return _line_for_line(text, done.text), len(done.labels)


def _line_for_line(before: str, after: str) -> str:
    """Return *after* with as many lines as *before*, and what was not changed in its place."""
    if before.count("\n") == after.count("\n"):
        return after
    old, new = before.split("\n"), after.split("\n")
    lines: list[str] = []
    for tag, first, last, start, end in SequenceMatcher(
        None, old, new, autojunk=False
    ).get_opcodes():
        some = new[start:end]
        room = last - first
        if tag != "equal" and len(some) > room:
            # Nothing may be added: what does not fit shares a line with what is before it.
            if not room:
                lines[-1:] = [" ".join([*lines[-1:], *some])]
                continue
            some = [*some[: room - 1], " ".join(some[room - 1 :])]
        lines += some + [""] * (room - len(some))
    return "\n".join(lines)
