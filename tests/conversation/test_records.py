from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from victor_memory.conversation.records import KINDS, at_index, from_record, new_memory, to_record
from victor_memory.errors import CorruptStoreError, InvalidRequestError
from victor_memory.types import Record

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(str.strip)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
TIMES = st.datetimes(datetime(1970, 1, 2), datetime(2200, 1, 1)).flatmap(  # noqa: DTZ001 - a time without a zone is the point
    lambda moment: st.integers(-14 * 60, 14 * 60).map(
        lambda minutes: moment.replace(tzinfo=timezone(timedelta(minutes=minutes)))
    )
)


@st.composite
def memories(draw):
    kind = draw(st.sampled_from(KINDS))
    turn = kind == "turn"
    return new_memory(
        draw(TEXTS),
        project=draw(TEXTS),
        kind=kind,
        session=draw(TEXTS if turn else st.none() | TEXTS),
        index=draw(st.none() | st.integers(0, 2**63 - 1)) if turn else None,
        role=draw(st.none() | TEXTS),
        agent=draw(st.none() | TEXTS),
        source=draw(st.none() | TEXTS),
        importance=draw(st.floats(0, 1)),
        created_at=draw(TIMES),
        tags=draw(st.lists(TEXTS, max_size=3)),
        links=draw(st.lists(TEXTS, max_size=3)),
        metadata=draw(st.dictionaries(st.text(min_size=1), JSON, max_size=3)),
    )


@given(memories())
def test_a_memory_survives_being_a_record(memory):
    assert from_record(to_record(memory)) == memory


def test_the_keys_of_a_record_are_those_that_are_documented():
    memory = new_memory(
        "Pay the invoice",
        project="p",
        kind="turn",
        session="s",
        index=3,
        role="user",
        agent="victor",
        source="chat.jsonl",
        importance=1,
        created_at=datetime(2026, 1, 31, 13, tzinfo=timezone(timedelta(hours=1))),
        tags=["billing"],
        links=["main.py@abc"],
        metadata={"branch": "main", "n": 1},
    )
    record = to_record(memory)
    assert record.metadata == {
        "kind": "turn",
        "project": "p",
        "session": "s",
        "index": 3,
        "role": "user",
        "agent": "victor",
        "source": "chat.jsonl",
        "importance": 1.0,
        "created_at": "2026-01-31T12:00:00+00:00",
        "created_ts": 1769860800.0,
        "tags": ["billing"],
        "links": ["main.py@abc"],
        "meta.branch": "main",
        "meta.n": 1,
    }
    assert record.terms == "pay the invoic bill"


def test_ids_stay_what_they_are():
    """Changing one of these makes everybody's memories strangers to themselves."""
    assert new_memory("We chose JWT", project="p").id == "17d6d93dc1b38b0af83c4cfe74611645"
    turn = new_memory("hello", project="p", kind="turn", session="s", role="user", index=0)
    assert turn.id == "da156e092d8130b59027c40bcd4c13ca"


def test_the_same_note_has_the_same_id_whoever_adds_it():
    note = new_memory("Caf\u00e9 at  noon", project="p", agent="a", session="s", importance=0.1)
    same = new_memory(
        " Cafe\u0301 at\nnoon ", project="p", agent="b", role="user", tags=["x"], importance=0.9
    )
    assert note.id == same.id


@pytest.mark.parametrize(
    "change",
    [{"text": "other"}, {"text": "Hello"}, {"project": "q"}, {"session": "t"}, {"role": "tool"},
     {"index": 1}, {"index": None}],
)  # fmt: skip
def test_what_makes_a_turn_another_turn(change):
    turn = {
        "text": "hello",
        "project": "p",
        "kind": "turn",
        "session": "s",
        "role": "user",
        "index": 0,
    }
    assert new_memory(**turn).id != new_memory(**turn | change).id


def test_fields_cannot_be_shifted_into_one_another():
    one = new_memory("c", project="a", kind="turn", session="b")
    other = new_memory("b c", project="a", kind="turn", session="b")
    assert len({one.id, other.id, new_memory("c", project="a b").id}) == 3


def test_a_place_found_later_changes_nothing_else():
    turn = new_memory("hello", project="p", kind="turn", session="s")
    assert at_index(turn, 7).id == turn.id
    assert at_index(turn, 7).index == 7


def test_a_time_is_kept_in_utc_and_is_now_if_it_is_not_given():
    before = datetime.now(UTC)
    assert before <= new_memory("x", project="p").created_at <= datetime.now(UTC)


@pytest.mark.parametrize(
    ("change", "advice"),
    [
        ({"text": ""}, "at least one word"),
        ({"text": " \n\t"}, "at least one word"),
        ({"text": None}, "at least one word"),
        ({"kind": "opinion"}, "Use one of: fact, decision"),
        ({"kind": ["fact"]}, "Use one of: fact, decision"),
        ({"kind": "turn"}, "Give its session"),
        ({"index": 0}, "position of a turn"),
        ({"kind": "turn", "session": "s", "index": -1}, "from 0"),
        ({"kind": "turn", "session": "s", "index": True}, "from 0"),
        ({"importance": 1.01}, "from 0"),
        ({"importance": -0.1}, "from 0"),
        ({"importance": float("nan")}, "from 0"),
        ({"importance": "high"}, "from 0"),
        ({"importance": True}, "from 0"),
        ({"created_at": datetime(2026, 1, 1)}, r"datetime\.now\(UTC\)"),  # noqa: DTZ001 - a time without a zone is the point
        ({"created_at": "2026-01-01"}, r"datetime\.now\(UTC\)"),
        ({"created_at": datetime.min.replace(tzinfo=timezone(timedelta(hours=9)))}, "years 1 to"),
        ({"tags": "one"}, "list of strings"),
        ({"tags": [""]}, "non-empty string"),
        ({"tags": [1]}, "non-empty string"),
        ({"links": "one"}, "list of strings"),
        ({"session": ""}, "non-empty string"),
        ({"role": 5}, "non-empty string"),
        ({"project": " "}, "non-empty string"),
        ({"metadata": [1]}, "mapping of names"),
        ({"metadata": {1: 2}}, "mapping of names"),
        ({"text": "broken \ud83d emoji"}, "errors='replace'"),
    ],
)
def test_what_cannot_be_remembered_is_refused_with_the_next_step(change, advice):
    with pytest.raises(InvalidRequestError, match=advice):
        new_memory(**{"text": "x", "project": "p"} | change)


def test_a_record_of_something_else_is_not_a_memory():
    with pytest.raises(CorruptStoreError, match="directory of its own"):
        from_record(Record("id", "def main(): ...", metadata={"path": "main.py"}))
