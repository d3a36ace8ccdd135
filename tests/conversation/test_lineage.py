from datetime import UTC, datetime, timedelta

import pytest

from victor_memory.conversation.lineage import amended, latest, replaced
from victor_memory.conversation.parts import split
from victor_memory.conversation.records import new_memory

NOON = datetime(2026, 1, 15, 12, tzinfo=UTC)
OLD = (
    "user: Nightly exports keep timing out. How many rows may one file of the export hold?\n"
    "assistant: Let us settle it: an export file holds at most 50000 rows, compressed with gzip, "
    "and files older than thirty days are deleted."
)
NEW = (
    "user: About the export policy we agreed on: the warehouse cannot read files that large.\n"
    "assistant: Then we revise that policy: an export file holds at most 10000 rows, compressed "
    "with zstd; deletion after thirty days stays."
)
OTHER = (
    "user: Why does the login page flicker on reload?\nassistant: The theme is read too late. "
    "Read it before the first paint, then the page does not flicker."
)


def turns(*texts, kind="turn", same_time=False):
    return [
        new_memory(
            text, project="p", kind=kind, session="s",
            index=n if kind == "turn" else None,
            created_at=NOON + timedelta(0 if same_time else n),
        )
        for n, text in enumerate(texts)
    ]  # fmt: skip


@pytest.mark.parametrize("same_time", [False, True])
def test_a_conversation_that_announces_a_change_amends_the_one_about_the_same(same_time):
    old, other, new = turns(OLD, OTHER, NEW, same_time=same_time)
    assert amended([new, other, old]) == {old.id: new.id}


def test_what_announces_no_change_amends_nothing():
    assert amended(turns(OLD, OTHER, OLD.replace("50000", "60000"))) == {}


def test_the_older_never_amends_the_newer():
    assert amended(turns(NEW, OTHER, OLD)) == {}
    first, second = turns(OLD, NEW, same_time=True)
    elsewhere = new_memory(NEW, project="p", kind="turn", session="t", index=9, created_at=NOON)
    assert amended([first, elsewhere]) == {}
    assert amended([first, second]) == {first.id: second.id}


def test_a_change_of_something_else_amends_nothing():
    assert amended(turns(OTHER, OLD, NEW.replace("export", "invoice").replace("rows", "lines")
                         .replace("compressed", "printed").replace("file", "page")
                         .replace("thirty days", "a year"))) == {}  # fmt: skip


def test_short_statements_are_compared_by_what_they_say():
    old, other, new = turns(
        "The API port is 8080", "The web port is 8080", "The API port is now 9090", kind="fact"
    )
    assert amended([old, other, new]) == {old.id: new.id}
    assert amended(turns("The API port is 8080", "The API port is 8080 on my machine")) == {}


def test_the_parts_of_a_long_text_are_read_together():
    old, other, new = turns(OLD * 8, OTHER * 8, OTHER + NEW * 8)
    parts = [part for one in (new, old, other) for part in split(one)]
    assert len(parts) > 6
    assert amended(parts)[old.id] == new.id


def test_nothing_is_amended_where_there_is_nothing():
    assert amended([]) == {}
    assert amended(turns(NEW)) == {}


def test_the_newest_of_those_that_supersede_is_followed_to_the_last():
    first, second, third = turns("one", "two", "three", kind="fact")
    links = replaced(
        [
            new_memory("x", project="p", supersedes=[first.id], created_at=NOON),
            new_memory("y", project="p", supersedes=[first.id], created_at=NOON + timedelta(1)),
        ]
    )
    assert links == {first.id: new_memory("y", project="p").id}
    assert latest("a", {"a": "b", "b": "c"}) == "c"
    assert latest("a", {"a": "b", "b": "a"}) == "b"
    assert latest(third.id, {second.id: first.id}) == third.id
