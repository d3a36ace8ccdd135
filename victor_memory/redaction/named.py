"""Secrets that are secrets because of the name that they are given to, in any syntax.

Found are the names first; what follows says how the value is written: after a sign, in quotes,
as an argument, in an XML element or attribute, as the default of a variable, in prose. Whether
the value is a secret depends on how strong the name is and how the value is written:
`password = "falcon"` is one, `token = "identifier"` and `password = models.CharField()` are not.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from victor_memory.redaction.formats import Span
from victor_memory.redaction.names import ANCHOR, HINTS, Name, names
from victor_memory.redaction.values import (
    has_digit,
    is_expression,
    is_hex,
    is_jumbled,
    is_password,
    is_random,
    is_reference,
    is_stand_in,
)

SHORTEST: Final = 6
"""Characters of the shortest value that is taken for a password without more evidence."""
_COLON: Final = r"(?::(?!:)|\uff1a)"
_QUOTED: Final = r"(?P<quote>\\?[\"'`])(?P<secret>(?:(?!(?P=quote))[^\n\\]|\\.){1,400}?)(?P=quote)"
_BARE: Final = r"(?P<bare>[^\s\"'`,;<>|\[\](){}][^\s\"'`,;<>|]{0,400})"
_VALUE: Final = rf"[bru]{{0,2}}(?:{_QUOTED}|{_BARE}|\[\[(?P<lua>[^\]\n]{{6,}})\]\])"
_SIGN: Final = re.compile(
    rf"(?P<sign>\\?[\"'`\]]{{0,3}}\??[ \t]{{0,8}}(?:=>|:=|==?|{_COLON}|=)[ \t]{{0,8}}"
    rf"(?:\n[ \t]+(?=[\"']))?){_VALUE}"
)
_ARGUMENT: Final = re.compile(rf"(?:=|[ \t]+){_VALUE}")
_ELSEWHERE: Final = tuple(
    re.compile(one)
    for one in (
        # the declaration of a variable with its type
        rf"[ \t]*:[ \t]*[&'a-z]{{0,9}}[\w.<>\[\]? ]{{1,40}}=[ \t]*{_QUOTED}",
        # the argument of a call
        rf"\\?[\"']?[ \t]*[(,][ \t]*(?:default[ \t]*=[ \t]*)?{_QUOTED}[ \t]*[),]",
        # what is taken where there is none
        rf"[\"'\])]{{0,3}}[ \t]*(?:\|\||\?\?|\bor\b)[ \t]*{_QUOTED}",
        # an attribute of XML, beside the one with the name
        (
            r"[\"'][ \t]+(?:value|default|content)[ \t]*=[ \t]*(?P<quote>[\"'])"
            r"(?P<secret>[^\"'\n]{4,200})(?P=quote)"
        ),
        # the block that a name opens
        (
            rf"\"?[ \t]*(?:\{{\s*(?:[\w-]+[ \t]*=[ \t]*[^\n]*\s+){{0,4}}default[ \t]*=[ \t]*"
            rf"|\n[ \t]*value:[ \t]*){_VALUE}"
        ),
    )
)
_TYPED: Final = _ELSEWHERE[0]
_ELEMENT: Final = re.compile(
    r"(?:[ \t][^<>\n]{0,80})?>\s{0,3}(?P<secret>[^<>\s][^<>\n]{2,200}[^<>\s])\s{0,3}</"
)
_SPACED: Final = re.compile(rf"[ \t]+(?:{_QUOTED}|{_BARE})")
_DECLARED: Final = re.compile(r"(?:^|[ \t])(?:set -\w+|ENV|#define|setx|ARG) \Z")
_BESIDE: Final = re.compile(
    r"\b(?:login|user|machine)\b|\b(?:with|and|has)[ \t]\Z|\bpassword\b|\b(?:ROLE|USER|BY)\b"
)
"""What goes before a name that its value follows without a sign."""
_LINE_START: Final = re.compile(
    r"^[ \t>$+*-]*(?:(?:export|set(?:[ \t]+-\w+)?|ENV|ARG|env|setx|declare[ \t]+-x)[ \t]+)*\Z"
    r"|.*(?:[&?;]|\w=\S+[ \t]+|[ \t]-{1,2}[eE][ \t]*)\Z"
)
_RUN_ON: Final = re.compile(r"[^\s\"'`,;<>|]{400}")
"""No value is as long, and looking at it again for each name in it would take long."""

_PROSE: Final = re.compile(
    r"s?(?:[ \t]+(?:for|of|to|on|in|at|you|we|that|which)\b[^\n.:=!?\"'`]{0,50}?)?"
    rf"(?:[ \t]*{_COLON}[ \t]*|[ \t]+(?:is|was|are|will be|to|lautet|ist|est|es|é|equals|=)"
    rf"[ \t]*:?[ \t]+(?:now |set to |still )?)(?:{_QUOTED}|{_BARE})",
    re.IGNORECASE,
)
_NEAR: Final = re.compile(
    r"[^\n]{0,60}?(?::|\n|is|=|→|->)[ \t]*\n?[ \t>*-]*`?(?P<bare>[A-Za-z0-9_+/=.~-]{16,200})`?"
)
_PUBLIC: Final = re.compile(
    r"sha|commit|hash|digest|checksum|\brev|uuid|\bid\b|://|cache", re.IGNORECASE
)
_PAIR: Final = re.compile(
    r"(?i)s?\s*(?:are|is|:)?\s*[\w.@-]{2,40}\s*[/|]\s*(?P<bare>[^\s\"'`,;]{6,60})"
)
_SEED: Final = re.compile(
    r"\s{0,3}(?:is|:)?\s{0,3}[\"'`]?(?P<secret>(?:[a-z]{3,8} ){11,23}[a-z]{3,8})"
)
_AS: Final = re.compile(
    r"\b(?:use|with|enter|type|try|using)[ \t]+[\"'`]?(?P<secret>[^\s\"'`]{6,80})[\"'`]?[ \t]+as"
    r"[ \t]+(?:the|my|your|a|an|our)?[ \t]*[\w ]{0,20}?(?:password|passphrase|secret|token"
    r"|api[ -]?key|pass)\b",
    re.IGNORECASE,
)
_AS_BEFORE: Final = 110
_AS_AFTER: Final = 80
_PHRASES: Final = ("phrase", "mnemonic")


class _Value(NamedTuple):
    start: int
    end: int
    text: str
    quoted: bool

    def span(self, label: str = "secret") -> Span:
        return self.start, self.end, label


def find(text: str, lowered: str, hints: Iterable[str] = HINTS) -> Iterator[Span]:
    """Yield the values in *text* that a name for secrets has; the arguments are as of `names`."""
    done = 0
    for name in names(text, lowered, hints):
        if name.end <= done:
            continue
        if found := _assigned(name) or _said(name):
            done = found[1]
            yield found
        elif run := _RUN_ON.match(text, name.end):
            done = run.end()
    at = lowered.find(" as ")
    while at >= 0:
        # What is before and after it is short; the whole text would take long.
        for match in _AS.finditer(text, max(0, at - _AS_BEFORE), at + _AS_AFTER):
            if is_password(match["secret"]):
                yield (*match.span("secret"), "secret")
        at = lowered.find(" as ", at + 1)


# -- in code and settings -------------------------------------------------------------------------


def _assigned(name: Name) -> Span | None:
    """Return the value that is assigned to *name*, if it is a secret."""
    if not name.strength:
        return None
    said = name.said
    flag = said.startswith("--") or (said.startswith("-") and name.before in " \t")
    if (flag or _DECLARED.search(name.opening)) and (
        value := _matched(_ARGUMENT, name.text, name.end)
    ):
        return value.span() if _is_argument(value.text, name.strength) else None
    text, end = name.text, name.end
    if not _TYPED.match(text, end) and (match := _SIGN.match(text, end)):
        return _signed(match, name)
    patterns = [*_ELSEWHERE, *([_ELEMENT] if name.before == "<" else [])]
    for pattern in patterns:
        value = _matched(pattern, text, end)
        if value and _is_quoted_secret(value.text, name):
            return value.span()
    return _beside(name)


def _is_argument(value: str, strength: int) -> bool:
    if value.startswith("-") or len(value) < SHORTEST:
        return False
    return not (is_stand_in(value) or is_expression(value)) and (strength > 1 or _opaque(value))


def _beside(name: Name) -> Span | None:
    """Return the value that follows *name* without a sign, as in `login bob password falcon7`."""
    if name.strength < 2 or not (name.said.isupper() or _BESIDE.search(name.opening)):  # noqa: PLR2004 - see strength
        return None
    value = _matched(_SPACED, name.text, name.end)
    if value is None:
        return None
    sound = is_password(value.text) or (value.quoted and _is_quoted_secret(value.text, name))
    return value.span() if sound else None


def _signed(match: re.Match[str], name: Name) -> Span | None:
    """Return the value after a sign, if it is a secret."""
    value = _value(match)
    if value is None:
        return None
    if value.quoted or match["lua"]:
        sound = _is_quoted_secret(value.text, name) if value.quoted else _opaque(value.text)
        return value.span() if sound else None
    after = name.text[value.end : value.end + 1]
    if after in ("(", "[", "{", ">") or _is_code(value.text):
        return None
    opened = bool(_LINE_START.match(name.opening))
    if opened and _is_variable(match["sign"], name, value.text):
        return value.span("env-value")
    strong = name.strength > 1
    ends = after in ("", "\n", "\r", " ", "\t", ";", "<", "'", '"', "`")
    sound = (
        _opaque(value.text)
        or (strong and ends and is_password(value.text))
        or (opened and strong and ends and after != ";" and _is_plain(match["sign"], name, value))
    )
    return value.span() if sound else None


def _is_code(value: str) -> bool:
    marked = value[0] in "-&*!|@" and not has_digit(value)
    return marked or is_stand_in(value) or is_expression(value) or is_reference(value)


def _is_variable(sign: str, name: Name, value: str) -> bool:
    """Whether this is a line of an environment file: `DB_PASSWORD=falcon`."""
    if not name.said.replace("_", "").isupper() or sign != "=" or len(value) < SHORTEST:
        return False
    return name.strength > 1 or (has_digit(value) and not value.isdigit())


def _is_plain(sign: str, name: Name, value: _Value) -> bool:
    """Whether *value* is a word and all that is left of a line of settings: `password: falcon`."""
    if len(value.text) < SHORTEST + 2 or not re.fullmatch(r"[^\s()\[\]{},:]+", value.text):
        return False
    rest = name.text[value.end : value.end + 80].split("\n", 1)[0].strip()
    tight = sign.strip("\"'`]") in ("=", ":", "\uff1a")
    return (tight or ":" in sign) and (not rest or "=" in sign) and not _names_itself(value.text)


def _is_quoted_secret(value: str, name: Name) -> bool:
    if is_stand_in(value) or is_reference(value) or _names_itself(value):
        return False
    if " " in value:
        return any(one in name.said.lower() for one in _PHRASES) and value.count(" ") > 1
    if name.strength < 2:  # noqa: PLR2004 - see strength
        return _opaque(value)
    return (len(value) >= SHORTEST and not value.isdigit()) or is_password(value, shortest=4)


def _opaque(value: str) -> bool:
    """Whether *value* could be no word: letters with digits, or long and well mixed."""
    plain = value.rstrip("=")
    if is_stand_in(value) or is_reference(value) or is_expression(value):
        return False
    if len(plain) < SHORTEST + 2 or not any(one.isalpha() for one in plain):
        return False
    mixed = re.search(r"[a-z][A-Z]|[A-Z][a-z]", plain)
    return has_digit(plain) or bool(mixed and is_random(f"{plain}0", shortest=20))


def _names_itself(value: str) -> bool:
    """Whether *value* is a name that speaks of secrets, as in `grant_type = "client_secret"`."""
    return bool(ANCHOR.search(value)) and not has_digit(value)


# -- in prose -------------------------------------------------------------------------------------


def _said(name: Name) -> Span | None:
    """Return what is said, in prose, to be the secret *name*."""
    longer = len(name.said) > len(name.anchor) + 1
    if (longer and not name.strength) or name.before in ("/", "\\", "<"):
        return None
    if name.anchor == "key" and (match := _PROSE.match(name.text, name.end)):
        value = _value(match)
        if value and re.match(r"[A-Za-z]+-", value.text):
            return None  # what a cache is asked for
    for look in (_stated, _seed, _pair, _near):
        if value := look(name):
            return value.span()
    return None


def _stated(name: Name) -> _Value | None:
    """Return the value in `the password is falcon7`."""
    value = _matched(_PROSE, name.text, name.end)
    if value is None:
        return None
    if value.quoted and " " in value.text:
        phrase = name.anchor.startswith("pass") or any(one in name.anchor for one in _PHRASES)
        return value if phrase and value.text.count(" ") > 1 else None
    sound = is_password(value.text) or is_jumbled(value.text)
    amount = re.match(r"\d+\w{1,4}\Z", value.text)  # 30min
    return value if sound and not amount and not is_expression(value.text) else None


def _seed(name: Name) -> _Value | None:
    if not any(one in name.anchor for one in _PHRASES):
        return None
    return _matched(_SEED, name.text, name.end)


def _pair(name: Name) -> _Value | None:
    """Return the second of `creds are bob / falcon7`."""
    if not name.anchor.startswith("cred"):
        return None
    value = _matched(_PAIR, name.text, name.end)
    return value if value and is_password(value.text) else None


def _near(name: Name) -> _Value | None:
    """Return what is random and announced by the sentence that *name* is in."""
    value = _matched(_NEAR, name.text, name.end)
    if value is None or is_stand_in(value.text) or is_expression(value.text):
        return None
    between = name.text[name.end : value.start]
    if _PUBLIC.search(between) or not is_random(value.text.rstrip("="), shortest=16):
        return None
    far = len(between) > 40 and name.text[value.start - 1] != "`"  # noqa: PLR2004 - what far is
    return None if far and is_hex(value.text) else value


# -- values ---------------------------------------------------------------------------------------


def _matched(pattern: re.Pattern[str], text: str, place: int) -> _Value | None:
    match = pattern.match(text, place)
    return _value(match) if match else None


def _value(match: re.Match[str]) -> _Value | None:
    """Return the group of *match* that has the value."""
    groups = match.groupdict()
    quoted = bool(groups.get("quote"))
    for group in ("secret", "lua"):
        if groups.get(group):
            return _Value(*match.span(group), match[group], quoted)
    if not groups.get("bare"):
        return None
    start, value = match.start("bare"), match["bare"]
    trimmed = value.rstrip(".,:)\\")
    # A sentence ends with one of them; a password may have more.
    if len(trimmed) >= len(value) - 2:
        value = trimmed
    return _Value(start, start + len(value), value, quoted=False) if value else None
