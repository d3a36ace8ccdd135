"""Files of lines: read on after what was read, whatever happened to them since."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transcripts import lines, write

from victor_memory.errors import TransferError
from victor_memory.transfer import lines as module
from victor_memory.transfer.formats import named
from victor_memory.transfer.lines import json_lines
from victor_memory.transfer.model import Entry, Note


def convert(value, line, state):
    number = value["n"]
    state["count"] = state.get("count", 0) + 1
    yield Entry(Note(text=f"{number} is number {state['count']}"), line)


def read(path, since=None, size=3):
    batches = list(json_lines(path, since, size, convert))
    texts = [one.said.text for batch in batches for one in batch.entries]
    problems = [(one.line, one.reason) for batch in batches for one in batch.problems]
    return texts, problems, batches[-1]


def numbers(*values):
    return [{"n": one} for one in values]


def test_reading_goes_on_where_it_stopped_with_what_was_known_there(tmp_path):
    path = write(tmp_path / "a.jsonl", lines(*numbers(1, 2)))
    texts, _, last = read(path)
    assert texts == ["1 is number 1", "2 is number 2"]
    with path.open("a", encoding="utf-8") as stream:
        stream.write(lines(*numbers(3)))
    texts, _, last = read(path, last.cursor)
    assert texts == ["3 is number 3"]
    assert (last.cursor.line, read(path, last.cursor)[0]) == (3, [])


@pytest.mark.parametrize(
    "change",
    [
        lambda path: path.write_text(lines(*numbers(7, 8, 9)), encoding="utf-8"),  # rewritten
        lambda path: path.write_text(lines(*numbers(1)), encoding="utf-8"),  # truncated
        lambda path: path.write_text(
            path.read_text(encoding="utf-8").replace("2", "5") + lines({"n": 9}), encoding="utf-8"
        ),  # changed before the cursor
    ],
)
def test_a_file_that_is_another_is_read_from_its_beginning(tmp_path, change):
    path = write(tmp_path / "a.jsonl", lines(*numbers(1, 2, 3)))
    cursor = read(path)[2].cursor
    change(path)
    assert read(path, cursor)[0] == read(path)[0] != []


def test_damaged_lines_are_told_with_their_numbers_and_the_rest_is_read(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"n": 1}\nnot json\n\n{"x": 1}\n[1]\n\xff\xfe\n{"n": 2}\n')
    texts, problems, last = read(path)
    assert texts == ["1 is number 1", "2 is number 2"]
    assert [line for line, _ in problems] == [2, 4, 5, 6]
    assert problems[0][1].startswith("not JSON")
    assert problems[1][1].startswith("not what this format has there")
    assert last.cursor.line == 7


def test_a_half_written_last_line_waits(tmp_path):
    whole = lines(*numbers(1, 2))
    path = write(tmp_path / "a.jsonl", whole[:-4])
    texts, problems, last = read(path)
    assert (texts, problems, last.waiting, last.cursor.seen) == (["1 is number 1"], [], True, None)
    path.write_text(whole, encoding="utf-8")
    texts, problems, last = read(path, last.cursor)
    assert (texts, problems, last.waiting) == (["2 is number 2"], [], False)
    assert last.cursor.seen is not None


def test_a_whole_last_line_without_its_end_is_taken_once(tmp_path):
    path = write(tmp_path / "a.jsonl", lines(*numbers(1, 2))[:-1])
    texts, _, last = read(path)
    assert texts == ["1 is number 1", "2 is number 2"]
    with path.open("a", encoding="utf-8") as stream:
        stream.write("\n" + lines(*numbers(3)))
    texts, _, last = read(path, last.cursor)
    assert texts == ["3 is number 3"]
    assert last.cursor.line == 3


def test_a_line_that_is_too_long_is_skipped_without_being_held(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "MAX_LINE", 100)
    path = write(tmp_path / "a.jsonl", lines({"n": "x" * 1000}, {"n": 2}))
    texts, problems, _ = read(path)
    assert texts == ["2 is number 1"]
    assert problems == [(1, "longer than 100 bytes")]


def test_a_file_that_cannot_be_read_says_so(tmp_path):
    with pytest.raises(TransferError, match="Check the path"):
        read(tmp_path / "missing.jsonl")


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.one_of(st.integers(), st.text(max_size=20), st.just("damaged")), max_size=12),
    st.lists(st.integers(min_value=0, max_value=400), max_size=5),
    st.integers(min_value=1, max_value=4),
)
def test_in_whatever_pieces_a_file_grows_the_same_is_read(tmp_path_factory, values, cuts, size):
    text = "".join(
        "{damaged\n" if one == "damaged" else json.dumps({"n": one}, ensure_ascii=False) + "\n"
        for one in values
    ).encode()
    path = tmp_path_factory.mktemp("lines") / "a.jsonl"
    path.write_bytes(text)
    expected = read(path)[:2]
    path.write_bytes(b"")
    texts, problems, cursor = [], [], None
    for cut in [*sorted(cuts), len(text)]:
        path.write_bytes(text[:cut])
        more, wrong, last = read(path, cursor, size)
        cursor = last.cursor
        texts += more
        problems += wrong
    assert (texts, problems) == expected


def test_the_index_of_a_turn_does_not_depend_on_when_it_was_read(tmp_path):
    reader = named("jsonl")
    values = [{"text": f"turn {n}", "session": f"s{n % 2}"} for n in range(9)]
    path = write(tmp_path / "a.jsonl", lines(*values))
    whole = [one.said for batch in reader.batches(path, None, 100) for one in batch.entries]
    found, cursor = [], None
    for count in (2, 5, 9):
        write(path, lines(*values[:count]))
        for batch in reader.batches(path, cursor, 2):
            found += [one.said for one in batch.entries]
            cursor = batch.cursor
    assert [(one.session, one.index) for one in found] == [
        (one.session, one.index) for one in whole
    ]
    assert [one.index for one in whole] == [0, 0, 1, 1, 2, 2, 3, 3, 4]
