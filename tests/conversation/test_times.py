from datetime import UTC, datetime, timedelta, timezone

import pytest

from victor_memory.conversation.times import EARLIEST, periods

NOW = datetime(2026, 11, 21, 15, 30, tzinfo=UTC)  # a Saturday


def days(query, now=NOW):
    return [
        (one.start.date().isoformat(), one.end.date().isoformat()) for one in periods(query, now)
    ]


@pytest.mark.parametrize(
    ("query", "first", "after"),
    [
        ("what did I do today?", "2026-11-21", "2026-11-22"),
        ("yesterday's bug", "2026-11-20", "2026-11-21"),
        ("the day before yesterday", "2026-11-19", "2026-11-20"),
        ("what broke last night", "2026-11-20", "2026-11-21"),
        ("two days ago", "2026-11-19", "2026-11-20"),
        ("a week ago", "2026-11-11", "2026-11-18"),
        ("what did we decide last week?", "2026-11-09", "2026-11-16"),
        ("this week", "2026-11-16", "2026-11-23"),
        ("last month", "2026-10-01", "2026-11-01"),
        ("in the last 3 days", "2026-11-18", "2026-11-22"),
        ("past two weeks", "2026-11-07", "2026-11-22"),
        ("last year", "2025-01-01", "2026-01-01"),
        ("in March", "2026-03-01", "2026-04-01"),
        ("in December", "2025-12-01", "2026-01-01"),
        ("during march 2024", "2024-03-01", "2024-04-01"),
        ("August 2023", "2023-08-01", "2023-09-01"),
        ("on 3 May", "2026-05-03", "2026-05-04"),
        ("on the 3rd of May 2021", "2021-05-03", "2021-05-04"),
        ("on May 3, 2023", "2023-05-03", "2023-05-04"),
        ("24 December", "2025-12-24", "2025-12-25"),
        ("on 2025-02-28", "2025-02-28", "2025-03-01"),
        ("in 2023", "2023-01-01", "2024-01-01"),
        ("on Monday", "2026-11-16", "2026-11-17"),
        ("last saturday", "2026-11-14", "2026-11-15"),
        ("since Tuesday", "2026-11-17", "2026-11-21"),
        ("since last month", "2026-10-01", "2026-11-21"),
        ("after 3 May 2026", "2026-05-04", "2026-11-21"),
        ("between March and May 2026", "2026-03-01", "2026-06-01"),
        ("from 2 March 2026 to 9 March 2026", "2026-03-02", "2026-03-10"),
        ("recently", "2026-11-07", "2026-11-22"),
    ],
)
def test_time_words_are_periods(query, first, after):
    assert days(query) == [(first, after)]


def test_before_a_time_is_everything_before_it():
    (period,) = periods("what did we use before March 2024?", NOW)
    assert period.start == EARLIEST
    assert period.end == datetime(2024, 3, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    "query", ["You may march on", "the may function", "2023 items", "week", "31 Mayors", "in 3024"]
)
def test_other_words_are_no_times(query):
    assert days(query) == []


def test_two_times_are_two_periods():
    assert days("yesterday or in March") == [
        ("2026-11-20", "2026-11-21"),
        ("2026-03-01", "2026-04-01"),
    ]


def test_days_are_those_of_the_zone_that_asks():
    tokyo = timezone(timedelta(hours=9))
    (period,) = periods("today", datetime(2026, 11, 22, 3, tzinfo=tokyo))
    assert period.start == datetime(2026, 11, 21, 15, tzinfo=UTC)
    assert period.end - period.start == timedelta(days=1)


def test_a_time_without_a_year_can_be_looked_for_in_earlier_years():
    (period,) = periods("in February", NOW)
    assert period.any_year
    assert period.years_back(2).start == datetime(2024, 2, 1, tzinfo=UTC)
    assert not periods("in February 2025", NOW)[0].any_year


def test_times_at_the_edges_of_the_calendar_are_no_failure():
    early = datetime(1, 1, 1, 1, tzinfo=UTC)
    assert periods("900 years ago, in 1900, last week, two days ago, yesterday", early) is not None
