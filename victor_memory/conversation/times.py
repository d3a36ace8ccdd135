"""Time words of a question ("last week", "in March", "two days ago", "on 3 May") as periods.

A period is read relative to a *now*; its days, weeks and months are those of *now*'s time zone. No
library is used: those that read dates return moments, but "in March" is a month, and what is
wanted is how well the time of a memory fits it. Only English is read.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

MONTHS: Final = (
    "january february march april may june july august september october november december"
).split()
WEEKDAYS: Final = "monday tuesday wednesday thursday friday saturday sunday".split()
NUMBERS: Final = {
    word: number
    for number, word in enumerate(
        "one two three four five six seven eight nine ten eleven twelve".split(), 1
    )
} | {"a": 1, "an": 1, "couple of": 2, "a couple of": 2, "few": 3, "a few": 3}
DAY: Final = timedelta(days=1)
RECENT: Final = timedelta(days=14)
EARLIEST: Final = datetime(1, 1, 2, tzinfo=UTC)

_MONTH: Final = (
    r"(?P<month>jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?"
    r"|sep(?:t|tember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)"
)
_DAY: Final = r"(?P<day>[0-3]?\d)(?:st|nd|rd|th)?"
_YEAR: Final = r"(?P<year>(?:19|20)\d\d)"
_COUNT: Final = r"(?P<count>\d{1,3}|" + "|".join(sorted(NUMBERS, key=len, reverse=True)) + ")"
_UNIT: Final = r"(?P<unit>hour|day|night|week|month|year)s?"
_BEFORE_MONTH: Final = "in|of|during|since|until|till|before|after|last|this|by|and|to|between|from"
_WEEKDAY: Final = rf"(?P<weekday>{'|'.join(WEEKDAYS)})"

_FORMS: Final = tuple(
    (name, re.compile(rf"\b{form}\b", re.IGNORECASE))
    for name, form in (
        ("iso", r"(?P<year>(?:19|20)\d\d)-(?P<number>[01]\d)-(?P<day>[0-3]\d)"),
        ("date", rf"{_DAY}\s+(?:of\s+)?{_MONTH}\.?,?(?:\s+{_YEAR})?"),
        ("date", rf"{_MONTH}\.?\s+(?:the\s+)?{_DAY}(?:,?\s+{_YEAR})?"),
        ("month", rf"{_MONTH}\.?,?\s+(?:of\s+)?{_YEAR}"),
        # Without a year the preposition tells the month May from the verb.
        ("month", rf"(?:{_BEFORE_MONTH})\s+{_MONTH}"),
        ("year", rf"(?:in|of|during|since|until|till|before|after|by|year|and)\s+{_YEAR}"),
        ("ago", rf"{_COUNT}\s+{_UNIT}\s+(?:ago|back|earlier)"),
        ("past", rf"(?:the\s+)?(?:last|past|previous)\s+{_COUNT}\s+{_UNIT}"),
        ("before", r"(?:the\s+)?day\s+before\s+yesterday"),
        ("yesterday", r"yesterday|last\s+night"),
        ("today", r"today|tonight|this\s+(?:morning|afternoon|evening)"),
        ("last", r"(?:last|past|previous)\s+(?P<unit>week|month|year)"),
        ("this", r"this\s+(?P<unit>week|month|year)"),
        ("weekday", rf"(?:last|on|since|this)\s+{_WEEKDAY}"),
        ("recent", r"recently|lately|these\s+days"),
    )
)
_BOUND: Final = re.compile(
    r"(?:(?P<from>since|after|from)|(?P<to>until|till|before|by|prior\s+to))\s+(?:the\s+)?$",
    re.IGNORECASE,
)
_JOINED: Final = (
    (re.compile(r"\bbetween\b", re.IGNORECASE), re.compile(r"\s*and\b", re.IGNORECASE)),
    (
        re.compile(r"\bfrom\b", re.IGNORECASE),
        re.compile(r"\s*(?:to|until|till|through)\b", re.IGNORECASE),
    ),
)
"""How two times are said to be the ends of one."""


@dataclass(frozen=True, slots=True)
class Period:
    """The moments from *start* and before *end*, both in UTC."""

    start: datetime
    end: datetime
    words: str
    """What said so in the question."""
    any_year: bool = False
    """Whether the year was not said: it is the latest one that has begun."""

    def years_back(self, count: int) -> Period:
        """Return the same part of the year *count* years earlier."""
        return Period(_back(self.start, count), _back(self.end, count), self.words, any_year=True)


def periods(query: str, now: datetime) -> tuple[Period, ...]:
    """Return the periods that *query* names, in the order of its words; none if it names none.

    *now* has a time zone. "since", "after", "before" and "until" before a time, and "between" two
    times, make one period of what they enclose.
    """
    found: list[tuple[int, int, Period]] = []
    for name, form in _FORMS:
        for match in form.finditer(query):
            start, stop = match.span()
            if any(start < other_stop and other < stop for other, other_stop, _ in found):
                continue
            span = _span(name, match, now)
            if span is not None:
                unsaid = name in ("date", "month") and match["month"] and not _said(match, "year")
                period = _period(*span, now, match[0], any_year=bool(unsaid))
                found.append((start, stop, _bounded(period, query[:start], match[0], now)))
    found.sort(key=lambda one: one[0])
    return _between(query, found)


def _between(query: str, found: list[tuple[int, int, Period]]) -> tuple[Period, ...]:
    """Return the periods, two that "between" and "and" (or "from" and "to") join as one."""
    done: list[Period] = []
    index = 0
    while index < len(found):
        start, stop, one = found[index]
        if index + 1 < len(found):
            after, end, other = found[index + 1]
            lead = query[:start] + one.words
            middle = query[stop:after] + other.words
            joined = any(
                opening.search(lead, max(0, start - 12), start + 8) and joint.match(middle)
                for opening, joint in _JOINED
            )
            if joined and one.start < other.end:
                words = query[start:end]
                done.append(Period(one.start, other.end, words, one.any_year or other.any_year))
                index += 2
                continue
        done.append(one)
        index += 1
    return tuple(done)


def _bounded(period: Period, lead: str, words: str, now: datetime) -> Period:
    """Return *period* opened to one side if the word before it (or its first word) says so."""
    first = words.split(maxsplit=1)[0].lower() + " "
    bound = _BOUND.search(lead) or _BOUND.search(first)
    if bound is None:
        return period
    if bound["to"]:
        if bound["to"].lower() == "by":
            return period
        return Period(EARLIEST, period.start, words, period.any_year)
    if bound["from"].lower() == "from":
        return period
    start = period.end if bound["from"].lower() == "after" else period.start
    return Period(start, max(start, now.astimezone(UTC)), words, period.any_year)


def _span(name: str, match: re.Match[str], now: datetime) -> tuple[date, date] | None:
    """Return the first day and the day after the last that *match* means; `None` if no such day."""
    try:
        return _READ[name](match, now.date())
    except (ValueError, OverflowError):
        return None


def _iso(match: re.Match[str], today: date) -> tuple[date, date]:
    del today
    first = date(int(match["year"]), int(match["number"]), int(match["day"]))
    return first, first + DAY


def _date(match: re.Match[str], today: date) -> tuple[date, date]:
    month = _month(match["month"])
    said = _said(match, "year")
    year = int(match["year"]) if said else _latest(month, today)
    first = date(year, month, int(match["day"]))
    if not said and first > today:
        first = first.replace(year=year - 1)
    return first, first + DAY


def _whole_month(match: re.Match[str], today: date) -> tuple[date, date]:
    month = _month(match["month"])
    year = int(match["year"]) if _said(match, "year") else _latest(month, today)
    first = date(year, month, 1)
    return first, _months(first, 1)


def _year(match: re.Match[str], today: date) -> tuple[date, date]:
    del today
    return date(int(match["year"]), 1, 1), date(int(match["year"]) + 1, 1, 1)


def _weekday(match: re.Match[str], today: date) -> tuple[date, date]:
    back = (today.weekday() - WEEKDAYS.index(match["weekday"].lower())) % 7 or 7
    first = today - back * DAY
    return first, first + DAY


def _counted(match: re.Match[str], today: date, *, past: bool) -> tuple[date, date]:
    word, unit = match["count"].lower(), match["unit"].lower()
    count = int(word) if word.isdigit() else NUMBERS[word]
    if unit == "hour":
        first = today - timedelta(days=-(-count // 24)) if past or count > 1 else today
    elif unit in ("day", "night"):
        first = today - count * DAY
    elif unit == "week":
        first = today - 7 * count * DAY
    else:
        first = _months(today, -count * (12 if unit == "year" else 1))
    if past or unit == "hour":
        return first, today + DAY
    # "Three weeks ago" is not a day: half a unit to either side.
    around = {"day": 0, "night": 0, "week": 3, "month": 15, "year": 182}[unit]
    return first - around * DAY, first + (around + 1) * DAY


def _unit(unit: str, today: date, back: int) -> tuple[date, date]:
    if unit == "week":
        first = today - timedelta(days=today.weekday() + 7 * back)
        return first, first + timedelta(days=7)
    if unit == "month":
        first = _months(today.replace(day=1), -back)
        return first, _months(first, 1)
    return date(today.year - back, 1, 1), date(today.year - back + 1, 1, 1)


_READ: Final[dict[str, Callable[[re.Match[str], date], tuple[date, date]]]] = {
    "iso": _iso,
    "date": _date,
    "month": _whole_month,
    "year": _year,
    "ago": functools.partial(_counted, past=False),
    "past": functools.partial(_counted, past=True),
    "before": lambda _, today: (today - 2 * DAY, today - DAY),
    "yesterday": lambda _, today: (today - DAY, today),
    "today": lambda _, today: (today, today + DAY),
    "last": lambda match, today: _unit(match["unit"].lower(), today, back=1),
    "this": lambda match, today: _unit(match["unit"].lower(), today, back=0),
    "weekday": _weekday,
    "recent": lambda _, today: (today - RECENT, today + DAY),
}
"""How the words of each form are read, on which day."""


def _period(first: date, after: date, now: datetime, words: str, *, any_year: bool) -> Period:
    zone = now.tzinfo
    start, end = (datetime.combine(one, time(), zone).astimezone(UTC) for one in (first, after))
    return Period(start, end, words, any_year)


def _month(word: str) -> int:
    return next(n for n, name in enumerate(MONTHS, 1) if name.startswith(word[:3].lower()))


def _latest(month: int, today: date) -> int:
    """Return the latest year in which *month* has begun."""
    return today.year - (month > today.month)


def _months(day: date, count: int) -> date:
    """Return the day *count* months later, at most the 28th where that month is shorter."""
    year, month = divmod(day.year * 12 + day.month - 1 + count, 12)
    try:
        return day.replace(year=year, month=month + 1)
    except ValueError:
        return day.replace(year=year, month=month + 1, day=28)


def _back(moment: datetime, years: int) -> datetime:
    try:
        return moment.replace(year=moment.year - years)
    except ValueError:
        return moment.replace(year=moment.year - years, day=28)


def _said(match: re.Match[str], group: str) -> bool:
    return group in match.re.groupindex and match[group] is not None
