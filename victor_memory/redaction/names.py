"""Which names are given to secrets, and where they stand in a text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Final

HINTS: Final = (
    "pass", "pw", "secret", "token", "key", "cred", "dsn", "auth", "mnemonic",
    "seed phrase", "seed_phrase", "mot de passe", "contrase", "senha", "wachtwoord", "hasło",
    "密码", "密碼", "口令", "пароль", "パスワード",
)  # fmt: skip
"""In lower case: how the words of `ANCHOR` begin. A text without any has no such name."""
ANCHOR: Final = re.compile(
    r"pass(?:word|wort|wd|phrase|code|wörter)?(?![a-rt-z])|pwd|pw(?![a-z])|secret|token"
    r"|cred(?:ential)?s?(?![a-z])|(?<=[a-z_\-. ])key(?![a-z])|(?<![a-z])auth(?![a-z])|dsn(?![a-z])"
    r"|mnemonic|seed[ _]phrase|mot de passe|contrase[nñ]a|senha(?![a-z])|wachtwoord|hasło"
    r"|密码|密碼|口令|пароль|パスワード",
    re.IGNORECASE,
)
"""The word of a name that speaks of secrets."""
_LONGEST: Final = 60
_REST: Final = re.compile(rf"[A-Za-z0-9_.$-]{{0,{_LONGEST}}}")
_LOOK_BACK: Final = 80
"""Characters of a line that are looked at before a name."""
_SEGMENT: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\W\d_]+")
_STRONG: Final = frozenset(
    "password passwort passwd passphrase passcode pass pwd pw secret mnemonic wachtwoord "
    "senha".split()
)
_WEAK: Final = frozenset("token credential credentials cred creds dsn auth".split())
_KEYS: Final = frozenset(
    "api access auth private encryption signing signature account master secret app application "
    "hmac unseal subscription shared consumer license licence service session storage crypto "
    "cipher admin deploy host ssh server client user webhook ingest write read management "
    "integration rpc jwt".split()
)
"""What goes before `key` where the key is a secret."""
_JOINED_KEYS: Final = ("apikey", "accesskey", "privatekey", "secretkey", "authkey", "signingkey")
_ENDS: Final = frozenset(
    "base old value default prod dev test staging live string plain env data".split()
)
"""Ends of a name that change nothing."""
_OTHER: Final = frozenset(
    "id ids name names path paths file files dir url uri urls type types count limit length len "
    "size expiry ttl expires expiration timeout header headers field fields version algorithm alg "
    "format policy budget usage max min hash hashed hint prompt label class required enabled "
    "disabled input inputs reset login form page link ref arn mode strategy validator provider "
    "service manager store factory generator parser error errors exception prefix suffix pattern "
    "regex placeholder description title message text column index position kind classes endpoint "
    "rules age days hours minutes seconds used verified changed at on in by is has set list map "
    "var encoder reader policyid issuer scope scopes audience vault location interval rotation "
    "strength score confirmation cookie param".split()
)
"""Ends of a name for something about a secret."""
_PUBLIC: Final = frozenset(
    "public publishable csrf no without is has show hide toggle forgot".split()
)


@dataclass(frozen=True)
class Name:
    """A name, `text[start:end]`, that speaks of secrets because of its word *anchor*."""

    text: str
    start: int
    end: int
    anchor: str

    @property
    def said(self) -> str:
        """The name itself."""
        return self.text[self.start : self.end]

    @property
    def strength(self) -> int:
        """How much it says about its value: 2 a secret, 1 perhaps, 0 nothing."""
        return strength(self.said)

    @property
    def before(self) -> str:
        """The character before it, if there is one."""
        return self.text[max(0, self.start - 1) : self.start]

    @cached_property
    def opening(self) -> str:
        """What is before it in its line, as far as it matters."""
        first = max(0, self.start - _LOOK_BACK)
        return self.text[max(self.text.rfind("\n", first, self.start) + 1, first) : self.start]


def names(text: str, lowered: str, hints: Iterable[str] = HINTS) -> Iterator[Name]:
    """Yield the names of *text*, which is *lowered* in lower case, that speak of secrets.

    It is enough to give those of `HINTS` that are in it.
    """
    for match in _anchors(text, lowered, hints):
        start, end = match.span()
        start -= _length(text[max(0, start - _LONGEST) : start][::-1], 0)
        end += _length(text, end)
        while end > match.end() and text[end - 1] in ".-":
            end -= 1
        yield Name(text, start, end, match[0].lower())


def _length(text: str, start: int) -> int:
    """Return for how many characters a name goes on at *start*."""
    match = _REST.match(text, start)
    assert match is not None
    return match.end() - start


def _anchors(text: str, lowered: str, hints: Iterable[str]) -> Iterator[re.Match[str]]:
    if len(lowered) != len(text):
        # A few letters change their length: then places do not correspond.
        yield from ANCHOR.finditer(text)
        return
    # Looked for one by one: one expression of all words takes ten times as long.
    places: set[int] = set()
    for hint in hints:
        at = lowered.find(hint)
        while at >= 0:
            places.add(at)
            at = lowered.find(hint, at + len(hint))
    for at in sorted(places):
        if match := ANCHOR.match(text, at):
            yield match


@lru_cache(maxsize=4096)
def strength(name: str) -> int:
    """Return how much *name* says about its value: 2 a secret, 1 perhaps, 0 nothing."""
    # What comes after the last dot is what the value is given to.
    parts = [one.lower() for one in _SEGMENT.findall(name.rpartition(".")[2])]
    while len(parts) > 1 and (parts[-1].isdigit() or parts[-1] in _ENDS):
        parts.pop()
    if not parts or parts[-1] in _OTHER or _PUBLIC.intersection(parts):
        return 0
    joined = "".join(parts)
    if _STRONG.intersection(parts[-2:]) or joined.endswith((*_JOINED_KEYS, *_STRONG)):
        return 2
    if "key" in parts[-2:]:
        before = parts[: parts.index("key")]
        if before and (before[-1] in _KEYS or _STRONG.intersection(before)):
            return 2
        return int(name.isupper() or "data" in parts)
    return int(bool(_WEAK.intersection(parts[-2:])) or joined.endswith(("token", "auth")))
