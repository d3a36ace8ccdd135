"""Short statements compared: does one say the same as another, or what clearly takes its place?

A statement is read as the sequence of its words, without those that change nothing (articles, "we",
the present tense of "to be") and with inflections taken off. Everything else counts, in its order:
numbers, names, prepositions, negations, tenses. So "A depends on B" never repeats "B depends on A".

What is not clear is denied: two notes that are kept cost a line, one that is lost costs a fact.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Final, NamedTuple

from victor_memory.retrieval.text import stem

LONGEST: Final = 40
"""Words of a statement; what is longer says more than one thing, and is not compared."""
_TURNABLE: Final = 4
"""Words of a statement that can begin at another place; of fewer, the order is the meaning."""
_SLOT: Final = 4
"""Words that a value has at most."""


def _uninflected(word: str) -> str:
    # The past tense stays: what was so need not be so now.
    return stem(word) if word.isalpha() and not word.endswith("ed") else word


_TOKEN: Final = re.compile(
    r"\w+://[^\s,;)]+(?<![.!?])"
    r"|[-+]?\d[\w.,:%/+-]*(?<![.,:])"  # a number, a version, a time
    r"|[^\W\d_]\w*(?:[._/@:'-]+\w+)*(?:\+\+|\#)?|_\w+"  # a word, a name
    r"|^[-+](?=\s*\w)|->|\u2192|[<>=]=?|!=|\?"
)
_NEGATED: Final = re.compile(r"\b(?:(ca)n't|(wo)n't|(\w+)n't)\b", re.IGNORECASE)
_SHORTENED: Final = re.compile(r"'(?:re|s|ll|ve|m|d)\b", re.IGNORECASE)
_NEUTRAL: Final = frozenset("a an the we our us i my is are am be being please".split())
_NEGATIONS: Final = frozenset("not no never without cannot nobody nothing neither".split())
_DENIALS: Final = frozenset({("not",), ("do", "not"), ("never",), ("no", "longer")})
_OPPOSITES: Final = (
    "enabled disabled,on off,true false,allowed forbidden,allowed prohibited,required optional,"
    "yes no,always never,public private,mandatory optional,supported unsupported,active inactive,"
    "allow forbid,enable disable,open closed"
)

_NOW: Final = re.compile(
    r"\b(?:now|nowadays|from now on|going forward|as of (?:today|now)|these days|currently|"
    r"instead(?! of)|(?:has |have |was |were )?(?:been )?(?:changed|updated|switched|moved|"
    r"raised|lowered|bumped|upgraded|increased|reduced|set|renamed) to)\b",
    re.IGNORECASE,
)
"""Words that say of a value that it is new."""
_SOLE: Final = re.compile(r"\b(?:is|are) now (?:the|our)\b", re.IGNORECASE)
_STOPS: Final = (
    "to with by for in on because since as and but so when due from any after instead".replace(
        " ", "|"
    )
)
_VALUE: Final = (
    r"(?:the |our |using |use |uses )*(?P<old>[^,;!?()]{1,60}?)"
    rf"(?=\s*(?:[,;.!?()\u2014]\s|[.!?)]*$|\b(?:{_STOPS})\b))"
)
_CHANGED: Final = (
    "switch(?:ed|ing)?|mov(?:e|ed|ing)|migrat(?:e|ed|ing)|chang(?:e|ed|ing)|convert(?:ed|ing)?|"
    "upgrad(?:e|ed|ing)|downgrad(?:e|ed|ing)|renam(?:e|ed|ing)|bump(?:ed|ing)?|went|go|going|"
    "rais(?:e|ed|ing)|lower(?:ed|ing)?|increas(?:e|ed|ing)|reduc(?:e|ed|ing)|port(?:ed|ing)?"
)
_GIVEN_UP: Final = (
    r"instead of|rather than|in place of|no longer(?: \w+ing| use| uses| used| need| on)?|"
    r"stopp(?:ed|ing) using|stop using|got rid of|get rid of|away from|moved off|"
    r"dropp(?:ed|ing)|abandon(?:ed|ing)|retir(?:ed|ing)|used to (?:be|use)|formerly|"
    r"previously|supersed(?:es|ed|ing)|replac(?:e|es|ed|ing)"
)
_GONE: Final = r"replaced by|deprecated in favou?r of|superseded by|obsolete"
_OLD: Final = (
    re.compile(rf"\b(?:{_GIVEN_UP}) {_VALUE}", re.IGNORECASE),
    re.compile(rf"\b(?:{_CHANGED})\b(?P<what>[^,;.!?]{{0,40}}?)\bfrom {_VALUE}", re.IGNORECASE),
    re.compile(rf"\b(?:don't|doesn't|not) (?:use |using |on )?{_VALUE} any ?more\b", re.IGNORECASE),
    re.compile(
        rf"(?P<old>[\w./-]+(?: [\w./-]+)?) (?:is|was|has been) (?:{_GONE})\b", re.IGNORECASE
    ),
    re.compile(rf"(?:,|\bbut) not (?:in |on |by |with )?{_VALUE}", re.IGNORECASE),
    re.compile(r"(?P<old>[\w./-]+) ?(?:->|\u2192) ?[\w./-]+"),
)
"""Ways to name what was before."""
_INTO: Final = re.compile(
    r"\s*(?:to|with|by)\s+((?:[^,;.!?]|\.(?=\w))+?)(?=\s(?:for|in|on)\s|[,;!?]|\.?\s*$|\.\s)"
)
_INSTEAD: Final = re.compile(r"instead|rather|in place|replac|supersed", re.IGNORECASE)
_REASON: Final = re.compile(r"\b(?:because|since|due to|so that|which|as it|after)\b.*", re.DOTALL)
_USES: Final = frozenset(
    map(
        _uninflected,
        "use run choose chose chosen pick prefer adopt deploy store keep host write live via with "
        "on in by".split(),
    )
) | {"uses"}
_HOLDS: Final = frozenset(
    map(
        _uninflected,
        "use run set need default require target pin expire limit listen cap equal cost start end "
        "due take last port version timeout maximum minimum to at of every after within".split(),
    )
) | {"is", "are", "=", "be"}
"""What stands between a subject and the one value it has."""
_LIGHT: Final = (
    _USES
    | _NEGATIONS
    | frozenset(
        map(
            _uninflected,
            "for to at of per each every from and or as all anymore more longer any now do does it "
            "have has decided switch switched move moved migrate migrated change changed replace "
            "replaced drop dropped instead rather than this that project team".split(),
        )
    )
)
_CALENDAR: Final = frozenset(
    map(
        stem,
        "monday tuesday wednesday thursday friday saturday sunday january february march april may "
        "june july august september october november december daily weekly monthly hourly "
        "yearly".split(),
    )
)
_CHOICE: Final = frozenset({"favorit", "favourit", "preferred"})
"""Words that say of a thing that there is one of it."""
_SINGLE: Final = frozenset(
    map(
        stem,
        "license licence birthday deadline email timezone username hostname nickname "
        "priority".split(),
    )
)
"""Attributes of which a thing has one."""
_COUNTED: Final = frozenset(
    map(stem, "one two three four five six seven eight nine ten eleven twelve".split())
)
_NUMBER: Final = re.compile(r"[-+v]?\d")
_VERSION: Final = re.compile(r"([a-z][a-z-]*?)[-_]v?\d[\d.]*")
_KEYED: Final = re.compile(r"^\s*(?P<key>[A-Za-z_][\w.-]*)\s*(?:=|:=)\s*(?P<value>\S.*?)\s*$")


class _Before(NamedTuple):
    """A value that a statement gives up."""

    value: tuple[str, ...]
    about: frozenset[str]
    """What else the statement says that carries meaning."""
    instead: frozenset[str]
    """The words of the value that takes its place, where that is clear."""


@dataclass(frozen=True, eq=False)
class Statement:
    """A text as it is compared; what takes time to find out is found out once."""

    text: str

    @cached_property
    def words(self) -> tuple[str, ...]:
        """All words that count, in order."""
        return _words(self.text)

    @cached_property
    def keyed(self) -> tuple[str, str] | None:
        """Key and value, if it is written as an assignment."""
        found = _KEYED.match(self.text)
        return (found["key"], found["value"]) if found else None

    @cached_property
    def before(self) -> tuple[_Before, ...]:
        """What it says was so and is over: "X instead of Y", "no longer Y"."""
        said = _REASON.sub("", self.text)
        return tuple(
            _Before(value, frozenset(_around(said, one)) - {*value} - _LIGHT, _instead(said, one))
            for pattern in _OLD
            for one in pattern.finditer(said)
            if 0 < len(value := _words(one["old"])) <= _SLOT
        )

    @cached_property
    def now(self) -> tuple[bool, tuple[str, ...]]:
        """Whether it calls its value new, and its words without those that do."""
        words = _words(_NOW.sub(lambda one: " to " if one[0].endswith("to") else " ", self.text))
        return bool(_NOW.search(self.text)), words


@lru_cache(maxsize=4096)
def read(text: str) -> Statement:
    """Return *text* as a statement."""
    return Statement(text.replace("\N{RIGHT SINGLE QUOTATION MARK}", "'").strip())


def repeats(old: Statement, new: Statement) -> bool:
    """Whether *new* says exactly what *old* says, perhaps beginning at another place."""
    if not old.words or len(old.words) != len(new.words):
        return False
    if len(old.words) < _TURNABLE:
        return old.words == new.words
    turned = old.words + old.words
    return any(turned[at : at + len(new.words)] == new.words for at in range(len(old.words)))


def supersedes(old: Statement, new: Statement) -> bool:
    """Whether *new* clearly gives another value to what *old* is about."""
    if not old.words or not new.words or max(len(old.words), len(new.words)) > LONGEST:
        return False
    if old.text.endswith("?") or new.text.endswith("?"):
        return False
    if old.keyed and new.keyed:
        return old.keyed[0] == new.keyed[0] and old.keyed[1] != new.keyed[1]
    return any(_gives_up(old, one) for one in new.before) or _revalued(old, new)


def _words(text: str) -> tuple[str, ...]:
    spelled = _NEGATED.sub(_full, text)
    found: list[str] = []
    for token in _TOKEN.findall(_SHORTENED.sub("", spelled)):
        lower = token.lower()
        if lower in _NEUTRAL and not (token.isupper() and len(token) > 1):
            continue
        found.append(_uninflected(lower))
    return tuple(found)


def _full(short: re.Match[str]) -> str:
    return f"{'can' if short[1] else 'will' if short[2] else short[3]} not"


def _around(said: str, match: re.Match[str]) -> tuple[str, ...]:
    """Return the words of *said* beside those that say what is given up."""
    what = match.groupdict().get("what") or ""
    return _words(f"{said[: match.start()]} {what} {said[match.end() :]}")


def _instead(said: str, match: re.Match[str]) -> frozenset[str]:
    """Return the words of the value that *said* puts in the place of the one of *match*."""
    if after := _INTO.match(said[match.end() :]):
        return frozenset(_words(after[1]))
    if not _INSTEAD.match(match[0]):
        return frozenset()
    words = _words(said[: match.start()])
    verbs = [n for n, one in enumerate(words) if one in _USES]
    return frozenset(words[verbs[-1] + 1 if verbs else 0 :])


def _gives_up(old: Statement, new: _Before) -> bool:
    """Whether *old* has the value that the new one gives up, for what the new one is about."""
    if not {*new.value} <= {*old.words}:
        return False
    at = min(old.words.index(one) for one in new.value)
    gone = {word for one in old.before for word in one.value}
    if not gone.isdisjoint(new.value) or not _NEGATIONS.isdisjoint(old.words):
        return False
    if new.instead and new.instead <= {*old.words}:
        return False  # it has the new value, too
    about = set(old.words) - {*new.value} - gone - _LIGHT
    if shared := about & new.about:
        return 2 * len(shared) >= min(len(about), len(new.about))
    # Nothing in common: clear only where the old one is about nothing but the use of the value,
    # and the new one about nothing but the values.
    if not any({*new.value} <= one.instead for one in old.before):
        verb = next((n for n, one in enumerate(old.words[:at]) if one in _USES), None)
        if verb is None or set(old.words[:verb]) - _LIGHT or len(about) > _SLOT:
            return False
    return new.about <= new.instead


def _revalued(old: Statement, new: Statement) -> bool:
    """Whether both are one sentence but for one value, or for a negation."""
    announced, mine = new.now
    before = 0
    while before < min(len(old.words), len(mine)) and old.words[before] == mine[before]:
        before += 1
    after = 0
    while (
        after < min(len(old.words), len(mine)) - before
        and old.words[-1 - after] == mine[-1 - after]
    ):
        after += 1
    gone = old.words[before : len(old.words) - after]
    come = mine[before : len(mine) - after]
    frame = {*old.words[:before], *old.words[len(old.words) - after :]}
    if not frame - _LIGHT:
        return False
    if _negates(gone, come):
        return True
    if not gone or not come or max(len(gone), len(come)) > _SLOT:
        return False
    if before == 0:  # who or what it is differs: clear only if it can be but one
        return bool(_SOLE.search(new.text))
    if announced:  # a frame shorter than the value is a turn of phrase
        return {*gone} == {*come} or len(old.words) - len(gone) >= max(len(gone), len(come))
    rest = old.words[len(old.words) - after :]
    last = len(rest) <= 1 or rest[0] in _LIGHT or rest[1] in _LIGHT  # the first may be a unit
    single = old.words[before - 1] in _SINGLE or not _CHOICE.isdisjoint(old.words[:before])
    return (single and not rest) or (last and _quantities(gone, come) and _holds(old, before))


def _negates(gone: Sequence[str], come: Sequence[str]) -> bool:
    """Whether the only difference is that one of both denies what the other says."""
    if len(gone) == len(come) == 1:
        return frozenset((gone[0], come[0])) in _OPPOSED
    longer, shorter = (gone, come) if len(gone) > len(come) else (come, gone)
    return not shorter and tuple(longer) in _DENIALS


def _quantities(gone: Sequence[str], come: Sequence[str]) -> bool:
    """Whether both are values of which a thing has one at a time: numbers, versions, days."""
    kinds = {_quantity(one) for one in (gone[0], come[0])}
    return len(kinds) == 1 and None not in kinds and [*gone[1:]] == [*come[1:]]


def _quantity(word: str) -> str | None:
    if word in _CALENDAR:
        return "day"
    if word in _COUNTED:
        return "number"
    if "://" in word:
        return "address"
    version = _VERSION.fullmatch(word)
    return "number" if _NUMBER.match(word) else version and version[1]


def _holds(old: Statement, before: int) -> bool:
    """Whether what stands before the value says that it is the value, and not a label."""
    wanted = old.words[before]
    value = next(
        (one for one in _TOKEN.finditer(old.text) if _uninflected(one[0].lower()) == wanted), None
    )
    if value is None or old.text[: value.start()].endswith("#"):
        return False
    if old.text[: value.start()].rstrip()[-1:] in {":", "="}:
        return True
    near = [one[0] for one in _TOKEN.finditer(old.text[: value.start()])][-_SLOT:]
    holding = [one.lower() in _HOLDS or stem(one.lower()) in _HOLDS for one in near]
    # "uses Python 3.11" is a value, "run test 3" a label.
    named = near and (near[-1][0].isupper() or (near[-1] == "on" and _quantity(wanted) != "day"))
    return bool(near) and (holding[-1] or bool(named and any(holding[:-1])))


_OPPOSED: Final = frozenset(
    frozenset(map(_uninflected, pair.split())) for pair in _OPPOSITES.split(",")
)
