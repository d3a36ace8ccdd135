"""Redaction: what a chain of redactors removes from a text before it is embedded or stored.

A redactor is any callable from a text to a `Redaction`. The built-in one, `redact_secrets`, knows
the public formats of the common issuers' keys (`formats`), the places that hold secrets, as headers
and addresses (`places`), the names that values are given to (`named`), and the shape of keys of
issuers it does not know (`shapes`). What it removes leaves `[redacted:label]`. How often it is
right is measured: `docs/redaction.md`.

Nothing in here is a guarantee: a word that is a secret, with nothing around that says so, stays.
"""

from __future__ import annotations

import re
from bisect import bisect
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Protocol, TypeAlias

from victor_memory.errors import PluginError
from victor_memory.redaction import named, shapes
from victor_memory.redaction.formats import FORMATS, Span
from victor_memory.redaction.names import HINTS
from victor_memory.redaction.places import PLACES
from victor_memory.redaction.runs import runs

__all__ = ["Redaction", "Redactor", "redact", "redact_secrets"]


@dataclass(frozen=True, slots=True)
class Redaction:
    """A text without what had to go, and the kinds of things that went, in order."""

    text: str
    labels: tuple[str, ...] = ()


class Redactor(Protocol):
    """Removes what must not be remembered from a text.

    It is called from worker threads, on every text, tag and metadata string, before anything else
    sees them. A redactor that raises keeps the text from being stored.
    """

    def __call__(self, text: str, /) -> Redaction:
        """Return *text* without what had to go; the same text again if nothing had to."""


def redact(text: str, redactors: Iterable[Redactor]) -> Redaction:
    """Return *text* after every one of *redactors*, each given what the one before returned.

    Raises:
        PluginError: a redactor raised, or returned something else than a `Redaction`.

    """
    labels: list[str] = []
    for redactor in redactors:
        name = getattr(redactor, "__name__", type(redactor).__name__)
        try:
            done = redactor(text)
        except Exception as exc:
            # The message of the exception may quote the text: only its type is repeated.
            msg = (
                f"The redactor {name!r} failed with {type(exc).__name__}; nothing was stored. "
                "Repair it, or name its plugin in VICTOR_MEMORY_DISABLED_PLUGINS."
            )
            raise PluginError(msg) from exc
        if not isinstance(done, Redaction):
            msg = (
                f"The redactor {name!r} returned {type(done).__name__} instead of a Redaction; "
                "nothing was stored. Return Redaction(text, labels)."
            )
            raise PluginError(msg)
        text = done.text
        labels.extend(done.labels)
    return Redaction(text, tuple(labels))


_RULES: Final = (*FORMATS, *PLACES)
_TOKENS: Final = tuple(
    (hint, number) for number, one in enumerate(_RULES) if one.token for hint in one.hints
)
_Hints: TypeAlias = tuple[tuple[str, tuple[int, ...]], ...]
"""Each with the numbers of its rules."""
_SHARED: Final = ("hook", "private")
"""Parts of several hints that are none themselves."""


def _clues() -> Iterator[tuple[str, _Hints]]:
    """Yield the hints that are looked for in the whole text, below a part that they share.

    Where that is missing, they are: a text is searched forty times rather than a hundred.
    """
    numbers: dict[str, tuple[int, ...]] = dict.fromkeys(HINTS, ())
    for number, one in enumerate(_RULES):
        for hint in () if one.token else one.hints:
            numbers[hint] = (*numbers.get(hint, ()), number)
    below: dict[str, list[str]] = {}
    for hint in numbers:
        parts = [one for one in (*numbers, *_SHARED) if one in hint]
        below.setdefault(min(parts, key=len), []).append(hint)
    for clue, hints in below.items():
        yield clue, tuple((hint, numbers[hint]) for hint in hints)


_CLUES: Final = tuple(_clues())
_SPEAKING: Final = frozenset(HINTS)
_PUBLIC: Final = re.compile(
    r"base64,[A-Za-z0-9+/=\s\\]{40,}?(?![A-Za-z0-9+/=])"
    r"|-----BEGIN (?![A-Z0-9 ]*PRIVATE)[A-Z0-9 ]{1,40}-----[^-]*"
)
"""What may look random and is public: data in an address, certificates and public keys."""


def redact_secrets(text: str, /) -> Redaction:
    """Return *text* with every secret that is recognised replaced by `[redacted:label]`.

    >>> redact_secrets("clone https://ci:hunter2@example.com/repo.git").text
    'clone https://ci:[redacted:url-password]@example.com/repo.git'
    """
    spans = _apart(_found(text))
    if not spans:
        return Redaction(text)
    kept, end = list[str](), 0
    for start, stop, label in spans:
        kept += [text[end:start], f"[redacted:{label}]"]
        end = stop
    return Redaction("".join([*kept, text[end:]]), tuple(label for _, _, label in spans))


def _found(text: str) -> Iterator[Span]:
    """Yield what is a secret in *text*: what says most about it first."""
    lowered = text.lower()
    among = runs(text)
    tokens = "\n".join([text[start:end] for start, end in among]).lower()
    wanted, speaking = _wanted(lowered, tokens)
    for number in sorted(wanted):
        yield from _RULES[number].find(text, lowered)
    public = [match.span() for match in _PUBLIC.finditer(text)] if _is_encoded(lowered) else []
    if speaking:
        yield from _outside(named.find(text, lowered, speaking), public)
    yield from _outside(shapes.find(text, among), public)


def _wanted(lowered: str, tokens: str) -> tuple[set[int], list[str]]:
    """Return the numbers of the rules that may find something, and those of `HINTS` in *lowered*.

    Both arguments are in lower case.
    """
    # Plain loops over flat tables: for an ordinary text this is nearly all that happens.
    wanted = {number for hint, number in _TOKENS if hint in tokens}
    speaking: list[str] = []
    for clue, hints in _CLUES:
        if clue in lowered:
            for hint, numbers in hints:
                if hint == clue or hint in lowered:
                    wanted.update(numbers)
                    if hint in _SPEAKING:
                        speaking.append(hint)
    return wanted, speaking


def _is_encoded(lowered: str) -> bool:
    return "base64," in lowered or "-----begin " in lowered


def _outside(found: Iterable[Span], public: Sequence[tuple[int, int]]) -> Iterator[Span]:
    """Yield those of *found* that do not begin in one of the stretches *public*."""
    for one in found:
        if not any(start <= one[0] < end for start, end in public):
            yield one


def _apart(found: Iterable[Span]) -> list[Span]:
    """Return those of *found* that do not overlap with an earlier one, in the order of the text."""
    spans: list[Span] = []
    for one in found:
        at = bisect(spans, one)
        if (at == 0 or spans[at - 1][1] <= one[0]) and (at == len(spans) or one[1] <= spans[at][0]):
            spans.insert(at, one)
    return spans
