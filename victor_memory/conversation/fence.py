"""What we ourselves put into a conversation, recognised when it comes back as part of one.

An agent's transcript holds what was recalled for it. Stored again as something new, it would be
found before what it repeats, under the wrong time and speaker. So what is handed to agents is put
between two marks, and what stands between them is not stored; nor are the answers of our tools, nor
a turn that is nothing but what this process has just recalled.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from victor_memory.conversation.records import Memory, Turn

OPENING: Final = "<recalled-memory>"
CLOSING: Final = "</recalled-memory>"
OWN_TOOLS: Final = ("memory_recall", "memory_context", "memory_timeline", "memory_show")
"""Tools whose answers are what is stored already; hosts put a prefix before the name."""
REMEMBERED_LINES: Final = 10_000
"""Lines of recalled texts that are kept in mind, the latest."""
LONG_LINE: Final = 40
"""Characters of a line that nobody says twice by chance."""
_MARK: Final = re.compile(r"</?recalled-memory>")
_FENCED: Final = re.compile(r"\s*<recalled-memory>.*?</recalled-memory>\s*", re.DOTALL)
_CUT_OFF: Final = re.compile(r"^<recalled-memory>[ \t]*$.*\Z", re.DOTALL | re.MULTILINE)


def wrap(text: str) -> str:
    """Return *text* between the marks; marks inside it are taken out."""
    return f"{OPENING}\n{_MARK.sub('', text).strip()}\n{CLOSING}"


def strip(text: str) -> str:
    """Return *text* without what stands between the marks, also where its end was cut off."""
    if OPENING not in text:
        return text
    return _CUT_OFF.sub("", _FENCED.sub("\n", text)).strip()


def is_own_answer(turn: Turn) -> bool:
    """Whether *turn* is what one of our own tools answered."""
    return turn.role == "tool" and turn.tool is not None and turn.tool.endswith(OWN_TOOLS)


class Recollections:
    """What was recalled lately, by the lines of its texts."""

    def __init__(self) -> None:
        self._lines: dict[int, None] = {}

    def add(self, memories: Iterable[Memory]) -> None:
        """Keep the texts of *memories* in mind."""
        for memory in memories:
            for line in map(hash, _lines(memory.text)):
                self._lines.pop(line, None)
                self._lines[line] = None
        while len(self._lines) > REMEMBERED_LINES:
            del self._lines[next(iter(self._lines))]

    def hold(self, text: str) -> bool:
        """Whether *text* repeats something recalled, and says nothing else."""
        if not self._lines:
            return False
        lines = _lines(text)
        return any(len(line) >= LONG_LINE for line in lines) and all(
            hash(line) in self._lines for line in lines
        )


def _lines(text: str) -> list[str]:
    """Return the lines of *text* that say something, without what marks them as a quotation."""
    plain = (" ".join(line.strip(" \t>*-\"'").split()) for line in text.splitlines())
    return [line for line in plain if line]
