"""Secrets in source code: taken out of a file's text before it is cut, so that no chunk has one.

A key may be longer than a chunk; what is left of a file has as many lines as before, so that chunks
still say where they are. Most files hold no secret, which is found out cheaply: the rules are run
on the few lines and words that a secret could be in, and on the whole text only if it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from typing import Final

from victor_memory.redaction import Redactor, redact, redact_secrets

SHORTEST_KEY: Final = 18
"""Characters of the shortest key with a format of its own, what goes before it included."""

_HINTS: Final = (
    *"pass pwd secret token key credential dsn bearer basic sig= signature= :// webhook".split(),
    *("hooks.slack.com", "private-lines:", "--user", " -u"),
)
"""A line without any of them is not suspect. Looked for one by one: an expression of all of them
takes thrice as long."""
_SUSPECT: Final = re.compile(
    # A name for secrets, and then what could be one: after a sign, or after words as in prose.
    r"(?:pass|pwd|secret|token|key|credential|dsn)[\w -]*+[\"'\]]{0,2}\s{0,3}(?:[=:]|(?<=\w)[\"'])"
    r"|(?:pass|pwd|secret|token|key|credential)\w*\s+(?:is|was|will be|to)\b"
    r"|--[a-z-]*(?:pass|pwd|secret|token|key|credential)"
    r"|(?:bearer|basic|token|digest|apikey)\s+[\w.~+/=:-]{12}"
    r"|[?&][\w-]*(?:sig|ture|key)="
    r"|://[^\s/:@\"'<>]*:[^\s/@\"'<>]+@"
    r"|hooks\.slack\.com/|/api/webhooks/|webhook\.office\.com/"
    r"|begin[a-z0-9 ]* private key|private-lines:|(?: -u|--user)[= ]"
)
_RANDOM: Final = re.compile(r"[A-Za-z]\d.*\d[A-Za-z]|\d[A-Za-z].*[A-Za-z]\d")
"""Letters and digits by turns, as in a key of as many characters, and seldom in a name."""


def redact_source(text: str, redactors: Sequence[Redactor] = ()) -> tuple[str, int]:
    r"""Return *text* without secrets, line for line, and how many there were.

    `redact_secrets` sees it first, then each of *redactors*.

    >>> redact_source("url = 'ftp://ci:hunter2@example.com'\nport = 21\n")
    ("url = 'ftp://ci:[redacted:url-password]@example.com'\nport = 21\n", 1)

    Raises:
        PluginError: a redactor failed.

    """
    suspects = "\n".join(_suspects(text))
    own = (redact_secrets,) if suspects and redact_secrets(suspects).labels else ()
    if not own and not redactors:
        return text, 0
    done = redact(text, (*own, *redactors))
    if done.text == text:
        return text, 0
    return _line_for_line(text, done.text), len(done.labels)


def _suspects(text: str) -> Iterator[str]:
    """Yield the lines and words of *text* that are worth a closer look."""
    lowered = text.lower()
    if len(lowered) != len(text):
        yield text  # a few letters change their length: then places do not correspond
        return
    seen: set[int] = set()
    for hint in _HINTS:
        place = lowered.find(hint)
        while place >= 0:
            start, end = lowered.rfind("\n", 0, place) + 1, lowered.find("\n", place)
            end = len(text) if end < 0 else end
            if start not in seen:
                seen.add(start)
                if _SUSPECT.search(lowered, start, end):
                    yield text[start:end]
            place = lowered.find(hint, end)
    long = [word for word in text.split() if len(word) >= SHORTEST_KEY]
    yield from (word for word in long if _RANDOM.search(word))


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
